"""Compare in the one place that every dispatch goes through: the `handle` of a route's class.

In: the classes of Starlette's and FastAPI's routes. Out: the same classes, whose `handle` first
asks the `RouteCheck` of the request. A router runs what it has chosen by calling `handle`, so it
makes no difference when a route was added, whether FastAPI built it anew for an inclusion, or
whether somebody set another `handle` on one route. Requests that no guard let in are left alone.
"""

from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from types import MethodType
from typing import Any, TypeAlias

from fastapi.routing import APIRoute
from starlette.routing import BaseRoute, Host, Mount, Route, Router
from starlette.types import ASGIApp, Receive, Scope, Send

from fastgate.errors import Refused
from fastgate.no_endpoint import answer_for_none, is_plain
from fastgate.route import PREFIX_KEY, Prefix, RouteCheck, check_of
from fastgate.routing import (
    View,
    app_below,
    chosen_path,
    chosen_view,
    is_inclusion,
)

_Handle: TypeAlias = Callable[[Any, Scope, Receive, Send], Awaitable[None]]

_compared: set[type] = set()
"""The classes of routes whose `handle` compares."""
_answers_405: set[object] = set()
"""The framework's own `handle` that turns away the methods its route does not have."""


def install() -> None:
    """Put the comparison into every class of routes, those to come included. Idempotent."""
    if BaseRoute in _compared:
        return
    _answers_405.update(
        vars(kind)["handle"] for kind in (Route, APIRoute) if "handle" in vars(kind)
    )

    def cover_subclass(cls: type[BaseRoute], /, **arguments: object) -> None:
        super(BaseRoute, cls).__init_subclass__(**arguments)
        _cover(cls)

    _cover(BaseRoute)
    BaseRoute.__init_subclass__ = classmethod(cover_subclass)  # type: ignore[assignment]
    Router.default = _ComparedDefault()  # type: ignore[assignment]


def can_compare(routes: Iterable[object]) -> bool:
    """Whether each of these routes is of a class whose `handle` compares."""
    if _compared.issuperset(map(type, routes)):
        return True
    for kind in set(map(type, routes)):
        if not issubclass(kind, BaseRoute):
            return False
        _cover(kind)  # its class has kept from Starlette's that it was derived
    return True


def _cover(kind: type[BaseRoute]) -> None:
    handle = vars(kind).get("handle")
    if handle is not None and not isinstance(handle, ComparedHandle):
        kind.handle = ComparedHandle(handle)  # type: ignore[assignment]
    _compared.add(kind)
    for below in kind.__subclasses__():
        _cover(below)


class ComparedHandle:
    """`handle` of one class of routes, behind the comparison.

    A data descriptor: a `handle` that is set on a single route stands behind the comparison, too.
    """

    def __init__(self, handle: _Handle) -> None:
        turns_away = handle in _answers_405

        async def compared(route: BaseRoute, scope: Scope, receive: Receive, send: Send) -> None:
            own = vars(route).get("handle")
            run: ASGIApp = MethodType(handle, route) if own is None else own
            check = check_of(scope)
            if check is None:
                if isinstance(route, (Mount, Host)):
                    _note(route, scope)
                await run(scope, receive, send)
            else:
                await _compare(check, route, run, turns_away and own is None, scope, receive, send)

        self._compared = compared
        self.__wrapped__ = handle

    def __get__(self, route: BaseRoute | None, _owner: type | None = None) -> Callable[..., Any]:
        return self._compared if route is None else MethodType(self._compared, route)

    def __set__(self, route: BaseRoute, handle: ASGIApp) -> None:
        vars(route)["handle"] = handle

    def __delete__(self, route: BaseRoute) -> None:
        del vars(route)["handle"]


