"""Compare before any route runs: in `handle`, which every dispatch calls.

In: the base classes of Starlette's routes, routers and endpoints. Out: the same classes, which ask
the `RouteCheck` of the request first. A router runs what it has chosen by getting `handle` from it,
and whatever that finds, from whichever class, stands behind the comparison: it makes no difference
when a route was added, whether FastAPI built it anew for an inclusion, which class a `handle` comes
from, or when another one was set. A class that chooses between methods is compared once more
when it runs. Requests that no guard let in are left alone, unless the router is a guarded one.
"""

import inspect
from collections.abc import Awaitable, Callable, Generator, Iterable
from functools import partial
from types import MethodType
from typing import Any

from fastapi.routing import APIRoute, APIRouter, APIWebSocketRoute
from starlette.endpoints import HTTPEndpoint, WebSocketEndpoint
from starlette.routing import BaseRoute, Host, Mount, Route, Router
from starlette.types import ASGIApp, Receive, Scope, Send

from fastgate.errors import Refused, RouteMismatch
from fastgate.responses import refuse
from fastgate.routes.check import AGAIN, PREFIX_KEY, WHOLE, Base, Prefix, RouteCheck, check_of
from fastgate.routes.framework import (
    View,
    app_below,
    chosen_path,
    chosen_view,
    effective_routes,
    handled_route,
    included_router,
    inclusions,
    path_below,
    router_of,
    signed_root_of,
)
from fastgate.routes.not_found import answer_405, answer_for_none, is_plain
from fastgate.routes.root_path import seen_at_last

ROUTER_KEY = "fastgate.router"
"""The router that chooses now for a request; None once it is done."""
_GUARDED = "_fastgate_guarded"

_get = object.__getattribute__

_answers_405: set[object] = set()
"""The framework's own `handle` that turns away the methods its route does not have."""


def install() -> None:
    """Put the comparison into the base classes, and so into all others. Idempotent."""
    if vars(BaseRoute).get("__getattribute__") is _get_from_route:
        return
    _answers_405.update(
        inspect.unwrap(vars(kind)["handle"]) for kind in (Route, APIRoute) if "handle" in vars(kind)
    )
    BaseRoute.__getattribute__ = _get_from_route  # type: ignore[assignment, method-assign]
    Router.__getattribute__ = _get_from_router  # type: ignore[assignment, method-assign]
    Router.__call__ = _entered(Router.__call__)  # type: ignore[assignment, method-assign]
    HTTPEndpoint.__await__ = _awaited(HTTPEndpoint.__await__)  # type: ignore[assignment, method-assign]


def mark_guarded(app: object) -> None:
    """Let the router of a guarded app run nothing from now on that no guard has let in."""
    if (router := router_of(app)) is not None:
        vars(router)[_GUARDED] = True


def can_compare(routes: Iterable[object]) -> bool:
    """Whether the `handle` of each of these routes would be compared."""
    return all(
        issubclass(kind, BaseRoute) and kind.__getattribute__ is _get_from_route
        for kind in set(map(type, routes))
    )


def can_compare_all(app: object) -> bool:
    """Whether an app has a router that is understood, and each of its routes would be compared."""
    router = router_of(app)
    known = router is None or _is_known(router, "__call__", "app")
    return known and can_compare(getattr(app, "routes", ()))


def _is_known(router: Router, *names: str) -> bool:
    """Whether a router chooses and runs by the framework's own methods of these names."""
    kind = type(router)
    for name in names:
        owner = next((each for each in kind.__mro__ if name in vars(each)), None)
        if owner not in (None, Router, APIRouter):
            return False
    return kind.__getattribute__ is _get_from_router and "handle" not in vars(router)


def _get_from_route(route: BaseRoute, name: str, /) -> Any:  # noqa: ANN401
    found = _get(route, name)
    return MethodType(_compared(found), route) if name == "handle" else found


def _compared(run: ASGIApp) -> Callable[..., Awaitable[None]]:
    turns_away = getattr(run, "__func__", None) in _answers_405

    async def compared(route: BaseRoute, scope: Scope, receive: Receive, send: Send) -> None:
        check = check_of(scope, receive, _router_in(scope), route)
        if check is not None:
            await _compare(check, route, run, turns_away, scope, receive, send)
        elif _is_guarded(scope):
            await refuse(
                RouteMismatch(found="a route, of a request that no guard let in"), scope, send
            )
        else:
            if isinstance(route, (Mount, Host)):
                _note(route, scope)
            await run(scope, receive, send)

    return compared


