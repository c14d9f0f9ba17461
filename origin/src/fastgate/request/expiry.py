"""End WebSockets, event streams and, if so configured, other responses when the token expires.

Input: the expiry of the caller's token, and one connection. Output: the app runs unchanged. When
the token expires, a WebSocket is closed with code 1008 (RFC 6455 §7.4.1) and an event stream ends,
so that the client has to return with a valid token. There is no timer for any other response.
"""

import logging
from collections.abc import Awaitable, Callable
from collections.abc import Set as AbstractSet
from functools import partial
from typing import Literal, TypeAlias, get_args

import anyio
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocketDisconnect

from fastgate.background import Job, call_later, start

EndWithToken: TypeAlias = Literal["sessions", "all", "none"]
"""The connections that end with the token: WebSockets and event streams, all responses, or none."""
CLOSE_CODE = 1008
REASON = "token expired"
_DELAY, _MAX_DELAYS = 0.05, 20
"""The delay, in seconds, and the number of delays for sends of an app that knows of the end."""
_CONTENT_TYPE_LENGTH = len(b"content-type")
_CHOICES = get_args(EndWithToken)

_log = logging.getLogger("fastgate")


class TokenExpired(ConnectionError):
    """The connection has ended. To the app it looks as if the client had disconnected."""


def check_choice(choice: object) -> None:
    """Raise `ValueError` if this is not an `EndWithToken`."""
    if choice not in _CHOICES:
        raise ValueError(f"end_with_token: is {choice!r}; write one of {', '.join(_CHOICES)}")


async def run_until(
    app: ASGIApp,
    scope: Scope,
    receive: Receive,
    send: Send,
    *,
    expires_at: float,
    now: Callable[[], float],
    every_response: bool,
) -> None:
    """Run the app for one connection, at most until `expires_at` (Unix time, seconds)."""
    kind = _WebSocket if scope["type"] == "websocket" else _Response
    connection = kind(send, expires_at, now, every_response=every_response)
    connection.begin()
    try:
        await app(scope, partial(connection.receive, receive), connection.send)
    except Exception as error:
        # After the end the app cannot send. The resulting error is not its fault.
        if not connection.ended or not _is_disconnect(error):
            raise
    finally:
        connection.forget()
        if connection.closing is not None:
            await connection.closing.wait()
    if connection.ended:
        _log.info("ended: token-expired")


def _is_disconnect(error: Exception) -> bool:
    """Whether an error reports only a disconnect; for a task group, whether all its errors do."""
    if isinstance(error, ExceptionGroup):
        return all(map(_is_disconnect, error.exceptions))
    return isinstance(error, (OSError, WebSocketDisconnect, ClientDisconnect))


class _Connection:
    """The common base of WebSockets and responses."""

    _cancel_timer: Callable[[], object] | None = None
    closing: Job | None = None
    """The job that sends the last message."""
    ended = False

    def __init__(
        self, send: Send, expires_at: float, now: Callable[[], float], *, every_response: bool
    ) -> None:
        self._send = send
        self._expires_at = expires_at
        self._now = now
        self._every_response = every_response

    def begin(self) -> None:
        """Start the timer, if the connection needs one from the beginning."""

    def send(self, message: Message) -> Awaitable[None]:
        """Send a message of the app."""
        raise NotImplementedError

    async def receive(self, receive: Receive) -> Message:
        """Receive a message for the app."""
        return await receive()

    def forget(self) -> None:
        """Cancel the timer, if there is one."""
        if self._cancel_timer is not None:
            self._cancel_timer()

    def _end_later(self, last: Message) -> None:
        seconds_left = max(0.0, self._expires_at - self._now())
        self._cancel_timer = call_later(seconds_left, lambda: self._end(last))

    def _end(self, last: Message) -> None:
        self.ended = True
        self.closing = start(lambda: self._send_last(last))

    async def _send_last(self, last: Message) -> None:
        try:
            await self._send(last)
        except Exception as error:  # the server has closed the connection already
            _log.debug("the connection had ended already: %r", error)


class _WebSocket(_Connection):
    """A WebSocket is closed at the end. Sending is an error then; receiving gets a disconnect."""

    def begin(self) -> None:
        self._end_later({"type": "websocket.close", "code": CLOSE_CODE, "reason": REASON})

    async def send(self, message: Message) -> None:
        if not self.ended:
            if message["type"] in ("websocket.close", "websocket.http.response.start"):
                self.forget()
            await self._send(message)
        elif message["type"] != "websocket.close":
            raise TokenExpired(REASON)


class _Response(_Connection):
    """An event stream ends regularly; another response, if so configured, is aborted."""

    _is_stream = False
    _knows = False
    _delays_left = _MAX_DELAYS
    _listening: AbstractSet[anyio.CancelScope] = frozenset()

    async def receive(self, receive: Receive) -> Message:
        """Receive a message for the app; after the end, always a disconnect."""
        if not self.ended:
            with anyio.CancelScope() as until_the_end:
                self._listening |= {until_the_end}
                try:
                    return await receive()
                finally:
                    self._listening -= {until_the_end}
        self._knows = True
        return {"type": "http.disconnect"}

    def _end(self, last: Message) -> None:
        super()._end(last)
        self._notify()

    def _notify(self) -> None:
        for each in self._listening:
            self._knows = True
            each.cancel()

    async def _withhold(self) -> None:
        """Withhold a message that the app sends after the end.

        Since ASGI 2.4 an app learns of a disconnect by an error when it sends. An app that waits
        for the disconnect message has it now, and stops by itself. An error before that would look
        like a fault of the app.
        """
        if not self._knows or self._delays_left == 0:
            raise TokenExpired(REASON)
        self._delays_left -= 1
        await anyio.sleep(_DELAY)

    def send(self, message: Message) -> Awaitable[None]:
        if message["type"] == "http.response.start":
            self._is_stream = _is_event_stream(message)
            return self._start_stream(message) if self._is_stream else self._send(message)
        if self._is_stream or self._every_response or self.ended:
            return self._send_or_withhold(message)
        return self._send(message)

    async def _start_stream(self, message: Message) -> None:
        await self._send(message)
        # A complete stream ends regularly (HTML §9.2.6): the client connects again.
        self._end_later({"type": "http.response.body", "body": b"", "more_body": False})

    async def _send_or_withhold(self, message: Message) -> None:
        if not self._is_stream:
            # It must not look complete: the server aborts the connection.
            if not self.ended and self._every_response and self._now() >= self._expires_at:
                self.ended = True
                self._notify()
            if not self.ended:
                await self._send(message)
            elif message.get("more_body", False) or not self._knows:
                await self._withhold()
        elif not self.ended:
            if not message.get("more_body", False):
                self.forget()
            await self._send(message)
        elif message.get("more_body", False):
            await self._withhold()


def _is_event_stream(start: Message) -> bool:
    """Whether a response is an event stream, by its `Content-Type`."""
    for name, value in start.get("headers", ()):
        if len(name) == _CONTENT_TYPE_LENGTH and name.lower() == b"content-type":
            media_type: bytes = value.lower().partition(b";")[0].strip()
            if media_type == b"text/event-stream":
                return True
    return False
