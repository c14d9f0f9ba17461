"""Compare a route with the judged one before it runs: in `handle`, which every dispatch calls.

Input: the base classes of Starlette's routes, routers and endpoints. Output: the same classes,
changed so that they call the `RouteCheck` of the request first. A router reads the attribute
`handle` of the route that it has chosen, and the attribute access returns a function that compares
first. So it does not matter when a route was added, whether FastAPI built it again for an
inclusion, which class defines `handle`, or when `handle` was replaced. A class-based endpoint
chooses between methods, so it is compared again when it runs. A request that no guard has let in is
not compared, but the router of a guarded app refuses it.
"""

import inspect
from collections.abc import Callable, Generator, Iterable
from functools import partial
from types import MethodType
from typing import Any

from fastapi.routing import APIRoute, APIRouter
from starlette.applications import Starlette
from starlette.endpoints import HTTPEndpoint
from starlette.routing import BaseRoute, Host, Mount, Route, Router
from starlette.types import ASGIApp, Receive, Scope, Send

from fastgate.errors import Refused, RouteMismatch
from fastgate.responses import refuse
from fastgate.routes.check import RouteCheck, check_of
from fastgate.routes.chosen import chosen_path, chosen_view, handler_of, is_one_endpoint
from fastgate.routes.entering import entered_by, is_due, is_guarded, note_mount, router_in
from fastgate.routes.framework import (
    View,
    app_below,
    included_router,
    may_contain,
    router_of,
)
from fastgate.routes.not_found import is_plain, refuse_or_405, respond_without_endpoint
from fastgate.routes.prefix import AGAIN, PREFIX_KEY, WHOLE, Prefix

_get = object.__getattribute__

_responds_405: set[object] = set()
"""The framework's own `handle` functions, which respond 405 if the route lacks the method."""


def install() -> None:
    """Add the comparison to the base classes, and so to all their subclasses. Idempotent."""
    if vars(BaseRoute).get("__getattribute__") is _get_from_route:
        return
    _responds_405.update(
        inspect.unwrap(vars(kind)["handle"]) for kind in (Route, APIRoute) if "handle" in vars(kind)
    )
    BaseRoute.__getattribute__ = _get_from_route  # type: ignore[assignment, method-assign]
    Router.__getattribute__ = _get_from_router  # type: ignore[assignment, method-assign]
    Router.__call__ = entered_by(Router.__call__)  # type: ignore[assignment, method-assign]
    HTTPEndpoint.__await__ = _awaited(HTTPEndpoint.__await__)  # type: ignore[assignment, method-assign]


def can_compare(routes: Iterable[object]) -> bool:
    """Whether the `handle` of each of these routes would be compared."""
    for kind in {*map(type, routes)}:  # this runs for every request
        if not issubclass(kind, BaseRoute) or kind.__getattribute__ is not _get_from_route:
            return False
    return True


def can_compare_all(app: object) -> bool:
    """Whether the router of an app is a known one, and each of its routes would be compared."""
    return can_compare_routes(app, router_of(app))


def can_compare_routes(app: object, router: Router | None) -> bool:
    """Whether the same is true of an app with this router; None if it has none."""
    if router is None:
        return can_compare(getattr(app, "routes", ()))
    if not _is_known(router, "__call__", "app"):
        return False
    # Read the list directly, if neither app nor router has a property of its own: this runs for
    # every request.
    plain = getattr(type(app), "routes", None) is Starlette.routes or app is router
    plain = plain and not hasattr(type(router), "routes")
    return can_compare(_get(router, "__dict__")["routes"] if plain else getattr(app, "routes", ()))


def _is_known(router: Router, *names: str) -> bool:
    """Whether a router uses the framework's own methods of these names."""
    kind = type(router)
    if kind not in (Router, APIRouter):
        for name in names:
            owner = next((each for each in kind.__mro__ if name in vars(each)), None)
            if owner not in (None, Router, APIRouter):
                return False
    return kind.__getattribute__ is _get_from_router and "handle" not in _get(router, "__dict__")


def _get_from_route(route: BaseRoute, name: str, /) -> Any:  # noqa: ANN401
    found = _get(route, name)
    return MethodType(partial(_compared, found), route) if name == "handle" else found


async def _compared(
    run: ASGIApp, route: BaseRoute, scope: Scope, receive: Receive, send: Send
) -> None:
    """Run a route that a router has chosen, `run` being its `handle`, or refuse it."""
    check = check_of(scope, receive, router_in(scope), route)
    if check is not None:
        prefix: Prefix = scope[PREFIX_KEY]
        if (
            may_contain(route)
            or prefix.template is None
            or prefix is AGAIN
            or not is_due(prefix, route, scope)
        ):
            await _compare(check, route, run, scope, receive, send)
            return
        # The usual case, an endpoint of a router, is here: each coroutine costs time.
        view = chosen_view(route, scope)
        methods = view.methods if getattr(run, "__func__", None) in _responds_405 else None
        if methods and scope["method"] not in methods:
            check.let_pass(scope)
            await run(scope, receive, send)
            return
        fault = check.fault(_template(prefix, route, view, scope), scope, view)
        if fault is not None:
            await refuse_or_405(check, fault, view, scope, receive, send)
            return
        leaf = is_one_endpoint(route)
        check.running += leaf
        check.whole += not leaf
        scope[PREFIX_KEY] = WHOLE  # as in `_run_or_refuse`
        try:
            await run(scope, receive, send)
        finally:
            scope[PREFIX_KEY] = prefix
            check.running -= leaf
            check.whole -= not leaf
    elif is_guarded(scope):
        await refuse(
            RouteMismatch(found="a route, for a request that no guard let in"), scope, send
        )
    else:
        if isinstance(route, (Mount, Host)):
            note_mount(route, scope)
        await run(scope, receive, send)


