"""Declare what the edge is to do about the callers of an endpoint: `at_edge`.

In: an endpoint, a mounted ASGI app, a router or a whole app, and members of the edge's route
document. Out: the same object, with the members written on it for `compile` to find. A word that
the edge does not know is refused where it stands; what the values mean, the edge knows.
"""

import difflib
import re
from collections.abc import Callable, Iterator, Mapping
from types import MethodType
from typing import Annotated, TypeVar, get_origin

from fastapi import APIRouter, Depends, params
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import Router

from fastgate.declare.formerly import FORMERLY, read_former
from fastgate.declare.merge import OF_KNOWN_CALLERS, added, contradictory, together
from fastgate.declare.provenance import COPIED, note_for_router, note_source
from fastgate.declare.recorded_calls import record
from fastgate.declare.static_access import is_a, own
from fastgate.declare.stored_marks import (
    ATTRIBUTE,
    MethodMark,
    marked,
    write,
    write_of_method,
    written_of_call,
    written_of_method,
)
from fastgate.path_template import comparable

ACCESS = ("public", "optional", "authenticated", "none")
"""The values of `access`, from the most open one to the most closed one."""

CALLERS = ("access", *OF_KNOWN_CALLERS)
"""The members that say who may call."""

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
"""What the edge ever forwards, in the order in which it is written."""

_FLAGS = ("bearer_subprotocol", "forward_token", "require_bound", "sign_body", "websocket")
_LISTS = ("from", "limits", "scopes")
_OTHERS = (
    *("accepts", "access", "group", "id", "issuers", "methods", "origin"),
    *("path", "request_headers", "require", "response_headers", "rewrite", "shadow"),
)
ROUTE_MEMBERS = frozenset((*_FLAGS, *_LISTS, *_OTHERS))
"""The members of the edge's route document: `RouteDocument` in policy.schema.json."""

_FORMER_NAMES = {"answer_headers": "response_headers", "trial": "shadow"}
"""Members that earlier versions called otherwise, each with its present name."""

PREFIX = "prefix"
"""What the edge has in front of the app's path and takes off: `path` and `rewrite` in one word."""

OPAQUE = "opaque"
"""Said of a mounted app, it is one route of the edge: what routes it has does not count."""

OWN_MEMBERS = frozenset(
    ("bearer_subprotocol", FORMERLY, "id", OPAQUE, "path", "sign_body", "websocket")
)
"""Those that belong to one route, and cannot be said for all below an app or a prefix."""

_OF_ONE = {
    FORMERLY: f"{FORMERLY} is said of each endpoint by itself: @at_edge({FORMERLY}=…)",
    OPAQUE: f'{OPAQUE} is said of a mounted app: app.mount("/…", at_edge({OPAQUE}=True, …)(other))',
}

_NO_ROUTES_OF_THEIR_OWN = {
    "_IncludedRouter": "a router is marked before it is included: at_edge(…)(router)",
    **dict.fromkeys(
        ("_FrontendRouteGroup", "_FrontendRoute"),
        'a frontend is marked by its path: at_edge(below="/…", access="…")(app)',
    ),
}
"""What FastAPI keeps among its routes, and hands no mark on: by the names of its classes."""

_PREFIX = re.compile(r"(?:/[^/{}?#\\\s]+)+")

_BELOW_ATTRIBUTE = "__fastgate_below__"

T = TypeVar("T")


