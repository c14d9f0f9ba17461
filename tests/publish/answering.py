"""Answers in place of those of the stand-in, and what happens just before its own."""

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator

import pytest
from fastly_api import app
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Send

Answer = Callable[[str, str], Response | None]


def answering(monkeypatch: pytest.MonkeyPatch, instead: Answer) -> None:
    """Ask `instead` first, with method and target; the stand-in answers if it returns nothing."""
    own = app._Gate._answer

    async def answer(
        self: app._Gate, request: Request, target: str, body: bytes, send: Send
    ) -> None:
        other = instead(request.method, target)
        if other is None:
            await own(self, request, target, body, send)
        else:
            await other(request.scope, request.receive, send)

    monkeypatch.setattr(app._Gate, "_answer", answer)


@contextlib.contextmanager
def raw(answer: bytes | None) -> Iterator[str]:
    """Run a server that answers every connection with these octets, or never."""
    opened = socket.create_server(("127.0.0.1", 0))
    kept: list[socket.socket] = []

    def serve() -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = opened.accept()
                kept.append(client)
                client.recv(65536)
                if answer is not None:
                    client.sendall(answer)
                    client.close()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{opened.getsockname()[1]}"
    finally:
        opened.shutdown(socket.SHUT_RDWR)
        opened.close()
        for client in kept:
            client.close()
        thread.join()
