"""Find declarations without effect on what encloses endpoints, such as middleware.

Input: an app, and everything that it serves. Output: each declaration without effect on middleware
(of an app, a router or a route), on wrappers of the whole app, and on the classes of apps, routers
and routes; and each router whose default is an app of its own.
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
from fastgate.compile.endpoints.endpoint import Endpoint, Kind
from fastgate.compile.endpoints.inheritance import routes_without_router_mark
from fastgate.compile.ineffective.comparison import (
    IneffectiveDeclaration,
    IneffectiveMark,
    differing,
    layers_of,
    members_free_to_differ,
    name_of,
    own_and_effective_members,
)
from fastgate.declare.lookup import is_router, layers
from fastgate.declare.merge import merge_inherited
from fastgate.declare.provenance import NOTES
from fastgate.declare.static_access import attribute, is_a, own
from fastgate.declare.stored_marks import declared
from fastgate.routes.framework import (
    apps_within,
    declared_of,
    included_router,
    inclusions,
    routed_app,
    router_of,
)

_MARK_THE_APP = "mark the app itself: at_edge(…)(app)"
_MARK_ITSELF = (
    "declare it on the endpoint, router or app itself, at_edge(…): a class or middleware does "
    "not pass it on"
)


def around_the_app(app: object) -> Iterator[IneffectiveDeclaration]:
    """Yield ineffective declarations around an app, on its middleware, and in inclusions."""
    served = routed_app(app)
    yield from _around_whole_app(app, served)
    yield from _of_middleware(served)
    yield from _of_included_routers(served)


def around_endpoints(
    app: object, found: Sequence[Endpoint], read: set[int]
) -> Iterator[IneffectiveMark]:
    """Yield ineffective marks on classes and middleware of apps, routers and routes.

    Args:
        app: the app.
        found: everything that it serves.
        read: the ids of the objects whose declarations are read.

    """
    yield from _of_parts([*_holders(routed_app(app), found)], read)


def default_apps(app: object, found: Sequence[Endpoint]) -> Iterator[IneffectiveDeclaration]:
    """Yield the routers with a default app, which gets the requests that no route matches."""
    for holder in _holders(routed_app(app), found):
        for part in holder.parts:
            default = attribute(part, "default") if is_a(part, Router) else None
            if not _is_own(part, default) and _is_app(default):
                yield IneffectiveDeclaration(
                    holder.endpoint,
                    f"has a router whose default is an app ({name_of(default)}) without a route, "
                    "so "
                    "the edge forwards nothing to it",
                    'mount it after the routes, app.mount("", …), and remove the default',
                )


def _is_app(default: object) -> bool:
    """Whether a default is an app, and not only a function that responds with 404."""
    while is_a(default, partial):
        default = attribute(default, "func")
    if is_a(default, MethodType):
        return is_router(attribute(default, "__self__"))
    return default is not None and not is_a(default, FunctionType)


def replacements_in(part: object) -> Iterator[object]:
    """Yield what an app, a router or a route runs besides its endpoints, and its class.

    A route without middleware runs a function of the framework, which refers only to the endpoint.
    """
    yield type(part)
    yield from _stack_of(part)


def run_beside(route: object) -> Iterator[object]:
    """Yield what a route runs besides its endpoint, if its author added something."""
    yield from _stack_of(route)


# Declarations around a whole app.


def _around_whole_app(app: object, served: object) -> Iterator[IneffectiveDeclaration]:
    """Yield declarations around a whole app, which a guard in its middleware does not see."""
    effective, inside = declared_of(served), {id(each) for each in layers(served)}
    outside = [each for each in layers(app) if id(each) not in inside]
    for each in (*outside, *(kind for layer in outside for kind in mro_of(type(layer)))):
        yield from _not_of_the_app(each, effective, "a wrapper of the app")


def _of_middleware(served: object) -> Iterator[IneffectiveDeclaration]:
    known: _Marked = {}
    for app in apps_within(served):
        effective = declared_of(app)
        for entry in getattr(app, "user_middleware", ()):
            for target in {id(each): each for each in _run_by(entry, known)}.values():
                yield from _not_of_the_app(target, effective, "the app's middleware")


def _of_included_routers(served: object) -> Iterator[IneffectiveDeclaration]:
    for app in apps_within(served):
        for route, names in routes_without_router_mark(app):
            path, source = str(getattr(route, "path", "/")), getattr(route, "endpoint", route)
            endpoint = Endpoint(Kind.DECLARATION, path, None, name_of(source), source)
            what = f"does not have the declaration of its router: {', '.join(names)}"
            yield IneffectiveDeclaration(
                endpoint,
                what,
                "add the route by the router's own methods, or declare it on the route",
            )


def _not_of_the_app(
    target: object, effective: Mapping[str, object], what: str
) -> Iterator[IneffectiveDeclaration]:
    if names := differing(target, effective):
        endpoint = Endpoint(Kind.DECLARATION, "/", None, name_of(target), target)
        what = f"has a declaration without effect: {', '.join(names)} on {what}"
        yield IneffectiveDeclaration(endpoint, what, _MARK_THE_APP)


# Apps, routers and routes.


class _Holder(NamedTuple):
    """An object whose declaration is read, and the objects that run for it."""

    endpoint: Endpoint
    own_members: Mapping[str, object]
    """The members that it declares itself."""
    effective: Mapping[str, object]
    """The same, with inherited members."""
    parts: Sequence[object]


def _holders(served: object, found: Sequence[Endpoint]) -> Iterator[_Holder]:
    apps: dict[int, tuple[object, Mapping[str, object]]] = {}

    def parts_of(app: object, effective: Mapping[str, object]) -> list[object]:
        apps.setdefault(id(app), (app, effective))
        router = router_of(app)
        return [app] if router is None or router is app else [app, router]

    effective = declared_of(served)
    parts = parts_of(served, effective)
    yield _Holder(
        Endpoint(Kind.DECLARATION, "/", None, name_of(served), served), effective, effective, parts
    )
    for endpoint in found:
        own_members, effective = own_and_effective_members(endpoint)
        parts = [] if endpoint.route is None else [endpoint.route]
        if endpoint.kind is Kind.MOUNT:
            for app in filter(is_router, layers_of(endpoint)):
                parts += parts_of(app, effective)
        yield _Holder(endpoint, own_members, effective, parts)
    for app, effective in apps.values():
        for inclusion in inclusions(getattr(app, "routes", ())):
            if (router := included_router(inclusion)) is not None:
                own_members = dict(declared(router))
                endpoint = Endpoint(Kind.DECLARATION, router.prefix or "/", None, "router", router)
                yield _Holder(
                    endpoint, own_members, merge_inherited(effective, own_members), [router]
                )


def _of_parts(holders: Sequence[_Holder], read: set[int]) -> Iterator[IneffectiveMark]:
    known: _Marked = {}
    stacks: list[tuple[_Holder, list[object], set[int]]] = []
    for holder in holders:
        for part in holder.parts:
            yield from _ineffective_marks(holder, _marked_in(type(part), known), holder.own_members)
            if stack := [*_stack_of(part)]:
                run = [target for each in stack for target in _run_by(each, known)]
                stacks.append((holder, stack, {id(each) for each in run}))
                if not is_a(part, Starlette):  # that of an app is already reported
                    yield from _ineffective_marks(
                        holder, (each for each in run if id(each) not in read)
                    )
    graph = Graph(each for _, stack, _ in stacks for each in stack)
    for key, target in graph.objects.items():
        if key in read or is_router(target) or is_a(target, BaseRoute) or not declared(target):
            continue
        reaching = graph.reached_from([key])
        for holder, stack, run_ids in stacks:
            if key not in run_ids and any(id(each) in reaching for each in stack):
                yield from _ineffective_marks(
                    holder, [target], members_free_to_differ(holder.own_members)
                )


def _ineffective_marks(
    holder: _Holder, targets: Iterable[object], exempt: Iterable[str] = ()
) -> Iterator[IneffectiveMark]:
    for target in targets:
        if names := differing(target, holder.effective, exempt):
            yield IneffectiveMark(holder.endpoint, target, names, _MARK_ITSELF)


_Marked: TypeAlias = dict[int, list[object]]
"""The marked parts of classes, by the id of the class, because a class may be unhashable."""


def _run_by(entry: object, known: _Marked) -> Iterator[object]:
    """Yield the marked parts of middleware: itself, what it wraps, classes and methods."""
    parts: Sequence[object] = (entry,)
    if of_app := is_a(entry, Middleware):
        parts = (entry, entry.cls, *entry.args, *entry.kwargs.values())  # type: ignore[attr-defined]
    for layer in chain.from_iterable(layers(part, mounted=not of_app) for part in parts):
        if declared(layer):
            yield layer
        yield from _marked_in(layer if is_a(layer, type) else type(layer), known)


def _marked_in(kind: object, known: _Marked) -> list[object]:
    """Return the marked parts of a class: itself, its bases and their methods."""
    if id(kind) not in known:
        found = (*mro_of(kind), *chain.from_iterable(methods_of_class(kind)))
        known[id(kind)] = [each for each in found if declared(each)]
    return known[id(kind)]


def _stack_of(part: object) -> Iterator[object]:
    """Yield the middleware of an app, a router or a route, or the stack that contains it."""
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
    """Yield what a route runs that is neither its endpoint nor part of the framework."""
    run = attribute(route, "app")
    of_mount = is_a(route, Mount, Host) or run is attribute(route, "endpoint")
    if run is not None and not of_mount and not _is_of_framework(run):
        yield run
    for name, value in list(own(route).items()):
        if name not in _attributes_of_routes():
            yield value
    kinds = (each for each in mro_of(type(route))[:-1] if not _is_of_framework(each))
    if any(name in own(kind) for kind in kinds for name in ("handle", "__call__")):
        yield type(route)  # it may call its own attributes


@cache
def _attributes_of_routes() -> frozenset[str]:
    """Return the attributes that the framework and marks store on routes, without `handle`."""
    path = "/{path:path}"
    kinds = (Route, routing.APIRoute, WebSocketRoute, routing.APIWebSocketRoute)
    routes = (*(kind(path, _nothing) for kind in kinds), Mount("/x", routes=[]))
    of_framework = (name for route in routes for name in own(route))
    return frozenset((*NOTES, *of_framework))


async def _nothing() -> None: ...


def _is_of_framework(target: object) -> bool:
    """Whether a function or a class is part of FastAPI or Starlette."""
    if is_a(target, type):
        module = own(target).get("__module__")
    elif is_a(target, FunctionType):
        module = target.__globals__.get("__name__")  # type: ignore[attr-defined]
    else:
        return False
    return str(module).partition(".")[0] in ("fastapi", "starlette")


def _is_own(router: object, method: object) -> bool:
    return is_a(method, MethodType) and attribute(method, "__self__") is router
