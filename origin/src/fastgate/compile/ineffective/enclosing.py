"""Find declarations without effect on what encloses endpoints, such as middleware.

Input: an app, and everything that it serves. Output: each declaration without effect on middleware
(of an app, a router or a route), on wrappers of the whole app, and on the classes of apps, routers
and routes; and each router whose default is an app of its own.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from types import FunctionType, MethodType
from typing import NamedTuple

from starlette.applications import Starlette
from starlette.routing import BaseRoute, Router

from fastgate.compile.callers.object_graph import Graph, mro_of
from fastgate.compile.endpoints.endpoint import Endpoint, Kind
from fastgate.compile.endpoints.inheritance import routes_without_router_mark
from fastgate.compile.endpoints.locations import name_of
from fastgate.compile.ineffective.comparison import (
    IneffectiveDeclaration,
    IneffectiveMark,
    differing,
    layers_of,
    members_free_to_differ,
    members_named,
    own_and_effective_members,
)
from fastgate.compile.ineffective.middleware import (
    Marked,
    is_own_method,
    marked_in,
    marked_run_by,
    stack_of,
)
from fastgate.declare.lookup import is_router, layers
from fastgate.declare.merge import merge_inherited
from fastgate.declare.static_access import attribute, is_a
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
            if not is_own_method(part, default) and _is_app(default):
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


# Declarations around a whole app.


def _around_whole_app(app: object, served: object) -> Iterator[IneffectiveDeclaration]:
    """Yield declarations around a whole app, which a guard in its middleware does not see."""
    effective, inside = declared_of(served), {id(each) for each in layers(served)}
    outside = [each for each in layers(app) if id(each) not in inside]
    for each in (*outside, *(kind for layer in outside for kind in mro_of(type(layer)))):
        yield from _not_of_the_app(each, effective, "a wrapper of the app")


def _of_middleware(served: object) -> Iterator[IneffectiveDeclaration]:
    known: Marked = {}
    for app in apps_within(served):
        effective = declared_of(app)
        for entry in getattr(app, "user_middleware", ()):
            for target in {id(each): each for each in marked_run_by(entry, known)}.values():
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
                members_named(names),
            )


def _not_of_the_app(
    target: object, effective: Mapping[str, object], what: str
) -> Iterator[IneffectiveDeclaration]:
    if names := differing(target, effective):
        endpoint = Endpoint(Kind.DECLARATION, "/", None, name_of(target), target)
        what = f"has a declaration without effect: {', '.join(names)} on {what}"
        members = members_named(names, declared(target))
        yield IneffectiveDeclaration(endpoint, what, _MARK_THE_APP, members)


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
    known: Marked = {}
    stacks: list[tuple[_Holder, list[object], set[int]]] = []
    for holder in holders:
        for part in holder.parts:
            yield from _ineffective_marks(holder, marked_in(type(part), known), holder.own_members)
            if stack := [*stack_of(part)]:
                run = [target for each in stack for target in marked_run_by(each, known)]
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
