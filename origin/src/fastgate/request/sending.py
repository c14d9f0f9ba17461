"""What the guard changes about the app's response: an ASGI `send` around the server's.

In: a scope that the guard let through, its comparison, and `send`. Out: the `send` for the app.

- A response of an endpoint that was not compared is replaced by a refusal.
- `Doctor-Nonce` of a verified request is repeated in its response. An edge that responds itself,
  or from a cache, cannot know a value that was made for this one request.
- Pages cannot set `Authorization` on a WebSocket: on a route with `bearer_subprotocol` they offer
  `["bearer", token, …]`. The edge removes both, offers the rest to the app and says so in
  `Fastgate-Subprotocol`. Browsers close a connection for which they offered subprotocols and none
  was chosen: where the app chose none, `bearer` is added to its accept.
"""

import re
from collections.abc import Awaitable

from starlette.types import Message, Scope, Send

from fastgate import errors
from fastgate.claims import SCOPE_KEY
from fastgate.request.observe import is_observed
from fastgate.responses import refuse
from fastgate.routes.check import RouteCheck

NONCE = "Doctor-Nonce"
"""A field of requests and responses that the edge passes on: it has no reserved prefix."""
SUBPROTOCOL_HEADER = b"fastgate-subprotocol"
BEARER = "bearer"

_NONCE_NAME = NONCE.lower().encode()
_NONCE_VALUE = re.compile(rb"[A-Za-z0-9_-]{16,64}")


def send_for(check: RouteCheck, scope: Scope, send: Send, *, observe: bool) -> Send:
    """Return the `send` for the app; take `Fastgate-Subprotocol` out of the scope."""
    if not is_observed(scope):
        send = _with_subprotocol(scope, send)
    if scope[SCOPE_KEY] is not None:
        send = _with_nonce(scope, send)
    return send if observe else _only_if_compared(check, scope, send)


def _only_if_compared(check: RouteCheck, scope: Scope, send: Send) -> Send:
    """Refuse in place of a response that comes from an endpoint that was not compared.

    No router known here runs one. This is for a router that dispatches in a way of its own.
    """
    before = scope.get("endpoint")  # what a router outside of the guard has named

    async def withhold() -> None:
        if not check.withheld:
            check.withheld = True
            await refuse(errors.RouteMismatch(), scope, send)

    def send_if_compared(message: Message) -> Awaitable[None]:
        at = scope.get("endpoint")
        passed = at is before or (check.passed and at is check.passed_at)
        if check.done or check.refused or passed:
            return send(message)
        return withhold()

    return send_if_compared


def _with_nonce(scope: Scope, send: Send) -> Send:
    """Repeat the nonce of a verified HTTP request in its response."""
    found = [value for name, value in scope["headers"] if name.lower() == _NONCE_NAME]
    if scope["type"] != "http" or len(found) != 1 or not _NONCE_VALUE.fullmatch(found[0]):
        return send

    async def send_with_nonce(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = [*message.get("headers", ()), (_NONCE_NAME, found[0])]
            message = {**message, "headers": headers}
        await send(message)

    return send_with_nonce


def _with_subprotocol(scope: Scope, send: Send) -> Send:
    """Accept with `bearer` where the edge says that the page offered it.

    Every spelling of the header is taken out. One that is not exactly the edge's changes nothing,
    nor does one on a request that is no WebSocket.
    """
    if not any(_is_subprotocol(name) for name, _ in scope["headers"]):
        return send
    values = [value for name, value in scope["headers"] if name.lower() == SUBPROTOCOL_HEADER]
    scope["headers"] = [field for field in scope["headers"] if not _is_subprotocol(field[0])]
    if scope["type"] != "websocket" or values != [BEARER.encode("ascii")]:
        return send

    def send_with_subprotocol(message: Message) -> Awaitable[None]:
        if message["type"] == "websocket.accept" and message.get("subprotocol") is None:
            message = {**message, "subprotocol": BEARER}
        return send(message)

    return send_with_subprotocol


def _is_subprotocol(name: bytes) -> bool:
    known = SUBPROTOCOL_HEADER
    return len(name) == len(known) and name.lower().replace(b"_", b"-") == known
