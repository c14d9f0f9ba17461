"""Respond for a mount that has no endpoint for a path, as its router would.

In: a request that the edge has judged by a route for all paths, such as `/{path:path}` for files,
and a mount that takes it first. Out: 404 or 405, and nothing below the mount has run, its
middleware included. The edge has no mounts, and so could not know that nothing is there.
"""

from collections.abc import Iterable

from starlette.exceptions import HTTPException
from starlette.responses import PlainTextResponse
from starlette.routing import Router
from starlette.types import Receive, Scope, Send

from fastgate.routes.check import RouteCheck
from fastgate.routes.framework import methods_found, root_path_of, router_of


async def answer_for_none(
    check: RouteCheck, below: object, scope: Scope, receive: Receive, send: Send
) -> bool:
    """Answer 404 or 405 in place of a mount, if its router would; return whether it would.

    A mount within it takes whatever lies below, so that this is not known.
    """
    app, router = getattr(below, "_base_app", below), router_of(below)
    if router is None or root_path_of(app) or not is_plain(router):
        return False
    methods = methods_found(app, scope)
    if methods is None:
        return False
    if methods:
        await answer_405(check, methods, scope, receive, send)
        return True
    check.let_pass(scope)
    await Router.not_found(router, scope, receive, send)
    return True


async def answer_405(
    check: RouteCheck, methods: Iterable[str], scope: Scope, receive: Receive, send: Send
) -> None:
    """Answer as Starlette's `Route.handle` answers a method that is none of these."""
    check.let_pass(scope)
    headers = {"Allow": ", ".join(sorted(methods))}
    if "app" in scope:
        raise HTTPException(405, headers=headers)
    # A router that is served without an app: it would not be caught.
    await PlainTextResponse("Method Not Allowed", 405, headers)(scope, receive, send)


def is_plain(router: Router) -> bool:
    """Whether a router has no `default` of its own, which would serve the rest of its paths."""
    default = object.__getattribute__(router, "default")
    return getattr(default, "__func__", None) is Router.not_found
