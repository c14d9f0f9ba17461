"""Compile an app into the edge's route table.

Input: an app. Output: the `routes` of the edge's policy, one for each endpoint, or `CannotCompile`
with every fault: endpoints that do not declare their callers, and routes for which the edge would
check another rule than the app's. Only declarations are read.
"""

from collections.abc import Iterator, Mapping, Sequence

from fastgate.compile.cache import caching
from fastgate.compile.caller_faults import is_undeclared_page, weakening_override_faults
from fastgate.compile.endpoint_faults import Fault, endpoint_faults
from fastgate.compile.endpoints.app_checks import (
    names_without_checks,
    overridden_check_faults,
    partly_run_checks,
)
from fastgate.compile.endpoints.check_names import unclear_names
from fastgate.compile.endpoints.endpoint import Endpoint, Kind
from fastgate.compile.endpoints.listing import endpoints
from fastgate.compile.endpoints.route_ids import (
    access_of,
    ids_of,
    members_of,
    methods_of,
    requests_of,
    routed_endpoints,
)
from fastgate.compile.endpoints.undeclared import remedy_for_pages
from fastgate.compile.former_routes import overlap_between
from fastgate.compile.ineffective.declarations import ineffective_declarations
from fastgate.compile.ineffective.unjudged_tools import unjudged_tools
from fastgate.compile.route_conflicts import rewrite_conflicts, route_conflicts
from fastgate.declare.members import PREFIX
from fastgate.declare.values.mcp import MCP
from fastgate.path_template import comparable
from fastgate.routes.framework import root_path_of, routed_app
from fastgate.routes.route_names import UNNAMED

RouteDocument = dict[str, object]
"""One entry of `routes` in the policy: `RouteDocument` in src/policy/route/document.rs."""


class CannotCompile(ValueError):
    """The app has no route table. Its message has one paragraph for each fault."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__("\n".join(str(fault) for fault in faults))
        self.faults = tuple(faults)


_NO_RULES: Mapping[str, object] = {}


def compile_routes(
    app: object, origin: str | None = None, *, rules: Mapping[str, object] = _NO_RULES
) -> list[RouteDocument]:
    """Return the edge's routes for everything that `app` serves, in the app's own order.

    Args:
        app: a FastAPI or Starlette app, with or without middleware around it.
        origin: the name of this app under `origins` of the policy; required if there are
            several.
        rules: the `rules` of the policy that the routes are for, so that the conditions behind
            `{"rule": "…"}` are known.

    Raises:
        CannotCompile: with every fault.

    """
    with caching():
        compiled = _compiled(app, rules, for_the_edge=True)
    return [_document(endpoint, name, origin) for name, endpoint in compiled]


def route_ids(app: object) -> dict[tuple[str, str], str]:
    """Return the id of each route of `app`, by method and `comparable` template.

    WebSockets have the method `WEBSOCKET`, because the same path may also have a GET.

    Raises:
        CannotCompile: with every fault.

    """
    with caching():
        compiled = _compiled(app)
    return {
        (method, comparable(endpoint.template)): name
        for name, endpoint in compiled
        for method in requests_of(endpoint)
    }


def _compiled(
    app: object, rules: Mapping[str, object] = _NO_RULES, *, for_the_edge: bool = False
) -> list[tuple[str, Endpoint]]:
    everything = list(endpoints(app))
    found = [endpoint for endpoint in everything if access_of(endpoint) != UNNAMED]
    served = routed_endpoints(found)
    faults = _pages_as_one(
        [fault for endpoint in served for fault in endpoint_faults(endpoint, rules)]
    )
    if for_the_edge:  # a test may start an app with overrides, but not compile it
        faults += [
            Fault(endpoint, each.what, each.remedy)
            for endpoint in served
            for each in weakening_override_faults(endpoint)
        ]
        faults += [
            Fault(endpoint, what, remedy)
            for endpoint in served
            for what, remedy in overridden_check_faults(endpoint)
        ]
    faults += [
        Fault(
            endpoint,
            "declares members for a path at which nothing is served",
            "correct or remove the path",
        )
        for endpoint in found
        if endpoint.kind is Kind.DECLARATION
    ]
    faults += [
        Fault(
            endpoint,
            f'has the root_path "{endpoint.root_path}", which moves its routes: Starlette removes '
            "that from the path instead of the path of the mount",
            "set root_path on the outermost app or the server only; Starlette sets it for mounts",
        )
        for endpoint in found
        if endpoint.root_path
    ]
    faults += [
        Fault(each.endpoint, each.what, each.remedy)
        for each in ineffective_declarations(app, everything)
        if access_of(each.endpoint) != UNNAMED
    ]
    for of_all in (unclear_names, names_without_checks, partly_run_checks):
        faults += [Fault(*each) for each in of_all(served)]
    faults += [Fault(*each) for each in route_conflicts(everything)]
    faults += _mcp_without_server(served)
    faults += [Fault(*each) for each in unjudged_tools(everything, served)]
    ids = ids_of(served)
    faults += _id_faults(served, ids)
    root_path = root_path_of(routed_app(app))
    faults += [Fault(*each) for each in rewrite_conflicts(everything, root_path)]
    misleading = overlap_between(served, ids).misleading
    faults += [Fault(each.endpoint, each.what, each.remedy) for each in misleading]
    if faults:
        raise CannotCompile(faults)
    return list(zip(ids, served, strict=True))


def _pages_as_one(faults: Sequence[Fault]) -> list[Fault]:
    """Join the faults of FastAPI's undeclared pages to one, because one call declares them all."""
    pages = [fault for fault in faults if is_undeclared_page(fault.what, fault.remedy)]
    if not pages:
        return list(faults)
    others = ", ".join(fault.endpoint.template for fault in pages[1:])
    what = pages[0].what + (f"; nor do {others}" if others else "")
    remedy = remedy_for_pages(fault.endpoint for fault in pages)
    first = Fault(pages[0].endpoint, what, remedy)
    return [
        first if fault is pages[0] else fault
        for fault in faults
        if fault is pages[0] or not is_undeclared_page(fault.what, fault.remedy)
    ]


