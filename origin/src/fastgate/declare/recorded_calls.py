"""Record each call of `at_edge` while an app is loaded, so that unused ones can be reported.

In: what `at_edge` was said of, from where. Out: those calls, in order. Nothing is recorded outside
of `recording()`: a service does not keep what it was made from.
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
    """What the members were written on."""
    members: Mapping[str, object]
    below: str | None
    where: str
    """`file:line` of the statement or decorator."""


_open: list[list[Call]] = []


@contextmanager
def recording() -> Iterator[list[Call]]:
    """Record the calls within this block; the list grows as they are made."""
    calls: list[Call] = []
    _open.append(calls)
    try:
        yield calls
    finally:
        _open.remove(calls)


def record(target: object, members: Mapping[str, object], below: str | None = None) -> None:
    """Record one call, unless it is made by this package."""
    if not _open:
        return
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and frame.f_code.co_filename.startswith(_PACKAGE):
        frame = frame.f_back
    where = "" if frame is None else f"{frame.f_code.co_filename}:{frame.f_lineno}"
    for calls in _open:
        calls.append(Call(target, dict(members), below, where))


def key_of(target: object) -> tuple[int, ...]:
    """Return what tells an object from others; each access to a method makes another object."""
    if is_a(target, MethodType):
        return id(target.__self__), id(target.__func__)  # type: ignore[attr-defined]
    return (id(target),)
