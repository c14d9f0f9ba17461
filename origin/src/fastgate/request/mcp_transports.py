"""Refuse messages to MCP servers that the edge did not judge, where `mcp` receives them.

Input: the package `mcp`, once it is loaded. Output: the same functions, changed so that they refuse
a message of a guarded request that the edge did not judge, if any tool in this process has a rule
that requires something. So it does not matter which function, object or middleware of the app
passes the message on. A guard that only observes reports the message. The package is never imported
here.
"""

import sys
from collections.abc import Awaitable, Callable
from functools import wraps
from typing import Any, TypeAlias

from starlette.types import Receive, Scope

from fastgate.body_check import UNJUDGED
from fastgate.declare.mcp_endpoint import mcp_endpoint_in
from fastgate.declare.static_access import attribute
from fastgate.declare.values.mcp import requires_anything, when_a_rule_is_made
from fastgate.errors import RouteMismatch
from fastgate.request.observe import ObservedCheck
from fastgate.routes.check import CHECK_KEY, RouteCheck, current, is_made_of

_RECEIVE = (
    ("mcp.server.streamable_http_manager", "StreamableHTTPSessionManager", "handle_request"),
    # An app may have stored the first as a method, but these are looked up for each message: one
    # for revisions with sessions, one for those without.
    ("mcp.server.streamable_http", "StreamableHTTPServerTransport", "handle_request"),
    ("mcp.server.streamable_http_manager", None, "handle_modern_request"),
    ("mcp.server.sse", "SseServerTransport", "handle_post_message"),
)
"""What receives messages: a module, a class of it or None, and a function whose last arguments are
those of an ASGI app. Not every version has each of them."""
_Receive: TypeAlias = Callable[..., Awaitable[None]]
_changed: set[tuple[str, str | None]] = set()


def check_transports() -> None:
    """Change the functions that are loaded by now, if any rule requires something. Idempotent."""
    if not requires_anything():
        return
    for module, kind, name in _RECEIVE:
        if (module, kind) in _changed or (loaded := sys.modules.get(module)) is None:
            continue
        holder = loaded if kind is None else getattr(loaded, kind, None)
        if (found := getattr(holder, name, None)) is not None:  # it may be half loaded
            setattr(holder, name, _checked(found))
            _changed.add((module, kind))


def _checked(handle: _Receive) -> _Receive:
    @wraps(handle)
    async def checked(*arguments: Any) -> None:  # noqa: ANN401 - as the package passes them
        scope, receive, send = arguments[-3:]
        check = _check_around(scope, receive) if requires_anything() else None
        if check is not None and not _is_judged(check, arguments[0]):
            fault = RouteMismatch(found=f"{scope.get('path')}, {UNJUDGED}")
            if not isinstance(check, ObservedCheck):
                await check.refuse(fault, scope, send)
                return
            check.report(fault, scope)
        await handle(*arguments)

    return checked


def _check_around(scope: Scope, receive: Receive) -> RouteCheck | None:
    """Return the check of the guarded request that a scope is, or was made of; None without one."""
    check = scope.get(CHECK_KEY)
    if not isinstance(check, RouteCheck):
        check = current.get()
        if check is None or check.over or not is_made_of(check, scope, receive):
            return None
    return check


def _is_judged(check: RouteCheck, receiver: object) -> bool:
    """Whether the compared route is the endpoint of a server, and, as far as known, of this one.

    `body_check` has compared the message, or that there is none, when the route was chosen.
    """
    endpoint = mcp_endpoint_in(getattr(check.compared, "endpoint", None))
    if endpoint is None or not check.done or check.judged is None:
        return False
    manager = attribute(endpoint, "session_manager")
    kind = type(receiver).__name__
    if kind.endswith("SessionManager"):
        return receiver is manager
    return receiver is attribute(manager, "app") if kind == "Server" else True


when_a_rule_is_made(check_transports)
