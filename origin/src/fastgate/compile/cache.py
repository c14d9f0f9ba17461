"""Cache what the compiler reads of an app, which does not change during the compilation.

Input: a function without side effects, and its argument. Output: its result, computed once within a
`caching` block. Nothing is cached outside of such a block, because the app may have changed.
"""

from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeVar

_Result = TypeVar("_Result")

_cache: ContextVar[dict[Hashable, tuple[object, Any]] | None] = ContextVar("cache", default=None)


@contextmanager
def caching() -> Iterator[None]:
    """Cache the results of `cached` in this block; an inner block shares the outer one's cache."""
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
    """Return `read(of)`, cached within `caching` by the identity of the object.

    Args:
        read: called with the object.
        of: the object, of any type; equal objects are not the same.
        more: what else the result depends on.
        name: the key to use instead of `read`, if `read` is created for each call.

    """
    known = _cache.get()
    if known is None:
        return read(of)
    key = (name or read, id(of), more)
    if key not in known:
        known[key] = (of, read(of))  # keep the object, so that its id is not reused
    result: _Result = known[key][1]
    return result
