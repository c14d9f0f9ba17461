"""Declare who may read the schema and the documentation pages that FastAPI adds to an app itself.

In: an app, and an access. Out: the same app, with its pages marked, and those of what it mounts.
"""

from collections.abc import Mapping

from fastapi import FastAPI
from fastapi.routing import APIRoute
from starlette.routing import Route

from fastgate.declare import ACCESS, CALLERS, at_edge, declared
from fastgate.inheritance import Inheritance, Left
from fastgate.marks import declared_by
from fastgate.routing import app_below, effective_routes, handled_route


def declare_docs(app: object, access: str) -> None:
    """Declare `access` of the schema and the documentation pages of `app` and of what it mounts.

    Only pages that FastAPI adds itself are meant, and no mounted app that declares its callers. A
    path, a router or a mount that closes pages further keeps them closed.

    Raises:
        ValueError: there is no such access.

    """
    at_edge(access=access)  # for what it raises
    # What is said of the outermost app itself is meant for its endpoints.
    _declare(app, access, Left())


def _declare(app: object, access: str, around: Left) -> None:
    names = ("openapi_url", "docs_url", "swagger_ui_oauth2_redirect_url", "redoc_url")
    pages = {getattr(app, name, None) for name in names} - {None}
    inheritance = Inheritance(app, around)
    for route, view in effective_routes(app):
        if isinstance(route, APIRoute):
            continue
        left = inheritance.left_to(view, getattr(view, "path", None))
        if isinstance(route, Route) and view.path in pages and _is_fastapis_own(route):
            if not _is_closed_further(left.inherited, access):
                at_edge(access=access)(route)
        elif (holder := app_below(mount := handled_route(route, view))) is not None:
            members = declared_by(mount)
            if (declared(holder).keys() | members.keys()).isdisjoint(CALLERS):
                # A mounted app that says who may call says it of all.
                _declare(holder, access, left.through(members))


def _is_closed_further(inherited: Mapping[str, object], access: str) -> bool:
    """Whether fewer callers are let in than by `access`.

    What asks something of a caller wants one.
    """
    if inherited.keys().isdisjoint(CALLERS):
        return False
    said = inherited.get("access", "authenticated")
    return said not in ACCESS or ACCESS.index(said) > ACCESS.index(access)


def _is_fastapis_own(route: Route) -> bool:
    """Whether FastAPI itself has added a page, and not an author at the same path."""
    return getattr(route.endpoint, "__module__", None) == FastAPI.__module__
