"""Find the apps and functions that an ASGI app hands requests to, and what they declare.

In: everything that an app serves. Out: each declaration, and each dependency that asks for callers,
of apps and routes that a mounted wrapper, an opaque app or an object in a Starlette route has
within its reach, where one rule for the whole says something else. Nothing is run.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import TypeAlias

from starlette.routing import BaseRoute, Host, Mount, Router

from fastgate.compile.callers.dependency_tree import Callers
from fastgate.compile.callers.object_graph import Graph
from fastgate.compile.endpoints.inheritance import left_to_ask
from fastgate.compile.endpoints.listing import Endpoint, Kind, endpoints_below
from fastgate.compile.ineffective.comparison import (
    Lost,
    Unread,
    differing,
    is_asgi,
    is_mounted,
    layers_of,
    less_open,
    more_open,
    name_of,
    not_to_be_said,
    said_by,
    say,
)
from fastgate.compile.ineffective.enclosing import replacements_in, run_beside
from fastgate.declare.at_edge import declared
from fastgate.declare.lookup import is_router, layers, targets_of
from fastgate.declare.merge import OPEN, over
from fastgate.declare.static_access import attribute, is_a
from fastgate.dependencies import FastgateScheme
from fastgate.routes.framework import (
    apps_within,
    declared_of,
    effective_routes,
    routed_app,
    router_of,
)

_HIDDEN = (
    "let the wrapper have its app as its attribute app, without opaque, so that its routes are "
    "seen, or take that declaration away"
)
_IN_A_HANDLER = "answer by a response: no rule is asked for an app that a handler hands on to"
_IN_A_ROUTE = "mount it, app.mount(…), so that its routes are seen, or take that declaration away"

Roots: TypeAlias = Sequence[tuple[Endpoint, Sequence[int]]]
"""Endpoints, each with the ids of its layers and of those of its dependencies."""


class Listed:
    """What an app serves: the objects that the routes of the edge are made of."""

    def __init__(self, found: Sequence[Endpoint]) -> None:
        self._kept: dict[int, object] = {}
        for endpoint in found:
            apps = list(endpoint.holders)
            if endpoint.kind is Kind.BELOW:
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
        """Whether a part is served, or each route of it: of an included router, for one."""
        if self.has(part) or not is_router(part):
            return self.has(part)
        routes = [route for route, _ in effective_routes(part)]
        return bool(routes) and all(map(self.has, routes))


def graph_of(
    found: Sequence[Endpoint], listed: Listed, *, asgi: bool, routes: bool = False
) -> tuple[Graph, Roots]:
    """Return what endpoints have within their reach.

    Args:
        found: the endpoints.
        listed: what the app serves.
        asgi: whether to look at those that are ASGI apps, or at all others. What is called as an
            app may hand requests on to the apps and routes that it has.
        routes: whether to look, too, at what their routes run beside them, which is an ASGI app.

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
            objects += run_beside(endpoint.route)
        begin += objects
        if objects:
            roots.append((endpoint, [id(each) for each in objects]))
    return Graph(begin, partial(_held_by, listed)) if asgi else Graph(begin), roots


def _held_by(listed: Listed, part: object) -> Iterator[object]:
    """Return what is run for an app or a route that is not served, its endpoints left out."""
    if listed.has(part):
        return
    yield from replacements_in(part)
    # What it mounts, which no route leads to, may hide the next one.
    routes = [part] if is_a(part, BaseRoute) else [each for each, _ in effective_routes(part)]
    for route in routes:
        if is_a(route, Mount, Host):
            yield from targets_of(route)


def nearest_of(graph: Graph, nearest: Mapping[int, int], keys: Sequence[int]) -> object:
    """Return the first object that is within reach of these; None if there is none."""
    key = next((nearest[key] for key in keys if key in nearest), None)
    return None if key is None else graph.objects[key]


def hidden(found: Sequence[Endpoint], listed: Listed) -> Iterator[Unread]:
    """Yield what is declared of apps and routes that others call, and do not hand on."""
    graph, roots = graph_of(found, listed, asgi=True, routes=True)
    seen = {id(endpoint): _seen_of(endpoint) for endpoint, _ in roots}
    for key, part in list(graph.objects.items()):
        if not is_router(part) and not is_a(part, BaseRoute, FastgateScheme):
            continue
        served = listed.has_all_of(part)
        nearest = graph.reached_from([key])
        for endpoint, keys in roots:
            if key in seen[id(endpoint)] or nearest_of(graph, nearest, keys) is None:
                continue
            if is_a(part, FastgateScheme):
                if is_asgi(endpoint):  # what stands beside other endpoints asks for no caller by it
                    yield from _asked_of(endpoint, part)
            else:
                yield from _declared_in(part, endpoint, keys, served=served)


