"""Look up the declarations of whatever runs, for the compiler and for requests.

In: a route, an endpoint or an app, with whatever is wrapped around it. Out: the members that
`at_edge` wrote on any of its layers. Nothing is judged here, and nothing is run.
"""

from collections.abc import Iterator, Mapping
from functools import partial
from types import FunctionType, MethodType

from starlette.applications import Starlette
from starlette.routing import Host, Mount, Router

from fastgate.declare.at_edge import declared
from fastgate.declare.merge import together
from fastgate.declare.openapi_extra import declared_by_extra
from fastgate.declare.static_access import attribute, is_a, own

_MOST_LAYERS = 1000


def declared_by(route: object) -> Mapping[str, object]:
    """Return what a route declares: on its endpoint or mounted app, by `openapi_extra`, itself.

    Of what is wrapped around an endpoint or an app the outermost counts, member by member, and
    opens nothing of which another one asks something of callers.
    """
    members: dict[str, object] = {}
    for target in reversed(targets_of(route)):
        mounted = getattr(route, "endpoint", None) is None
        members = together(members, declared_through(target, mounted=mounted))
    members = together(members, declared_by_extra(route))
    return together(members, declared(getattr(route, "original_route", route)))


def declared_through(target: object, *, mounted: bool = True) -> Mapping[str, object]:
    """Return what is declared on any layer of an endpoint or an app; the outermost counts."""
    members: dict[str, object] = {}
    for layer in layers(target, mounted=mounted):
        members = together(declared(layer), members)
    return members


def targets_of(route: object) -> list[object]:
    """Return what a route runs: its endpoint, or its app with and without its own middleware."""
    endpoint = getattr(route, "endpoint", None)
    # What an inclusion makes of a mount is of another class in some versions, with the same parts.
    base = getattr(route, "_base_app", None)
    found = [getattr(route, "app", None), base] if endpoint is None else [endpoint]
    return [each for each in found if each is not None]


def layers(target: object, *, mounted: bool = True) -> Iterator[object]:
    """Yield an object and what it wraps, from the outside in.

    That is what partial functions, decorators, methods and middleware (by its attribute `app`)
    hand on to, and the `__call__` of an object's class.

    Args:
        target: an endpoint or an app.
        mounted: whether it is an app. What an endpoint has as `app` need not be what it calls.

    """
    seen, left = dict[int, object](), [target]
    while left and len(seen) < _MOST_LAYERS:
        layer = left.pop(0)
        if layer is None or id(layer) in seen:
            continue
        seen[id(layer)] = layer
        yield layer
        if is_a(layer, partial):
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
    """Whether an object is an app, a router or a mount that chooses among routes."""
    known = is_a(target, Starlette, Router, Mount, Host)
    return known or is_a(attribute(target, "routes"), list)


def is_router(target: object) -> bool:
    """Whether an object is an app or a router of FastAPI or Starlette."""
    return is_a(target, Starlette, Router)


def call_of(target: object) -> object:
    """Return the `__call__` of an object's class; None if it has none."""
    found = (own(kind).get("__call__") for kind in type(target).__mro__)
    return next((each for each in found if each is not None), None)
