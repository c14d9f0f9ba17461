"""Hold back the body of a request until it is compared with the digest that the edge signed.

In: the body as it arrives, and its `tctx.content_digest`. Out: the same body, whole, for the app to
receive; or `ContentMismatch`, and the app never hears of it. It reads no further than the limit.
"""

import base64
import hashlib
from typing import NamedTuple

from starlette.types import Message, Receive, Scope

from fastgate.errors import ContentMismatch


class ClientGone(Exception):
    """The client left before its body was whole: there is no client to respond to."""


def content_digest(content: bytes) -> str:
    """Return the value of `Content-Digest` for this content (RFC 9530 §2), by SHA-256."""
    return f"sha-256=:{base64.b64encode(hashlib.sha256(content).digest()).decode()}:"


class Body(NamedTuple):
    """What has arrived of a body."""

    content: bytes | None
    """The whole of it; None if it is longer than the limit, or did not come to its end."""
    gone: bool
    """Whether the client left before its end."""
    receive: Receive
    """Brings it anew, and then what comes behind it: nothing that was read is lost."""


async def matched(scope: Scope, receive: Receive, expected: str, limit: int) -> Receive:
    """Return a `receive` that brings the body anew, if it is the expected one.

    Raises:
        ContentMismatch: it is another one, or longer than `limit` bytes.
        ClientGone: it did not come to its end.

    """
    content, replayed = await whole(scope, receive, limit)
    if content_digest(content) != expected:
        raise ContentMismatch
    return replayed


async def whole(scope: Scope, receive: Receive, limit: int) -> tuple[bytes, Receive]:
    """Return the whole body, and a `receive` that brings it anew. Raises as `matched`."""
    body = await read_body(scope, receive, limit)
    if body.gone:
        raise ClientGone
    if body.content is None:
        raise ContentMismatch
    return body.content, body.receive


async def read_body(scope: Scope, receive: Receive, limit: int) -> Body:
    """Read a body of up to `limit` bytes. One that is announced to be longer stays unread."""
    if scope["type"] != "http":
        return Body(b"", gone=False, receive=receive)  # a WebSocket's handshake has none
    if _announced(scope) > limit:
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


def _announced(scope: Scope) -> int:
    for name, value in scope["headers"]:
        # The server has judged the field; what is no number here is measured as it comes.
        if name.lower() == b"content-length" and value.isdigit():
            return int(value[:20])
    return 0


def _replay(body: bytes, more: bool, receive: Receive, *behind: Message) -> Receive:
    waiting: list[Message] = [{"type": "http.request", "body": body, "more_body": more}, *behind]

    async def replayed() -> Message:
        # Behind the body comes that the client has left.
        return waiting.pop(0) if waiting else await receive()

    return replayed