def _get_from_router(router: Router, name: str, /) -> Any:  # noqa: ANN401
    found = _get(router, name)
    # Its own 404 needs no comparison, another app serves `/{path:path}`.
    return (
        partial(_run_default, router, found)
        if name == "default" and not is_plain(router)
        else found
    )


def _entered(call: Callable[..., Awaitable[None]]) -> Callable[..., Awaitable[None]]:
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
    """Note a router, and whether a router may choose for this request as it stands."""
    scope[ROUTER_KEY] = router
    check = check_of(scope, receive, router)
    prefix: Prefix | None = scope.get(PREFIX_KEY)
    root_path: str = scope.get("root_path", "")
    rest = path_below(root_path, scope["path"])
    if prefix is None:  # the first one, and no guard has been passed
        app = scope.get("app")
        own = signed_root_of(app) if router_of(app) is router else ""
        scope[PREFIX_KEY] = Prefix("", root_path, rest, router=router, base=Base(root_path, own))
        return
    if prefix.base.own is None and prefix.mount is None and check is not None:
        scope[PREFIX_KEY] = prefix = seen_at_last(check, router, scope)
    if prefix.template is None:
        # By what was judged as a whole, or by an endpoint.
        if check is not None and router is check.router:
            scope[PREFIX_KEY] = AGAIN
    elif prefix is not AGAIN and root_path != prefix.root_path:
        # Something else than mounts has set `root_path`: does it move what is matched?
        same = rest == prefix.rest or (check is not None and scope["path"] != check.path)
        scope[PREFIX_KEY] = prefix._replace(root_path=root_path) if same else AGAIN


def _router_in(scope: Scope) -> object:
    return scope.get(ROUTER_KEY) or scope.get("router")


def _is_due(prefix: Prefix, route: BaseRoute, scope: Scope) -> bool:
    """Whether a route is one of the router that is to choose now, where that is known.

    Routers and routes are apps in their own right, which anything may call that holds one: then no
    router has been entered, or not the one that is due.
    """
    due = prefix.router
    if due is None or prefix.template is None:
        return True
    stack = getattr(vars(due).get("middleware_stack"), "__self__", None)
    if scope.get(ROUTER_KEY) is due and stack is due:
        return True  # nothing runs between the router and what it chooses
    chosen = (handled_route(each, view) for each, view in effective_routes(due))
    return any(route is each for each in (*due.routes, *inclusions(due.routes), *chosen))


def _is_guarded(scope: Scope) -> bool:
    router = _router_in(scope)
    return isinstance(router, Router) and _GUARDED in vars(router)


class _Awaitable:
    """What `__await__` has returned, to be awaited by a coroutine."""

    def __init__(self, steps: Generator[Any, None, None]) -> None:
        self._steps = steps

    def __await__(self) -> Generator[Any, None, None]:
        return self._steps


def _awaited(
    run: Callable[[HTTPEndpoint], Generator[Any, None, None]],
) -> Callable[[HTTPEndpoint], Generator[Any, None, None]]:
    async def compared(endpoint: HTTPEndpoint) -> None:
        scope = endpoint.scope
        check = check_of(scope, endpoint.receive, _router_in(scope))
        if check is not None:
            prefix: Prefix = endpoint.scope[PREFIX_KEY]
            if prefix.template is None:
                fault = check.fault_within(endpoint.scope)
            else:
                fault = check.fault_again(endpoint.scope)
            if fault is not None:
                await check.refuse(fault, endpoint.scope, endpoint.send)
                return
            check.running += 1
        try:
            await _Awaitable(run(endpoint))
        finally:
            if check is not None:
                check.running -= 1

    def awaited(endpoint: HTTPEndpoint) -> Generator[Any, None, None]:
        return compared(endpoint).__await__()

    return awaited


async def _run_default(
    router: Router, default: ASGIApp, scope: Scope, receive: Receive, send: Send
) -> None:
    check = None
    if scope["type"] != "lifespan":
        check = check_of(scope, receive, _router_in(scope))
    if check is None:
        if scope["type"] != "lifespan" and _is_guarded(scope):
            await refuse(
                RouteMismatch(found="a default, of a request that no guard let in"), scope, send
            )
            return
        await default(scope, receive, send)
        return
    prefix: Prefix = scope[PREFIX_KEY]
    if prefix.template is None:
        fault = check.fault_within(scope)
    elif prefix.router not in (None, router):
        fault = check.fault_again(scope)
    else:
        above = prefix.above(scope)
        template = None if above is None else above + "/{path:path}"
        fault = check.fault(template, scope, default)
    await _run_or_refuse(check, fault, default, scope, receive, send, is_endpoint=False)