def _get_from_router(router: Router, name: str, /) -> Any:  # noqa: ANN401
    found = _get(router, name)
    # The framework's 404 needs no comparison. Another default serves `/{path:path}`.
    return (
        partial(_run_default, router, found)
        if name == "default" and not is_plain(router)
        else found
    )


class _Awaitable:
    """The iterator that `__await__` has returned, as an object that can be awaited."""

    def __init__(self, steps: Generator[Any, None, None]) -> None:
        self._steps = steps

    def __await__(self) -> Generator[Any, None, None]:
        return self._steps


def _awaited(
    run: Callable[[HTTPEndpoint], Generator[Any, None, None]],
) -> Callable[[HTTPEndpoint], Generator[Any, None, None]]:
    async def compared(endpoint: HTTPEndpoint) -> None:
        scope = endpoint.scope
        check = check_of(scope, endpoint.receive, router_in(scope))
        if check is not None:
            prefix: Prefix = endpoint.scope[PREFIX_KEY]
            if prefix.template is None:
                fault = check.fault_within(endpoint.scope, handler_of(endpoint))
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
        check = check_of(scope, receive, router_in(scope))
    if check is None:
        if scope["type"] != "lifespan" and is_guarded(scope):
            await refuse(
                RouteMismatch(found="a default, for a request that no guard let in"), scope, send
            )
            return
        await default(scope, receive, send)
        return
    prefix: Prefix = scope[PREFIX_KEY]
    if prefix.template is None:
        fault = check.fault_within(scope, default)
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
    scope: Scope,
    receive: Receive,
    send: Send,
) -> None:
    """Run a mount, host or inclusion that a router has chosen, or refuse it.

    Also any route within an app that was judged as a whole, and one whose turn it is not.
    """
    prefix: Prefix = scope[PREFIX_KEY]
    container, leaf = may_contain(route), is_one_endpoint(route)
    if not is_due(prefix, route, scope):
        fault = check.fault_again(scope)
        await _run_or_refuse(check, fault, run, scope, receive, send, is_endpoint=False)
    elif container and (included := included_router(route)) is not None:
        if not _is_known(included, "handle") or not can_compare(included.routes):
            fault = check.fault_again(scope)
            await _run_or_refuse(check, fault, run, scope, receive, send, is_endpoint=False)
            return
        await run(scope, receive, send)  # it chooses again, which calls this function again
    elif prefix is AGAIN:
        fault = check.fault_again(scope)
        await _run_or_refuse(check, fault, run, scope, receive, send, is_endpoint=False)
    elif prefix.template is None:
        fault = check.fault_within(scope, chosen_view(route, scope))
        await _run_or_refuse(check, fault, run, scope, receive, send, is_endpoint=leaf)
    elif container and (below := app_below(route)) is not None:
        inner = prefix.below(route, scope, router_of(below))
        template, covered = inner.template, can_compare_all(below)
        fault = check.fault_on_the_way(template, scope, can_compare=covered)
        if fault is not None:
            if not check.is_for_all_of(template) or not await respond_without_endpoint(
                check, below, scope, receive, send
            ):
                await check.refuse(fault, scope, send)
            return
        scope[PREFIX_KEY] = inner
        try:
            await run(scope, receive, send)
        finally:
            scope[PREFIX_KEY] = prefix
    else:
        # The mount is opaque, or leads to an app without visible routes.
        view = chosen_view(route, scope)
        fault = check.fault(f"{prefix.below(route, scope).template}/{{path:path}}", scope, view)
        if fault is not None:
            await refuse_or_405(check, fault, view, scope, receive, send)
            return
        await _run_or_refuse(check, None, run, scope, receive, send, is_endpoint=leaf)


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
    # Whatever it dispatches was judged with it, unless it calls the guarded app again.
    prefix, scope[PREFIX_KEY] = scope[PREFIX_KEY], WHOLE
    with check.while_running(is_endpoint=is_endpoint):
        try:
            await run(scope, receive, send)
        finally:
            scope[PREFIX_KEY] = prefix


def _template(prefix: Prefix, route: BaseRoute, view: View, scope: Scope) -> str | None:
    above, path = prefix.above(scope), chosen_path(route, view, scope)
    return None if above is None or path is None else above + path
