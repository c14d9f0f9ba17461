"""Record each call of `at_edge` while an app is loaded, to report the ones without effect.

Input: the object and the members of a call. Output: the calls in order, each with its file and
line. Calls outside of `recording()` are not recorded, so a running service keeps none of them.
"""

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType, MethodType

from fastgate.declare.static_access import is_a

_PACKAGE = str(Path(__file__).parents[1])


@dataclass(frozen=True, slots=True)
class Call:
    """One call of `at_edge`."""

    target: object
    """The object that the members were stored on."""
    members: Mapping[str, object]
    below: str | None
    where: str
    """`file:line` of the statement or decorator."""


_open: list[list[Call]] = []


@contextmanager
def recording() -> Iterator[list[Call]]:
    """Record the calls within this block; the list grows with each call."""
    calls: list[Call] = []
    _open.append(calls)
    try:
        yield calls
    finally:
        _open.remove(calls)


def record(target: object, members: Mapping[str, object], below: str | None = None) -> None:
    """Record one call, unless this package made it."""
    if not _open:
        return
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and frame.f_code.co_filename.startswith(_PACKAGE):
        frame = frame.f_back
    where = "" if frame is None else f"{frame.f_code.co_filename}:{frame.f_lineno}"
    for calls in _open:
        calls.append(Call(target, dict(members), below, where))


def object_key(target: object) -> tuple[int, ...]:
    """Return a key for an object. Bound methods are compared by their function and instance."""
    if is_a(target, MethodType):
        return id(target.__self__), id(target.__func__)  # type: ignore[attr-defined]
    return (id(target),)