async def _compare(
    check: RouteCheck,
    route: BaseRoute,
    run: ASGIApp,
    turns_away: bool,
    scope: Scope,
    receive: Receive,
    send: Send,
) -> None:
    """Run what a router has chosen, or refuse it."""
    prefix: Prefix = scope[PREFIX_KEY]
    if not _is_due(prefix, route, scope):
        fault = check.fault_again(scope)
        await _run_or_refuse(check, fault, run, scope, receive, send, is_endpoint=False)
    elif (included := included_router(route)) is not None:
        if not _is_known(included, "handle") or not can_compare(included.routes):
            fault = check.fault_again(scope)
            await _run_or_refuse(check, fault, run, scope, receive, send, is_endpoint=False)
            return
        await run(scope, receive, send)  # it chooses once more, and that comes back here
    elif prefix is AGAIN:
        fault = check.fault_again(scope)
        await _run_or_refuse(check, fault, run, scope, receive, send, is_endpoint=False)
    elif prefix.template is None:
        fault, leaf = check.fault_within(scope), _is_endpoint(route)
        await _run_or_refuse(check, fault, run, scope, receive, send, is_endpoint=leaf)
    elif (below := app_below(route)) is not None:
        led = prefix.below(route, scope, router_of(below))
        template, covered = led.template, can_compare_all(below)
        fault = check.fault_on_the_way(template, scope, can_compare=covered)
        if fault is not None:
            if not check.is_for_all_of(template) or not await answer_for_none(
                check, below, scope, receive, send
            ):
                await check.refuse(fault, scope, send)
            return
        scope[PREFIX_KEY] = led
        try:
            await run(scope, receive, send)
        finally:
            scope[PREFIX_KEY] = prefix
    else:
        view = chosen_view(route, scope)
        if turns_away and view.methods and scope["method"] not in view.methods:
            check.let_pass(scope)
            await run(scope, receive, send)
            return
        fault = check.fault(_template(prefix, route, view, scope), scope, view)
        methods: set[str] | None = getattr(view, "methods", None)
        if isinstance(fault, RouteMismatch) and methods and scope.get("method") not in methods:
            # A class with a `handle` of its own is not run, and mostly would answer so.
            await answer_405(check, methods, scope, receive, send)
            return
        leaf = _is_endpoint(route)
        await _run_or_refuse(check, fault, run, scope, receive, send, is_endpoint=leaf)


async def _run_or_refuse(
    check: RouteCheck,
    fault: Refused | None,
    run: ASGIApp,
    scope: Scope,
    receive: Receive,
    send: Send,
    *,
    is_endpoint: bool,
) -> None:
    if fault is not None:
        await check.refuse(fault, scope, send)
        return
    # What it dispatches itself was judged with it, as long as that is not the guarded app again.
    prefix, scope[PREFIX_KEY] = scope[PREFIX_KEY], WHOLE
    with check.while_running(is_endpoint=is_endpoint):
        try:
            await run(scope, receive, send)
        finally:
            scope[PREFIX_KEY] = prefix


def _is_endpoint(route: BaseRoute) -> bool:
    """Whether this runs one function; if not, it may choose for itself what to run."""
    endpoint = getattr(route, "endpoint", None)
    while isinstance(endpoint, partial):
        endpoint = endpoint.func
    if inspect.isclass(endpoint):
        return issubclass(endpoint, WebSocketEndpoint)
    runs_one = inspect.isfunction(endpoint) or inspect.ismethod(endpoint)
    return runs_one or isinstance(route, (APIRoute, APIWebSocketRoute))


def _note(route: BaseRoute, scope: Scope) -> None:
    """Note what leads to a guard that is still to come: the template of an outer app's mount."""
    prefix: Prefix | None = scope.get(PREFIX_KEY)
    if prefix is None:  # chosen by no router: the mount itself is served as an app
        root_path: str = scope.get("app_root_path", scope.get("root_path", ""))
        prefix = Prefix("", root_path, path_below(root_path, scope["path"]), base=Base(root_path))
    if prefix.mount is not route and prefix.template is not None:
        scope[PREFIX_KEY] = prefix.below(route, scope)


def _template(prefix: Prefix, route: BaseRoute, view: View, scope: Scope) -> str | None:
    if isinstance(route, (Mount, Host)):
        return f"{prefix.below(route, scope).template}/{{path:path}}"
    above = prefix.above(scope)
    path = chosen_path(route, view, scope)
    return None if above is None or path is None else above + path
