"""Types that FastAPI never reads from a request: the edge alone vouches for their values.

In: the types that say who is calling, where pydantic asks how to validate them. Out: an error where
the type is written, or a rule that takes what is made already and nothing else: FastAPI reads
whatever it knows no dependency for from the body, the query, a header or a form, and who is calling
is never the caller's to say. It judges no request.
"""

from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import Any, NoReturn

from pydantic import TypeAdapter
from pydantic_core import core_schema

Handler = Callable[[Any], core_schema.CoreSchema]
"""What pydantic hands over to make the rest of a schema with."""


class NeverRead:
    """For `Annotated`: what pydantic refuses to make a schema of, so that nothing is read as it.

    Raises:
        TypeError: wherever pydantic is asked for a schema: where the route or model is written.

    """

    def __init__(self, why: str) -> None:
        self._why = why

    def __get_pydantic_core_schema__(self, source: object, handler: Handler) -> NoReturn:
        """Refuse."""
        raise TypeError(f"fastgate: {self._why}")


STANDS_ALONE = NeverRead(
    "Caller and AnyCaller are the whole annotation of a parameter. Within another type FastAPI "
    "would read the caller from the request, where anybody can write one. A caller who may be "
    "anonymous is `caller: AnyCaller`, not `Caller | None`; what a response contains is an Identity"
)
"""Within another type FastAPI does not see the dependency."""

FROM_THE_EDGE = NeverRead(
    "what the edge says is never read from a request. Ask for `caller: Caller` or "
    '`caller: AnyCaller`; all of it is in request.scope["fastgate"]'
)
"""Of a member of what the verified header says, which pydantic never makes."""


class OnlyMade:
    """A validator for pydantic that takes an object of one type, and nothing to make one from.

    A response may contain such an object, so that its type has a schema all the same.
    """

    def __init__(self, kind: type | None = None) -> None:
        self._kind = kind

    def __call__(self, value: object) -> object:
        """Return the object. Raises `ValueError`, which FastAPI answers with a 422."""
        if self._kind is None or not isinstance(value, self._kind):
            raise ValueError("who is calling is not read from a request")
        return value

    def __get_pydantic_core_schema__(
        self, source: object, handler: Handler
    ) -> core_schema.CoreSchema:
        """Return the schema of `source`, with this in front of it."""
        return core_schema.no_info_before_validator_function(self, handler(source))


def reads_who_is_calling(annotation: object) -> bool | None:
    """Whether what FastAPI reads from a request by this annotation has an `Identity` in it.

    None if it names what is not defined: FastAPI cannot read anything by it.
    """
    try:
        try:
            return _reads(annotation)
        except TypeError:  # nothing to remember it by
            return _reads.__wrapped__(annotation)
    except _UndefinedError:  # not remembered: it may be defined later
        return None


@lru_cache(maxsize=512)
def _reads(annotation: object) -> bool:
    if annotation in (str, int, float, bool, bytes, None):
        return False
    try:
        schema = TypeAdapter[Any](annotation).core_schema  # type: ignore[arg-type]
    except Exception:
        return False  # No caller is made of it, whatever it is: see `OnlyMade`.
    try:
        parts = [*_within(schema)]
    except Exception as error:  # what pydantic has in place of a schema that it could not make
        raise _UndefinedError from error
    return any(isinstance(each, OnlyMade) for each in parts)


class _UndefinedError(Exception):
    """A type, or one that it contains, is named and not there."""


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
