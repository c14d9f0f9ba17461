"""Runs the stand-in: in a thread of a test, or as a program."""

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import uvicorn

from fastly_api.app import Fault, Recorded, StandIn
from fastly_api.state import State

DEADLINE = 30


class Running:
    """A stand-in that listens on loopback."""

    def __init__(self, stand_in: StandIn, url: str) -> None:
        self.stand_in = stand_in
        self.url = url

    @property
    def state(self) -> State:
        """All that was created."""
        return self.stand_in.state

    @property
    def requests(self) -> list[Recorded]:
        """The requests so far."""
        return self.stand_in.recorded

    def fail(self, fault: Fault) -> None:
        """Let requests fail."""
        self.stand_in.faults.append(fault)

    def environment(self, token: str = "stand-in") -> dict[str, str]:
        """Return the variables with which the Fastly CLI talks to this stand-in only."""
        return {
            "FASTLY_API_ENDPOINT": self.url,
            "FASTLY_ACCOUNT_ENDPOINT": self.url,
            "FASTLY_API_TOKEN": token,
            "FASTLY_USE_API_SIGNING_KEY": "true",
            "FASTLY_WASM_METADATA_DISABLE": "true",
            "HTTPS_PROXY": "http://127.0.0.1:1",
            "HTTP_PROXY": "http://127.0.0.1:1",
        }


def server(stand_in: StandIn) -> uvicorn.Server:
    """Return a server for a stand-in."""
    config = uvicorn.Config(stand_in.app, log_level="warning", lifespan="off", date_header=False)
    return uvicorn.Server(config)


def listener(port: int = 0) -> socket.socket:
    """Return a socket that listens on loopback."""
    return socket.create_server(("127.0.0.1", port), backlog=128)


@contextlib.contextmanager
def serving(web: uvicorn.Server, opened: socket.socket) -> Iterator[str]:
    """Run a server in a thread; return its address."""
    thread = threading.Thread(target=web.run, args=([opened],))
    thread.start()
    try:
        deadline = time.monotonic() + DEADLINE
        while not web.started:
            assert time.monotonic() < deadline, "uvicorn did not start"
            time.sleep(0.005)
        yield f"http://127.0.0.1:{opened.getsockname()[1]}"
    finally:
        web.should_exit = True
        thread.join()
        opened.close()


@contextlib.contextmanager
def running(file: Path | None = None) -> Iterator[Running]:
    """Run a stand-in while a test needs it."""
    stand_in = StandIn(file)
    with serving(server(stand_in), listener()) as url:
        yield Running(stand_in, url)
