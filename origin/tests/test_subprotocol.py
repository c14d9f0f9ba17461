"""The subprotocol in which a page sends its token to the edge, and the response to it."""

import pytest
from fastapi import WebSocket
from starlette.types import Message, Receive, Scope, Send

from fastgate import FastgateMiddleware
from tests.edge import HOST_FIELD, Edge

pytestmark = pytest.mark.anyio

PATH, TEMPLATE = "/updates", "/updates"
OURS = (b"fastgate-subprotocol", b"bearer")


class Accepting:
    """An app that accepts with `subprotocol`, and records the fields that it receives."""

    def __init__(self, subprotocol: str | None) -> None:
        self.subprotocol = subprotocol
        self.headers: list[tuple[bytes, bytes]] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.headers = scope["headers"]
        socket = WebSocket(scope, receive, send)
        await socket.accept(self.subprotocol)
        await socket.close()


async def accepted(edge: Edge, app: Accepting, *fields: tuple[bytes, bytes]) -> list[Message]:
    """Open a WebSocket with these fields; return what the app sent through the guard."""
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "websocket.connect"}

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {
        "type": "websocket",
        "path": PATH,
        "raw_path": PATH.encode(),
        "query_string": b"",
        "headers": [
            HOST_FIELD,
            (b"fastgate-identity", edge.mint(PATH, TEMPLATE, websocket=True)),
            *fields,
        ],
        "subprotocols": [],
    }
    await FastgateMiddleware(app, edge.settings())(scope, receive, send)
    return sent


async def test_bearer_is_chosen_if_the_page_offered_it_and_the_app_chose_none(
    edge: Edge,
) -> None:
    app = Accepting(None)
    accept, close = await accepted(edge, app, OURS, (b"x-other", b"kept"))
    assert (accept["type"], accept["subprotocol"]) == ("websocket.accept", "bearer")
    assert close["type"] == "websocket.close"
    assert app.headers == [HOST_FIELD, (b"x-other", b"kept")]


@pytest.mark.parametrize(
    ("chosen", "fields", "expected"),
    [
        ("chat", [OURS], "chat"),
        (None, [], None),
        (None, [(b"fastgate-subprotocol", b"chat")], None),
        (None, [OURS, OURS], None),
        (None, [(b"fastgate_subprotocol", b"bearer")], None),
    ],
)
async def test_bearer_is_chosen_only_if_the_edge_reports_the_offer(
    edge: Edge, chosen: str | None, fields: list[tuple[bytes, bytes]], expected: str | None
) -> None:
    app = Accepting(chosen)
    accept, _ = await accepted(edge, app, *fields)
    assert accept.get("subprotocol") == expected
    assert app.headers == [HOST_FIELD]
