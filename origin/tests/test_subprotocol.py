"""The subprotocol by which a page handed its token over to the edge, and the answer to it."""

import pytest
from fastapi import WebSocket
from starlette.types import Message, Receive, Scope, Send

from fastgate import FastgateMiddleware
from tests.edge import Edge

pytestmark = pytest.mark.anyio

PATH, TEMPLATE = "/updates", "/updates"
OURS = (b"fastgate-subprotocol", b"bearer")


class Accepting:
    """An app that accepts with `subprotocol`, and remembers the fields that it was shown."""

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
        "headers": [(b"fastgate-identity", edge.mint(PATH, TEMPLATE, websocket=True)), *fields],
        "subprotocols": [],
    }
    await FastgateMiddleware(app, edge.settings())(scope, receive, send)
    return sent


async def test_bearer_is_chosen_where_the_page_offered_it_and_the_app_chose_none(
    edge: Edge,
) -> None:
    app = Accepting(None)
    accept, close = await accepted(edge, app, OURS, (b"x-other", b"kept"))
    assert (accept["type"], accept["subprotocol"]) == ("websocket.accept", "bearer")
    assert close["type"] == "websocket.close"
    assert app.headers == [(b"x-other", b"kept")]


@pytest.mark.parametrize(
    ("chosen", "fields", "answered"),
    [
        ("chat", [OURS], "chat"),
        (None, [], None),
        (None, [(b"fastgate-subprotocol", b"chat")], None),
        (None, [OURS, OURS], None),
        (None, [(b"fastgate_subprotocol", b"bearer")], None),
    ],
)
async def test_nothing_is_chosen_but_for_the_edges_own_word(
    edge: Edge, chosen: str | None, fields: list[tuple[bytes, bytes]], answered: str | None
) -> None:
    app = Accepting(chosen)
    accept, _ = await accepted(edge, app, *fields)
    assert accept.get("subprotocol") == answered
    assert app.headers == []
