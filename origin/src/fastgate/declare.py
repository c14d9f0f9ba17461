"""Say about an endpoint what FastAPI has no word for: what the edge is to do about its callers.

In: an endpoint function, a class or a mounted ASGI app, and members of the edge's route document.
Out: the same object, with the members written on it for `endpoints` to find. It never judges them:
the edge knows its own members, and refuses those that it does not know.
"""

from collections.abc import Callable, Mapping
from typing import TypeVar

OPENAPI_MEMBER = "x-fastgate"
"""For FastAPI's endpoints: `openapi_extra={"x-fastgate": {…}}` says the same as `at_edge(…)`."""

_ATTRIBUTE = "__fastgate__"

T = TypeVar("T")


def at_edge(**members: object) -> Callable[[T], T]:
    """Write members of the edge's route document on an endpoint or a mounted app.

    `access="public"` opens it to everybody, and the edge reads no token; `access="optional"` opens
    it, too, but who sends a valid token is known; `access="authenticated"` is for signed-in callers
    alone; `access="none"` leaves it out of the edge's routes, so that nobody reaches it from there.
    `methods` are needed for a mounted app that is not known to serve GET and HEAD alone. Anything
    else (`limits`, `require`, …) goes into the policy as it is; `from`, a word of Python's, is
    written `from_`.
    """
    named = {name.removesuffix("_"): value for name, value in members.items()}

    def declare(target: T) -> T:
        setattr(target, _ATTRIBUTE, {**declared(target), **named})
        return target

    return declare


def declared_by(route: object) -> Mapping[str, object]:
    """Return what a route's endpoint or mounted app declares, and its `openapi_extra` besides."""
    target = getattr(route, "endpoint", None) or getattr(route, "app", None)
    extra = (getattr(route, "openapi_extra", None) or {}).get(OPENAPI_MEMBER, {})
    return {**declared(target), **extra}


def declared(target: object) -> Mapping[str, object]:
    """Return what `at_edge` wrote on this object; nothing if it was never asked."""
    # Of the object itself: what stands on a class must not open each of its instances.
    members = getattr(target, "__dict__", {}).get(_ATTRIBUTE, {})
    return members if isinstance(members, Mapping) else {}
