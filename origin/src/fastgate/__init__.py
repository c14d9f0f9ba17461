"""The origin's half of Fastgate: a FastAPI app that accepts only requests signed by its edge.

The names in `__all__` are public, and so is `fastgate.testing`. Every other module is private.
A request passes through these modules, in this order:

1. `middleware` lets one request through or refuses it. `request.head` reads the header and the
   values it is compared with; `routes.root_path` removes a prefix from the path;
2. `keys` holds the public or shared keys of the edge;
3. `verify` turns header, keys, request and time into `claims.EdgeClaims`, or a refusal with a code;
4. `routes.entering` notes which router chooses, `routes.dispatch` intercepts the route that it has
   chosen, and `routes.check` compares that route with the one that the edge judged;
5. `dependencies` give the endpoint an `identity.Identity`, whose `forwarded` claims are those
   that the policy forwards; `requires` also checks `conditions`, written in `vocabulary`;
6. `request.sending` checks that the endpoint that responds was compared. `responses` sends a
   refusal, `problem` defines its content, and `errors` names its cause for the log.

A request without the header may come from another gateway, during a migration: `gateways` verify
its assertion, and `dependencies` give the endpoint the same `Identity`.

Before the first request, `startup` examines the app: `routes.self_test` tests that the installed
framework dispatches as expected, `routes.placement` finds code that runs outside of the guard, and
`compile` reads the endpoints. `declare` holds what `at_edge` has declared for them,
`compile.policy` compiles the edge's route table, and `compile.drift` compares the two.

Two packages are not for production: `doctor` sends forged requests to a running origin, and
`fake_edge` signs for tests and for local callers. `commands` holds `fastgate`.
"""

from fastgate.claims import EdgeClaims, McpMessage, ModelRequest, Transaction
from fastgate.conditions import Condition
from fastgate.declare import router_methods as _patched  # noqa: F401 - the import replaces their methods
from fastgate.declare.at_edge import at_edge
from fastgate.declare.values.edge_cache import EdgeCache
from fastgate.declare.values.inference import Inference, Model
from fastgate.declare.values.inference_budgets import Price
from fastgate.declare.values.mcp import Mcp, tool_rule
from fastgate.dependencies import AnyCaller, Caller, CallerRefused, any_caller, fastgate
from fastgate.errors import FastgateError, KeysUnavailable, Refused
from fastgate.forwarded import ForwardedClaims, NotForwarded, NotShared
from fastgate.gateways.choose import from_gateway
from fastgate.gateways.gateway import Gateway
from fastgate.guard import guard, refusal_response
from fastgate.identity import Client, Identity
from fastgate.local_rules import LocalCaller
from fastgate.middleware import FastgateMiddleware
from fastgate.request.response_keys import purge, surrogate_keys
from fastgate.requester import Confirmation, Requester
from fastgate.requires import requires
from fastgate.settings import Settings
from fastgate.vocabulary import Claim, all_of, any_of, claim, group, not_, role, scope

__all__ = [
    "AnyCaller",
    "Caller",
    "CallerRefused",
    "Claim",
    "Client",
    "Condition",
    "Confirmation",
    "EdgeCache",
    "EdgeClaims",
    "FastgateError",
    "FastgateMiddleware",
    "ForwardedClaims",
    "Gateway",
    "Identity",
    "Inference",
    "KeysUnavailable",
    "LocalCaller",
    "Mcp",
    "McpMessage",
    "Model",
    "ModelRequest",
    "NotForwarded",
    "NotShared",
    "Price",
    "Refused",
    "Requester",
    "Settings",
    "Transaction",
    "all_of",
    "any_caller",
    "any_of",
    "at_edge",
    "claim",
    "fastgate",
    "from_gateway",
    "group",
    "guard",
    "not_",
    "purge",
    "refusal_response",
    "requires",
    "role",
    "scope",
    "surrogate_keys",
    "tool_rule",
]