def _document(endpoint: Endpoint, route_id: str, origin: str | None) -> RouteDocument:
    document: RouteDocument = {
        "id": route_id,
        "path": endpoint.template,
        "methods": methods_of(endpoint),
        "access": access_of(endpoint),
    }
    if origin is not None:
        document["origin"] = origin
    if endpoint.kind is Kind.WEBSOCKET:
        document["websocket"] = True
    own: RouteDocument = {"id": route_id, "methods": document["methods"]}
    members = members_of(endpoint)
    if isinstance(prefix := members.pop(PREFIX, None), str):
        own |= {"path": prefix + endpoint.template, "rewrite": {"strip_prefix": prefix}}
    return {**document, **members, **own}


def _mcp_without_server(served: Sequence[Endpoint]) -> Iterator[Fault]:
    """Yield a fault for each declaration of `mcp` that holds for no MCP server."""
    found: dict[int, list[Endpoint]] = {}
    for endpoint in served:
        declared = endpoint.declared.get(MCP, endpoint.inherited.get(MCP))
        if declared is not None:
            found.setdefault(id(declared), []).append(endpoint)
    for group in found.values():
        if all(endpoint.mcp is None for endpoint in group):
            yield Fault(
                group[0],
                f"declares {MCP}, but no MCP server of the package mcp or fastmcp is found here",
                f"declare {MCP} on server.streamable_http_app(), or remove it",
            )


def _id_faults(served: Sequence[Endpoint], ids: Sequence[str]) -> Iterator[Fault]:
    first: dict[str, Endpoint] = {}
    for endpoint, name in zip(served, ids, strict=True):
        other = first.setdefault(name, endpoint)
        # Two routes of one template are reported already: the second is never reached.
        if other is not endpoint and comparable(other.template) != comparable(endpoint.template):
            yield Fault(
                endpoint,
                f'has the same id "{name}" as {other}, but an id must be unique',
                "give one of the two another id: at_edge(id=…)",
            )
