"""Read the same thing once within one look at an app: nothing changes meanwhile.

In: a function without effects, and what it reads. Out: its result, from before if it has been read
in the same look. Between two looks everything may have changed, and nothing is kept.
"""

from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeVar

_Result = TypeVar("_Result")

_look: ContextVar[dict[Hashable, tuple[object, Any]] | None] = ContextVar("look", default=None)


@contextmanager
def one_look() -> Iterator[None]:
    """Keep what `once` reads until this ends; within another look, until that ends."""
    if _look.get() is not None:
        yield
        return
    token = _look.set({})
    try:
        yield
    finally:
        _look.reset(token)


def once(
    read: Callable[[Any], _Result], of: object, more: Hashable = None, *, name: str = ""
) -> _Result:
    """Return what `read` makes of an object, which is told by its identity, in this look.

    Args:
        read: called with the object.
        of: the object. It may be of any kind, and equal to others.
        more: what else the result depends on.
        name: of what is read, where `read` is made anew for each call.

    """
    known = _look.get()
    if known is None:
        return read(of)
    key = (name or read, id(of), more)
    if key not in known:
        known[key] = (of, read(of))  # the object is kept, so that no other one gets its id
    result: _Result = known[key][1]
    return result
