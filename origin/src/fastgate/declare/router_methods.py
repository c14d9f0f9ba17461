"""Note on routes the dependencies of their routers, wherever they are served later.

In: FastAPI's and Starlette's own methods that add routes to routers. Out: the same methods, which
note on the new routes what FastAPI runs for none of them; with FastAPI before 0.137, which copies
what it includes, they refuse what a copy would lose. Importing this module replaces them.
"""

import functools
from collections.abc import Callable, Sequence
from contextlib import suppress

from fastapi import APIRouter, routing
from starlette.routing import Route, Router, WebSocketRoute

from fastgate.declare.at_edge import declared, lost_of_router
from fastgate.declare.provenance import (
    COPIED,
    COPIED_FROM,
    note,
    note_added,
    note_dependencies,
    noted,
    noted_dependencies,
    renew,
)

_ADDING = (
    *("add_route", "add_websocket_route", "mount", "host"),
    *("add_api_route", "add_api_websocket_route", "include_router"),
)


def _noting(add: Callable[..., None]) -> Callable[..., None]:
    """Write on routes of Starlette and mounts what their router depends on; others have it."""

    @functools.wraps(add)
    def noting(router: Router, *args: object, **named: object) -> None:
        renew(router)
        before = len(router.routes)
        add(router, *args, **named)
        note_added(router, router.routes[before:])

    return noting


def _refusing_what_inherits_nothing(add: Callable[..., None]) -> Callable[..., None]:
    """Let no Starlette route into a router that hands nothing on to it: older FastAPI copies it."""

    @functools.wraps(add)
    def checked(
        router: Router, path: str, endpoint: object, *more: object, **named: object
    ) -> None:
        missing = declared(router).keys() - declared(endpoint).keys()
        if missing and isinstance(router, APIRouter):
            raise TypeError(
                f"a Starlette route ({path}) inherits nothing from its router with this "
                f"FastAPI: say {', '.join(sorted(missing))} of its endpoint, by at_edge(…)"
            )
        add(router, path, endpoint, *more, **named)

    return checked


def _refusing_what_copies_lose(include: Callable[..., None]) -> Callable[..., None]:
    """Let older FastAPI include no route that is marked itself: its copy would not be.

    Nor one that was added to a marked router by other means than the router's own methods.
    """

    @functools.wraps(include)
    def checked(holder: APIRouter, router: APIRouter, *more: object, **named: object) -> None:
        if lost := [name for kind in type(router).__mro__ for name in declared(kind)]:
            raise TypeError(
                "a router loses the mark of its class where it is included with this FastAPI: say "
                f"{', '.join(sorted(lost))} of the router, by at_edge(…)(router)"
            )
        for route in router.routes:
            if not isinstance(route, (Route, WebSocketRoute)):
                continue
            # The class of FastAPI's own is kept.
            kept = isinstance(route, routing.APIRoute)
            parts = (route, *(() if kept else type(route).__mro__))
            if marked := [name for each in parts for name in declared(each)]:
                raise TypeError(
                    f"a route ({route.path}) loses its own mark where it is included with this "
                    f"FastAPI: say {', '.join(sorted(marked))} of its endpoint, by at_edge(…)"
                )
            dependencies = getattr(route, "dependencies", None)
            if dependencies is not None and (lost := lost_of_router(router, dependencies)):
                raise TypeError(
                    f"a route ({route.path}) does not have what is declared on its router: say "
                    f"{', '.join(lost)} of its endpoint, by at_edge(…), or add it by the router"
                )
        before = len(holder.routes)
        include(holder, router, *more, **named)
        for each in (router, *router.routes):
            with suppress(AttributeError):
                setattr(each, COPIED, True)
        _keep_dependencies(router, holder.routes[before:], named.get("dependencies"))

    return checked


def _keep_dependencies(router: APIRouter, copies: Sequence[object], said: object) -> None:
    """Write on copies of Starlette routes what their routers depend on: it is run for no copy."""
    around = (*(said if isinstance(said, (list, tuple)) else ()), *router.dependencies)
    # Mounts are left out of copies; all others have one.
    kept = [each for each in router.routes if isinstance(each, (Route, WebSocketRoute))]
    for each, copy in zip(kept, copies, strict=False):
        note_dependencies(copy, [*around, *noted_dependencies(each)], nearest=True)
        note(copy, (*noted(router), *noted(each)))
        setattr(copy, COPIED_FROM, (router, *getattr(each, COPIED_FROM, ())))


for kind in (Router, APIRouter):
    for name in _ADDING:
        if name in vars(kind):
            setattr(kind, name, _noting(vars(kind)[name]))

if not hasattr(routing, "_IncludedRouter"):
    for name in ("add_route", "add_websocket_route"):
        setattr(APIRouter, name, _refusing_what_inherits_nothing(getattr(APIRouter, name)))
    APIRouter.include_router = _refusing_what_copies_lose(APIRouter.include_router)  # type: ignore[method-assign]
