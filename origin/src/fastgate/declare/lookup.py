"""Look up the declarations of a route or an app, for the compiler and for requests.

Input: a route, an endpoint or an app, including its wrappers. Output: the members that `at_edge`
stored on any of its layers. This module checks nothing and runs no code of the app.
"""

from collections.abc import Iterator, Mapping
from functools import partial
from types import FunctionType, MethodType
from typing import Any

from fastapi.routing import APIRoute, APIWebSocketRoute
from starlette.applications import Starlette
from starlette.routing import Host, Mount, Route, Router, WebSocketRoute

from fastgate.declare.merge import merge_layers
from fastgate.declare.openapi_extra import declared_by_extra
from fastgate.declare.static_access import attribute, is_a, own
from fastgate.declare.stored_marks import MARKS, declared

_MAX_LAYERS = 1000
_READ = ("endpoint", "openapi_extra", "original_route")
"""The attributes of a route that are read here."""
PLAIN_ROUTES = frozenset(
    kind
    for kind in (APIRoute, APIWebSocketRoute, Route, WebSocketRoute)
    if not any(hasattr(kind, name) for name in (*_READ, "__getattr__"))
)
"""The framework's own classes of routes. They have these attributes only in each `__dict__`."""
_NOT_PLAIN = (*MARKS, "original_route")
_attributes = object.__getattribute__
"""Reads an attribute of a plain route directly: `routes.dispatch` replaces the usual function."""


def stored(route: object) -> dict[str, Any]:
    """Return the attributes of one of `PLAIN_ROUTES` as they are now."""
    found: dict[str, Any] = _attributes(route, "__dict__")
    return found


def declared_on_route(route: object) -> Mapping[str, object]:
    """Return the declaration of a route: of its endpoint or app, `openapi_extra`, and its own.

    Of several wrappers around an endpoint or an app the outermost counts, member by member. It
    cannot open what another layer restricts.
    """
    if _declares_nothing(route):
        return {}
    members: dict[str, object] = {}
    if (endpoint := getattr(route, "endpoint", None)) is not None:
        members = merge_layers(members, declared_on_layers(endpoint, mounted=False))
    else:
        for target in reversed(targets_of(route)):
            members = merge_layers(members, declared_on_layers(target))
    members = merge_layers(members, declared_by_extra(route))
    original = original_of(route)
    if type(original) in PLAIN_ROUTES:
        stored = _attributes(original, "__dict__")
        if stored.keys().isdisjoint(MARKS):
            return members
    return merge_layers(members, declared(original))


def declared_on_layers(target: object, *, mounted: bool = True) -> Mapping[str, object]:
    """Return the declarations on all layers of an endpoint or an app; the outermost counts."""
    if type(target) is FunctionType and not target.__dict__:
        return {}  # it has no mark, and wraps nothing
    members: dict[str, object] = {}
    for layer in layers(target, mounted=mounted):
        members = merge_layers(declared(layer), members)
    return members


def targets_of(route: object) -> list[object]:
    """Return what a route runs: its endpoint, or its app with and without the middleware."""
    if (endpoint := getattr(route, "endpoint", None)) is not None:
        return [endpoint]
    # Some versions of FastAPI wrap an included mount in another class with the same attributes.
    found = getattr(route, "app", None), getattr(route, "_base_app", None)
    return [each for each in found if each is not None]


def original_of(view: object) -> object:
    """Return the route that an inclusion shows by this view; the view itself if it is a route."""
    if type(view) in PLAIN_ROUTES and "original_route" not in _attributes(view, "__dict__"):
        return view  # without the cost of reading an attribute that is missing
    return getattr(view, "original_route", view)


def _declares_nothing(route: object) -> bool:
    """Whether a plain route and its function have no declaration, as most have.

    This runs for every request and reads their attributes as they are now: a late mark counts.
    """
    if type(route) not in PLAIN_ROUTES:
        return False
    stored = _attributes(route, "__dict__")
    endpoint = stored.get("endpoint")
    return (
        type(endpoint) is FunctionType
        and not endpoint.__dict__
        and stored.get("openapi_extra") is None
        and stored.keys().isdisjoint(_NOT_PLAIN)
    )


def layers(target: object, *, mounted: bool = True) -> Iterator[object]:
    """Yield an object and the objects that it wraps, from the outside in.

    A wrapper is a partial function, a decorator, a method, middleware (by its attribute `app`) or
    an object whose class has a `__call__`.

    Args:
        target: an endpoint or an app.
        mounted: whether it is an app. An endpoint does not necessarily call its attribute
            `app`.

    """
    seen, left = dict[int, object](), [target]
    while left and len(seen) < _MAX_LAYERS:
        layer = left.pop(0)
        if layer is None or id(layer) in seen:
            continue
        seen[id(layer)] = layer
        yield layer
        if type(layer) is FunctionType:
            left.append(layer.__dict__.get("__wrapped__"))
        elif is_a(layer, partial):
            left.append(attribute(layer, "func"))
        elif is_a(layer, MethodType):
            left.append(attribute(layer, "__func__"))
        elif (wrapped := attribute(layer, "__wrapped__")) is not None:
            left.append(wrapped)
        elif not is_a(layer, FunctionType, type):
            left.append(call_of(layer))
            if mounted and not has_routes(layer):
                left.append(attribute(layer, "app"))


def has_routes(target: object) -> bool:
    """Whether an object is an app, a router or a mount with a list of routes."""
    known = is_a(target, Starlette, Router, Mount, Host)
    return known or is_a(attribute(target, "routes"), list)


def is_router(target: object) -> bool:
    """Whether an object is an app or a router of FastAPI or Starlette."""
    return is_a(target, Starlette, Router)


def call_of(target: object) -> object:
    """Return the `__call__` of an object's class; None if the class has none."""
    found = (own(kind).get("__call__") for kind in type(target).__mro__)
    return next((each for each in found if each is not None), None)
