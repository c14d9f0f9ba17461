"""End WebSockets, event streams and, where asked for, responses when the token expires.

In: the end of the caller's token and one connection. Out: the app runs as ever; at that time a
WebSocket is closed with code 1008 (RFC 6455 §7.4.1) and an event stream ends, so that the client
has to come back with a token that is good. It sets no timer for any other response.
"""

import logging
from collections.abc import Callable
from functools import partial
from typing import Literal, TypeAlias, get_args

import anyio
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocketDisconnect

from fastgate.background import Job, call_later, start

EndWithToken: TypeAlias = Literal["sessions", "all", "none"]
"""What ends with the token: WebSockets and event streams, every response, or nothing."""
CLOSE_CODE = 1008
REASON = "token expired"
_NAP, _NAPS = 0.05, 20
"""How long, in seconds, and how often an app that knows of the end is held up when it sends."""
_CHOICES = get_args(EndWithToken)

_log = logging.getLogger("fastgate")


class TokenExpired(ConnectionError):
    """Nothing can be sent any more: to the app it is as if the client had left."""


def check_choice(choice: object) -> None:
    """Raise `ValueError` if this is not an `EndWithToken`."""
    if choice not in _CHOICES:
        raise ValueError(f"end_with_token: {choice!r} is none of {', '.join(_CHOICES)}")


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
    """Run the app for one connection, no longer than until `expires_at` (Unix time, seconds)."""
    connection = _WebSocket(send) if scope["type"] == "websocket" else _Response(send)
    connection.every_response = every_response
    connection.has_expired = lambda: now() >= expires_at
    connection.seconds_left = lambda: max(0.0, expires_at - now())
    connection.begin()
    try:
        await app(scope, partial(connection.receive, receive), connection.send)
    except Exception as error:
        # After the end the app cannot send any more: that is no fault of its own.
        if not connection.ended or not _tells_of_an_end(error):
            raise
    finally:
        await connection.stop()
    if connection.ended:
        _log.info("ended: token-expired")


def _tells_of_an_end(error: Exception) -> bool:
    """Whether an error says no more than that the client has left; a task group's, if all do."""
    if isinstance(error, ExceptionGroup):
        return all(map(_tells_of_an_end, error.exceptions))
    return isinstance(error, (OSError, WebSocketDisconnect, ClientDisconnect))


class _Connection:
    """What WebSockets and responses have in common."""

    every_response = False
    has_expired: Callable[[], bool]
    seconds_left: Callable[[], float]

    def __init__(self, send: Send) -> None:
        self._send = send
        self._call_off: Callable[[], object] = _nothing
        self._closing: Job | None = None
        self.ended = False

    def begin(self) -> None:
        """Prepare for the end."""

    async def send(self, message: Message) -> None:
        """Send what the app sends."""
        raise NotImplementedError

    async def receive(self, receive: Receive) -> Message:
        """Receive what the app receives."""
        return await receive()

    async def stop(self) -> None:
        """Forget the end, for the app is done; or see it through."""
        self.forget()
        if self._closing is not None:
            await self._closing.wait()

    def forget(self) -> None:
        """Let the connection take its own course."""
        self._call_off()

    def _end_later(self, last: Message) -> None:
        self._call_off = call_later(self.seconds_left(), lambda: self._end(last))

    def _end(self, last: Message) -> None:
        self.ended = True
        self._closing = start(lambda: self._send_last(last))

    async def _send_last(self, last: Message) -> None:
        try:
            await self._send(last)
        except Exception as error:  # the server is through with this connection already
            _log.debug("not ended, it had ended: %r", error)


class _WebSocket(_Connection):
    """Closed at the end; sending afterwards is an error, receiving gets a disconnect."""

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
    """An event stream comes to its end; another response, if asked for, breaks off."""

    _is_stream = False

    def __init__(self, send: Send) -> None:
        super().__init__(send)
        self._listening: set[anyio.CancelScope] = set()
        self._told = False
        self._naps_left = _NAPS

    async def receive(self, receive: Receive) -> Message:
        """Receive what the app receives; from the end on, that the client has left."""
        if not self.ended:
            with anyio.CancelScope() as until_the_end:
                self._listening.add(until_the_end)
                try:
                    return await receive()
                finally:
                    self._listening.discard(until_the_end)
        self._told = True
        return {"type": "http.disconnect"}

    def _end(self, last: Message) -> None:
        super()._end(last)
        self._tell()

    def _tell(self) -> None:
        for each in self._listening:
            self._told = True
            each.cancel()

    async def _turn_away(self) -> None:
        """Keep back what an app sends after the end.

        From a server of ASGI 2.4 on, an error is how an app learns that the client has left.
        One that waits for the disconnect has it now, and gives up by itself: an error before that
        would be taken for a fault of its own.
        """
        if not self._told or self._naps_left == 0:
            raise TokenExpired(REASON)
        self._naps_left -= 1
        await anyio.sleep(_NAP)

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._is_stream = any(
                name.lower() == b"content-type"
                and value.lower().partition(b";")[0].strip() == b"text/event-stream"
                for name, value in message.get("headers", ())
            )
            await self._send(message)
            if self._is_stream:
                # A whole one ends cleanly (HTML §9.2.6): the client connects again.
                self._end_later({"type": "http.response.body", "body": b"", "more_body": False})
        elif not self._is_stream:
            # It must not look whole: the server breaks the connection off.
            if not self.ended and self.every_response and self.has_expired():
                self.ended = True
                self._tell()
            if not self.ended:
                await self._send(message)
            elif message.get("more_body", False) or not self._told:
                await self._turn_away()
        elif not self.ended:
            if not message.get("more_body", False):
                self.forget()
            await self._send(message)
        elif message.get("more_body", False):
            await self._turn_away()


def _nothing() -> None: ...
