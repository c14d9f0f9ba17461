"""The origin's half of Fastgate: believe the edge's signed header, and nothing else.

A request walks through this package in one direction:

1. `middleware` lets one request through or refuses it: `request_head` reads what is judged, the one
   `Fastgate-Identity` header among it, `root_path` what a prefix does to its path, and `answers`
   sends what the app does not;
2. `keys` and `jwks` know the edge's public keys;
3. `verify` turns header, keys, request and time into `claims.EdgeClaims`, or into a named refusal;
4. `dispatch` stands where every router runs what it has chosen, and `route` compares that with what
   the edge has judged;
5. `dependencies` hand the endpoint an `identity.Identity`;
6. `problem` decides how a refusal looks from outside, `errors` what the log calls it.

Before any request, `startup` looks at the app: `self_test` shows that the installed framework is
understood, `placement` finds what stands outside of the guard, `endpoints` lists what the app
serves, `policy` compiles that into the edge's route table, `overlap` says which former names of its
routes are accepted, and `drift` compares the two.
"""

from fastgate import adding as _adding  # noqa: F401 - it replaces methods of routers
from fastgate.claims import EdgeClaims, Requester, Transaction
from fastgate.declare import at_edge
from fastgate.dependencies import AnyCaller, Caller, CallerRefused, any_caller, fastgate
from fastgate.door import guard, refusal_response
from fastgate.errors import FastgateError, KeysUnavailable, Refused
from fastgate.identity import Identity
from fastgate.middleware import FastgateMiddleware
from fastgate.settings import Settings
from fastgate.stand_in import LocalCaller

__all__ = [
    "AnyCaller",
    "Caller",
    "CallerRefused",
    "EdgeClaims",
    "FastgateError",
    "FastgateMiddleware",
    "Identity",
    "KeysUnavailable",
    "LocalCaller",
    "Refused",
    "Requester",
    "Settings",
    "Transaction",
    "any_caller",
    "at_edge",
    "fastgate",
    "guard",
    "refusal_response",
]
