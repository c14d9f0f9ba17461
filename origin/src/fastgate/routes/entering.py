"""Note which router a request has entered, and the templates of the mounts in front of it.

Input: a router of the framework, or a mount, and the scope with which it is called. Output: the
same scope, with the router under `ROUTER_KEY` and its `Prefix` under `PREFIX_KEY`. It compares
nothing: `routes.dispatch` does that with what is noted here.
"""

from collections.abc import Awaitable, Callable

from starlette.routing import BaseRoute, Router
from starlette.types import Receive, Scope, Send

from fastgate.routes.check import check_of
from fastgate.routes.framework import (
    effective_routes,
    handled_route,
    inclusions,
    path_below,
    router_of,
    signed_root_of,
)
from fastgate.routes.prefix import AGAIN, PREFIX_KEY, Base, Prefix
from fastgate.routes.root_path import prefix_of_late_app

ROUTER_KEY = "fastgate.router"
"""The router that now chooses for a request; None when it is done."""
_GUARDED = "_fastgate_guarded"


def mark_guarded(app: object) -> None:
    """Make the router of a guarded app refuse every request that no guard has let in."""
    if (router := router_of(app)) is not None:
        vars(router)[_GUARDED] = True


def entered_by(call: Callable[..., Awaitable[None]]) -> Callable[..., Awaitable[None]]:
    """Return `Router.__call__` with a note of the router for as long as it runs."""

    async def entered(router: Router, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await call.__get__(router, type(router))(scope, receive, send)
            return
        outer = scope.get(ROUTER_KEY)
        _enter(router, scope, receive)
        try:
            await call.__get__(router, type(router))(scope, receive, send)
        finally:
            scope[ROUTER_KEY] = outer

    return entered


def _enter(router: Router, scope: Scope, receive: Receive) -> None:
    """Note a router, and whether it may choose for this request with the present scope."""
    scope[ROUTER_KEY] = router
    check = check_of(scope, receive, router)
    prefix: Prefix | None = scope.get(PREFIX_KEY)
    root_path: str = scope.get("root_path", "")
    if (
        prefix is not None
        and prefix.template is not None
        and prefix.root_path == root_path
        and (check is None or prefix.mount is not None or prefix.base.own is not None)
    ):
        return  # the usual case: nothing has changed since the guard, or since the mount
    rest = path_below(root_path, scope["path"])
    if prefix is None:  # this is the first router, and the request has passed no guard
        app = scope.get("app")
        own = signed_root_of(app) if router_of(app) is router else ""
        scope[PREFIX_KEY] = Prefix("", root_path, rest, router=router, base=Base(root_path, own))
        return
    if prefix.base.own is None and prefix.mount is None and check is not None:
        scope[PREFIX_KEY] = prefix = prefix_of_late_app(check, router, scope)
    if prefix.template is None:
        # An app that was judged as a whole has called this router, or an endpoint has.
        if check is not None and router is check.router:
            scope[PREFIX_KEY] = AGAIN
    elif prefix is not AGAIN and root_path != prefix.root_path:
        # Something other than a mount has set `root_path`. Does it change the matched path?
        same = rest == prefix.rest or (check is not None and scope["path"] != check.path)
        scope[PREFIX_KEY] = prefix._replace(root_path=root_path) if same else AGAIN


def router_in(scope: Scope) -> object:
    """Return the router that chooses for this scope; None if the scope names none."""
    return scope.get(ROUTER_KEY) or scope.get("router")


def is_due(prefix: Prefix, route: BaseRoute, scope: Scope) -> bool:
    """Whether a route belongs to the router that has to choose next, if that router is known.

    Routers and routes are ASGI apps, which any code may call directly. Then the request has entered
    no router, or another one.
    """
    due = prefix.router
    if due is None or prefix.template is None:
        return True
    stack = object.__getattribute__(due, "__dict__").get("middleware_stack")
    if scope.get(ROUTER_KEY) is due and getattr(stack, "__self__", None) is due:
        return True  # nothing runs between the router and the chosen route
    chosen = (handled_route(each, view) for each, view in effective_routes(due))
    return any(route is each for each in (*due.routes, *inclusions(due.routes), *chosen))


def is_guarded(scope: Scope) -> bool:
    """Whether the router that chooses for this scope is one of a guarded app."""
    router = router_in(scope)
    return isinstance(router, Router) and _GUARDED in vars(router)


def note_mount(route: BaseRoute, scope: Scope) -> None:
    """Note the template of an outer app's mount, for a guard further in."""
    prefix: Prefix | None = scope.get(PREFIX_KEY)
    if prefix is None:  # no router has chosen it: the server calls the mount directly
        root_path: str = scope.get("app_root_path", scope.get("root_path", ""))
        prefix = Prefix("", root_path, path_below(root_path, scope["path"]), base=Base(root_path))
    if prefix.mount is not route and prefix.template is not None:
        scope[PREFIX_KEY] = prefix.below(route, scope)