def handed_on_by_handlers(app: object, listed: Listed) -> Iterator[Unread]:
    """Yield what is declared of apps that the handlers of exceptions answer by."""
    roots = list[tuple[Endpoint, list[object]]]()
    app = routed_app(app)
    for each in apps_within(app):
        handlers = attribute(each, "exception_handlers")
        for handler in handlers.values() if is_a(handlers, dict) else ():  # type: ignore[attr-defined]
            said = {"access": OPEN[0], **declared_of(app), **declared_of(each)}
            found = Endpoint(Kind.NOTHING, "/", None, name_of(handler), handler, inherited=said)
            roots.append((found, [*layers(handler, mounted=False)]))
    graph = Graph((layer for _, own in roots for layer in own), partial(_held_by, listed))
    for key, part in list(graph.objects.items()):
        if listed.has(part) or not (is_router(part) or is_a(part, BaseRoute)):
            continue
        nearest = graph.reached_from([key])
        for endpoint, own in roots:
            if any(id(layer) in nearest for layer in own):
                for each in _declared_in(part, endpoint, (), served=False):
                    yield each._replace(remedy=_IN_A_HANDLER)


def _seen_of(endpoint: Endpoint) -> set[int]:
    """Return the ids of its route, the apps around it, and the one whose routes are listed."""
    apps = list(endpoint.holders)
    if endpoint.kind is Kind.BELOW:
        apps += layers_of(endpoint)
    return {id(endpoint.route)} | {id(each) for app in apps for each in (app, router_of(app))}


def _declared_in(
    part: object, endpoint: Endpoint, keys: Sequence[int], *, served: bool
) -> Iterator[Unread]:
    here, said = said_by(endpoint)
    # What a mount around it says is as good: it is said of what is mounted there.
    here = {**{name: said[name] for name in endpoint.said_by_mounts if name in said}, **here}
    own = id(part) in keys  # what is declared of it is read
    apart = {*not_to_be_said(here), *more_open(declared(part), said)}
    if not own and (names := differing(part, said, apart)):
        yield Lost(endpoint, part, names, say(names)).unread()
    app = part if is_router(part) else Router(routes=[part])  # type: ignore[list-item]
    opaque = own and is_mounted(endpoint)  # that its routes declare nothing is asked elsewhere
    remedy = _HIDDEN if is_mounted(endpoint) else _IN_A_ROUTE
    template = endpoint.template.removesuffix("/{path:path}").rstrip("/")
    for below in endpoints_below(app, template):
        members = {} if opaque else over(below.inherited, below.declared)
        names = [name for name in members if said.get(name) != members[name]]
        names = [name for name in names if name not in more_open(members, said)]
        by_itself = served or not names  # to say it of the whole is all that is needed
        names += _access_asked_beyond(below, said)
        if served:
            # There its rules hold, and its dependencies everywhere: what is said here is enough.
            names = [name for name in names if name not in not_to_be_said(here)]
        else:
            names += _scopes_asked_beyond(below, said)
        if names := list(dict.fromkeys(names)):
            what = f"has a declaration that is not read: {', '.join(names)} of {below}"
            yield Unread(endpoint, what, say(names) if by_itself else remedy)


def _callers_of(below: Endpoint) -> Callers:
    """Return what dependencies ask, with those of routers that FastAPI does not run for it."""
    return below.callers | left_to_ask(below.not_run, below.declared)


def _access_asked_beyond(below: Endpoint, said: Mapping[str, object]) -> list[str]:
    asked = _callers_of(below)
    if not asked.known and not asked.anybody:
        return []
    return less_open(said, "authenticated" if asked.known else "optional")


def _scopes_asked_beyond(below: Endpoint, said: Mapping[str, object]) -> list[str]:
    scopes = said.get("scopes")
    given = scopes if isinstance(scopes, (list, tuple)) else ()
    return [] if {*_callers_of(below).scopes} <= {*given} else ["scopes"]


def _asked_of(endpoint: Endpoint, scheme: object) -> Iterator[Unread]:
    """Yield that a part that no other check looks at asks for a known caller."""
    if endpoint.kind is not Kind.BELOW and (
        names := less_open(said_by(endpoint)[1], "authenticated")
    ):
        yield Lost(endpoint, scheme, names, say(names)).unread()
