"""Patch the methods that add routes to routers, so that new routes keep their dependencies.

Input: FastAPI's and Starlette's own methods. Output: the same methods, which also note on a new
route the dependencies of its router that FastAPI does not run for it. FastAPI before 0.137 copies
routes on inclusion; there, the patched methods refuse a route whose copy would have no mark.
Importing this module installs the patches.
"""

import functools
from collections.abc import Callable, Sequence
from contextlib import suppress

from fastapi import APIRouter, routing
from starlette.routing import Route, Router, WebSocketRoute

from fastgate.declare.provenance import (
    COPIED,
    COPIED_FROM,
    note_added_routes,
    note_dependencies,
    note_sources,
    noted_dependencies,
    restore_noting_list,
    sources_of,
)
from fastgate.declare.router_marks import members_not_inherited
from fastgate.declare.stored_marks import declared

_METHODS_THAT_ADD = (
    *("add_route", "add_websocket_route", "mount", "host"),
    *("add_api_route", "add_api_websocket_route", "include_router"),
)


def _noting_dependencies(add: Callable[..., None]) -> Callable[..., None]:
    """Note the router's dependencies on each new route."""

    @functools.wraps(add)
    def noting(router: Router, *args: object, **named: object) -> None:
        restore_noting_list(router)
        before = len(router.routes)
        add(router, *args, **named)
        note_added_routes(router, router.routes[before:])

    return noting


def _refusing_uninherited_routes(add: Callable[..., None]) -> Callable[..., None]:
    """Refuse a Starlette route in a marked router: older FastAPI passes the mark on to no copy."""

    @functools.wraps(add)
    def checked(
        router: Router, path: str, endpoint: object, *more: object, **named: object
    ) -> None:
        missing = declared(router).keys() - declared(endpoint).keys()
        if missing and isinstance(router, APIRouter):
            raise TypeError(
                f"with this version of FastAPI a Starlette route ({path}) inherits nothing from "
                f"its router: declare {', '.join(sorted(missing))} on its endpoint, by at_edge(…)"
            )
        add(router, path, endpoint, *more, **named)

    return checked


def _refusing_lossy_inclusion(include: Callable[..., None]) -> Callable[..., None]:
    """Refuse to include a route with a mark of its own: older FastAPI would copy it without.

    A route that was put into the list of a marked router directly is refused as well.
    """

    @functools.wraps(include)
    def checked(holder: APIRouter, router: APIRouter, *more: object, **named: object) -> None:
        if missing := [name for kind in type(router).__mro__ for name in declared(kind)]:
            raise TypeError(
                "this version of FastAPI drops the mark of a router's class on inclusion: declare "
                f"{', '.join(sorted(missing))} on the router, by at_edge(…)(router)"
            )
        for route in router.routes:
            if not isinstance(route, (Route, WebSocketRoute)):
                continue
            # Copies keep the class of FastAPI's own routes.
            kept = isinstance(route, routing.APIRoute)
            parts = (route, *(() if kept else type(route).__mro__))
            if marked := [name for each in parts for name in declared(each)]:
                raise TypeError(
                    f"this version of FastAPI drops the mark of a route ({route.path}) on "
                    f"inclusion: declare {', '.join(sorted(marked))} on its endpoint, by at_edge(…)"
                )
            dependencies = getattr(route, "dependencies", None)
            if dependencies is not None and (
                missing := members_not_inherited(router, dependencies)
            ):
                raise TypeError(
                    f"a route ({route.path}) lacks the declaration of its router: declare "
                    f"{', '.join(missing)} on its endpoint, by at_edge(…), or add it by the "
                    "router's "
                    "own methods"
                )
        before = len(holder.routes)
        include(holder, router, *more, **named)
        for each in (router, *router.routes):
            with suppress(AttributeError):
                setattr(each, COPIED, True)
        _keep_dependencies(router, holder.routes[before:], named.get("dependencies"))

    return checked


def _keep_dependencies(router: APIRouter, copies: Sequence[object], given: object) -> None:
    """Note on copies of Starlette routes the dependencies of their routers, which no copy runs."""
    around = (*(given if isinstance(given, (list, tuple)) else ()), *router.dependencies)
    # FastAPI copies every route except mounts.
    originals = [each for each in router.routes if isinstance(each, (Route, WebSocketRoute))]
    for each, copy in zip(originals, copies, strict=False):
        note_dependencies(copy, [*around, *noted_dependencies(each)], nearest=True)
        note_sources(copy, (*sources_of(router), *sources_of(each)))
        setattr(copy, COPIED_FROM, (router, *getattr(each, COPIED_FROM, ())))


for kind in (Router, APIRouter):
    for name in _METHODS_THAT_ADD:
        if name in vars(kind):
            setattr(kind, name, _noting_dependencies(vars(kind)[name]))

if not hasattr(routing, "_IncludedRouter"):
    for name in ("add_route", "add_websocket_route"):
        setattr(APIRouter, name, _refusing_uninherited_routes(getattr(APIRouter, name)))
    APIRouter.include_router = _refusing_lossy_inclusion(APIRouter.include_router)  # type: ignore[method-assign]
