"""The evidence that another gateway has sent a request, and never the edge.

Input: what `assertions` has verified, and the routes that the app chooses. Output: the caller for
`dependencies`. It is a type of its own, `GatewayCheck`. The guard creates it only for a request
without `Fastgate-Identity`, and its claims are never `EdgeClaims`.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any, NoReturn

from pydantic import JsonValue
from starlette.types import Scope, Send

from fastgate.body_check import unjudged_tools_fault
from fastgate.declare.lookup import declared_on_route
from fastgate.declare.mcp_endpoint import mcp_endpoint_in
from fastgate.declare.members import refuses_without_the_edge
from fastgate.declare.values.mcp import requires_anything
from fastgate.errors import Refused, RuleNotEnforced
from fastgate.forwarded import ForwardedClaims, NotForwarded
from fastgate.gateways.gateway import Asserted, Gateway
from fastgate.identity import Identity
from fastgate.routes.check import RouteCheck, check_for
from fastgate.routes.framework import View
from fastgate.routes.hidden_marks import declared_around
from fastgate.routes.prefix import Prefix
from fastgate.routes.route_names import Names

_ABOUT_THE_TOKEN = frozenset(("iss", "sub", "aud", "exp", "nbf", "iat", "jti"))
"""Claims of RFC 7519 §4.1, which are about the assertion, or in other members of `Identity`."""


class GroupsNotReported(NotForwarded):
    """The app reads the groups of a caller whose gateway reports none.

    Args:
        gateway: the name that was given to `from_gateway`.

    """

    def __init__(self, gateway: str) -> None:
        super().__init__("", "groups", "")
        self.args = (gateway,)
        self.gateway = gateway

    def __str__(self) -> str:
        """Return the message. There is no route to name, and no policy to change."""
        return (
            f'the assertion of the gateway "{self.gateway}" has no groups: let the gateway report '
            "them if it can, or decide by another member; caller.forwarded_groups is None here"
        )


class AssertedClaims(ForwardedClaims):
    """The claims of an assertion. No policy selects them: a missing one is a plain `KeyError`."""

    __slots__ = ("_gateway",)

    def __init__(self, claims: Mapping[str, JsonValue], gateway: str) -> None:
        super().__init__(claims)
        self._gateway = gateway

    def _groups_missing(self) -> NotForwarded:
        """Return the error for the groups, which the assertion does not have."""
        return GroupsNotReported(self._gateway)

    def __reduce__(self) -> tuple[object, ...]:
        """Allow copies."""
        return type(self), (dict(self), self._gateway)

    def __missing__(self, name: str) -> NoReturn:
        """Refuse to read a claim that the assertion lacks. Raises `KeyError`."""
        raise KeyError(name)

    def get(self, name: str, default: Any = None, /) -> Any:  # noqa: ANN401
        """Return the claim, or `default` if the assertion lacks it."""
        return self[name] if name in self else default  # noqa: SIM401


@dataclass(frozen=True, slots=True)
class GatewayClaims:
    """What a gateway has signed about the caller of one request. It signs no route."""

    gateway: Gateway
    issuer: str
    asserted: Asserted
    request_id: str
    claims: Mapping[str, JsonValue]

    def identity(self) -> Identity:
        """Return the caller."""
        named = self.asserted
        kept = {name: each for name, each in self.claims.items() if name not in _ABOUT_THE_TOKEN}
        return Identity(
            subject=named.subject,
            issuer=self.issuer,
            client_id=named.client_id,
            scopes=named.scopes or frozenset(),
            request_id=self.request_id,
            claims=AssertedClaims(kept, self.gateway.name),
            forwarded_groups=named.groups,
        )


@dataclass(slots=True)
class GatewayCheck(RouteCheck):
    """The check of a request that another gateway has sent.

    No route was judged. A request still has to keep its method, path and host. An endpoint is
    refused if it has no route at the edge, or declares rules that only the edge enforces.
    """

    claims: GatewayClaims | None = None
    app: object = None
    """The app whose router has chosen the endpoint, or the mounted app, that runs now."""

    def fault(self, template: str | None, scope: Scope, view: View) -> Refused | None:
        """Refuse an endpoint whose rules the app cannot enforce, and record the outcome."""
        # `super()` without arguments would look for the class that `slots` has replaced.
        fault = RouteCheck.fault(self, template, scope, view)
        self.app = scope.get("app")
        if fault is None and self._requires_the_edge(template, scope, view):
            fault = RuleNotEnforced(found=template)
            fault.gateway = None if self.claims is None else self.claims.gateway.name
            self.done, self.refused = False, True
        return fault

    def fault_within(self, scope: Scope, view: View = None) -> Refused | None:
        """Refuse a route with rules of the edge also within an app that was judged as a whole."""
        fault = RouteCheck.fault_within(self, scope, view)
        if fault is None and self._is_refused_within(view, scope):
            fault = RuleNotEnforced(found=scope["path"])
            fault.gateway = None if self.claims is None else self.claims.gateway.name
            self.done, self.refused = False, True
        return fault

    def _is_refused_within(self, view: View, scope: Scope) -> bool:
        return any(map(refuses_without_the_edge, declared_around(view, scope, self.app)))

    def _requires_the_edge(self, template: str | None, scope: Scope, view: View) -> bool:
        declared = declared_on_route(view)  # read now, so that late declarations count, too
        if template is None or refuses_without_the_edge(declared):
            return True
        endpoint = mcp_endpoint_in(getattr(view, "endpoint", None))
        if (endpoint is not None and requires_anything()) or unjudged_tools_fault(view, template):
            return True
        return self._has_no_name(declared, template, scope, view)


def gateway_check_for(
    claims: GatewayClaims,
    scope: Scope,
    refuse: Callable[[Refused, Scope, Send], Awaitable[None]],
    names: Names,
    prefix: Prefix,
) -> GatewayCheck:
    """Return the check for a request at the guard, like `check_for`.

    Args:
        claims: what the gateway has signed.
        scope: the scope of the request at the guard.
        refuse: the function that responds if the endpoint is refused.
        names: the names of the app's routes. Those with rules of the edge have none.
        prefix: the prefix of the app's templates.

    """
    made = check_for(scope, None, refuse, names, prefix=prefix)
    shared = {each.name: getattr(made, each.name) for each in fields(RouteCheck)}
    return GatewayCheck(**shared, claims=claims)
