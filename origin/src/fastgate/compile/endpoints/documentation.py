"""Declare who may read the schema and the documentation pages that FastAPI adds to an app.

Input: an app, and an access. Output: the same app, with the access stored on it; and for the
compiler, the access of each such page of the app and of its mounted apps.
"""

from collections.abc import Iterator, Mapping

from fastapi import FastAPI
from fastapi.routing import APIRoute
from starlette.routing import Route

from fastgate.compile.endpoints.inheritance import Inheritance, InheritedContext
from fastgate.declare.at_edge import at_edge
from fastgate.declare.lookup import declared_on_route, layers
from fastgate.declare.members import ACCESS, CALLERS
from fastgate.declare.merge import OPEN
from fastgate.declare.static_access import own
from fastgate.declare.stored_marks import declared
from fastgate.routes.framework import (
    app_below,
    effective_routes,
    handled_route,
    is_among,
    signed_root_of,
)

_DOCS_ATTRIBUTE = "__fastgate_docs__"


def declare_docs(app: object, access: str) -> None:
    """Declare `access` of the schema and documentation pages of `app` and of its mounted apps.

    Only pages that FastAPI adds itself count. A mounted app is left out if it declares its callers,
    or if dependencies of it or around it require known ones. A path, a router or a mount that
    closes pages further keeps them closed, no matter when it is declared.

    Raises:
        ValueError: there is no such access.

    """
    at_edge(access=access)  # raises for an invalid access
    setattr(app, _DOCS_ATTRIBUTE, access)


def access_of_pages(app: object) -> dict[tuple[int, str], str]:
    """Return the access of each page, by the id of its route and its template."""
    # A declaration on the outermost app is meant for its endpoints, not for its pages.
    return dict(_pages_of(app, None, signed_root_of(app), InheritedContext()))


def _pages_of(
    app: object,
    access: str | None,
    prefix: str,
    around: InheritedContext,
    holders: tuple[object, ...] = (),
) -> Iterator[tuple[tuple[int, str], str]]:
    if is_among(app, holders):
        return  # a cycle of mounts, which `compile.policy` reports
    holders = (*holders, app)
    own_access = _docs_of(app)
    access = own_access or access
    names = ("openapi_url", "docs_url", "swagger_ui_oauth2_redirect_url", "redoc_url")
    pages = {getattr(app, name, None) for name in names} - {None}
    inheritance = Inheritance(app, around)
    for route, view in effective_routes(app):
        if isinstance(route, APIRoute):
            continue
        path = getattr(view, "path", None)
        if isinstance(route, Route) and path in pages and _is_fastapis_own(route):
            context = inheritance.inherited_by(view, path)
            if access is None or any(
                _is_closed_further(it, access) for it in (context.inherited, declared(route))
            ):
                continue
            # A declaration for the app's own pages counts, whatever its endpoints depend on.
            if own_access is not None or not _requires_more(context, access):
                yield (id(route), f"{prefix}{path}"), access
        elif (holder := app_below(mount := handled_route(route, view))) is not None:
            context, below = inheritance.inherited_by(view, path), f"{prefix}{path or ''}"
            if _docs_of(holder) is not None:
                yield from _pages_of(holder, None, below, context, holders)
                continue
            members = declared_on_route(mount)
            # A mounted app's declaration of callers includes its pages.
            undeclared = (declared(holder).keys() | members.keys()).isdisjoint(CALLERS)
            inner = access if undeclared else None
            yield from _pages_of(holder, inner, below, context.through(members), holders)


def _docs_of(app: object) -> str | None:
    access = own(getattr(app, "_base_app", app)).get(_DOCS_ATTRIBUTE)
    return access if isinstance(access, str) else None


def _is_closed_further(inherited: Mapping[str, object], access: str) -> bool:
    """Whether members allow fewer callers than an access.

    Members that require something of a caller require a known one.
    """
    if inherited.keys().isdisjoint(CALLERS):
        return False
    declared_value = inherited.get("access", "authenticated")
    return declared_value not in ACCESS or ACCESS.index(declared_value) > ACCESS.index(access)


def _requires_more(context: InheritedContext, access: str) -> bool:
    """Whether dependencies require more of callers than an access, so that fewer are allowed."""
    required = context.not_run
    if required.known and (
        access in OPEN or (access != ACCESS[-1] and required.is_more_than_known)
    ):
        return True
    declarations = (
        {name: value for name, value in declared(layer).items() if name not in exempt}
        for call, exempt in context.listed
        for layer in layers(call, mounted=False)
    )
    return any(_is_closed_further(members, access) for members in declarations)


def _is_fastapis_own(route: Route) -> bool:
    """Whether FastAPI itself added a page, as opposed to an author at the same path."""
    return getattr(route.endpoint, "__module__", None) == FastAPI.__module__
