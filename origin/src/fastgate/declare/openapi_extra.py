"""Read declarations in `openapi_extra` of FastAPI: `x-fastgate`, the same as `at_edge`.

In: a route. Out: the members that it declares, or what is wrong with them. Nothing is merged here.
"""

import difflib
from collections.abc import Iterator, Mapping
from typing import TypeGuard

from fastgate.declare.at_edge import misspelt
from fastgate.declare.merge import contradictory

OPENAPI_MEMBER = "x-fastgate"
"""For FastAPI's endpoints: `openapi_extra={"x-fastgate": {…}}` says the same as `at_edge(…)`."""


def declared_by_extra(route: object) -> Mapping[str, object]:
    """Return what a route's `openapi_extra` declares; nothing if that is no object."""
    members = _extra_of(route).get(OPENAPI_MEMBER)
    return members if _is_of_members(members) else {}


def misread_extra(route: object) -> Iterator[str]:
    """Say what a route's `openapi_extra` is meant to declare, and does not."""
    for name, value in _extra_of(route).items():
        if name == OPENAPI_MEMBER:
            if not _is_of_members(value):
                yield f'{name} is {value!r}; it is an object: {{"{name}": {{…}}}}'
            elif contradictory(value):
                yield from misspelt(value)
        elif difflib.get_close_matches(_letters(name), [_letters(OPENAPI_MEMBER)], 1, cutoff=0.8):
            yield f'nobody reads "{name}" of openapi_extra; it is "{OPENAPI_MEMBER}"'


def _extra_of(route: object) -> Mapping[object, object]:
    extra = getattr(route, "openapi_extra", None)
    return extra if isinstance(extra, Mapping) else {}


def _is_of_members(value: object) -> TypeGuard[Mapping[str, object]]:
    return isinstance(value, Mapping) and all(isinstance(name, str) for name in value)


def _letters(name: object) -> str:
    return "".join(filter(str.isalnum, str(name).lower()))
