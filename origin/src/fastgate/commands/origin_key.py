"""The command `origin-key`: make the key of an origin whose headers are signed by a MAC (HS256).

Input: nothing, or a private JWK on standard input. Output: JSON on standard output, advice on
standard error, and the exit code: 0, or 2 if the input is not a private key. A private key is
printed only when it is new, and never in a message.
"""

import argparse
import json
import sys
from collections.abc import Mapping

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from fastgate import strict_json
from fastgate.errors import JwksRefused
from fastgate.keys.origin import PrivateKey, read_origin_keys
from fastgate.wrong_call import WrongCall

_WHERE_THE_PRIVATE_KEY_GOES = """\
The private key is on standard output. It is a secret of this origin:
    Settings(origin_key=json.loads(…))
The public key goes into the policy of the edge, as origins.<name>.key:"""
_WHERE_THE_PUBLIC_KEY_GOES = (
    "The public key goes into the policy of the edge, as origins.<name>.key."
)


def print_new_key(_options: argparse.Namespace) -> int:
    """Print a new private key; its public key and advice on standard error. Return 0."""
    key = PrivateKey(X25519PrivateKey.generate())
    print(json.dumps(key.private_jwk))
    print(_WHERE_THE_PRIVATE_KEY_GOES, file=sys.stderr)
    print(f"    {json.dumps(key.public_jwk)}", file=sys.stderr)
    return 0


def print_public_key(_options: argparse.Namespace) -> int:
    """Print the public key of the private one on standard input, one line for each. Return 0.

    Raises:
        WrongCall: the input is not a private JWK on X25519, or a JWK Set of them.

    """
    for key in _keys_on_standard_input():
        print(json.dumps(key.public_jwk))
    print(_WHERE_THE_PUBLIC_KEY_GOES, file=sys.stderr)
    return 0


def _keys_on_standard_input() -> tuple[PrivateKey, ...]:
    advice = "write: fastgate origin-key public < FILE, with the output of origin-key new"
    try:
        document: Mapping[str, object] = strict_json.parse_object(sys.stdin.buffer.read())
    except ValueError as error:
        raise WrongCall(f"standard input is not a JSON object; {advice}") from error
    try:
        return read_origin_keys(document)
    except JwksRefused as error:
        raise WrongCall(f"standard input: {error.reason}; {advice}") from error
