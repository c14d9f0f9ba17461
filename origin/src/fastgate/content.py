"""Hold back the body of a request until it is compared with the digest that the edge signed.

Input: the body as it arrives, and its `tctx.content_digest` and `tctx.mcp`. Output: a `receive`
that delivers the same body, complete, to the app; or `ContentMismatch`, and the app does not run.
It reads no further than the limit.
"""

import base64
import hashlib
from typing import NamedTuple

from starlette.types import Message, Receive, Scope

from fastgate.claims import Transaction
from fastgate.errors import ContentMismatch
from fastgate.mcp_message import is_message


class ClientGone(Exception):
    """The client disconnected before its body was complete, so it gets no response."""


def content_digest(content: bytes) -> str:
    """Return the value of `Content-Digest` for this content (RFC 9530 §2), by SHA-256."""
    return f"sha-256=:{base64.b64encode(hashlib.sha256(content).digest()).decode()}:"


class Body(NamedTuple):
    """The part of a body that has arrived."""

    content: bytes | None
    """The complete body; None if it is longer than the limit, or incomplete."""
    gone: bool
    """Whether the client disconnected before the end of the body."""
    receive: Receive
    """A `receive` that delivers everything that was read, and then further messages."""


async def matched(
    scope: Scope, receive: Receive, judged: Transaction, limit: int
) -> tuple[bytes, Receive]:
    """Return the body, and a `receive` that delivers it again, if it is the one that was judged.

    Raises:
        ContentMismatch: the body or its message is another one, or it is longer than `limit` bytes.
        ClientGone: the client disconnected before the end of the body.

    """
    content, replayed = await whole(scope, receive, limit)
    if not is_judged(content, judged):
        raise ContentMismatch
    return content, replayed


def is_judged(content: bytes, judged: Transaction) -> bool:
    """Whether a body has the signed digest, and is the message that the edge judged, if any."""
    if content_digest(content) != judged.content_digest:
        return False
    return judged.mcp is None or is_message(content, judged.mcp)


async def whole(scope: Scope, receive: Receive, limit: int) -> tuple[bytes, Receive]:
    """Return the whole body, and a `receive` that delivers it again. Raises as `matched`."""
    body = await read_body(scope, receive, limit)
    if body.gone:
        raise ClientGone
    if body.content is None:
        raise ContentMismatch
    return body.content, body.receive


async def read_body(scope: Scope, receive: Receive, limit: int) -> Body:
    """Read a body of up to `limit` bytes. Leave it unread if `Content-Length` is larger."""
    if scope["type"] != "http":
        return Body(b"", gone=False, receive=receive)  # the handshake of a WebSocket has no body
    if _content_length(scope) > limit:
        return Body(None, gone=False, receive=receive)
    content, more = bytearray(), True
    while more and len(content) <= limit:
        message = await receive()
        if message["type"] != "http.request":
            return Body(None, gone=True, receive=_replay(bytes(content), True, receive, message))
        content += message.get("body", b"")
        more = message.get("more_body", False)
    body = bytes(content)
    replayed = _replay(body, more, receive)
    return Body(body if len(body) <= limit else None, gone=False, receive=replayed)


def _content_length(scope: Scope) -> int:
    for name, value in scope["headers"]:
        # The server has checked the field. A body without a number is measured as it arrives.
        if name.lower() == b"content-length" and value.isdigit():
            return int(value[:20])
    return 0


def _replay(body: bytes, more: bool, receive: Receive, *behind: Message) -> Receive:
    waiting: list[Message] = [{"type": "http.request", "body": body, "more_body": more}, *behind]

    async def replayed() -> Message:
        # The messages after the body end with the disconnect.
        return waiting.pop(0) if waiting else await receive()

    return replayed