def at_edge(*, below: str | None = None, **members: object) -> Callable[[T], T]:
    """Write members of the edge's route document on an endpoint, a router or an app.

    `access="public"` opens it to everybody, and the edge reads no token; `access="optional"` opens
    it, too, but who sends a valid token is known; `access="authenticated"` is for signed-in callers
    alone; `access="none"` leaves it out of the edge's routes: no caller reaches it from there.
    `methods` are needed where any method is let through, as by most mounted apps; such an app takes
    WebSockets with `websocket=True`. `prefix="/gw"` is what the edge has in front of the app's path
    and takes off: clients ask for `/gw/orders`, the app serves `/orders`.
    `formerly="/orders/{order_id}"` of an endpoint is its former full template, or former id, or a
    list of them: a request that the edge still judges by it is accepted. `opaque=True` of a mounted
    app makes it one route for all below its path, for `methods`; its own routes do not count.
    Anything else (`limits`, `require`, …) goes into the policy as it is; `from`, a word of
    Python's, is written `from_`.

    Said of an app, a mount or a router, it holds for all routes below; said of an app with
    `below="/auth"`, for those at and below that path. The nearest declaration counts, member by
    member. The dependencies of an endpoint can ask for more than what it inherits, never for less.
    A mark holds wherever its object is served, so that a second one of the same object may say
    more, and nothing else. A router is marked before it is included. If both a router and a path
    (`below`) say `access`, or a mount and a path that leads into it, the stricter one counts. With
    FastAPI before 0.137 mounts and Starlette routes of a marked router are marked themselves, by
    their endpoints: a route object that is marked is not included.

    Raises:
        ValueError: the edge does not know such a member, or such a value; or the object is marked
            already, with another value, or so that one mark opens what the other closes.
        TypeError: nothing can be written on this object.

    """
    named = {name.removesuffix("_"): value for name, value in members.items()}
    for fault in misspelt(named):
        raise ValueError(f"at_edge: {fault}")
    if below is not None:
        _refuse_for_many(named)

    def declare(target: T) -> T:
        if below is not None:
            return _declare_below(target, below, named)
        if isinstance(target, APIRouter):
            _refuse_for_many(named)
            _declare_for_router(target, named)
            record(target, named)
            return target
        if (why := _NO_ROUTES_OF_THEIR_OWN.get(type(target).__name__)) is not None:
            raise TypeError(f"at_edge: {why}")
        if isinstance(target, Middleware):
            raise TypeError("at_edge: middleware is not marked, but the endpoint, mount or app")
        if get_origin(target) is Annotated or isinstance(target, params.Depends):
            raise TypeError(
                "at_edge: a dependency hands no mark on to what depends on it: mark the endpoint, "
                "or ask for a caller by Security(fastgate, scopes=[…])"
            )
        if own(target).get(COPIED):
            raise TypeError(
                "a route is marked before its router is included: this FastAPI copies it; or mark "
                "its endpoint"
            )
        if isinstance(target, (staticmethod, classmethod)):
            declare(target.__func__)  # that is what its class hands out
            write(target, named)
            return target
        if isinstance(target, MethodType):
            # Of this instance alone: what is written on the function holds for all of them.
            write_of_method(target, named)
            record(target, named)
            return target
        record(write(target, named), named)
        _note_on_its_routes(target)
        return target

    return declare


def misspelt(members: Mapping[str, object]) -> Iterator[str]:
    """Say of each member what the edge would not understand, and what to write."""
    for name, value in members.items():
        if name == PREFIX:
            if not isinstance(value, str) or not _PREFIX.fullmatch(value):
                yield f'prefix is {value!r}; it is a path like "/gw", without parameters'
        elif name == FORMERLY:
            try:
                read_former(value)
            except ValueError as error:
                yield str(error)
        elif name == OPAQUE:
            if not isinstance(value, bool):
                yield f"{name} is {value!r}; it is True or False"
        elif name in _FORMER_NAMES:
            yield f'"{name}" is called "{_FORMER_NAMES[name]}" now; rename it'
        elif name not in ROUTE_MEMBERS:
            near = difflib.get_close_matches(name, ROUTE_MEMBERS, 1)
            known = f'did you mean "{near[0]}"?' if near else f"there are {', '.join(_sorted())}"
            yield f'the edge knows no "{name}"; {known}'
        elif name == "access" and value not in ACCESS:
            yield f"access is {value!r}; it is one of {', '.join(map(repr, ACCESS))}"
        elif name == "methods" and not _are_among(METHODS, value):
            yield f"methods is {value!r}; it is a list of {', '.join(map(repr, METHODS))}"
        elif name in _LISTS and not _is_list_of_text(value):
            yield f'{name} is {value!r}; it is a list: {name}=["…"]'
        elif name in _FLAGS and not isinstance(value, bool):
            yield f"{name} is {value!r}; it is True or False"
    if contradictory(members):
        asked = ", ".join(name for name in OF_KNOWN_CALLERS if members.get(name))
        yield (
            f"access is {members['access']!r}, which lets everybody in, and {asked} is asked of "
            'known callers: say access="authenticated", or one of the two alone'
        )


def _refuse_for_many(members: Mapping[str, object]) -> None:
    for name, why in _OF_ONE.items():
        if name in members:
            raise ValueError(f"at_edge: {why}")


