"""How FastAPI and Starlette store their routes. Only this module and `chosen` depend on it.

Input: an app. Output: the routes that its router may run, with the paths that they have there. It
judges and changes nothing.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeAlias

from fastapi import APIRouter, routing
from fastapi.params import Depends
from starlette._utils import get_route_path
from starlette.applications import Starlette
from starlette.routing import BaseRoute, Host, Mount, Router

from fastgate.declare.lookup import declared_on_layers, declared_on_route, has_routes
from fastgate.declare.members import OPAQUE, PREFIX
from fastgate.declare.merge import merge_inherited
from fastgate.declare.provenance import dependencies_of, noted_dependencies
from fastgate.declare.static_access import attribute, is_a
from fastgate.declare.stored_marks import declared

WEBSOCKET = "WEBSOCKET"
"""The method that represents an opening handshake, which the edge distinguishes from a GET."""

View: TypeAlias = Any
"""The source of a route's effective path, methods and dependencies: itself, or its inclusion."""


def routed_app(app: object) -> object | None:
    """Return the app with routes: `app` itself, or the app behind its middleware."""
    seen = dict[int, object]()
    while app is not None and not has_routes(app):
        if id(app) in seen:
            return None
        seen[id(app)] = app
        app = attribute(app, "app")
    return app


def router_of(app: object) -> Router | None:
    """Return the router of an app; None if it is not one of Starlette's."""
    app = getattr(app, "_base_app", app)  # the app of a mount
    router = getattr(app, "router", app)
    return router if isinstance(router, Router) else None


def root_path_of(app: object) -> str:
    """Return the `root_path` that the author gave a FastAPI app; empty if there is none."""
    return root_set_by(app).rstrip("/")


def root_set_by(app: object) -> str:
    """Return the `root_path` that an app sets in each scope; empty if there is none."""
    root_path: str = getattr(app, "root_path", "")
    return root_path


def signed_root_of(app: object) -> str:
    """Return the app's own `root_path` if signed paths and templates begin with it; else "".

    With `at_edge(prefix=…)` the edge removes the root path before it signs.
    """
    # A guard among the middleware of an app does not see the wrappers around the app.
    app = routed_app(app)
    root_path = root_path_of(app)
    return "" if root_path and declared_of(app).get(PREFIX) == root_path else root_path


def declared_of(app: object) -> Mapping[str, object]:
    """Return the declarations for a whole app: its own, and those of its router."""
    return merge_inherited(declared_on_layers(app), declared(router_of(app)))


def path_below(root_path: str, path: str) -> str:
    """Return the part of a path that routers match below a root path, by Starlette's own rule."""
    return get_route_path({"path": path, "root_path": root_path}) if root_path else path


def app_below(route: object) -> Starlette | Router | Mount | Host | None:
    """Return the app or router with the routes below a mount; None if there are none to see.

    Only routes that Starlette's routers dispatch count: an app of another framework may have
    `routes`, too, but does not run them by `handle`. A mount declared as one unit has none.
    """
    if not isinstance(route, (Mount, Host)) or is_opaque(route):
        return None
    if isinstance(app := routed_app(route.app), (Starlette, Router)):
        return app
    return route if isinstance(getattr(route, "_base_app", None), (Starlette, Router)) else None


def is_among(app: object, holders: Iterable[object]) -> bool:
    """Whether an app or its router is one of the apps in which it would be mounted."""
    router = router_of(app)
    return any(
        app is each or (router is not None and router is router_of(each)) for each in holders
    )


def is_opaque(route: Mount | Host) -> bool:
    """Whether a mount is declared as one unit, regardless of the routes of its app."""
    return declared_on_route(route).get(OPAQUE) is True


def effective_routes(app: object) -> Iterator[tuple[BaseRoute, View]]:
    """Yield each route of `app` in the router's order, with the view of its path and dependencies.

    Newer FastAPI includes routers by reference: a route keeps its own path, and each inclusion has
    a view of it with the prefix and dependencies of `include_router`. Older FastAPI copies the
    route, and the copy is its own view.
    """
    routes: list[BaseRoute] = getattr(app, "routes", [])
    for view in _views(routes):
        yield view.original_route if hasattr(view, "original_route") else view, view
    # Frontends come last, and have no path template.
    low_priority = getattr(getattr(app, "router", app), "_iter_low_priority_routes", tuple)
    for route in low_priority():
        yield getattr(route, "original_route", route), route


def apps_within(app: object) -> Iterator[object]:
    """Yield an app and each app mounted in it, at any depth, including opaque ones."""
    seen, left = list[object](), [app]
    while left:
        app = left.pop(0)
        if any(app is each for each in seen):
            continue
        seen.append(app)
        yield app
        for route, _ in effective_routes(app):
            if isinstance(route, (Mount, Host)):
                own = (routed_app(getattr(route, "_base_app", None)), routed_app(route.app))
                left.extend(each for each in own if each is not None)


