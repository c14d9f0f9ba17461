"""Judge tokens with PyJWT. `src/others.rs` starts this program.

In, a JSON object a line: first `{"keys": [...], "audience": ..., "issuer": ..., "leeway": ...}`, then
tokens, `{"now": ..., "token": ...}`. Out, a line a token: `accepted`, or the name of the exception.
"""

import json
import sys
from datetime import datetime, tzinfo
from typing import Any

import jwt
import jwt.api_jwt


class Clock(datetime):
    """Stands still at the time of each token."""

    seconds = 0

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> "Clock":
        return cls.fromtimestamp(cls.seconds, tz)


def verdict(told: dict[str, Any], keys: list[jwt.PyJWK], token: str) -> str:
    """Judge a token by the published key that it names, or by the only one for its algorithm."""
    try:
        header = jwt.get_unverified_header(token)
        if "kid" in header:
            fitting = [key for key in keys if key.key_id == header["kid"]]
        else:
            fitting = [key for key in keys if key.algorithm_name == header.get("alg")]
        if len(fitting) != 1:
            return "no key"
        jwt.decode(
            token,
            fitting[0],
            algorithms=["ES256", "EdDSA", "RS256"],
            audience=told["audience"],
            issuer=told["issuer"],
            leeway=told["leeway"],
            options={"require": ["exp", "iss", "aud", "sub"]},
        )
    except (jwt.PyJWTError, ValueError, TypeError) as error:
        return type(error).__name__
    return "accepted"


def main() -> None:
    """Answer until the input ends."""
    vars(jwt.api_jwt)["datetime"] = Clock
    told = json.loads(sys.stdin.readline())
    keys = [jwt.PyJWK(key) for key in told["keys"]]
    for line in sys.stdin:
        case = json.loads(line)
        Clock.seconds = case["now"]
        print(verdict(told, keys, case["token"]))


main()
