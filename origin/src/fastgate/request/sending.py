"""Change the app's response where the guard has to: an ASGI `send` around the server's.

Input: a scope that the guard let through, its comparison, and `send`. Output: the `send` for the
app.

- A refusal replaces the response of an endpoint that was not compared.
- The head of the response gets the surrogate keys that the app names (`request.response_keys`).
- The response to a verified request repeats its `Doctor-Nonce`. An edge that responds itself, or
  from a cache, cannot know this value, which is new for each request.
- Pages cannot set `Authorization` on a WebSocket. On a route with `bearer_subprotocol` they offer
  the subprotocols `["bearer", token, …]`. The edge removes the first two, passes the rest to the
  app and sends `Fastgate-Subprotocol`. A browser closes the connection if it offered subprotocols
  and the server chose none. Therefore `bearer` is added to the accept if the app chose none.
"""

import re
from collections.abc import Awaitable

from starlette.types import Message, Scope, Send

from fastgate import errors
from fastgate.claims import SCOPE_KEY
from fastgate.request.observe import OBSERVED_KEY
from fastgate.request.response_keys import ResponseKeys
from fastgate.responses import refuse
from fastgate.routes.check import RouteCheck

NONCE = "Doctor-Nonce"
"""A field of requests and responses. The edge forwards it: its prefix is not reserved."""
SUBPROTOCOL_HEADER = b"fastgate-subprotocol"
BEARER = "bearer"

_NONCE_NAME = NONCE.lower().encode()
OPTIONAL_LENGTHS = frozenset((len(_NONCE_NAME), len(SUBPROTOCOL_HEADER)))
"""The lengths of the names of the fields that `send_for` reads."""
_NONCE_VALUE = re.compile(rb"[A-Za-z0-9_-]{16,64}")


def send_for(
    check: RouteCheck,
    keys: ResponseKeys,
    scope: Scope,
    send: Send,
    *,
    has_optional: bool,
    observe: bool,
) -> Send:
    """Return the `send` for the app; remove `Fastgate-Subprotocol` from the scope.

    Args:
        check: the comparison of the request.
        keys: the surrogate keys that the app names in its response.
        scope: its scope.
        send: the server's.
        has_optional: whether the name of a field has one of `OPTIONAL_LENGTHS`.
        observe: whether no response is refused.

    """
    if has_optional:
        if OBSERVED_KEY not in scope:
            send = _with_subprotocol(scope, send)
        if scope[SCOPE_KEY] is not None:
            send = _with_nonce(scope, send)
    return _with_keys(keys, send) if observe else _only_if_compared(check, keys, scope, send)


def _with_keys(keys: ResponseKeys, send: Send) -> Send:
    def send_with_keys(message: Message) -> Awaitable[None]:
        return send(message if keys.has_begun else keys.added_to(message))

    return send_with_keys


def _only_if_compared(check: RouteCheck, keys: ResponseKeys, scope: Scope, send: Send) -> Send:
    """Replace the response of an endpoint that was not compared by a refusal.

    The framework's routers run no such endpoint. This is for routers that dispatch differently.
    """
    before = scope.get("endpoint")  # set by a router outside of the guard

    def send_if_compared(message: Message) -> Awaitable[None]:
        if check.done:
            return send(message if keys.has_begun else keys.added_to(message))
        if check.refused:
            return send(message)
        at = scope.get("endpoint")
        if at is before or (check.passed and at is check.passed_at):
            return send(message if keys.has_begun else keys.added_to(message))
        return _withhold(check, scope, send)

    return send_if_compared


async def _withhold(check: RouteCheck, scope: Scope, send: Send) -> None:
    if not check.withheld:
        check.withheld = True
        await refuse(errors.RouteMismatch(), scope, send)


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
    """Accept with `bearer` if the edge reports that the page offered it.

    Every spelling of the header is removed. Only the exact header of the edge has an effect, and
    only on a WebSocket.
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
