"""The command `token`: an access token of the provider that `fastgate dev` runs.

Input: the caller that the arguments describe. Output: the token on standard output, for
`curl -H "Authorization: Bearer $(fastgate token ada orders:read)"`, and the exit code.
"""

import argparse
import json

import httpx

from fastgate.wrong_call import Failed, WrongCall

_SECONDS = 5.0


def print_token(options: argparse.Namespace) -> int:
    """Print a token. Return 0.

    Raises:
        WrongCall: the provider does not accept such a caller.
        Failed: there is no provider.

    """
    caller: dict[str, object] = {"subject": options.subject, "scopes": options.scopes}
    if options.role:
        caller["roles"] = options.role
    if options.group:
        caller["groups"] = options.group
    if options.tenant is not None:
        caller["tenant"] = options.tenant
    if options.claims is not None:
        try:
            caller["claims"] = json.loads(options.claims)
        except ValueError as error:
            raise WrongCall(f"--claims: {error}; write a JSON object") from error
    if options.expires_in is not None:
        caller["expires_in"] = options.expires_in
    provider = options.provider.rstrip("/")
    try:
        with httpx.Client(timeout=_SECONDS, trust_env=False) as client:
            issuer = options.issuer or _first_issuer(client, provider)
            response = client.post(f"{provider}/{issuer}/tokens", json=caller)
        document = response.json()
    except httpx.HTTPError as error:
        raise Failed(
            f"there is no provider at {options.provider} ({error}): start `fastgate dev`, or write "
            "the address that it prints as --provider"
        ) from error
    except (ValueError, LookupError, TypeError) as error:
        raise Failed(
            f"{options.provider} is not the provider of `fastgate dev`: write --provider with the "
            "address that it prints"
        ) from error
    if response.status_code != httpx.codes.OK:
        raise WrongCall(str(document.get("detail") or document.get("title") or document))
    print(document["access_token"])
    return 0


def _first_issuer(client: httpx.Client, provider: str) -> str:
    return str(client.get(f"{provider}/__fastgate/state").json()["issuers"][0]["id"])
