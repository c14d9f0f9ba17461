"""The decorator `at_edge`: declare how the edge treats the callers of an endpoint.

Input: an endpoint, a mounted ASGI app, a router or a whole app, and members of the edge's route
document. Output: the same object, with the members stored on it for `compile`. An unknown member
raises an error at once; the edge checks the values when it reads the policy.
"""

from collections.abc import Callable, Mapping
from types import MethodType
from typing import Annotated, TypeVar, get_origin

from fastapi import APIRouter, params
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import Router

from fastgate.declare.members import APP_CHECKS, as_json, invalid_members, refuse_for_many
from fastgate.declare.merge import merge_marks
from fastgate.declare.provenance import COPIED, note_declaration
from fastgate.declare.recorded_calls import record
from fastgate.declare.router_marks import mark_router
from fastgate.declare.static_access import own
from fastgate.declare.stored_marks import (
    BELOW_ATTRIBUTE,
    declared,
    declared_below,
    write_mark,
    write_method_mark,
)
from fastgate.path_template import comparable
from fastgate.surrogates import WHY_NONE, with_half_a_pair

_CANNOT_BE_MARKED = {
    "_IncludedRouter": "mark a router before it is included: at_edge(…)(router)",
    **dict.fromkeys(
        ("_FrontendRouteGroup", "_FrontendRoute"),
        'mark a frontend by its path: at_edge(below="/…", access="…")(app)',
    ),
}
"""Entries of FastAPI's route list that pass no mark on, by the names of their classes."""

T = TypeVar("T")


def at_edge(*, below: str | None = None, **members: object) -> Callable[[T], T]:
    """Declare members of the edge's route document for an endpoint, a router or an app.

    `access` decides who may call. `"public"` allows every caller, and the edge reads no token.
    `"optional"` allows every caller, and identifies those who send a valid token.
    `"authenticated"` allows signed-in callers only. `"none"` creates no route at the edge, so that
    no caller reaches the endpoint from there.

    `methods` are required if the app accepts any method, as most mounted apps do; `websocket=True`
    lets WebSockets through to such an app. `prefix="/gw"` is a prefix that clients send and the
    edge removes: clients request `/gw/orders`, the app serves `/orders`.
    `formerly="/orders/{order_id}"` is an endpoint's former full template, its former id, or a list
    of these; a request that the edge still matched by one of them is accepted. `opaque=True` makes
    a mounted app one route for everything below its path, for `methods`; its own routes do not
    count. `cache=EdgeCache(…)` lets the edge store responses to GET and HEAD, or of models;
    `cache=None` does not inherit that. `app_checks=["APIKeyCookie"]` names security schemes and
    dependencies that the app itself checks, so that an open `access` also holds for endpoints with
    them;
    `app_checks=[]` does not inherit that. Other members (`limits`, `require`, …) are copied into
    the policy. `require` may also be a condition, `role("admin")`. Write `from`, a keyword of
    Python, as `from_`.

    A declaration on an app, a mount or a router holds for all routes below it; a declaration on an
    app with `below="/auth"` holds for the routes at and below that path. The nearest declaration
    counts, member by member. Dependencies of an endpoint can require more than it inherits, never
    less. A declaration holds wherever its object is served, so a second one on the same object may
    add members but not change them. Mark a router before you include it. If both a router and a
    path (`below`) declare `access`, or a mount and a path within it, the stricter one counts. With
    FastAPI before 0.137, mark the endpoints of mounts and Starlette routes in a marked router;
    such a route object cannot be included if it is marked itself.

    Raises:
        ValueError: the edge has no such member or value; or the object already has a declaration
            with another value, or with an access that contradicts this one.
        TypeError: nothing can be stored on this object.

    """
    members_of_each = {name.removesuffix("_"): as_json(value) for name, value in members.items()}
    for fault in invalid_members(members_of_each):
        raise ValueError(f"at_edge: {fault}")
    if below is not None:
        refuse_for_many(members_of_each)

    def declare(target: T) -> T:
        given = _for_one_object(members_of_each)
        if below is not None:
            return _declare_below(target, below, given)
        if isinstance(target, APIRouter):
            refuse_for_many(given)
            mark_router(target, given)
            record(target, given)
            return target
        _refuse_unmarkable(target)
        if isinstance(target, (staticmethod, classmethod)):
            declare(target.__func__)  # attribute access on the class returns this function
            write_mark(target, given)
            return target
        if isinstance(target, MethodType):
            # For this instance only: a mark on the function would hold for every instance.
            write_method_mark(target, given)
            record(target, given)
            return target
        record(write_mark(target, given), given)
        _note_on_its_routes(target)
        return target

    return declare


def _for_one_object(members: Mapping[str, object]) -> dict[str, object]:
    """Return members for one object, with a list of names of its own.

    The compiler tells marks apart by that list, also if one decorator marks several objects.
    """
    names = members.get(APP_CHECKS)
    return {**members, **({APP_CHECKS: [*names]} if isinstance(names, (list, tuple)) else {})}


def _refuse_unmarkable(target: object) -> None:
    """Raise `TypeError` for an object whose declaration would have no effect."""
    if (why := _CANNOT_BE_MARKED.get(type(target).__name__)) is not None:
        raise TypeError(f"at_edge: {why}")
    if isinstance(target, Middleware):
        raise TypeError("at_edge: middleware cannot be marked; mark the endpoint, mount or app")
    if get_origin(target) is Annotated or isinstance(target, params.Depends):
        raise TypeError(
            "at_edge: a dependency does not pass a mark on to endpoints; mark the endpoint, or "
            "require a caller by Security(fastgate, scopes=[…])"
        )
    if own(target).get(COPIED):
        raise TypeError(
            "at_edge: mark a route before its router is included, or mark its endpoint; this "
            "version of FastAPI copies routes on inclusion"
        )


def _declare_below(app: T, prefix: str, members: Mapping[str, object]) -> T:
    # The compiler reads such declarations only of apps and routers of these classes.
    if not isinstance(app, (Starlette, Router)) or isinstance(app, APIRouter):
        raise TypeError("at_edge(below=…) works on a FastAPI or Starlette app, mounted or not")
    if not prefix.startswith("/") or prefix.endswith("/"):
        raise ValueError(f'at_edge: below is {prefix!r}; it must be a path like "/auth"')
    prefixes = declared_below(app)
    if with_half_a_pair(prefix) is not None:
        raise ValueError(f"at_edge: below is {prefix!r}, {WHY_NONE}")
    # Two paths that differ in the names of parameters are the same path.
    same = next((each for each in prefixes if comparable(each) == comparable(prefix)), prefix)
    merged = merge_marks(prefixes.get(same, {}), members)
    setattr(app, BELOW_ATTRIBUTE, {**prefixes, same: merged})
    _note_on_its_routes(app)
    record(app, members, prefix)
    return app


def _note_on_its_routes(app: object) -> None:
    if own(own(app).get("router")).get(COPIED):
        raise TypeError(
            "at_edge: mark an app before its router is included; this version of FastAPI copies "
            "its routes on inclusion"
        )
    note_declaration(app, declared(app), declared_below(app))
