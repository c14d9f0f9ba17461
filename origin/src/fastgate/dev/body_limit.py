"""Limit the bodies of requests to the page and the provider.

Input: an ASGI app. Output: the same, which gets a whole body at once, or no request: a longer body
is refused before it is read.
"""

import asyncio
import contextlib
from http import HTTPStatus

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from fastgate.problem import Problem
from fastgate.responses import respond

MAX_BODY = 1_048_576
"""Bytes. A token has some kilobytes, so a request for one needs no more."""
_DISCARDED_FOR = 2
"""Seconds for the rest of a longer body, after the response."""

_TOO_LONG = Problem(
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    "body-too-long",
    "The body is too long",
    ("Connection", "close"),  # the rest of the body is not read
    f"Send at most {MAX_BODY} bytes.",
)


class _ClientGone(Exception):
    """The client disconnected before its body was complete, so it gets no response."""


class BodyLimit:
    """Pure ASGI middleware."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or refuse it."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        try:
            body = None if _announced(scope) > MAX_BODY else await _read(receive)
        except _ClientGone:
            return
        if body is None:
            await respond(_TOO_LONG, scope, _EndedLater(receive, send))
            return
        await self.app(scope, _Replayed(body, receive), send)


class _EndedLater:
    """Sends a whole response, and ends it when the rest of the body has been discarded.

    A connection that is closed with bytes unread is reset, and the response may be lost.
    """

    def __init__(self, receive: Receive, send: Send) -> None:
        self._receive, self._send = receive, send

    async def __call__(self, message: Message) -> None:
        if message["type"] != "http.response.body":
            await self._send(message)
            return
        await self._send({**message, "more_body": True})
        with contextlib.suppress(TimeoutError, asyncio.TimeoutError):
            await asyncio.wait_for(self._discard(), _DISCARDED_FOR)
        await self._send({"type": "http.response.body", "body": b""})

    async def _discard(self) -> None:
        while (message := await self._receive())["type"] == "http.request":
            if not message.get("more_body", False):
                return


class _Replayed:
    """Returns a body that was read already, and then what the server says."""

    def __init__(self, body: bytes, receive: Receive) -> None:
        self._body: bytes | None = body
        self._receive = receive

    async def __call__(self) -> Message:
        if self._body is None:
            return await self._receive()
        body, self._body = self._body, None
        return {"type": "http.request", "body": body, "more_body": False}


async def _read(receive: Receive) -> bytes | None:
    """Return the body; None if it is too long. Raises `_ClientGone`."""
    read = bytearray()
    while True:
        message = await receive()
        if message["type"] != "http.request":
            raise _ClientGone
        read += message.get("body", b"")
        if len(read) > MAX_BODY:
            return None
        if not message.get("more_body", False):
            return bytes(read)


def _announced(scope: Scope) -> int:
    """Return `Content-Length`, which the server has checked; 0 without one."""
    for name, value in scope["headers"]:
        if name.lower() == b"content-length" and value.isdigit():
            return int(value[:20])
    return 0
