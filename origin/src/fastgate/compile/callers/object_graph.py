"""Find the objects that other objects refer to, without running any of their code.

Input: the objects to start with. Output: a graph of what they refer to in closures, defaults,
attributes, slots and containers, and of their classes with the methods in them. Global names in
functions, and the contents of apps, routers and routes, are not followed. Each object is examined
once for the whole graph, the nearest first.
"""

from collections.abc import Callable, Iterable, Iterator
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from functools import partial
from gc import get_referents
from types import (
    AsyncGeneratorType,
    BuiltinFunctionType,
    CodeType,
    CoroutineType,
    FrameType,
    FunctionType,
    GeneratorType,
    MethodType,
    ModuleType,
    TracebackType,
)
from typing import Any
from uuid import UUID

from starlette.routing import BaseRoute

from fastgate.compile.callers.bytecode import only_names_it, reads_of
from fastgate.declare.lookup import is_router, layers
from fastgate.declare.static_access import attribute, is_a, own
from fastgate.declare.stored_marks import MarkedWrapper

MAX_OBJECTS = 100_000
"""The maximum number of objects in a graph; numbers and strings do not count."""

_VALUES = frozenset(
    (
        *(int, float, complex, bool, str, bytes, bytearray, type(None), type(...)),
        *(date, datetime, time, timedelta, Decimal, UUID),
    )
)
_NOT_FOLLOWED = (
    *(ModuleType, CodeType, FrameType, TracebackType, BuiltinFunctionType),
    *(GeneratorType, CoroutineType, AsyncGeneratorType),
    MarkedWrapper,
)
"""Types that are not followed: they refer to unrelated objects, or are examined elsewhere."""
_NAMESPACES = "pydantic._internal._namespace_utils"
"""The module of the types in which Pydantic keeps the global names of functions."""


class Graph:
    """The objects that can be reached from some objects. It keeps all of them alive.

    Args:
        begin: the objects to start with.
        followed_from: returns what to follow from an app, a router or a route: usually nothing.
        references: returns what any other object refers to.

    """

    def __init__(
        self,
        begin: Iterable[object],
        followed_from: Callable[[object], Iterable[object]] = lambda _: (),
        references: Callable[[object], Iterable[object]] | None = None,
    ) -> None:
        references = references or references_of
        self.objects: dict[int, object] = {id(each): each for each in begin}
        self.cut: set[int] = set()
        """The ids of objects that refer to more than was examined."""
        self._holders: dict[int, list[int]] = {}
        left = list(self.objects.values())
        for holder in left:  # the list grows
            is_part_of_app = is_router(holder) or is_a(holder, BaseRoute)
            for each in followed_from(holder) if is_part_of_app else references(holder):
                if id(each) not in self.objects:
                    if len(self.objects) >= MAX_OBJECTS:
                        self.cut.add(id(holder))
                        break
                    self.objects[id(each)] = each
                    left.append(each)
                self._holders.setdefault(id(each), []).append(id(holder))

    def reached_from(self, found: Iterable[int]) -> dict[int, int]:
        """Return the ids of all objects that reach one of those found, each with the nearest."""
        nearest = {each: each for each in found}
        left = list(nearest)
        for each in left:  # the list grows
            for holder in self._holders.get(each, ()):
                if holder not in nearest:
                    nearest[holder] = nearest[each]
                    left.append(holder)
        return nearest


def references_of(target: object) -> Iterator[object]:
    """Yield what an object refers to, and its class; for a function not its global names."""
    for each in _parts(target):
        is_followed = not is_a(each, *_NOT_FOLLOWED) and type(each).__module__ != _NAMESPACES
        if type(each) not in _VALUES and is_followed:
            yield each


def referenced_functions(target: object) -> Iterator[object]:
    """Yield the functions in the closure, defaults or attributes of an object: it may call them.

    Functions in containers are left out: a table of endpoints, for example, is not called.
    """
    found = list[object]()
    if is_a(target, FunctionType):
        found += _of_function(target)
    elif is_a(target, partial):
        found += (attribute(target, "func"), *(attribute(target, "args") or ()))  # type: ignore[misc]
        found += (attribute(target, "keywords") or {}).values()  # type: ignore[attr-defined]
    elif is_a(target, MethodType):
        its = attribute(target, "__self__")
        is_part_of_app = is_a(its, type, BaseRoute) or is_router(its)
        found += (attribute(target, "__func__"), *(() if is_part_of_app else own(its).values()))
    elif not is_a(target, type):
        found += list(own(target).values())
    for each in found:
        # FastAPI's route function finds the endpoint in its tree of dependencies.
        called = attribute(each, "call") if type(each).__name__ == "Dependant" else each
        if is_a(called, FunctionType, MethodType, partial):
            yield called


def _parts(target: object) -> Iterable[object]:
    if is_a(target, type):
        return _of_class(target)
    if is_a(target, FunctionType):
        return _of_function(target)
    # As the garbage collector: elements, slots, attributes, the class.
    return (*get_referents(target), type(target))


def _of_class(kind: object) -> Iterator[object]:
    yield from mro_of(kind)[1:]
    for name, value in list(own(kind).items()):
        if not name.startswith("__") or is_a(value, FunctionType, partial):
            yield value


def mro_of(kind: object) -> tuple[type, ...]:
    """Return a class and its base classes."""
    found: tuple[type, ...] = vars(type)["__mro__"].__get__(kind)
    return found


def _of_function(function: object) -> Iterator[object]:
    yield from attribute(function, "__defaults__") or ()  # type: ignore[misc]
    yield from (attribute(function, "__kwdefaults__") or {}).values()  # type: ignore[attr-defined]
    yield from list(own(function).values())
    code: Any = attribute(function, "__code__")
    for name, cell in zip(code.co_freevars, attribute(function, "__closure__") or (), strict=False):  # type: ignore[call-overload]
        try:
            value = cell.cell_contents
        except ValueError:
            continue  # the variable has no value yet
        if not is_a(value, FunctionType, MethodType) or not only_names_it(
            reads_of(code).get(name, ())
        ):
            yield value


def methods_of_class(kind: object) -> Iterator[list[object]]:
    """Yield the layers of each method of a class, inside of any descriptor."""
    functions = (FunctionType, MethodType, partial)
    for base in mro_of(kind):
        for value in list(own(base).values()):
            if is_a(value, type):
                continue
            parts = () if is_a(value, *functions) else (*get_referents(value), *own(value).values())
            inner = (part for part in parts if is_a(part, *functions))
            yield [each for part in (value, *inner) for each in layers(part, mounted=False)]
