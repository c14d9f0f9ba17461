"""Read the route that a router has chosen, and the frontends among which FastAPI chooses itself.

Input: the scope of a request, and a route. Output: the path template, the view and the endpoint of
the route. Like `framework`, this module depends on how FastAPI stores its routes.
"""

import inspect
from collections.abc import Iterator
from functools import partial
from types import FunctionType

from fastapi import routing
from fastapi.routing import APIRoute, APIWebSocketRoute
from starlette._utils import get_route_path
from starlette.endpoints import HTTPEndpoint, WebSocketEndpoint
from starlette.routing import BaseRoute
from starlette.types import Scope

from fastgate.declare.lookup import PLAIN_ROUTES, original_of, stored, targets_of
from fastgate.declare.static_access import is_a
from fastgate.routes.framework import IncludedRoute, View

_FRONTENDS: tuple[type, ...] = tuple(
    getattr(routing, name) for name in ("_FrontendRouteGroup",) if hasattr(routing, name)
)
_REST = "/{path:path}"


def chosen_path(route: BaseRoute, view: View, scope: Scope) -> str | None:
    """Return the path template of a route that the router has chosen, with its router's prefix."""
    if issubclass(type(route), _FRONTENDS):
        return _chosen_frontend(scope)
    path = stored(view)["path"] if type(view) in PLAIN_ROUTES else getattr(view, "path", None)
    return path if isinstance(path, str) else None


def _chosen_frontend(scope: Scope) -> str:
    path = get_route_path(scope)
    base = path[: scope["fastapi"]["frontend_specificity"]]
    return base if base and path == base else base + _REST


def chosen_view(route: BaseRoute, scope: Scope) -> View:
    """Return the view of a route that the router has chosen: path, methods, declarations."""
    known = scope.get("fastapi")
    view = known.get("effective_route_context") if known else None
    if view is None:
        return route
    original = getattr(view, "original_route", None)
    if original is not None and getattr(view, "starlette_route", None) is route:
        return IncludedRoute(original, route)
    return view if original is route else route


def run_by(view: View, scope: Scope) -> object:
    """Return the endpoint of a chosen route, or its app without the app's own middleware."""
    if type(view) in PLAIN_ROUTES:
        endpoint = stored(view).get("endpoint")
        if endpoint is not None:
            return endpoint
    else:
        endpoint = getattr(view, "endpoint", None)
    route = original_of(view)
    if is_a(route, *_FRONTENDS):
        path = _chosen_frontend(scope)
        found = (each.app for its, each in frontend_templates(route, view) if its == path)
        return next(found, None)
    return next(reversed(targets_of(view)), None) if endpoint is None else endpoint


def handler_of(endpoint: HTTPEndpoint) -> object:
    """Return the method of an endpoint that responds to its request; None if it has none."""
    name = str(endpoint.scope["method"]).lower()
    found = getattr(endpoint, name, None)
    return getattr(endpoint, "get", None) if found is None and name == "head" else found


def is_one_endpoint(route: BaseRoute) -> bool:
    """Whether this runs one function; otherwise it may choose by itself what to run."""
    if type(route) in PLAIN_ROUTES:
        endpoint = stored(route).get("endpoint")
    else:
        endpoint = getattr(route, "endpoint", None)
    if type(endpoint) is FunctionType:
        return True
    while isinstance(endpoint, partial):
        endpoint = endpoint.func
    if inspect.isclass(endpoint):
        return issubclass(endpoint, WebSocketEndpoint)
    runs_one = inspect.isfunction(endpoint) or inspect.ismethod(endpoint)
    return runs_one or isinstance(route, (APIRoute, APIWebSocketRoute))


def frontend_templates(route: object, view: View) -> Iterator[tuple[str, View]]:
    """Yield the path templates that `app.frontend` serves, each with its frontend.

    The most specific one comes first, as FastAPI chooses. A route without frontends yields none.
    """
    if isinstance(route, _FRONTENDS):
        prefix: str = getattr(view, "frontend_prefix", "")
        found = [(prefix + each.path.rstrip("/"), each) for each in route.routes]  # type: ignore[attr-defined]
        for path, frontend in sorted(found, key=lambda pair: -len(pair[0])):
            if path:
                yield path, frontend
            yield path + _REST, frontend
