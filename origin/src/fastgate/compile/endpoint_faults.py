"""Find the faults of one endpoint, for which the edge could not enforce the app's rule.

Input: an `Endpoint`, and the rules that its conditions refer to. Output: each `Fault`, with what to
do about it. Faults between two endpoints are found by `policy` and `route_conflicts`.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import chain

from fastgate.compile.caller_faults import caller_faults
from fastgate.compile.callers.parameters import undefined_parameters
from fastgate.compile.endpoints.app_checks import app_check_faults
from fastgate.compile.endpoints.endpoint import Endpoint, Kind
from fastgate.compile.endpoints.removed_credentials import removed_credential_faults
from fastgate.compile.endpoints.route_ids import members_of, methods_of
from fastgate.compile.endpoints.router_schemes import replaced_scope_faults, router_scheme_faults
from fastgate.compile.ineffective.overridden_paths import overridden_paths
from fastgate.compile.mcp.rules import mcp_faults
from fastgate.compile.path_comparisons import path_comparison_faults
from fastgate.compile.stored_responses import stored_response_faults
from fastgate.declare.members import (
    METHODS,
    OPAQUE,
    PREFIX,
    SINGLE_ROUTE_MEMBERS,
    TIMEOUT,
    invalid_members,
)
from fastgate.declare.openapi_extra import invalid_extra
from fastgate.declare.values.mcp import MCP
from fastgate.path_template import Template, TemplateRefused
from fastgate.surrogates import WHY_NONE, escaped, with_half_a_pair


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing in the app that the edge could not enforce, and what to do about it."""

    endpoint: Endpoint
    what: str
    remedy: str

    def __str__(self) -> str:
        return escaped(f"{self.endpoint}\n    {self.what}\n    → {self.remedy}")


def endpoint_faults(endpoint: Endpoint, rules: Mapping[str, object]) -> Iterator[Fault]:
    """Yield each fault of one endpoint.

    Args:
        endpoint: an endpoint that is served, or a mount.
        rules: the `rules` of the policy, so that conditions behind `{"rule": "…"}` are known.

    """
    if endpoint.kind is Kind.CYCLE:
        yield Fault(
            endpoint,
            "has an attribute app with an app that it is mounted in, so the number of routes would "
            "be infinite",
            "rename that attribute; or declare this app as one route: "
            "at_edge(opaque=True, access=…, methods=[…])",
        )
        return
    if endpoint.kind is Kind.UNKNOWN:
        yield Fault(
            endpoint,
            "is a kind of route that has no path template",
            "use an endpoint or a mounted app instead: the edge matches paths; hosts belong in the "
            "policy",
        )
        return
    try:
        Template.parse(endpoint.template)
    except TemplateRefused as error:
        yield Fault(
            endpoint,
            f"has a path that the edge does not accept as a template: {error}",
            error.remedy,
        )
    for hidden in endpoint.hidden:
        yield Fault(
            hidden,
            f"has a declaration without effect: {endpoint} is declared as one opaque app",
            "remove this declaration, or opaque from that of the app",
        )
    for part, names in overridden_paths(endpoint):
        yield Fault(
            endpoint,
            f'also takes everything below "{part}", for which at_edge(below=…) declares something '
            f"else: {', '.join(names)}",
            "mount or serve that path separately, before this; or mark the routers and apps you "
            "mean, and not their path. A fallback for the rest of an app declares its own callers: "
            'at_edge(access="…")',
        )
    yield from _member_faults(endpoint)
    yield from _path_faults(endpoint)
    yield from _method_faults(endpoint)
    for each in caller_faults(endpoint):
        yield Fault(endpoint, each.what, each.remedy)
    for faults in (
        app_check_faults,
        router_scheme_faults,
        replaced_scope_faults,
        removed_credential_faults,
    ):
        for what, remedy in faults(endpoint):
            yield Fault(endpoint, what, remedy)
    for scope in filter(with_half_a_pair, endpoint.callers.scopes):
        yield Fault(
            endpoint,
            f"requires the scope {scope!r}, {WHY_NONE}",
            "correct the scope, as the tokens of your issuer have it",
        )
    for what, remedy in mcp_faults(
        endpoint.mcp, endpoint.declared.get(MCP, endpoint.inherited.get(MCP))
    ):
        yield Fault(endpoint, what, remedy)
    for what, remedy in stored_response_faults(endpoint):
        yield Fault(endpoint, what, remedy)
    for parameter in dict.fromkeys(undefined_parameters(endpoint.tree)):
        yield Fault(
            endpoint,
            "has a parameter that FastAPI cannot read, because its type contains an undefined "
            "name: "
            f"{parameter}",
            "import the name at run time, not only under `if TYPE_CHECKING:`, and define it in the "
            "module, not in a function",
        )
    for comparison in path_comparison_faults(endpoint, rules):
        yield Fault(endpoint, comparison.what, comparison.remedy)


def _member_faults(endpoint: Endpoint) -> Iterator[Fault]:
    for fault in chain(invalid_members(endpoint.declared), invalid_extra(endpoint.route)):
        yield Fault(endpoint, f"has an invalid declaration: {fault}", "correct the declaration")
    if endpoint.declared.get(OPAQUE):
        yield Fault(
            endpoint,
            "is declared opaque but is not a mounted app",
            f"remove {OPAQUE}: an endpoint is always one route",
        )
    if endpoint.kind is Kind.WEBSOCKET and TIMEOUT in endpoint.declared:
        yield Fault(
            endpoint,
            f"declares a {TIMEOUT}, but the edge passes the handshake of a WebSocket on and does "
            "not wait for a response",
            f"remove {TIMEOUT}",
        )
    for name in sorted(SINGLE_ROUTE_MEMBERS & endpoint.inherited.keys()):
        yield Fault(
            endpoint,
            f'inherits "{name}", which belongs to a single route',
            f"declare {name} on each endpoint: at_edge({name}=…)",
        )


def _path_faults(endpoint: Endpoint) -> Iterator[Fault]:
    members = members_of(endpoint)
    rewrite = members.get("rewrite")
    if rewrite is not None and PREFIX in members:
        yield Fault(
            endpoint,
            "declares both a prefix and a rewrite",
            "remove one of the two",
        )
    stripped = rewrite.get("strip_prefix") if isinstance(rewrite, Mapping) else None
    if isinstance(stripped, str) and not endpoint.template.startswith(stripped + "/"):
        yield Fault(
            endpoint,
            f'declares a rewrite that strips "{stripped}", but its path does not begin with that',
            f'write at_edge(prefix="{stripped}") if clients request '
            f'"{stripped}{endpoint.template}"',
        )


def _method_faults(endpoint: Endpoint) -> Iterator[Fault]:
    if endpoint.methods is None:
        if not methods_of(endpoint):
            yield Fault(
                endpoint,
                "accepts any method, but the edge forwards only the methods of a list",
                'list them: at_edge(methods=["GET", "POST"])(…)',
            )
        return
    foreign = sorted(set(endpoint.methods) - set(METHODS))
    if foreign:
        yield Fault(
            endpoint,
            f"serves {', '.join(foreign)}",
            "remove it: the edge never forwards that method",
        )
    if not {"path", "methods"}.isdisjoint(endpoint.declared):
        yield Fault(
            endpoint,
            "declares a path or methods for the edge",
            "remove them from at_edge and x-fastgate: the route already has both",
        )
