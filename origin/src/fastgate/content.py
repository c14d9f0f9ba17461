"""Hold a request's body back until it is known to be the one that the edge signed.

In: the body as it arrives, and its `tctx.content_digest`. Out: the same body, whole, for the app to
receive; or `ContentMismatch`, and the app never hears of it. It reads no further than the limit.
"""

import base64
import hashlib

from starlette.types import Message, Receive, Scope

from fastgate.errors import ContentMismatch


class ClientGone(Exception):
    """The client left before its body was whole: there is nobody to answer."""


def content_digest(content: bytes) -> str:
    """Return the value of `Content-Digest` for this content (RFC 9530 §2), by SHA-256."""
    return f"sha-256=:{base64.b64encode(hashlib.sha256(content).digest()).decode()}:"


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
    if scope["type"] != "http":
        return b"", receive  # a WebSocket's handshake has none
    if _announced(scope) > limit:
        raise ContentMismatch
    content, more = bytearray(), True
    while more:
        message = await receive()
        if message["type"] != "http.request":
            raise ClientGone
        content += message.get("body", b"")
        if len(content) > limit:
            raise ContentMismatch
        more = message.get("more_body", False)
    body = bytes(content)
    return body, _replay(body, receive)


def _announced(scope: Scope) -> int:
    for name, value in scope["headers"]:
        # The server has judged the field; what is no number here is measured as it comes.
        if name.lower() == b"content-length" and value.isdigit():
            return int(value[:20])
    return 0


def _replay(body: bytes, receive: Receive) -> Receive:
    sent = False

    async def replayed() -> Message:
        nonlocal sent
        if sent:
            return await receive()  # what comes behind the body: that the client has left
        sent = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replayed
