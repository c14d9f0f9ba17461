"""Record `at_edge` and `requires(…)` while an app is loaded, to report what has no effect.

Input: the object and the members of a call of `at_edge`; the dependency that `requires` returns.
Output: both in order, each with its file and line. Nothing is recorded outside of `recording()`, so
a running service keeps none of them.
"""

import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType, MethodType
from weakref import ReferenceType, ref

from fastgate.declare.static_access import is_a

_PACKAGE = str(Path(__file__).parents[1]) + os.sep
_READ_ANNOTATIONS = (
    *("fastapi", "starlette", "pydantic"),
    *("annotationlib", "inspect", "typing", "typing_extensions"),
)
"""The packages that evaluate annotations."""


@dataclass(frozen=True, slots=True)
class Call:
    """One call of `at_edge`."""

    target: object
    """The object that the members were stored on."""
    members: Mapping[str, object]
    below: str | None
    where: str
    """`file:line` of the statement or decorator."""


@dataclass(slots=True, eq=False)
class WrittenRequirement:
    """One `requires(…)`."""

    dependency: ReferenceType[object]
    """The dependency that it returned, as long as anything else refers to it."""
    requirement: object
    """What it requires. Equal requirements are equal and have the same hash."""
    where: str
    """`file:line` of the call."""
    is_text: bool
    """Whether it is in an annotation that is a string. FastAPI evaluates it again for each copy of
    the route, and `where` is the line that made FastAPI read it."""
    shares_annotation: bool = False
    """Whether `typing` has found an annotation that contains it equal to an annotation of another
    requirement. It then uses one object for both, with only one of the requirements."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """What was recorded, in order."""

    calls: list[Call] = field(default_factory=list)
    requirements: list[WrittenRequirement] = field(default_factory=list)
    latest: dict[int, WrittenRequirement] = field(default_factory=dict)
    """The requirements by the `id` of their dependency. Python uses an `id` again."""


_open: list[Recorded] = []


@contextmanager
def recording() -> Iterator[Recorded]:
    """Record within this block; the lists grow with each call."""
    recorded = Recorded()
    _open.append(recorded)
    try:
        yield recorded
    finally:
        # By identity: two records with equal contents are equal.
        _open[:] = [each for each in _open if each is not recorded]


def record(target: object, members: Mapping[str, object], below: str | None = None) -> None:
    """Record one call of `at_edge`."""
    if not _open:
        return
    call = Call(target, dict(members), below, _place_of_the_call()[0])
    for each in _open:
        each.calls.append(call)


def record_requirement(dependency: object, requirement: object) -> None:
    """Record the dependency that a call of `requires` returns, and what it requires."""
    if not _open:
        return
    written = WrittenRequirement(ref(dependency), requirement, *_place_of_the_call())
    for each in _open:
        each.requirements.append(written)
        each.latest[id(dependency)] = written


def record_equal(one: object, other: object) -> None:
    """Record that the dependencies of two calls of `requires` were compared, and are equal."""
    if not _open:
        return
    by = _nearest(sys._getframe(1), lambda frame: _evaluates_text(frame) and not _is_typing(frame))
    if by is None or not _is_typing(by):
        return
    for recorded in _open:
        for each in (one, other):
            written = recorded.latest.get(id(each))
            if written is not None and written.dependency() is each:
                written.shares_annotation = True


def _place_of_the_call() -> tuple[str, bool]:
    """Return `file:line` of the nearest caller outside of this package; empty if there is none.

    Also return whether it is the text of an annotation, which has no file.
    """
    nearest = _nearest(sys._getframe(1), lambda _: False)
    if nearest is None:
        return "", False
    is_text = nearest.f_code.co_filename.startswith("<")
    frame = (_nearest(nearest, _evaluates_text) or nearest) if is_text else nearest
    return f"{frame.f_code.co_filename}:{frame.f_lineno}", is_text


def _nearest(frame: FrameType | None, is_skipped: Callable[[FrameType], bool]) -> FrameType | None:
    while frame is not None and (
        frame.f_code.co_filename.startswith(_PACKAGE) or is_skipped(frame)
    ):
        frame = frame.f_back
    return frame


def _evaluates_text(frame: FrameType) -> bool:
    module = str(frame.f_globals.get("__name__")).partition(".")[0]
    return frame.f_code.co_filename.startswith("<") or module in _READ_ANNOTATIONS


def _is_typing(frame: FrameType) -> bool:
    return frame.f_globals.get("__name__") in ("typing", "typing_extensions")


def object_key(target: object) -> tuple[int, ...]:
    """Return a key for an object. Bound methods are compared by their function and instance."""
    if is_a(target, MethodType):
        return id(target.__self__), id(target.__func__)  # type: ignore[attr-defined]
    return (id(target),)
