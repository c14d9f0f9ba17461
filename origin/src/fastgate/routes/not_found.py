"""Respond for a mount that has no endpoint for a path, as its router would.

Input: a request for which the edge judged a route for all paths, such as `/{path:path}` for files,
and a mount that takes it first. Output: 404 or 405, and nothing below the mount has run, not even
its middleware. The edge has no mounts, so it cannot know that the mount has no such endpoint.
"""

from collections.abc import Iterable

from starlette.exceptions import HTTPException
from starlette.responses import PlainTextResponse
from starlette.routing import Match, Router
from starlette.types import Receive, Scope, Send

from fastgate.errors import Refused, RouteMismatch
from fastgate.routes.check import RouteCheck
from fastgate.routes.framework import View, effective_routes, root_path_of, router_of


async def respond_without_endpoint(
    check: RouteCheck, below: object, scope: Scope, receive: Receive, send: Send
) -> bool:
    """Respond 404 or 405 in place of a mount, if its router would. Return whether it would.

    It is unknown for paths below a mount within this mount.
    """
    app, router = getattr(below, "_base_app", below), router_of(below)
    if router is None or root_path_of(app) or not is_plain(router):
        return False
    methods = _methods_found(app, scope)
    if methods is None:
        return False
    if methods:
        await respond_405(check, methods, scope, receive, send)
        return True
    check.let_pass(scope)
    await Router.not_found(router, scope, receive, send)
    return True


def _methods_found(app: object, scope: Scope) -> set[str] | None:
    """Return the methods that a router has for a path, if it lacks the method of the request.

    None if the router would run a route, or if that is unknown.
    """
    found = set[str]()
    for route, view in effective_routes(app):
        match, _ = getattr(view, "matches", route.matches)({**scope})
        methods: set[str] = getattr(view, "methods", None) or set()
        if match is Match.FULL or (match is Match.PARTIAL and not methods):
            return None
        if match is Match.PARTIAL:
            found.update(methods)
    return found


async def respond_405(
    check: RouteCheck, methods: Iterable[str], scope: Scope, receive: Receive, send: Send
) -> None:
    """Respond as Starlette's `Route.handle` does if the method is none of these."""
    check.let_pass(scope)
    headers = {"Allow": ", ".join(sorted(methods))}
    if "app" in scope:
        raise HTTPException(405, headers=headers)
    # Without an app, no handler would catch the exception.
    await PlainTextResponse("Method Not Allowed", 405, headers)(scope, receive, send)


async def refuse_or_405(
    check: RouteCheck, fault: Refused, view: View, scope: Scope, receive: Receive, send: Send
) -> None:
    """Refuse a route that was compared, or respond 405 if it has not the method."""
    methods: set[str] | None = getattr(view, "methods", None)
    if isinstance(fault, RouteMismatch) and methods and scope.get("method") not in methods:
        # A class with its own `handle` does not run, and would usually respond so, too.
        await respond_405(check, methods, scope, receive, send)
    else:
        await check.refuse(fault, scope, send)


def is_plain(router: Router) -> bool:
    """Whether a router has no `default` of its own, which would serve all other paths."""
    default = object.__getattribute__(router, "default")
    return getattr(default, "__func__", None) is Router.not_found