def router_dependencies(app: object, view: View) -> list[Depends]:
    """Return the dependencies of the routers that contain a Starlette route or mount.

    FastAPI runs them only for its own routes. For other routes they only hold declarations.
    """
    chosen = getattr(getattr(view, "handle", None), "__self__", view)
    for inclusion in inclusions(getattr(app, "routes", ())):
        for each in inclusion.effective_candidates():
            if getattr(each, "starlette_route", None) is chosen:
                included = dependencies_of(inclusion.original_router)
                around = (*inclusion.include_context.dependencies, *included)
                return _with_noted(around, getattr(each, "original_route", each))
    return _with_noted(dependencies_of(router_of(app)), view)


def _with_noted(around: Iterable[Depends], route: object) -> list[Depends]:
    """Return dependencies and those of the routers to which a route was added, each once."""
    noted = noted_dependencies(route)
    return [*{id(each): each for each in (*around, *noted)}.values()]


def inclusions(routes: Iterable[BaseRoute]) -> Iterator[View]:
    """Yield the routes that represent an included router, at any depth."""
    for route in routes:
        if isinstance(route, _INCLUSION):
            yield route
            yield from inclusions(route.effective_candidates())  # type: ignore[attr-defined]


def taken_through(app: object) -> Iterator[tuple[object, ...]]:
    """Yield, for each of `effective_routes`, its inclusions and their routers, outermost first."""
    yield from _taken_through(getattr(app, "routes", []), ())
    yield from _low_taken_through(getattr(app, "router", app), ())


def _taken_through(
    routes: Iterable[BaseRoute], around: tuple[object, ...]
) -> Iterator[tuple[object, ...]]:
    for route in routes:
        if not isinstance(route, _INCLUSION):
            yield around
            continue
        router = route.original_router  # type: ignore[attr-defined]
        # An inclusion in an included router is a copy. The original is in the router's list.
        authors = [
            each
            for holder in around
            if isinstance(holder, APIRouter)
            for each in holder.routes
            if isinstance(each, _INCLUSION) and each.original_router is router  # type: ignore[attr-defined]
        ]
        candidates = route.effective_candidates()  # type: ignore[attr-defined]
        yield from _taken_through(candidates, (*around, route, *authors, router))


def _low_taken_through(router: object, around: tuple[object, ...]) -> Iterator[tuple[object, ...]]:
    for _ in getattr(router, "_low_priority_routes", ()):
        yield around
    routes: Iterable[BaseRoute] = getattr(router, "routes", ())
    for route in routes:
        if (included := included_router(route)) is not None:
            yield from _low_taken_through(included, (*around, route, included))


class IncludedRoute:
    """A Starlette route as an inclusion has copied it, and the original.

    The copy has path, methods and endpoint; only the original has the declarations of `at_edge`.
    """

    def __init__(self, original_route: BaseRoute, route: BaseRoute) -> None:
        self.original_route = original_route
        self._route = route

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401
        return getattr(self._route, name)


def _views(routes: list[BaseRoute]) -> Iterator[View]:
    if hasattr(routing, "iter_route_contexts"):
        for view in routing.iter_route_contexts(routes):
            # From 0.137.2 to 0.143.0 a context has the copy, but an empty path.
            included = getattr(view, "starlette_route", None)
            yield view if included is None else IncludedRoute(view.original_route, included)
    elif hasattr(routing, "_iter_routes_with_context"):
        # FastAPI 0.137.0 and 0.137.1 have only a private name for it.
        for route, context in routing._iter_routes_with_context(routes):
            included = getattr(context, "starlette_route", None)
            yield IncludedRoute(route, included) if included is not None else context or route
    else:
        yield from routes


def handled_route(route: BaseRoute, view: View) -> BaseRoute:
    """Return the object whose `handle` the router calls when it has chosen this route."""
    if isinstance(route, routing.APIRoute):
        return route
    # FastAPI copies an included Starlette route for each inclusion.
    chosen = getattr(getattr(view, "handle", None), "__self__", route)
    return chosen if isinstance(chosen, BaseRoute) else route


def may_contain(route: object) -> bool:
    """Whether a route is of a class that leads to others: a mount, a host or an inclusion."""
    return issubclass(type(route), _CONTAINERS)


def included_router(route: BaseRoute) -> APIRouter | None:
    """Return the included router that a route represents; None for any other route."""
    if not is_a(route, *_INCLUSION):
        return None
    router: APIRouter = route.original_router  # type: ignore[attr-defined]
    return router


_INCLUSION: tuple[type, ...] = tuple(
    getattr(routing, name) for name in ("_IncludedRouter",) if hasattr(routing, name)
)
_CONTAINERS: tuple[type, ...] = (Mount, Host, *_INCLUSION)
