"""Store declarations on objects: one object has one mark, wherever it is served.

Input: an object, and members of the edge's route document. Output: the members on that object,
merged with its earlier mark, or an error. This module does not interpret the members.
"""

import contextlib
from collections.abc import Iterator, Mapping
from types import MappingProxyType, MethodType

from fastgate.declare.merge import OPEN, merge_layers, merge_marks
from fastgate.declare.static_access import attribute, is_a, own

ATTRIBUTE = "__fastgate__"
"""The attribute that holds an object's mark."""

BELOW_ATTRIBUTE = "__fastgate_below__"
"""The attribute of an app that holds its declarations for paths, by their prefixes."""

_WRAPPERS_ATTRIBUTE = "__fastgate_around__"
_METHODS_ATTRIBUTE = "__fastgate_methods__"
MARKS = (ATTRIBUTE, _METHODS_ATTRIBUTE)
"""The attributes of an object that hold marks for it, or for its methods."""
_NO_MEMBERS: Mapping[str, object] = MappingProxyType({})


class Mark(dict[str, object]):
    """The members stored on an object, and the object's id: `functools.wraps` copies marks."""

    of: int = 0
    """The id of the object that was marked."""


class MethodMark:
    """The mark of a method, stored on the object that the method is bound to."""

    __slots__ = ("function", "mark")

    def __init__(self, function: object, mark: Mark) -> None:
        self.function = function
        self.mark = mark

    def __deepcopy__(self, memo: object) -> "MethodMark":
        """Return the same mark: it still belongs to the object that it was written for."""
        return self

    @property
    def key(self) -> tuple[int, int]:
        """The id of the marked object and the id of the function."""
        return self.mark.of, id(self.function)

    def restrictive_members(self) -> Mapping[str, object]:
        """Return what the mark requires of callers; empty if it allows every caller."""
        return _restrictive_members(self.mark)


def declared(target: object) -> Mapping[str, object]:
    """Return the members that `at_edge` stored on this object; empty if it has no mark."""
    if is_a(target, MethodType, MethodMark):
        if is_a(target, MethodType):
            return mark_of_method(target)
        mark: MethodMark = target  # type: ignore[assignment]
        return mark.restrictive_members()
    # Only the object's own attributes count: the mark of a class must not open its instances.
    stored = own(target)
    members = stored.get(ATTRIBUTE, _NO_MEMBERS)
    if type(members) is not Mark and not isinstance(members, Mapping):
        members = _NO_MEMBERS
    called = mark_of_call(target) if _METHODS_ATTRIBUTE in stored else None
    return merge_layers(called, members) if called else members


def declared_below(app: object) -> Mapping[str, Mapping[str, object]]:
    """Return the declarations that an app has for paths, by their prefixes."""
    prefixes = own(app).get(BELOW_ATTRIBUTE, {})
    return prefixes if isinstance(prefixes, Mapping) else {}


def merged_mark(target: object, earlier: object, members: Mapping[str, object]) -> Mark:
    """Return an object's new mark. The earlier one is its own or was copied from another object."""
    if not isinstance(earlier, Mark):
        mark = Mark(members)
    elif earlier.of == id(target):
        mark = Mark(merge_marks(earlier, members))
    else:
        mark = Mark(merge_layers(earlier, members))
    mark.of = id(target)
    return mark


def write_mark(target: object, members: Mapping[str, object]) -> object:
    """Store a mark on an object; return the marked object, which is the target of a proxy.

    Raises:
        ValueError: the object has a mark that contradicts this one.
        TypeError: nothing can be stored on the object.

    """
    # A proxy passes the attribute on to its target, which is then the marked object.
    behind = [*_with_wrapped(target)]
    before = [own(each).get(ATTRIBUTE) for each in behind]
    probe = Mark()
    with contextlib.suppress(AttributeError):
        setattr(target, ATTRIBUTE, probe)
    written = [index for index, each in enumerate(behind) if own(each).get(ATTRIBUTE) is probe]
    if not written:
        raise TypeError(
            f"at_edge: nothing can be stored on this object: {type(target).__qualname__}"
        )
    earlier = before[written[-1]]
    mark = earlier
    try:
        mark = merged_mark(behind[written[-1]], earlier, members)
    finally:
        setattr(target, ATTRIBUTE, mark)
    _note_on_wrapped(behind[written[-1]])
    return behind[written[-1]]


