"""The origin's half of Fastgate: believe the edge's signed header, and nothing else.

A request walks through this package in one direction:

1. `middleware` takes the one `Fastgate-Identity` header and closes the door on everything else;
2. `keys` and `jwks` know the edge's public keys;
3. `verify` turns header, keys, request and time into `claims.EdgeClaims`, or into a named refusal;
4. `dependencies` compares the judged `route` with the one that FastAPI runs, and hands the endpoint
   an `identity.Identity`;
5. `problem` decides how a refusal looks from outside, `errors` what the log calls it.
"""

from fastgate.claims import EdgeClaims, Requester, Transaction
from fastgate.dependencies import AnyCaller, Caller, CallerRefused, any_caller, fastgate
from fastgate.door import answer_refusal, guard
from fastgate.errors import FastgateError, KeysUnavailable, Refused
from fastgate.identity import Identity
from fastgate.middleware import FastgateMiddleware
from fastgate.settings import Settings

__all__ = [
    "AnyCaller",
    "Caller",
    "CallerRefused",
    "EdgeClaims",
    "FastgateError",
    "FastgateMiddleware",
    "Identity",
    "KeysUnavailable",
    "Refused",
    "Requester",
    "Settings",
    "Transaction",
    "answer_refusal",
    "any_caller",
    "fastgate",
    "guard",
]
