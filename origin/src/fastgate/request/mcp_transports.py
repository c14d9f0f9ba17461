"""Refuse messages to MCP servers that the edge did not judge, where `mcp` receives them.

Input: the transports of the package `mcp`, once it is loaded. Output: the same classes, changed so
that they refuse a message of a guarded request, if it may use a tool with a rule and the edge did
not judge it. So it does not matter which function, object or middleware of the app passes the
message on. The package is never imported here.
"""

import sys
from collections.abc import Awaitable, Callable
from functools import wraps
from typing import TypeAlias
from weakref import WeakKeyDictionary

from starlette.types import Receive, Scope, Send

from fastgate.declare.mcp_endpoint import has_rules, mcp_endpoint_in
from fastgate.declare.values.mcp import number_of_rules, requires_anything
from fastgate.errors import RouteMismatch
from fastgate.request.observe import ObservedCheck
from fastgate.routes.check import CHECK_KEY, RouteCheck

_ACCEPTED_KEY = "fastgate.mcp"
"""This key is in the scope of a message that may pass to the transport of a session."""
_Handle: TypeAlias = Callable[[object, Scope, Receive, Send], Awaitable[None]]
_changed: set[str] = set()
_found: WeakKeyDictionary[object, tuple[int, bool]] = WeakKeyDictionary()
"""For each session manager, how many rules there were when it was examined, and the result."""


def check_transports() -> None:
    """Change the transports that are loaded by now. Idempotent, and cheap once they are changed."""
    for module, (kind, method, needs_judgement) in _TRANSPORTS.items():
        if module in _changed or (loaded := sys.modules.get(module)) is None:
            continue
        found = getattr(loaded, kind, None)
        if found is not None:  # it may be half loaded
            setattr(found, method, _checked(getattr(found, method), needs_judgement))
            _changed.add(module)


def _checked(handle: _Handle, needs_judgement: Callable[[object, Scope], bool]) -> _Handle:
    @wraps(handle)
    async def checked(transport: object, scope: Scope, receive: Receive, send: Send) -> None:
        check = scope.get(CHECK_KEY)
        if isinstance(check, RouteCheck) and not isinstance(check, ObservedCheck):
            if not _is_judged(check, scope) and needs_judgement(transport, scope):
                found = f"{scope.get('path')}, an MCP server whose messages the edge has to judge"
                await check.refuse(RouteMismatch(found=found), scope, send)
                return
            scope[_ACCEPTED_KEY] = True
        await handle(transport, scope, receive, send)

    return checked


def _is_judged(check: RouteCheck, scope: Scope) -> bool:
    """Whether the edge judged the message, or the route was compared that has none (sessions)."""
    if check.judged is None:
        return False
    return check.judged.mcp is not None or mcp_endpoint_in(scope.get("endpoint")) is not None


def _of_manager(manager: object, _scope: Scope) -> bool:
    if not requires_anything():
        return False
    count = number_of_rules()
    known = _found.get(manager)
    if known is None or known[0] != count:
        known = _found[manager] = count, has_rules([manager])
    return known[1]


def _of_session(_transport: object, scope: Scope) -> bool:
    return requires_anything() and _ACCEPTED_KEY not in scope


def _of_events(_transport: object, _scope: Scope) -> bool:
    return requires_anything()  # which server it belongs to is not known here


_TRANSPORTS = {
    "mcp.server.streamable_http_manager": (
        "StreamableHTTPSessionManager",
        "handle_request",
        _of_manager,
    ),
    "mcp.server.streamable_http": (
        "StreamableHTTPServerTransport",
        "handle_request",
        _of_session,
    ),
    "mcp.server.sse": ("SseServerTransport", "handle_post_message", _of_events),
}
