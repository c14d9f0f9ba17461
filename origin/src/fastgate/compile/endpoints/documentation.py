"""Declare who may read the schema and the documentation pages that FastAPI adds to an app itself.

In: an app, and an access. Out: the same app, with the access written on it; and for the compiler,
the access of each such page of the app and of what it mounts, as they are declared by then.
"""

from collections.abc import Iterator, Mapping

from fastapi import FastAPI
from fastapi.routing import APIRoute
from starlette.routing import Route

from fastgate.compile.endpoints.inheritance import Inheritance, Left
from fastgate.declare.at_edge import ACCESS, CALLERS, at_edge, declared
from fastgate.declare.lookup import declared_by, layers
from fastgate.declare.merge import OPEN
from fastgate.declare.static_access import own
from fastgate.routes.framework import (
    app_below,
    effective_routes,
    handled_route,
    is_among,
    signed_root_of,
)

_DOCS_ATTRIBUTE = "__fastgate_docs__"


def declare_docs(app: object, access: str) -> None:
    """Declare `access` of the schema and the documentation pages of `app` and of what it mounts.

    Only pages that FastAPI adds itself are meant, and no mounted app that declares its callers or
    whose dependencies, or those of what it stands in, ask for known ones. A path, a router or a
    mount that closes pages further keeps them closed, whenever it is declared.

    Raises:
        ValueError: there is no such access.

    """
    at_edge(access=access)  # for what it raises
    setattr(app, _DOCS_ATTRIBUTE, access)


def access_of_pages(app: object) -> dict[tuple[int, str], str]:
    """Return what `declare_docs` means for each page, by the id of its route and its template."""
    # What is said of the outermost app itself is meant for its endpoints.
    return dict(_pages_of(app, None, signed_root_of(app), Left()))


def _pages_of(
    app: object,
    access: str | None,
    prefix: str,
    around: Left,
    holders: tuple[object, ...] = (),
) -> Iterator[tuple[tuple[int, str], str]]:
    if is_among(app, holders):
        return  # they are there already, and a mount that leads back to them is a fault
    holders = (*holders, app)
    own_word = _docs_of(app)
    access = own_word or access
    names = ("openapi_url", "docs_url", "swagger_ui_oauth2_redirect_url", "redoc_url")
    pages = {getattr(app, name, None) for name in names} - {None}
    inheritance = Inheritance(app, around)
    for route, view in effective_routes(app):
        if isinstance(route, APIRoute):
            continue
        path = getattr(view, "path", None)
        if isinstance(route, Route) and path in pages and _is_fastapis_own(route):
            left = inheritance.left_to(view, path)
            if access is None or any(
                _is_closed_further(it, access) for it in (left.inherited, declared(route))
            ):
                continue
            # What an app says of its own pages counts, whatever its endpoints depend on.
            if own_word is not None or not _asks_for_more(left, access):
                yield (id(route), f"{prefix}{path}"), access
        elif (holder := app_below(mount := handled_route(route, view))) is not None:
            left, below = inheritance.left_to(view, path), f"{prefix}{path or ''}"
            if _docs_of(holder) is not None:
                yield from _pages_of(holder, None, below, left, holders)
                continue
            members = declared_by(mount)
            # A mounted app that says who may call says it of all.
            silent = (declared(holder).keys() | members.keys()).isdisjoint(CALLERS)
            inner = access if silent else None
            yield from _pages_of(holder, inner, below, left.through(members), holders)


def _docs_of(app: object) -> str | None:
    access = own(getattr(app, "_base_app", app)).get(_DOCS_ATTRIBUTE)
    return access if isinstance(access, str) else None


def _is_closed_further(inherited: Mapping[str, object], access: str) -> bool:
    """Whether fewer callers are let in than by `access`.

    What asks something of a caller wants one.
    """
    if inherited.keys().isdisjoint(CALLERS):
        return False
    said = inherited.get("access", "authenticated")
    return said not in ACCESS or ACCESS.index(said) > ACCESS.index(access)


def _asks_for_more(left: Left, access: str) -> bool:
    """Whether dependencies ask for callers whom `access` does not, and let fewer in."""
    asked = left.not_run
    if asked.known and (access in OPEN or (access != ACCESS[-1] and bool(asked.scopes))):
        return True
    said = (
        {name: value for name, value in declared(layer).items() if name not in apart}
        for call, apart in left.listed
        for layer in layers(call, mounted=False)
    )
    return any(_is_closed_further(members, access) for members in said)


def _is_fastapis_own(route: Route) -> bool:
    """Whether FastAPI itself has added a page, and not an author at the same path."""
    return getattr(route.endpoint, "__module__", None) == FastAPI.__module__
