"""Store declarations on objects: one object has one mark, wherever it is served.

In: an object, and members of the edge's route document. Out: the members on that object, with those
that were written there before, or an error. What they mean is not asked here.
"""

import contextlib
from collections.abc import Iterator, Mapping
from types import MethodType

from fastgate.declare.merge import OPEN, added, together
from fastgate.declare.static_access import attribute, is_a, own

ATTRIBUTE = "__fastgate__"
"""Where a mark is on its object."""

_AROUND_ATTRIBUTE = "__fastgate_around__"
_METHODS_ATTRIBUTE = "__fastgate_methods__"


class Mark(dict[str, object]):
    """What was written on an object, and on which: `functools.wraps` copies it to wrappers."""

    of: int = 0
    """The id of that object."""


class MethodMark:
    """What was written of a method, among the attributes of the object that it is bound to."""

    __slots__ = ("function", "mark")

    def __init__(self, function: object, mark: Mark) -> None:
        self.function = function
        self.mark = mark

    def __deepcopy__(self, memo: object) -> "MethodMark":
        """Return the same one: it is still of the object that it was written for."""
        return self

    @property
    def key(self) -> tuple[int, int]:
        """What tells the method from others: the ids of the object it was written for and of it."""
        return self.mark.of, id(self.function)

    def asks(self) -> Mapping[str, object]:
        """Return what it asks of those who call the method; nothing if it opens that."""
        return _closing(self.mark)


def marked(target: object, earlier: object, members: Mapping[str, object]) -> Mark:
    """Return the mark of an object that has an earlier one, its own or the copy of another's."""
    if not isinstance(earlier, Mark):
        mark = Mark(members)
    elif earlier.of == id(target):
        mark = Mark(added(earlier, members))
    else:
        mark = Mark(together(earlier, members))
    mark.of = id(target)
    return mark


def write(target: object, members: Mapping[str, object]) -> object:
    """Write a mark on an object; return the one that has it: what a proxy stands for.

    Raises:
        ValueError: it has one that says something else.
        TypeError: nothing can be written on it.

    """
    # A proxy passes the mark on to what it stands for, which is the object that is marked then.
    behind = [*_with_wrapped(target)]
    before = [own(each).get(ATTRIBUTE) for each in behind]
    probe = Mark()
    with contextlib.suppress(AttributeError):
        setattr(target, ATTRIBUTE, probe)
    written = [index for index, each in enumerate(behind) if own(each).get(ATTRIBUTE) is probe]
    if not written:
        raise TypeError(f"nothing can be written on this object: {type(target).__qualname__}")
    earlier = before[written[-1]]
    mark = earlier
    try:
        mark = marked(behind[written[-1]], earlier, members)
    finally:
        setattr(target, ATTRIBUTE, mark)
    _note_within(behind[written[-1]])
    return behind[written[-1]]


def write_of_method(method: MethodType, members: Mapping[str, object]) -> None:
    """Write a mark of a bound method on its object: each access makes another bound method.

    Of a method that is bound to a class it is written on the function.

    Raises:
        ValueError: the method of this object has a mark that says something else.
        TypeError: nothing can be written on the object.

    """
    holder, function = method.__self__, method.__func__
    if is_a(holder, type):
        write(function, members)
        return
    # The attributes of a copied object tell of the one that it is a copy of.
    earlier = written_of_method(method)
    mine = isinstance(earlier, Mark) and earlier.of == id(holder)
    mark = Mark(added(earlier, members) if mine else members)
    mark.of = id(holder)
    others = [each for each in _methods_of(holder) if each.function is not function]
    marks = (*others, MethodMark(function, mark))
    with contextlib.suppress(AttributeError, TypeError):
        object.__setattr__(holder, _METHODS_ATTRIBUTE, marks)
    if own(holder).get(_METHODS_ATTRIBUTE) is not marks:
        raise TypeError(
            f"nothing can be written on the object of this method: {type(holder).__qualname__}; "
            "mark functools.partial(…) of the method, and serve that"
        )


def written_of_method(method: object) -> Mapping[str, object]:
    """Return what was written of a bound method, for the object that it is bound to.

    A copy of that object is not opened by it.
    """
    return _written_of(attribute(method, "__self__"), attribute(method, "__func__"))


def written_of_call(target: object) -> Mapping[str, object]:
    """Return what was written of the method `__call__` of an object, which is run by its name."""
    if not _methods_of(target):
        return {}
    return _written_of(target, _call_of(target))


def _written_of(holder: object, function: object) -> Mapping[str, object]:
    mark = next((it.mark for it in _methods_of(holder) if it.function is function), Mark())
    return mark if mark.of == id(holder) else _closing(mark)


def _closing(mark: Mark) -> Mapping[str, object]:
    """Return what a mark asks of callers; `scopes=[]` asks for a known one, and opens the rest."""
    if mark.get("access") in OPEN:
        return {}
    if "scopes" in mark and not mark["scopes"]:
        others = {name: value for name, value in mark.items() if name != "scopes"}
        return {"access": "authenticated", **others}
    return mark


def marks_of_method(target: object) -> Iterator[MethodMark]:
    """Yield what was written of a bound method, or of the `__call__` of an object, itself."""
    if is_a(target, MethodType):
        holder, function = attribute(target, "__self__"), attribute(target, "__func__")
    else:
        holder, function = target, _call_of(target)
    yield from (each for each in _methods_of(holder) if each.function is function)


def _methods_of(holder: object) -> tuple[MethodMark, ...]:
    found = own(holder).get(_METHODS_ATTRIBUTE, ())
    return found if isinstance(found, tuple) else ()


def _call_of(target: object) -> object:
    found = (own(kind).get("__call__") for kind in type(target).__mro__)
    return next((each for each in found if each is not None), None)


class Around:
    """What an object is told of another one that wraps it, or its method, and is marked."""

    __slots__ = ("function", "outer")

    def __init__(self, outer: object, function: object = None) -> None:
        self.outer = outer
        self.function = function
        """Of which method of the object; None of the object itself."""


def marked_around(target: object) -> Iterator[object]:
    """Yield what wraps an object and is marked, whether or not it is served in its place."""
    holder, function = _holder_of(target)
    notes = own(holder).get(_AROUND_ATTRIBUTE, ())
    for each in notes if isinstance(notes, tuple) else ():
        if isinstance(each, Around) and each.function is function:
            yield each.outer


def _note_within(outer: object) -> None:
    """Tell what an object wraps that it is marked: a route may have that already, and not this."""
    for inner in [*_with_wrapped(outer)][1:]:
        holder, function = _holder_of(inner)
        if not any(each is outer for each in marked_around(inner)):
            notes = own(holder).get(_AROUND_ATTRIBUTE, ())
            known = notes if isinstance(notes, tuple) else ()
            # No code of an object is run for its method.
            plain = function is None or is_a(holder, type)
            put = setattr if plain else object.__setattr__
            with contextlib.suppress(AttributeError, TypeError):
                put(holder, _AROUND_ATTRIBUTE, (*known, Around(outer, function)))


def _holder_of(target: object) -> tuple[object, object]:
    """Return what notes of a target are written on, and of which of its methods they are.

    Each access to a bound method makes another one, on which nothing can be written.
    """
    if is_a(target, MethodType):
        return attribute(target, "__self__"), attribute(target, "__func__")
    return target, None


def _with_wrapped(target: object) -> Iterator[object]:
    """Yield an object and what it wraps by `__wrapped__`, from the outside in."""
    seen: dict[int, object] = {}
    while target is not None and id(target) not in seen:
        seen[id(target)] = target
        yield target
        target = attribute(target, "__wrapped__")
