"""Declare who may read the schema and the documentation pages that FastAPI adds to an app itself.

In: an app, and an access. Out: the same app, with its pages marked, and those of what it mounts.
"""

from fastapi import FastAPI
from fastapi.routing import APIRoute
from starlette.routing import Route

from fastgate.declare import CALLERS, at_edge, declared
from fastgate.marks import declared_by
from fastgate.routing import app_below, effective_routes, handled_route


def declare_docs(app: object, access: str) -> None:
    """Declare `access` of the schema and the documentation pages of `app` and of what it mounts.

    Only pages that FastAPI adds itself are meant, and no mounted app that declares its callers.

    Raises:
        ValueError: there is no such access.

    """
    mark = at_edge(access=access)
    names = ("openapi_url", "docs_url", "swagger_ui_oauth2_redirect_url", "redoc_url")
    pages = {getattr(app, name, None) for name in names} - {None}
    for route, view in effective_routes(app):
        if isinstance(route, APIRoute):
            continue
        if isinstance(route, Route) and view.path in pages and _is_fastapis_own(route):
            mark(route)
        elif (holder := app_below(mount := handled_route(route, view))) is not None:
            said = declared(holder).keys() | declared_by(mount).keys()
            if said.isdisjoint(CALLERS):  # a mounted app that says who may call says it of all
                declare_docs(holder, access)


def _is_fastapis_own(route: Route) -> bool:
    """Whether FastAPI itself has added a page, and not an author at the same path."""
    return getattr(route.endpoint, "__module__", None) == FastAPI.__module__
