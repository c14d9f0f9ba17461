"""The rules of an app that nothing enforces for the requests of another gateway.

Input: an app, and for a request the endpoint that one of its routers has chosen. Output: whether
the request must be refused, because the endpoint has rules that only the edge enforces; and the
faults for which the app must not start, because the guard would not see such a rule.
"""

from collections.abc import Iterator, Mapping

from fastgate.compile.caller_faults import lost_requirement_faults, unchecked_requirements
from fastgate.compile.endpoint_faults import Fault
from fastgate.compile.endpoints.endpoint import Endpoint, Kind
from fastgate.compile.endpoints.listing import endpoints
from fastgate.compile.endpoints.route_ids import routed_endpoints
from fastgate.compile.ineffective.declarations import ineffective_declarations
from fastgate.compile.ineffective.overridden_paths import overridden_paths
from fastgate.compile.policy import CannotCompile
from fastgate.compile.unnamed_endpoints import Unnamed
from fastgate.declare.members import refuses_without_the_edge

_SEEN_BY_THE_COMPILER = "declare it where the guard sees it: on the endpoint or the mounted app"


class Unenforced(Unnamed):
    """The endpoints with such rules of their own or inherited, or with `access="none"`."""

    def _is_counted(self, endpoint: Endpoint) -> bool:
        declarations = (endpoint.declared, endpoint.inherited)
        has_tools = endpoint.mcp is not None
        return (
            has_tools
            or Unnamed._is_counted(self, endpoint)
            or any(map(refuses_without_the_edge, declarations))
        )


def refuse_lost_requirements(app: object) -> None:
    """Refuse an app with requirements that are written without `Depends(…)`.

    Neither the edge nor the app would check them.

    Raises:
        CannotCompile: with each of them.

    """
    _raise_if_any(
        Fault(endpoint, each.what, each.remedy)
        for endpoint in endpoints(app)
        for each in lost_requirement_faults(endpoint)
    )


def refuse_unenforced_rules(app: object) -> None:
    """Refuse an app with rules that nothing enforces for the requests of another gateway.

    These are the faults of the compiler about marks without effect that let only some requests
    pass, and about requirements of dependencies that are not run. Undeclared endpoints are allowed.

    Raises:
        CannotCompile: with each of them.

    """
    _raise_if_any(_faults(app))


def _raise_if_any(faults: Iterator[Fault]) -> None:
    if found := list(faults):
        raise CannotCompile(found)


def _faults(app: object) -> Iterator[Fault]:
    everything = list(endpoints(app))
    for endpoint in everything:
        if endpoint.kind is Kind.DECLARATION and refuses_without_the_edge(endpoint.declared):
            yield _fault(endpoint, "declares members for a path at which nothing is served")
    for endpoint in routed_endpoints(everything):
        for hidden in endpoint.hidden:
            if any(map(refuses_without_the_edge, (hidden.declared, hidden.inherited))):
                yield _fault(
                    hidden,
                    f"has a declaration without effect: {endpoint} is declared as one opaque app",
                )
        for part, names in overridden_paths(endpoint):
            if refuses_without_the_edge(_only(endpoint.parts.get(part, {}), names)):
                yield _fault(
                    endpoint,
                    f'also takes everything below "{part}", for which at_edge(below=…) declares '
                    f"something else: {', '.join(names)}",
                )
        for each in unchecked_requirements(endpoint):
            yield Fault(endpoint, each.what, each.remedy)
    for mark in ineffective_declarations(app, everything):
        if refuses_without_the_edge(mark.members):
            yield Fault(mark.endpoint, mark.what, mark.remedy)


def _fault(endpoint: Endpoint, what: str) -> Fault:
    return Fault(endpoint, what, _SEEN_BY_THE_COMPILER)


def _only(members: Mapping[str, object], names: object) -> dict[str, object]:
    kept = names if isinstance(names, (list, tuple)) else ()
    return {name: members[name] for name in kept if name in members}
