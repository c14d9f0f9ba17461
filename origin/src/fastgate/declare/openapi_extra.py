"""Read declarations in FastAPI's `openapi_extra`: `x-fastgate`, equivalent to `at_edge`.

Input: a route. Output: its declared members, or what is wrong with them. Nothing is merged here.
"""

import difflib
from collections.abc import Iterator, Mapping
from typing import TypeGuard

from fastgate.declare.members import invalid_members
from fastgate.declare.merge import contradictory
from fastgate.declare.static_access import plain

OPENAPI_MEMBER = "x-fastgate"
"""The key in `openapi_extra={"x-fastgate": {…}}`, which is equivalent to `at_edge(…)`."""


def declared_by_extra(route: object) -> Mapping[str, object]:
    """Return the members that a route's `openapi_extra` declares; empty if it is not an object."""
    if not (extra := _extra_of(route)):
        return {}
    members = extra.get(OPENAPI_MEMBER)
    return plain(members) if _is_of_members(members) else {}  # type: ignore[return-value]


def invalid_extra(route: object) -> Iterator[str]:
    """Yield one message for each mistake in the declaration of a route's `openapi_extra`."""
    for name, value in _extra_of(route).items():
        if name == OPENAPI_MEMBER:
            if not _is_of_members(value):
                yield f'{name} is {value!r}; it must be an object: {{"{name}": {{…}}}}'
            elif contradictory(value):
                yield from invalid_members(value)
        elif difflib.get_close_matches(_letters(name), [_letters(OPENAPI_MEMBER)], 1, cutoff=0.8):
            yield f'openapi_extra has "{name}", which has no effect; write "{OPENAPI_MEMBER}"'


def _extra_of(route: object) -> Mapping[object, object]:
    extra = getattr(route, "openapi_extra", None)
    return extra if extra is not None and isinstance(extra, Mapping) else {}


def _is_of_members(value: object) -> TypeGuard[Mapping[str, object]]:
    return isinstance(value, Mapping) and all(isinstance(name, str) for name in value)


def _letters(name: object) -> str:
    return "".join(filter(str.isalnum, str(name).lower()))
