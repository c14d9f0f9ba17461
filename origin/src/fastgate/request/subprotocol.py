"""The subprotocol `bearer`, by which a page handed its token over to the edge.

In: a verified scope, and `send`. Out: the scope without `Fastgate-Subprotocol`, and a `send` that
answers for it. Pages cannot set `Authorization` on a WebSocket: on a route with
`bearer_subprotocol` they offer `["bearer", token, …]`, the edge takes both away, offers the rest to
the app and says so in that header. Browsers give a connection up for which they offered
subprotocols and none was chosen: where the app chose none, `bearer` is added to its accept.
"""

from collections.abc import Awaitable

from starlette.types import Message, Scope, Send

HEADER = b"fastgate-subprotocol"
BEARER = "bearer"


def accepting(scope: Scope, send: Send) -> Send:
    """Take the header out of a verified scope; return the `send` that answers for it.

    Every spelling of the header is taken out. One that is not exactly the edge's changes nothing,
    nor does one on a request that is no WebSocket.
    """
    if not any(_is_ours(name) for name, _ in scope["headers"]):
        return send
    said = [value for name, value in scope["headers"] if name.lower() == HEADER]
    scope["headers"] = [field for field in scope["headers"] if not _is_ours(field[0])]
    if scope["type"] != "websocket" or said != [BEARER.encode("ascii")]:
        return send

    def send_with_subprotocol(message: Message) -> Awaitable[None]:
        if message["type"] == "websocket.accept" and message.get("subprotocol") is None:
            message = {**message, "subprotocol": BEARER}
        return send(message)

    return send_with_subprotocol


def _is_ours(name: bytes) -> bool:
    return len(name) == len(HEADER) and name.lower().replace(b"_", b"-") == HEADER
