"""Cache what is read of an app while it is compiled: it does not change meanwhile.

In: a function without effects, and what it reads. Out: its result, from before if it has been read
in the same `caching`. Outside of it nothing is kept: everything may have changed.
"""

from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeVar

_Result = TypeVar("_Result")

_cache: ContextVar[dict[Hashable, tuple[object, Any]] | None] = ContextVar("cache", default=None)


@contextmanager
def caching() -> Iterator[None]:
    """Keep what `cached` reads until this ends; within another `caching`, until that ends."""
    if _cache.get() is not None:
        yield
        return
    token = _cache.set({})
    try:
        yield
    finally:
        _cache.reset(token)


def cached(
    read: Callable[[Any], _Result], of: object, more: Hashable = None, *, name: str = ""
) -> _Result:
    """Return what `read` makes of an object, told apart by its identity; cached within `caching`.

    Args:
        read: called with the object.
        of: the object. It may be of any kind, and equal to others.
        more: what else the result depends on.
        name: of what is read, where `read` is made anew for each call.

    """
    known = _cache.get()
    if known is None:
        return read(of)
    key = (name or read, id(of), more)
    if key not in known:
        known[key] = (of, read(of))  # the object is kept, so that no other one gets its id
    result: _Result = known[key][1]
    return result
