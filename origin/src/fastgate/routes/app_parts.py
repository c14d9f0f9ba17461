"""Find the routers, routes and endpoints that belong to a guarded app.

Input: the router of a guarded app. Output: whether a router or a route is part of the app: its own,
an included or a mounted one. Middleware may send many requests to other apps in this process, so a
check does not visit all routes. They are read once, and again when a list of them has changed.
"""

from collections.abc import Sequence
from operator import is_
from typing import Any

from starlette.routing import BaseRoute, Router

from fastgate.routes.framework import (
    apps_within,
    effective_routes,
    included_router,
    inclusions,
    router_of,
)

_PARTS = "_fastgate_parts"


def is_part_of(guarded: Router, router: object, route: object = None) -> bool:
    """Whether a router, or a route, is one of a guarded app: its own, an included or mounted one.

    A route that runs the endpoint of one of them counts, too, because older FastAPI copies included
    routes. Nothing is known of an app that is mounted behind middleware without an attribute `app`.
    """
    return parts_of(guarded).have(router, route)


def parts_of(guarded: Router) -> "_Parts":
    """Return the parts of a guarded app: the same object until a list of routes changes."""
    parts = vars(guarded).get(_PARTS)
    if not isinstance(parts, _Parts) or not parts.are_of(guarded):
        parts = vars(guarded)[_PARTS] = _Parts(guarded)
    return parts


def _are_the_same(then: Sequence[object], now: object) -> bool:
    """Whether a list holds the same objects as before. Equal routes may be of different classes.

    This takes some microseconds for a thousand routes.
    """
    return isinstance(now, Sequence) and len(then) == len(now) and all(map(is_, then, now))


class _Parts:
    """The parts of an app, and the attributes from which they were read."""

    def __init__(self, guarded: Router) -> None:
        self._guarded = guarded
        self._read: list[tuple[object, str, Any]] = []
        self._parts: dict[int, object] = {}  # holds the objects, so that their ids stay unique
        self._endpoints: dict[int, object] = {}
        for app in apps_within(guarded):
            router = router_of(app)
            self._note(app, "router")
            self._add(router)
            routes = self._note(app, "routes") or []
            for included in map(included_router, (*routes, *inclusions(routes))):
                self._add(included)
            for route, _ in effective_routes(app):
                self._add_route(route)

    def are_of(self, guarded: Router) -> bool:
        """Whether these are the parts of the app now."""
        return guarded is self._guarded and all(
            _are_the_same(then, now) if isinstance(then, list) else now is then
            for now, then in ((getattr(at, name, None), then) for at, name, then in self._read)
        )

    def have(self, router: object, route: object) -> bool:
        """Whether a router or a route is part of the app."""
        if id(router) in self._parts or id(route) in self._parts:
            return True
        endpoint = getattr(route, "endpoint", None)
        return endpoint is not None and id(endpoint) in self._endpoints

    def _add(self, router: Router | None) -> None:
        if router is not None and id(router) not in self._parts:
            self._parts[id(router)] = router
            self._note(router, "routes")
            self._note(router, "_low_priority_routes")

    def _add_route(self, route: BaseRoute) -> None:
        self._parts[id(route)] = route
        if (endpoint := getattr(route, "endpoint", None)) is not None:
            self._endpoints[id(endpoint)] = endpoint
        else:  # a mount
            self._note(route, "app")
            self._note(route, "_base_app")

    def _note(self, at: object, name: str) -> Any:  # noqa: ANN401
        found = getattr(at, name, None)
        self._read.append((at, name, list(found) if isinstance(found, list) else found))
        return found