def write_method_mark(method: MethodType, members: Mapping[str, object]) -> None:
    """Store the mark of a bound method on its instance: each access creates another method.

    The mark of a class method is stored on its function.

    Raises:
        ValueError: the method of this object has a mark that contradicts this one.
        TypeError: nothing can be stored on the object.

    """
    holder, function = method.__self__, method.__func__
    if is_a(holder, type):
        write_mark(function, members)
        return
    # A copied object has the attributes of the original, including its marks.
    earlier = mark_of_method(method)
    mine = isinstance(earlier, Mark) and earlier.of == id(holder)
    mark = Mark(merge_marks(earlier, members) if mine else members)
    mark.of = id(holder)
    others = [each for each in _methods_of(holder) if each.function is not function]
    marks = (*others, MethodMark(function, mark))
    with contextlib.suppress(AttributeError, TypeError):
        object.__setattr__(holder, _METHODS_ATTRIBUTE, marks)
    if own(holder).get(_METHODS_ATTRIBUTE) is not marks:
        raise TypeError(
            f"at_edge: nothing can be stored on the object of this method: "
            f"{type(holder).__qualname__}; mark functools.partial(…) of the method, and serve that"
        )


def mark_of_method(method: object) -> Mapping[str, object]:
    """Return the mark of a bound method, for the object that it is bound to.

    A copy of that object inherits only the restrictions of the mark.
    """
    if type(method) is MethodType:
        return _mark_for(method.__self__, method.__func__)
    return _mark_for(attribute(method, "__self__"), attribute(method, "__func__"))


def mark_of_call(target: object) -> Mapping[str, object]:
    """Return the mark of an object's `__call__`, which runs when the object is called."""
    if not _methods_of(target):
        return {}
    return _mark_for(target, _call_of(target))


def _mark_for(holder: object, function: object) -> Mapping[str, object]:
    if not (methods := _methods_of(holder)):
        return {}
    mark = next((it.mark for it in methods if it.function is function), Mark())
    return mark if mark.of == id(holder) else _restrictive_members(mark)


def _restrictive_members(mark: Mark) -> Mapping[str, object]:
    """Return what a mark requires of callers. `scopes=[]` requires a known caller and no scope."""
    if mark.get("access") in OPEN:
        return {}
    if "scopes" in mark and not mark["scopes"]:
        others = {name: value for name, value in mark.items() if name != "scopes"}
        return {"access": "authenticated", **others}
    return mark


def marks_of_method(target: object) -> Iterator[MethodMark]:
    """Yield the marks of a bound method, or of the `__call__` of an object."""
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


class MarkedWrapper:
    """A note on an object that a wrapper of it, or of one of its methods, is marked."""

    __slots__ = ("function", "outer")

    def __init__(self, outer: object, function: object = None) -> None:
        self.outer = outer
        self.function = function
        """The wrapped method of the object; None if the object itself is wrapped."""


def marked_wrappers(target: object) -> Iterator[object]:
    """Yield the marked wrappers of an object, whether or not they are served in its place."""
    holder, function = _holder_of(target)
    notes = own(holder).get(_WRAPPERS_ATTRIBUTE, ())
    for each in notes if isinstance(notes, tuple) else ():
        if isinstance(each, MarkedWrapper) and each.function is function:
            yield each.outer


def _note_on_wrapped(outer: object) -> None:
    """Note a marked wrapper on the objects that it wraps: a route may already have one of these."""
    for inner in [*_with_wrapped(outer)][1:]:
        holder, function = _holder_of(inner)
        if not any(each is outer for each in marked_wrappers(inner)):
            notes = own(holder).get(_WRAPPERS_ATTRIBUTE, ())
            known = notes if isinstance(notes, tuple) else ()
            # Storing the note must not run the object's own `__setattr__`.
            plain = function is None or is_a(holder, type)
            put = setattr if plain else object.__setattr__
            with contextlib.suppress(AttributeError, TypeError):
                put(holder, _WRAPPERS_ATTRIBUTE, (*known, MarkedWrapper(outer, function)))


def _holder_of(target: object) -> tuple[object, object]:
    """Return the object that stores the notes of a target, and the method that they are about.

    Each access to a bound method creates another object, which cannot store them.
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