def declared(target: object) -> Mapping[str, object]:
    """Return what `at_edge` wrote on this object; nothing if it was never asked."""
    if is_a(target, MethodType):
        return written_of_method(target)
    if is_a(target, MethodMark):
        mark: MethodMark = target  # type: ignore[assignment]
        return mark.asks()
    # Of the object itself: what stands on a class must not open each of its instances.
    members = own(target).get(ATTRIBUTE, {})
    members = members if isinstance(members, Mapping) else {}
    called = written_of_call(target)
    return together(called, members) if called else members


def declared_below(app: object) -> Mapping[str, Mapping[str, object]]:
    """Return what was declared for parts of an app, by their prefixes."""
    prefixes = own(app).get(_BELOW_ATTRIBUTE, {})
    return prefixes if isinstance(prefixes, Mapping) else {}


class Inherited:
    """A dependency that does nothing, and tells what was declared on a router."""

    def __init__(self, members: Mapping[str, object], router: APIRouter) -> None:
        self.members = members
        self.router = router

    async def __call__(self) -> None:
        """Do nothing."""


def _declare_below(app: T, prefix: str, members: Mapping[str, object]) -> T:
    # A mount, or an app of another framework, would never be asked for it.
    if not isinstance(app, (Starlette, Router)) or isinstance(app, APIRouter):
        raise TypeError("at_edge(below=…) is said of a FastAPI or Starlette app, mounted or not")
    if not prefix.startswith("/") or prefix.endswith("/"):
        raise ValueError(f'at_edge: below is {prefix!r}; it is a path like "/auth"')
    prefixes = declared_below(app)
    # Names of parameters make no other path.
    alike = next((each for each in prefixes if comparable(each) == comparable(prefix)), prefix)
    of_prefix = added(prefixes.get(alike, {}), members)
    setattr(app, _BELOW_ATTRIBUTE, {**prefixes, alike: of_prefix})
    _note_on_its_routes(app)
    record(app, members, prefix)
    return app


def _note_on_its_routes(app: object) -> None:
    if own(own(app).get("router")).get(COPIED):
        raise TypeError("an app is marked before its router is included: this FastAPI copies it")
    note_source(app, declared(app), declared_below(app))


def _declare_for_router(router: APIRouter, members: Mapping[str, object]) -> None:
    if own(router).get(COPIED):
        raise TypeError("a router is marked before it is included: this FastAPI copies its routes")
    mark = marked(router, own(router).get(ATTRIBUTE), members)
    depends = Depends(Inherited(members, router))
    # Frontends stand apart from the other routes.
    holders = (router, *router.routes, *getattr(router, "_low_priority_routes", ()))
    for holder in holders:
        # Both ways in which FastAPI includes a router read these lists.
        if not isinstance(getattr(holder, "dependencies", None), list):
            raise TypeError(
                "a router is marked before it includes routers, mounts or Starlette routes: "
                "at_edge(…)(APIRouter(…))"
            )
    for holder in holders:
        dependencies: list[object] = holder.dependencies
        # Behind this router's other marks, and before those of a router that it has included.
        marks = [index for index, each in enumerate(dependencies) if _marks(each, router)]
        dependencies.insert(marks[-1] + 1 if marks else 0, depends)
    # An inclusion alone reads these lists. What runs the router itself, a mount or an app, reads
    # the router: the routes that it has were built without the new dependency.
    setattr(router, ATTRIBUTE, mark)
    # Inclusions that have read the router already are to read it once more.
    if (mark_changed := getattr(router, "_mark_routes_changed", None)) is not None:
        mark_changed()
    note_for_router(router)


def lost_of_router(router: APIRouter, dependencies: object) -> list[str]:
    """Return what is declared on a router, and is not handed on by what a route depends on."""
    handed: dict[str, object] = {}
    for each in dependencies if isinstance(dependencies, (list, tuple)) else ():
        if _marks(each, router):
            handed |= each.dependency.members
    said = declared(router)
    return sorted(name for name in said if name not in handed or handed[name] != said[name])


def _marks(dependency: object, router: APIRouter) -> bool:
    mark = getattr(dependency, "dependency", None)
    return isinstance(mark, Inherited) and mark.router is router


def _sorted() -> list[str]:
    return sorted(ROUTE_MEMBERS)


def _are_among(known: tuple[str, ...], value: object) -> bool:
    return isinstance(value, (list, tuple)) and all(item in known for item in value)


def _is_list_of_text(value: object) -> bool:
    return isinstance(value, (list, tuple)) and all(isinstance(item, str) for item in value)
