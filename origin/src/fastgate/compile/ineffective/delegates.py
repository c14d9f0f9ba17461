"""Find the apps and functions that an ASGI app calls, and their declarations.

Input: everything that an app serves. Output: each declaration and each required caller of apps and
routes that a mounted wrapper, an opaque app or an object in a Starlette route refers to, if the
single route of the whole differs from it. None of the code is run.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import TypeAlias

from starlette.routing import BaseRoute, Host, Mount, Router

from fastgate.compile.callers.object_graph import Graph
from fastgate.compile.callers.requirements import COMPARABLE, Callers
from fastgate.compile.endpoints.endpoint import Endpoint, Kind
from fastgate.compile.endpoints.inheritance import unmet_requirements
from fastgate.compile.endpoints.listing import endpoints_mounted_at
from fastgate.compile.endpoints.locations import name_of
from fastgate.compile.ineffective.comparison import (
    IneffectiveDeclaration,
    IneffectiveMark,
    differing,
    is_asgi,
    is_mounted,
    layers_of,
    less_open,
    members_free_to_differ,
    more_open,
    own_and_effective_members,
    remedy_to_declare,
)
from fastgate.compile.ineffective.middleware import replacements_in, stack_of
from fastgate.declare.lookup import is_router, layers, targets_of
from fastgate.declare.merge import OPEN, merge_inherited
from fastgate.declare.static_access import attribute, is_a
from fastgate.declare.stored_marks import declared
from fastgate.dependencies import FastgateScheme
from fastgate.routes.framework import (
    apps_within,
    declared_of,
    effective_routes,
    routed_app,
    router_of,
)

_HIDDEN = (
    "store the app in the wrapper's attribute app, without opaque, so that its routes are "
    "visible, or remove that declaration"
)
_IN_A_HANDLER = "return a response: no rule is checked for an app that an exception handler calls"
_IN_A_ROUTE = "mount it, app.mount(…), so that its routes are visible, or remove that declaration"

Roots: TypeAlias = Sequence[tuple[Endpoint, Sequence[int]]]
"""Endpoints, each with the ids of its layers and of those of its dependencies."""


class ServedObjects:
    """The objects that an app serves in their own right: apps, routers, routes and endpoints."""

    def __init__(self, found: Sequence[Endpoint]) -> None:
        self._kept: dict[int, object] = {}
        for endpoint in found:
            apps = list(endpoint.holders)
            if endpoint.kind is Kind.MOUNT:
                apps += filter(is_router, layers_of(endpoint))
            for app in apps:
                self._kept |= {id(app): app, id(router := router_of(app)): router}
            self._kept[id(endpoint.route)] = endpoint.route
            if not is_asgi(endpoint):
                self._kept[id(endpoint.source)] = endpoint.source

    def has(self, target: object) -> bool:
        """Whether an app, a router, a route or its endpoint is served in its own right."""
        of_route = attribute(target, "endpoint") if is_a(target, BaseRoute) else None
        return id(target) in self._kept or (of_route is not None and id(of_route) in self._kept)

    def has_all_of(self, part: object) -> bool:
        """Whether an object or all of its routes are served, as for an included router."""
        if self.has(part) or not is_router(part):
            return self.has(part)
        routes = [route for route, _ in effective_routes(part)]
        return bool(routes) and all(map(self.has, routes))


def graph_of(
    found: Sequence[Endpoint], listed: ServedObjects, *, asgi: bool, routes: bool = False
) -> tuple[Graph, Roots]:
    """Return the graph of the objects that endpoints refer to.

    Args:
        found: the endpoints.
        listed: what the app serves.
        asgi: whether to examine the endpoints that are ASGI apps, or all others. An ASGI app
            may call the apps and routes that it refers to.
        routes: whether to examine also the ASGI apps that routes run besides their endpoints.

    """
    begin = list[object]()
    roots = list[tuple[Endpoint, list[int]]]()
    for endpoint in found:
        objects = list[object]()
        if is_asgi(endpoint) is asgi:
            objects += layers_of(endpoint)
            for dependency in endpoint.dependencies:
                objects += layers(dependency, mounted=False)
        if routes and endpoint.route is not None:
            objects += stack_of(endpoint.route)
        begin += objects
        if objects:
            roots.append((endpoint, [id(each) for each in objects]))
    return Graph(begin, partial(_run_for, listed)) if asgi else Graph(begin), roots


def _run_for(listed: ServedObjects, part: object) -> Iterator[object]:
    """Return what an app or a route that is not served runs, without its endpoints."""
    if listed.has(part):
        return
    yield from replacements_in(part)
    # An app in one of its mounts may contain the next one.
    routes = [part] if is_a(part, BaseRoute) else [each for each, _ in effective_routes(part)]
    for route in routes:
        if is_a(route, Mount, Host):
            yield from targets_of(route)


def nearest_of(graph: Graph, nearest: Mapping[int, int], keys: Sequence[int]) -> object:
    """Return the nearest object that one of these reaches; None if there is none."""
    key = next((nearest[key] for key in keys if key in nearest), None)
    return None if key is None else graph.objects[key]


def hidden_declarations(
    found: Sequence[Endpoint], listed: ServedObjects
) -> Iterator[IneffectiveDeclaration]:
    """Yield declarations of apps and routes that an endpoint calls and that have no effect."""
    graph, roots = graph_of(found, listed, asgi=True, routes=True)
    seen = {id(endpoint): _examined_ids(endpoint) for endpoint, _ in roots}
    for key, part in list(graph.objects.items()):
        if not is_router(part) and not is_a(part, BaseRoute, FastgateScheme):
            continue
        served = listed.has_all_of(part)
        nearest = graph.reached_from([key])
        for endpoint, keys in roots:
            if key in seen[id(endpoint)] or nearest_of(graph, nearest, keys) is None:
                continue
            if is_a(part, FastgateScheme):
                if is_asgi(endpoint):  # beside other endpoints it requires no caller
                    yield from _required_by(endpoint, part)
            else:
                yield from _declared_in(part, endpoint, keys, served=served)


def apps_called_by_handlers(app: object, listed: ServedObjects) -> Iterator[IneffectiveDeclaration]:
    """Yield declarations of apps that exception handlers call to produce a response."""
    roots = list[tuple[Endpoint, list[object]]]()
    app = routed_app(app)
    for each in apps_within(app):
        handlers = attribute(each, "exception_handlers")
        for handler in handlers.values() if is_a(handlers, dict) else ():  # type: ignore[attr-defined]
            effective = {"access": OPEN[0], **declared_of(app), **declared_of(each)}
            found = Endpoint(
                Kind.DECLARATION, "/", None, name_of(handler), handler, inherited=effective
            )
            roots.append((found, [*layers(handler, mounted=False)]))
    graph = Graph((layer for _, own in roots for layer in own), partial(_run_for, listed))
    for key, part in list(graph.objects.items()):
        if listed.has(part) or not (is_router(part) or is_a(part, BaseRoute)):
            continue
        nearest = graph.reached_from([key])
        for endpoint, own in roots:
            if any(id(layer) in nearest for layer in own):
                for each in _declared_in(part, endpoint, (), served=False):
                    yield each._replace(remedy=_IN_A_HANDLER)


def _examined_ids(endpoint: Endpoint) -> set[int]:
    """Return the ids of an endpoint's route and apps, whose declarations are read."""
    apps = list(endpoint.holders)
    if endpoint.kind is Kind.MOUNT:
        apps += layers_of(endpoint)
    return {id(endpoint.route)} | {id(each) for app in apps for each in (app, router_of(app))}