class _ComparedDefault:
    """`default` of a router: its own 404 needs no comparison, another app serves `/{path:path}`."""

    def __get__(self, router: Router | None, _owner: type | None = None) -> object:
        if router is None:
            return self
        default = vars(router)["default"]
        return default if is_plain(router) else partial(_run_default, default)

    def __set__(self, router: Router, default: ASGIApp) -> None:
        vars(router)["default"] = default


async def _run_default(default: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
    check = check_of(scope) if scope["type"] != "lifespan" else None
    if check is None:
        await default(scope, receive, send)
        return
    prefix = scope[PREFIX_KEY]
    if prefix.template is None:
        fault = check.fault_within(scope)
    else:
        above = prefix.above(scope)
        template = None if above is None else above + "/{path:path}"
        fault = check.fault(template, scope, default)
    await _run_or_refuse(check, fault, default, scope, receive, send)


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
    if is_inclusion(route):
        await run(scope, receive, send)  # it chooses once more, and that comes back here
    elif prefix.template is None:
        await _run_or_refuse(check, check.fault_within(scope), run, scope, receive, send)
    elif (below := app_below(route)) is not None:
        if prefix.mount is not route:  # otherwise its class calls the `handle` that it overrides
            template = _template_of_mount(prefix, route, scope)
            covered = can_compare(below.routes)
            fault = check.fault_on_the_way(template, scope, can_compare=covered)
            if fault is not None:
                if not check.is_for_all_of(template) or not await answer_for_none(
                    check, below, scope, receive, send
                ):
                    await check.refuse(fault, scope, send)
                return
            scope[PREFIX_KEY] = Prefix(template, scope.get("root_path", ""), route)
        try:
            await run(scope, receive, send)
        finally:
            scope[PREFIX_KEY] = prefix
    else:
        view = chosen_view(route, scope)
        if turns_away and view.methods and scope["method"] not in view.methods:
            check.passed = True
            await run(scope, receive, send)
            return
        fault = check.fault(_template(prefix, route, view, scope), scope, view)
        await _run_or_refuse(check, fault, run, scope, receive, send)


async def _run_or_refuse(
    check: RouteCheck,
    fault: Refused | None,
    run: ASGIApp,
    scope: Scope,
    receive: Receive,
    send: Send,
) -> None:
    if fault is not None:
        await check.refuse(fault, scope, send)
        return
    # What it dispatches itself was judged with it; this scope, dispatched once more, was not.
    prefix, scope[PREFIX_KEY] = scope[PREFIX_KEY], _WHOLE
    check.running += 1
    try:
        await run(scope, receive, send)
    finally:
        check.running -= 1
        scope[PREFIX_KEY] = prefix


_WHOLE = Prefix(None, "")
_NOTHING = Prefix("", "")


def _note(route: BaseRoute, scope: Scope) -> None:
    """Note what leads to a guard that is still to come: the template of an outer app's mount."""
    prefix = scope.get(PREFIX_KEY, _NOTHING)
    if prefix.mount is not route and prefix.template is not None:
        template = _template_of_mount(prefix, route, scope)
        scope[PREFIX_KEY] = Prefix(
            "?" if template is None else template, scope.get("root_path", ""), route
        )


def _template(prefix: Prefix, route: BaseRoute, view: View, scope: Scope) -> str | None:
    if isinstance(route, (Mount, Host)):
        above = _template_of_mount(prefix, route, scope)
        return None if above is None else above + "/{path:path}"
    above = prefix.above(scope)
    path = chosen_path(route, view, scope)
    return None if above is None or path is None else above + path


def _template_of_mount(prefix: Prefix, route: BaseRoute, scope: Scope) -> str | None:
    root_path: str = scope.get("root_path", "")
    if isinstance(route, Host):
        return prefix.above(scope)
    path: str = getattr(route, "path", "")
    if "{" in path:
        # What the mount has matched is text in `root_path`; what stood before it cannot be told.
        return prefix.template + path if prefix.template is not None else None
    above = prefix.above(scope, root_path.removesuffix(path))
    return None if above is None else above + path
