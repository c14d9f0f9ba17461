"""Find the objects that other objects hold, without running any of their code.

In: objects to begin with. Out: a graph of what they hold in closures, defaults, attributes, slots
and containers, and their classes with the functions in them; not what a function finds by a global
name, and not what an app, a router or a route holds. Each object is looked at once for the whole
graph, the nearest first.
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
from uuid import UUID

from starlette.routing import BaseRoute

from fastgate.declare.lookup import is_router, layers
from fastgate.declare.static_access import attribute, is_a, own
from fastgate.declare.stored_marks import Around

MOST_OBJECTS = 100_000
"""How many objects a graph has at most; numbers and text do not count."""

_VALUES = frozenset(
    (
        *(int, float, complex, bool, str, bytes, bytearray, type(None), type(...)),
        *(date, datetime, time, timedelta, Decimal, UUID),
    )
)
_CLOSED = (
    *(ModuleType, CodeType, FrameType, TracebackType, BuiltinFunctionType),
    *(GeneratorType, CoroutineType, AsyncGeneratorType),
    Around,
)
"""What is not looked into: it holds what happens to be near, or is looked at by itself."""


class Graph:
    """What is within reach of some objects. Keeps all of it alive, so that ids stay what they are.

    Args:
        begin: the objects to begin with.
        held_by: tells what is within reach of an app, a router or a route: nothing, mostly.
        held: tells what anything else holds.

    """

    def __init__(
        self,
        begin: Iterable[object],
        held_by: Callable[[object], Iterable[object]] = lambda _: (),
        held: Callable[[object], Iterable[object]] | None = None,
    ) -> None:
        held = held or _held
        self.objects: dict[int, object] = {id(each): each for each in begin}
        self.cut: set[int] = set()
        """The ids of objects that hold more than was looked at."""
        self._holders: dict[int, list[int]] = {}
        left = list(self.objects.values())
        for holder in left:  # it grows
            apart = is_router(holder) or is_a(holder, BaseRoute)
            for each in held_by(holder) if apart else held(holder):
                if id(each) not in self.objects:
                    if len(self.objects) >= MOST_OBJECTS:
                        self.cut.add(id(holder))
                        break
                    self.objects[id(each)] = each
                    left.append(each)
                self._holders.setdefault(id(each), []).append(id(holder))

    def reached_from(self, found: Iterable[int]) -> dict[int, int]:
        """Return the ids of all objects that reach one of those found, each with the nearest."""
        nearest = {each: each for each in found}
        left = list(nearest)
        for each in left:  # it grows
            for holder in self._holders.get(each, ()):
                if holder not in nearest:
                    nearest[holder] = nearest[each]
                    left.append(holder)
        return nearest


def _held(target: object) -> Iterator[object]:
    for each in _parts(target):
        if type(each) not in _VALUES and not is_a(each, *_CLOSED):
            yield each


def functions_held(target: object) -> Iterator[object]:
    """Yield the functions that an object keeps itself: in its closure, defaults or attributes.

    Those it calls; others in containers, as in a table of endpoints, it may only know.
    """
    held = list[object]()
    if is_a(target, FunctionType):
        held += _of_function(target)
    elif is_a(target, partial):
        held += (attribute(target, "func"), *(attribute(target, "args") or ()))  # type: ignore[misc]
        held += (attribute(target, "keywords") or {}).values()  # type: ignore[attr-defined]
    elif is_a(target, MethodType):
        its = attribute(target, "__self__")
        apart = is_a(its, type, BaseRoute) or is_router(its)
        held += (attribute(target, "__func__"), *(() if apart else own(its).values()))
    elif not is_a(target, type):
        held += list(own(target).values())
    for each in held:
        # What FastAPI runs for a route finds the endpoint in its tree of dependencies.
        called = attribute(each, "call") if type(each).__name__ == "Dependant" else each
        if is_a(called, FunctionType, MethodType, partial):
            yield called


def _parts(target: object) -> Iterable[object]:
    if is_a(target, type):
        return _of_class(target)
    if is_a(target, FunctionType):
        return _of_function(target)
    # What the interpreter itself would follow: elements, slots, attributes, the class.
    return (*get_referents(target), type(target))


def _of_class(kind: object) -> Iterator[object]:
    yield from mro_of(kind)[1:]
    for name, value in list(own(kind).items()):
        if not name.startswith("__") or is_a(value, FunctionType, partial):
            yield value


def mro_of(kind: object) -> tuple[type, ...]:
    """Return a class and those that it inherits from."""
    found: tuple[type, ...] = vars(type)["__mro__"].__get__(kind)
    return found


def _of_function(function: object) -> Iterator[object]:
    yield from attribute(function, "__defaults__") or ()  # type: ignore[misc]
    yield from (attribute(function, "__kwdefaults__") or {}).values()  # type: ignore[attr-defined]
    yield from list(own(function).values())
    for cell in attribute(function, "__closure__") or ():  # type: ignore[attr-defined]
        try:
            yield cell.cell_contents
        except ValueError:
            continue  # its variable has no value yet


def methods_of_class(kind: object) -> Iterator[list[object]]:
    """Yield the layers of each method of a class, in whatever descriptor it is."""
    functions = (FunctionType, MethodType, partial)
    for base in mro_of(kind):
        for value in list(own(base).values()):
            if is_a(value, type):
                continue
            parts = () if is_a(value, *functions) else (*get_referents(value), *own(value).values())
            inner = (part for part in parts if is_a(part, *functions))
            yield [each for part in (value, *inner) for each in layers(part, mounted=False)]
