"""The host and the method of a request.

Input: an ASGI scope. Output: the value of its one `Host` field, as bytes; its method, or that it
opens a WebSocket. It compares nothing.
"""

from starlette.types import Scope

from fastgate.routes.framework import WEBSOCKET

HOST = b"host"
"""The name of the field, lower case."""


def host_of(scope: Scope) -> bytes | None:
    """Return the one `Host`; None if there is none, or more than one (RFC 9112 §3.2)."""
    found: bytes | None = None
    for name, value in scope.get("headers", ()):
        if len(name) == 4 and name.lower() == HOST:
            if found is not None:
                return None
            found = value
    return found


def method_of(scope: Scope) -> str:
    """Return the method of a request, or `WEBSOCKET`."""
    return WEBSOCKET if scope["type"] == "websocket" else str(scope["method"])
