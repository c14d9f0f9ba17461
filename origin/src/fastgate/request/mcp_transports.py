"""Refuse messages to MCP servers that the edge did not judge, where `mcp` receives them.

Input: the package `mcp`, once it is loaded. Output: the same functions, changed so that they refuse
a message of a guarded request that the edge did not judge, if any tool in this process has a rule
that requires something. So it does not matter which function, object or middleware of the app
passes the message on. The package is never imported here.
"""

import sys
from collections.abc import Awaitable, Callable
from functools import wraps
from typing import Any, TypeAlias

from fastgate.body_check import UNJUDGED
from fastgate.declare.mcp_endpoint import mcp_endpoint_in
from fastgate.declare.values.mcp import requires_anything
from fastgate.errors import RouteMismatch
from fastgate.request.observe import ObservedCheck
from fastgate.routes.check import CHECK_KEY, RouteCheck

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
    """Change the functions that are loaded by now. Idempotent, and cheap once they are changed."""
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
        scope, _, send = arguments[-3:]
        check = scope.get(CHECK_KEY)
        is_guarded = isinstance(check, RouteCheck) and not isinstance(check, ObservedCheck)
        if is_guarded and requires_anything() and not _is_judged(check, scope):
            fault = RouteMismatch(found=f"{scope.get('path')}, {UNJUDGED}")
            await check.refuse(fault, scope, send)
            return
        await handle(*arguments)

    return checked


def _is_judged(check: RouteCheck, scope: dict[str, object]) -> bool:
    """Whether the edge judged the message, or the route was compared that has none (sessions)."""
    if check.judged is None:
        return False
    return check.judged.mcp is not None or mcp_endpoint_in(scope.get("endpoint")) is not None
