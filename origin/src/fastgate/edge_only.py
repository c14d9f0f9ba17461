"""Types that FastAPI never reads from a request, because only the edge may set their values.

Input: the types that identify a caller, when pydantic asks how to validate them. Output: an error
where the type is written, or a validator that accepts only existing objects. FastAPI reads every
parameter that is not a known dependency from the body, the query, a header or a form. The client
must not choose who it is. This module judges no request.
"""

from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import Any, NoReturn

from pydantic import TypeAdapter
from pydantic_core import core_schema

Handler = Callable[[Any], core_schema.CoreSchema]
"""The function from pydantic that builds the inner schema."""


class NeverRead:
    """A marker for `Annotated`: pydantic fails to build a schema, so nothing is read as this type.

    Raises:
        TypeError: where the route or model is defined, because pydantic builds its schema there.

    """

    def __init__(self, why: str) -> None:
        self._why = why

    def __get_pydantic_core_schema__(self, source: object, handler: Handler) -> NoReturn:
        """Refuse."""
        raise TypeError(f"fastgate: {self._why}")


STANDS_ALONE = NeverRead(
    "Caller and AnyCaller must be the whole annotation of a parameter. Within another type FastAPI "
    "would read the caller from the request, which any client can write. Write "
    "`caller: AnyCaller` instead of `Caller | None`, and `Identity` in a response model"
)
"""For a dependency that FastAPI does not find within another type."""

FROM_THE_EDGE = NeverRead(
    "claims of the edge are never read from a request. Write `caller: Caller` or "
    '`caller: AnyCaller`; all claims are in request.scope["fastgate"]'
)
"""For the claims of the verified header, which pydantic never creates."""


class OnlyMade:
    """A validator for pydantic that accepts existing objects of one type, and creates none.

    The type has a schema nevertheless, because a response may contain such an object.
    """

    def __init__(self, kind: type | None = None) -> None:
        self._kind = kind

    def __call__(self, value: object) -> object:
        """Return the object. Raises `ValueError`, which FastAPI turns into a 422."""
        if self._kind is None or not isinstance(value, self._kind):
            raise ValueError("the caller is never read from a request")
        return value

    def __get_pydantic_core_schema__(
        self, source: object, handler: Handler
    ) -> core_schema.CoreSchema:
        """Return the schema of `source`, preceded by this validator."""
        return core_schema.no_info_before_validator_function(self, handler(source))


def reads_who_is_calling(annotation: object) -> bool | None:
    """Whether FastAPI would read an `Identity` from a request for this annotation.

    None if the annotation names an undefined type: FastAPI cannot read anything for it.
    """
    try:
        try:
            return _reads(annotation)
        except TypeError:  # unhashable, so it cannot be cached
            return _reads.__wrapped__(annotation)
    except _UndefinedError:  # not cached: the type may be defined later
        return None


@lru_cache(maxsize=512)
def _reads(annotation: object) -> bool:
    if annotation in (str, int, float, bool, bytes, None):
        return False
    try:
        schema = TypeAdapter[Any](annotation).core_schema  # type: ignore[arg-type]
    except Exception:
        return False  # No caller can be created from it: see `OnlyMade`.
    try:
        parts = [*_within(schema)]
    except Exception as error:  # pydantic's placeholder for a schema that it could not build
        raise _UndefinedError from error
    return any(isinstance(each, OnlyMade) for each in parts)


class _UndefinedError(Exception):
    """A type, or a type that it contains, is named but not defined."""


def _within(schema: object) -> Iterator[object]:
    left, seen = [schema], dict[int, object]()
    while left:
        each = left.pop()
        if id(each) in seen:
            continue
        seen[id(each)] = each
        yield each
        if isinstance(each, Mapping):
            left.extend(each.values())
        elif isinstance(each, (list, tuple)):
            left.extend(each)
