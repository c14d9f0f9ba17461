"""`fastgate dev` as a process on free ports, for tests."""

import contextlib
import fcntl
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from socket import create_connection, create_server
from tempfile import gettempdir
from typing import Any

import httpx

APP = """
from typing import Annotated
from fastapi import FastAPI, Security, WebSocket
from fastgate import Caller, Settings, at_edge, fastgate, guard

app = FastAPI(openapi_url=None)
guard(app, Settings(edge="https://api.example.com", audience="orders"))


@app.get("/orders/{order_id}")
def order(
    order_id: int, caller: Annotated[Caller, Security(fastgate, scopes=["orders:read"])]
) -> dict[str, object]:
    return {"order": order_id, "for": caller.subject}


@app.get("/health")
@at_edge(access="public")
def health() -> str:
    return "well"


@app.websocket("/echo")
@at_edge(access="public")
async def echo(socket: WebSocket) -> None:
    await socket.accept()
    await socket.send_text(await socket.receive_text())
"""
_REPOSITORY = Path(__file__).parents[2]
_DEMO = _REPOSITORY / "origin" / "demo"
_DEADLINE = 90
"""Seconds. The first start after a build compiles the guest."""


_PORTS = range(20_000, 32_000)
"""Below the ports that systems give to outgoing connections."""
_claims = (Path(gettempdir()) / f"fastgate-test-ports-{os.getuid()}").open("w")
"""Each claimed port is a locked byte. The locks end with the process."""
_claimed: set[int] = set()


def free_port() -> int:
    """Return a port that nothing uses, and that no other test gets, in this process or another."""
    while True:
        port = random.choice(_PORTS)  # noqa: S311 nothing is secret about it
        if port in _claimed:
            continue
        with contextlib.suppress(OSError):  # another process has it
            fcntl.lockf(_claims, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, port)
            _claimed.add(port)
            with create_server(("127.0.0.1", port)):
                return port


def is_served(port: int) -> bool:
    """Whether a process listens on a port."""
    with contextlib.suppress(OSError), create_connection(("127.0.0.1", port), 1):
        return True
    return False


def until(condition: Callable[[], object], what: str, seconds: float = _DEADLINE) -> None:
    """Wait until a condition holds."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, what
        time.sleep(0.05)


@dataclass
class Session:
    """A running `fastgate dev`."""

    folder: Path
    process: subprocess.Popen[bytes]
    port: int
    app_port: int
    provider_port: int

    @property
    def output(self) -> str:
        """Return what it has written."""
        return (self.folder / "output.txt").read_text("utf-8")

    @property
    def edge(self) -> str:
        """Return the URL of the edge."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def ports(self) -> tuple[int, int, int]:
        """Return all ports."""
        return self.port, self.app_port, self.provider_port

    def until_ready(self) -> None:
        """Wait until the first policy is in force."""
        until(
            lambda: "in force" in self.output or self.process.poll() is not None, "does not start"
        )
        assert self.process.poll() is None, self.output

    def token(self, *scopes: str, issuer: str = "dev", **more: Any) -> str:  # noqa: ANN401
        """Return a token of the provider."""
        caller = {"subject": "ada", "scopes": scopes, **more}
        url = f"http://127.0.0.1:{self.provider_port}/{issuer}/tokens"
        token: str = httpx.post(url, json=caller).raise_for_status().json()["access_token"]
        return token

    def get(self, path: str, token: str | None = None) -> httpx.Response:
        """Send a request to the edge."""
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        return httpx.get(self.edge + path, headers=headers, timeout=30)

    def state(self) -> Any:  # noqa: ANN401
        """Return the state as the page gets it."""
        return self.get("/__fastgate/state").json()

    def edit(self, change: Callable[[str], str], name: str = "main.py") -> None:
        """Change a file, with a time of change that differs."""
        file = self.folder / name
        file.write_text(change(file.read_text("utf-8")), "utf-8")

    def ended(self, sent: signal.Signals) -> int:
        """Send a signal and return the exit code."""
        self.process.send_signal(sent)
        return self.process.wait(30)


def copy_demo(folder: Path, *modules: str) -> None:
    """Copy modules of `demo` to a folder: an app that is served changes with its files."""
    (folder / "demo").mkdir()
    for each in modules:
        (folder / "demo" / f"{each}.py").write_bytes((_DEMO / f"{each}.py").read_bytes())


def environment(**more: str) -> dict[str, str]:
    """Return the environment for `fastgate dev` from this checkout."""
    paths = [str(_REPOSITORY / "origin" / "src"), str(_REPOSITORY / "wheel" / "src")]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths), **more}


def command(*arguments: str) -> list[str]:
    """Return the command line."""
    return [sys.executable, "-m", "fastgate", "dev", *arguments]


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run `fastgate dev` in a folder until it ends by itself."""
    return subprocess.run(  # noqa: S603 this package
        command(*arguments),
        cwd=folder,
        capture_output=True,
        text=True,
        env=environment(),
        timeout=90,
        check=False,
    )


@contextlib.contextmanager
def _inherited(interrupts: signal.Handlers) -> Iterator[None]:
    """Let processes that are started meanwhile begin with this handling of SIGINT."""
    before = signal.signal(signal.SIGINT, interrupts)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@contextlib.contextmanager
def serving(
    folder: Path,
    *arguments: str,
    interrupts: signal.Handlers = signal.SIG_DFL,
    **variables: str,
) -> Iterator[Session]:
    """Start `fastgate dev` in a folder; end it afterwards.

    Args:
        folder: the folder of the app.
        arguments: further options.
        interrupts: how the process starts: the tests themselves may run with SIGINT ignored.
        variables: further variables of the environment.

    """
    ports = free_port(), free_port(), free_port()
    options = ("--port", "--app-port", "--provider-port")
    chosen = [each for pair in zip(options, map(str, ports), strict=True) for each in pair]
    with (folder / "output.txt").open("wb") as output, _inherited(interrupts):
        process = subprocess.Popen(  # noqa: S603 this package
            command(*arguments, *chosen),
            cwd=folder,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=environment(**variables),
        )
    try:
        yield Session(folder, process, *ports)
    finally:
        if process.poll() is None:
            process.terminate()
            process.wait(30)
