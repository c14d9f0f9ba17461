"""Find what an app, a router or a route runs besides its endpoints, such as middleware.

Input: an app, a router or a route, or an entry of its middleware. Output: the middleware, an app as
the default of a router, objects that an author added to a route, and the marked parts of each.
"""

from collections.abc import Iterator, Sequence
from functools import cache
from itertools import chain
from types import FunctionType, MethodType
from typing import TypeAlias

from fastapi import routing
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import BaseRoute, Host, Mount, Route, Router, WebSocketRoute

from fastgate.compile.callers.object_graph import methods_of_class, mro_of
from fastgate.declare.lookup import layers
from fastgate.declare.provenance import NOTES
from fastgate.declare.static_access import attribute, is_a, own
from fastgate.declare.stored_marks import declared

Marked: TypeAlias = dict[int, list[object]]
"""The marked parts of classes, by the id of the class, because a class may be unhashable."""


def replacements_in(part: object) -> Iterator[object]:
    """Yield what an app, a router or a route runs besides its endpoints, and its class.

    A route without middleware runs a function of the framework, which refers only to the endpoint.
    """
    yield type(part)
    yield from stack_of(part)


def marked_run_by(entry: object, known: Marked) -> Iterator[object]:
    """Yield the marked parts of middleware: itself, what it wraps, classes and methods."""
    parts: Sequence[object] = (entry,)
    if of_app := is_a(entry, Middleware):
        parts = (entry, entry.cls, *entry.args, *entry.kwargs.values())  # type: ignore[attr-defined]
    for layer in chain.from_iterable(layers(part, mounted=not of_app) for part in parts):
        if declared(layer):
            yield layer
        yield from marked_in(layer if is_a(layer, type) else type(layer), known)


def marked_in(kind: object, known: Marked) -> list[object]:
    """Return the marked parts of a class: itself, its bases and their methods."""
    if id(kind) not in known:
        found = (*mro_of(kind), *chain.from_iterable(methods_of_class(kind)))
        known[id(kind)] = [each for each in found if declared(each)]
    return known[id(kind)]


def stack_of(part: object) -> Iterator[object]:
    """Yield the middleware of an app, a router or a route, or the stack that contains it."""
    if is_a(part, Starlette):
        entries = attribute(part, "user_middleware")
        yield from entries if is_a(entries, list) else ()  # type: ignore[misc]
    elif is_a(part, Router):
        for each in (attribute(part, "middleware_stack"), attribute(part, "default")):
            if each is not None and not is_own_method(part, each):
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


def is_own_method(router: object, method: object) -> bool:
    """Whether an object is a method of this very router."""
    return is_a(method, MethodType) and attribute(method, "__self__") is router
