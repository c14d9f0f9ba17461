"""Read what was declared of whatever runs: the compiler and the comparison at run time alike.

In: a route, an endpoint or an app, with whatever is wrapped around it. Out: the members that
`at_edge` wrote on any of its layers, and the marked objects in it that are no layer. Nothing is
judged here, and nothing is run.
"""

import inspect
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from types import FunctionType, MethodType, ModuleType
from typing import NamedTuple

from starlette.routing import BaseRoute

from fastgate.declare import OPENAPI_MEMBER, declared, declared_below


def declared_by(route: object) -> Mapping[str, object]:
    """Return what a route declares: on its endpoint or mounted app, by `openapi_extra`, itself.

    Of what is wrapped around an endpoint or an app the outermost counts, member by member.
    """
    members: dict[str, object] = {}
    for target in reversed(targets_of(route)):
        members |= declared_through(target, mounted=getattr(route, "endpoint", None) is None)
    extra = (getattr(route, "openapi_extra", None) or {}).get(OPENAPI_MEMBER, {})
    return {**members, **extra, **declared(getattr(route, "original_route", route))}


def declared_through(target: object, *, mounted: bool = True) -> Mapping[str, object]:
    """Return what is declared on any layer of an endpoint or an app; the outermost counts."""
    members: dict[str, object] = {}
    for layer in layers(target, mounted=mounted):
        members = {**declared(layer), **members}
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
        mounted: whether it is an app; an endpoint may know the app that it belongs to, as `app`.

    """
    seen, left = list[object](), [target]
    while left:
        layer = left.pop(0)
        if layer is None or any(layer is each for each in seen):
            continue
        seen.append(layer)
        yield layer
        if isinstance(layer, partial):
            left.append(layer.func)
        elif isinstance(layer, MethodType):
            left.append(layer.__func__)
        elif (wrapped := _own(layer).get("__wrapped__")) is not None:
            left.append(wrapped)
        elif not isinstance(layer, FunctionType) and not inspect.isclass(layer):
            left.append(_call_of(layer))
            app = None if _has_routes(layer) else getattr(layer, "app", None)
            left.append(app if mounted or not _has_routes(app) else None)


class Reached(NamedTuple):
    """A marked object that is no layer of an endpoint or app, and is within its reach."""

    target: object
    its_own: bool
    """Whether it is a class of the endpoint, or a method of an endpoint that is a class."""


def within_reach(target: object, *, mounted: bool = True) -> Iterator[Reached]:
    """Yield what is marked within an endpoint or app, and would be read by nobody.

    Classes and their methods, what functions have in their closures and defaults, and what objects
    that can be called have as attributes; not what a function finds by a global name.
    """
    read = list(layers(target, mounted=mounted))
    seen = {id(each): each for each in read}
    left = [reached for layer in read for reached in _next_to(layer)]
    while left:
        reached = left.pop()
        if id(reached.target) in seen and not reached.its_own:
            continue
        if any(reached.target is layer for layer in read):
            continue
        if declared(reached.target) or declared_below(reached.target):
            yield reached
        if id(reached.target) not in seen:
            seen[id(reached.target)] = reached.target
            left += [Reached(each.target, False) for each in _next_to(reached.target)]


def _next_to(target: object) -> Iterator[Reached]:
    if isinstance(target, (ModuleType, BaseRoute)):
        return
    if inspect.isclass(target):
        yield from _of_class(target, its_own=True)
    elif isinstance(target, (FunctionType, MethodType, partial)):
        for each in _parts_of(target):
            yield from _callables(each)
    elif isinstance(target, (dict, list, tuple, set, frozenset)):
        for each in target.values() if isinstance(target, dict) else target:
            yield from _callables(each)
    else:
        yield from _of_class(type(target), its_own=False)
        if not _has_routes(target):  # they are looked at one by one
            for each in list(_own(target).values()):
                yield from _callables(each)


def _of_class(kind: type, *, its_own: bool) -> Iterator[Reached]:
    for each in kind.__mro__:
        yield Reached(each, its_own=True)
        for value in vars(each).values():
            function = getattr(value, "__func__", value)  # of a static method
            if isinstance(function, (FunctionType, partial)):
                yield Reached(function, its_own)


def _parts_of(function: object) -> Iterable[object]:
    if isinstance(function, partial):
        return (function.func, *function.args, *function.keywords.values())
    if isinstance(function, MethodType):
        return (function.__func__,)
    parts: list[object] = [getattr(function, "__wrapped__", None)]
    parts += getattr(function, "__defaults__", None) or ()
    parts += (getattr(function, "__kwdefaults__", None) or {}).values()
    for cell in getattr(function, "__closure__", None) or ():
        try:
            parts.append(cell.cell_contents)
        except ValueError:
            continue  # its variable has no value yet
    return parts


def _callables(value: object) -> Iterator[Reached]:
    holds_some = isinstance(value, (dict, list, tuple, set, frozenset))
    if holds_some or (declared(value) if inspect.isclass(value) else callable(value)):
        yield Reached(value, its_own=False)


def _call_of(target: object) -> object:
    found = (vars(kind).get("__call__") for kind in type(target).__mro__)
    return next((each for each in found if each is not None), None)


def _has_routes(target: object) -> bool:
    return isinstance(getattr(target, "routes", None), list)


def _own(target: object) -> Mapping[str, object]:
    own = getattr(target, "__dict__", {})
    return own if isinstance(own, Mapping) else {}