def _declared_in(
    part: object, endpoint: Endpoint, keys: Sequence[int], *, served: bool
) -> Iterator[IneffectiveDeclaration]:
    own_members, effective = own_and_effective_members(endpoint)
    # A declaration of a mount around it counts as its own.
    own_members = {
        **{name: effective[name] for name in endpoint.declared_by_mounts if name in effective},
        **own_members,
    }
    own = id(part) in keys  # its own declaration is read
    exempt = {*members_free_to_differ(own_members), *more_open(declared(part), effective)}
    if not own and (names := differing(part, effective, exempt)):
        yield IneffectiveMark(endpoint, part, names, remedy_to_declare(names)).as_declaration()
    app = part if is_router(part) else Router(routes=[part])  # type: ignore[list-item]
    opaque = own and is_mounted(endpoint)  # declarations below an opaque app are reported elsewhere
    remedy = _HIDDEN if is_mounted(endpoint) else _IN_A_ROUTE
    template = endpoint.template.removesuffix("/{path:path}").rstrip("/")
    for below in endpoints_mounted_at(app, template):
        members = {} if opaque else merge_inherited(below.inherited, below.declared)
        names = [name for name in members if effective.get(name) != members[name]]
        names = [name for name in names if name not in more_open(members, effective)]
        ineffective = {name: members[name] for name in names}
        by_itself = served or not names  # a declaration on the whole is enough
        names += _unmet_access(below, effective)
        if served:
            # It has a route with its own rules, and its dependencies run in any case.
            names = [name for name in names if name not in members_free_to_differ(own_members)]
        else:
            names += _unmet_requirements(below, effective)
        if names := list(dict.fromkeys(names)):
            what = f"has a declaration without effect: {', '.join(names)} on {below}"
            yield IneffectiveDeclaration(
                endpoint, what, remedy_to_declare(names) if by_itself else remedy, ineffective
            )


def _callers_of(below: Endpoint) -> Callers:
    """Return the requirements of dependencies, including those that FastAPI does not run for it."""
    return below.callers | unmet_requirements(below.not_run, below.declared)


def _unmet_access(below: Endpoint, effective: Mapping[str, object]) -> list[str]:
    required = _callers_of(below)
    if not required.known and not required.anybody:
        return []
    return less_open(effective, "authenticated" if required.known else "optional")


def _unmet_requirements(below: Endpoint, effective: Mapping[str, object]) -> list[str]:
    """Return the members that require less than the dependencies of an inner endpoint."""
    missing = _callers_of(below).beyond(Callers.of_members(effective))
    return [name for name in COMPARABLE if missing.without((name,)) != missing]


def _required_by(endpoint: Endpoint, scheme: object) -> Iterator[IneffectiveDeclaration]:
    """Yield a required caller in an object that no other check examines."""
    if endpoint.kind is not Kind.MOUNT and (
        names := less_open(own_and_effective_members(endpoint)[1], "authenticated")
    ):
        yield IneffectiveMark(endpoint, scheme, names, remedy_to_declare(names)).as_declaration()
