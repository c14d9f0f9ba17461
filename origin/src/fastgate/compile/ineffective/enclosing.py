"""Find declarations on what encloses endpoints, such as middleware: they have no effect.

In: an app, and everything that it serves. Out: each declaration that is not read, of middleware (of
an app, a router or a route), of what is wrapped around the whole app, and of the classes of apps,
routers and routes; and each router whose default is an app of its own.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache, partial
from itertools import chain
from types import FunctionType, MethodType
from typing import NamedTuple, TypeAlias

from fastapi import routing
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import BaseRoute, Host, Mount, Route, Router, WebSocketRoute

from fastgate.compile.callers.object_graph import Graph, methods_of_class, mro_of
from fastgate.compile.endpoints.inheritance import lost_in_inclusions
from fastgate.compile.endpoints.listing import Endpoint, Kind
from fastgate.compile.ineffective.comparison import (
    Lost,
    Unread,
    differing,
    layers_of,
    name_of,
    not_to_be_said,
    said_by,
)
from fastgate.declare.at_edge import declared
from fastgate.declare.lookup import is_router, layers
from fastgate.declare.merge import over
from fastgate.declare.provenance import NOTES
from fastgate.declare.static_access import attribute, is_a, own
from fastgate.routes.framework import (
    apps_within,
    declared_of,
    included_router,
    inclusions,
    routed_app,
    router_of,
)

_MARK_THE_APP = "mark the app itself, at_edge(…)(app): then the policy and a running app agree"
_MARK_ITSELF = (
    "say it of the endpoint, router or app itself, at_edge(…): no class and no middleware hands "
    "it on"
)


def around_the_app(app: object) -> Iterator[Unread]:
    """Yield what is declared around an app, of its middleware, and what inclusions lose."""
    served = routed_app(app)
    yield from _outside(app, served)
    yield from _of_middleware(served)
    yield from _of_included_routers(served)


def around_endpoints(app: object, found: Sequence[Endpoint], read: set[int]) -> Iterator[Lost]:
    """Yield what is declared of classes and middleware of apps, routers and routes.

    Args:
        app: the app.
        found: everything that it serves.
        read: the ids of the objects of which declarations are read.

    """
    yield from _of_parts([*_holders(routed_app(app), found)], read)


def apps_by_default(app: object, found: Sequence[Endpoint]) -> Iterator[Unread]:
    """Yield the routers that hand on to an app what no route of theirs matches."""
    for holder in _holders(routed_app(app), found):
        for part in holder.parts:
            default = attribute(part, "default") if is_a(part, Router) else None
            if not _is_own(part, default) and _is_app(default):
                yield Unread(
                    holder.endpoint,
                    f"has a router whose default is an app ({name_of(default)}), to which no "
                    "route leads: the edge forwards nothing to it",
                    'mount it behind the routes, app.mount("", …), and leave the default out',
                )


def _is_app(default: object) -> bool:
    """Whether a default is more than a function that answers 404."""
    while is_a(default, partial):
        default = attribute(default, "func")
    if is_a(default, MethodType):
        return is_router(attribute(default, "__self__"))
    return default is not None and not is_a(default, FunctionType)


def replacements_in(part: object) -> Iterator[object]:
    """Yield what an app, a router or a route runs beside its endpoints, and its class.

    What has no middleware runs a function of the framework's: that holds nothing of an author's but
    the endpoint.
    """
    yield type(part)
    yield from _stack_of(part)


def run_beside(route: object) -> Iterator[object]:
    """Yield what a route runs beside its endpoint, where its author has it run something."""
    yield from _stack_of(route)


# What stands around a whole app.


def _outside(app: object, served: object) -> Iterator[Unread]:
    """Yield what is said around a whole app, where a guard in its middleware does not see it."""
    said, inside = declared_of(served), {id(each) for each in layers(served)}
    outside = [each for each in layers(app) if id(each) not in inside]
    for each in (*outside, *(kind for layer in outside for kind in mro_of(type(layer)))):
        yield from _not_of_the_app(each, said, "what is around the app")


def _of_middleware(served: object) -> Iterator[Unread]:
    known: _Marked = {}
    for app in apps_within(served):
        said = declared_of(app)
        for entry in getattr(app, "user_middleware", ()):
            for target in {id(each): each for each in _run_by(entry, known)}.values():
                yield from _not_of_the_app(target, said, "the app's middleware")


def _of_included_routers(served: object) -> Iterator[Unread]:
    for app in apps_within(served):
        for route, names in lost_in_inclusions(app):
            path, source = str(getattr(route, "path", "/")), getattr(route, "endpoint", route)
            endpoint = Endpoint(Kind.NOTHING, path, None, name_of(source), source)
            what = f"does not have what is declared on its router: {', '.join(names)}"
            yield Unread(endpoint, what, "add it by the router's own methods, or say it of it, too")


def _not_of_the_app(target: object, said: Mapping[str, object], what: str) -> Iterator[Unread]:
    if names := differing(target, said):
        endpoint = Endpoint(Kind.NOTHING, "/", None, name_of(target), target)
        what = f"has a declaration that is not read: {', '.join(names)} of {what}"
        yield Unread(endpoint, what, _MARK_THE_APP)


# Apps, routers and routes.


class _Holder(NamedTuple):
    """What a declaration would be read of, and the objects that are run for it."""

    endpoint: Endpoint
    here: Mapping[str, object]
    """What is said of it itself."""
    said: Mapping[str, object]
    """The same, with what it inherits."""
    parts: Sequence[object]


def _holders(served: object, found: Sequence[Endpoint]) -> Iterator[_Holder]:
    apps: dict[int, tuple[object, Mapping[str, object]]] = {}

    def parts_of(app: object, said: Mapping[str, object]) -> list[object]:
        apps.setdefault(id(app), (app, said))
        router = router_of(app)
        return [app] if router is None or router is app else [app, router]

    said = declared_of(served)
    parts = parts_of(served, said)
    yield _Holder(Endpoint(Kind.NOTHING, "/", None, name_of(served), served), said, said, parts)
    for endpoint in found:
        here, said = said_by(endpoint)
        parts = [] if endpoint.route is None else [endpoint.route]
        if endpoint.kind is Kind.BELOW:
            for app in filter(is_router, layers_of(endpoint)):
                parts += parts_of(app, said)
        yield _Holder(endpoint, here, said, parts)
    for app, said in apps.values():
        for inclusion in inclusions(getattr(app, "routes", ())):
            if (router := included_router(inclusion)) is not None:
                here = dict(declared(router))
                endpoint = Endpoint(Kind.NOTHING, router.prefix or "/", None, "router", router)
                yield _Holder(endpoint, here, over(said, here), [router])


def _of_parts(holders: Sequence[_Holder], read: set[int]) -> Iterator[Lost]:
    known: _Marked = {}
    stacks: list[tuple[_Holder, list[object], set[int]]] = []
    for holder in holders:
        for part in holder.parts:
            yield from _lost(holder, _marked_in(type(part), known), holder.here)
            if stack := [*_stack_of(part)]:
                run = [target for each in stack for target in _run_by(each, known)]
                stacks.append((holder, stack, {id(each) for each in run}))
                if not is_a(part, Starlette):  # of an app's it is told already
                    yield from _lost(holder, (each for each in run if id(each) not in read))
    graph = Graph(each for _, stack, _ in stacks for each in stack)
    for key, target in graph.objects.items():
        if key in read or is_router(target) or is_a(target, BaseRoute) or not declared(target):
            continue
        reaching = graph.reached_from([key])
        for holder, stack, run_ids in stacks:
            if key not in run_ids and any(id(each) in reaching for each in stack):
                yield from _lost(holder, [target], not_to_be_said(holder.here))


def _lost(holder: _Holder, targets: Iterable[object], apart: Iterable[str] = ()) -> Iterator[Lost]:
    for target in targets:
        if names := differing(target, holder.said, apart):
            yield Lost(holder.endpoint, target, names, _MARK_ITSELF)


_Marked: TypeAlias = dict[int, list[object]]
"""What is marked of classes that were looked at, by their ids: a class may forbid to be a key."""


def _run_by(entry: object, known: _Marked) -> Iterator[object]:
    """Yield what is marked of middleware: itself, what it hands on to, classes and methods."""
    parts: Sequence[object] = (entry,)
    if of_app := is_a(entry, Middleware):
        parts = (entry, entry.cls, *entry.args, *entry.kwargs.values())  # type: ignore[attr-defined]
    for layer in chain.from_iterable(layers(part, mounted=not of_app) for part in parts):
        if declared(layer):
            yield layer
        yield from _marked_in(layer if is_a(layer, type) else type(layer), known)


def _marked_in(kind: object, known: _Marked) -> list[object]:
    """Return what is marked of a class: itself, its bases and the methods of them."""
    if id(kind) not in known:
        found = (*mro_of(kind), *chain.from_iterable(methods_of_class(kind)))
        known[id(kind)] = [each for each in found if declared(each)]
    return known[id(kind)]


def _stack_of(part: object) -> Iterator[object]:
    """Yield the middleware of an app, a router or a route, or what has it inside."""
    if is_a(part, Starlette):
        entries = attribute(part, "user_middleware")
        yield from entries if is_a(entries, list) else ()  # type: ignore[misc]
    elif is_a(part, Router):
        for each in (attribute(part, "middleware_stack"), attribute(part, "default")):
            if each is not None and not _is_own(part, each):
                yield each
    elif is_a(part, BaseRoute):
        yield from _run_by_route(part)


def _run_by_route(route: object) -> Iterator[object]:
    """Yield what a route runs that is neither its endpoint nor the framework's: an author's."""
    run = attribute(route, "app")
    of_mount = is_a(route, Mount, Host) or run is attribute(route, "endpoint")
    if run is not None and not of_mount and not _is_of_framework(run):
        yield run
    for name, value in list(own(route).items()):
        if name not in _attributes_of_routes():
            yield value
    kinds = (each for each in mro_of(type(route))[:-1] if not _is_of_framework(each))
    if any(name in own(kind) for kind in kinds for name in ("handle", "__call__")):
        yield type(route)  # it may hand on to what it has itself


@cache
def _attributes_of_routes() -> frozenset[str]:
    """Return the names of what the framework and marks write on routes; `handle` is no such."""
    path = "/{path:path}"
    kinds = (Route, routing.APIRoute, WebSocketRoute, routing.APIWebSocketRoute)
    routes = (*(kind(path, _nothing) for kind in kinds), Mount("/x", routes=[]))
    of_framework = (name for route in routes for name in own(route))
    return frozenset((*NOTES, *of_framework))


async def _nothing() -> None: ...


def _is_of_framework(target: object) -> bool:
    """Whether a function or a class was written in FastAPI or Starlette."""
    if is_a(target, type):
        module = own(target).get("__module__")
    elif is_a(target, FunctionType):
        module = target.__globals__.get("__name__")  # type: ignore[attr-defined]
    else:
        return False
    return str(module).partition(".")[0] in ("fastapi", "starlette")


def _is_own(router: object, method: object) -> bool:
    return is_a(method, MethodType) and attribute(method, "__self__") is router
