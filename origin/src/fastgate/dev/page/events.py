"""What has happened, for the page: the edge's log, the state of the policy, what the app prints.

Input: events from any thread. Output: each of them once to everybody who listens, and the last ones
to everybody who comes later.
"""

import asyncio
import contextlib
import json
import secrets
import threading
from collections import deque
from collections.abc import AsyncIterator
from itertools import count

_KEPT = 200
_WAITING = 1000
"""The events that wait for one listener at most. A listener that reads more slowly is left out."""


class Events:
    """A stream of events with a memory.

    Every event is a JSON object with the members `kind`, `number` and `session`. Numbers begin
    again in another session.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last: deque[str] = deque(maxlen=_KEPT)
        self._numbers, self._session = count(1), secrets.token_hex(8)
        self._listeners: dict[asyncio.Queue[str | None], asyncio.AbstractEventLoop] = {}

    def publish(self, kind: str, **members: object) -> None:
        """Send an event to everybody who listens."""
        with self._lock:
            number = next(self._numbers)
            event = json.dumps(
                {"kind": kind, "number": number, "session": self._session, **members}
            )
            self._last.append(event)
            for listener, loop in self._listeners.items():
                with contextlib.suppress(RuntimeError):  # the server has ended, with this loop
                    loop.call_soon_threadsafe(_put, listener, event)

    async def listen(self) -> AsyncIterator[str]:
        """Yield the last events and then each new one, as JSON."""
        listener: asyncio.Queue[str | None] = asyncio.Queue(_WAITING)
        with self._lock:
            last = [*self._last]
            self._listeners[listener] = asyncio.get_running_loop()
        try:
            for event in last:
                yield event
            while (event_or_end := await listener.get()) is not None:
                yield event_or_end
        finally:
            with self._lock:
                self._listeners.pop(listener, None)


def _put(listener: asyncio.Queue[str | None], event: str) -> None:
    if listener.full():
        listener.get_nowait()
    listener.put_nowait(event)
