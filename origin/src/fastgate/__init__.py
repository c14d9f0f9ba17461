"""The origin's half of Fastgate: a FastAPI app that accepts what its edge has signed, only.

What `__all__` names is public, and so is `fastgate.testing`; every other module is private. A
request passes through these, in this order:

1. `middleware` lets one request through or refuses it. `request.head` reads the header and what it
   is compared with; `routes.root_path` says what a prefix does to the path;
2. `keys` has the public or shared keys of the edge;
3. `verify` turns header, keys, request and time into `claims.EdgeClaims`, or a named refusal;
4. `routes.dispatch` runs where every router runs what it has chosen, and `routes.check` compares
   that with what the edge has judged;
5. `dependencies` hand the endpoint an `identity.Identity`;
6. `request.sending` checks that what responds was compared. `responses` sends a refusal, `problem`
   says what it looks like, and `errors` names its cause for the log.

Before any request, `startup` looks at the app: `routes.self_test` shows that the installed
framework is understood, `routes.placement` finds what runs outside of the guard, and `compile`
reads the endpoints. `declare` holds what `at_edge` has written on them, `compile.policy` compiles
the edge's route table, and `compile.drift` compares the two.

Not for production: `doctor` sends forged requests to a running origin, and `fake_edge` signs for
tests and for local callers.
"""

from fastgate.claims import EdgeClaims, Requester, Transaction
from fastgate.declare import router_methods as _patched  # noqa: F401 - it replaces their methods
from fastgate.declare.at_edge import at_edge
from fastgate.dependencies import AnyCaller, Caller, CallerRefused, any_caller, fastgate
from fastgate.errors import FastgateError, KeysUnavailable, Refused
from fastgate.guard import guard, refusal_response
from fastgate.identity import Identity
from fastgate.local_rules import LocalCaller
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
