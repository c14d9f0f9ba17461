"""Run tests in a fork of a process that has already imported the dependencies, to save time.

    python dev/mutants/forked.py serve SOCKET SECONDS    imports them once, and waits
    python dev/mutants/forked.py run SOCKET [-x …]       pytest in a fork of that process; exits with its status

Both run in the folder of the tests. There is one run at a time, stopped after SECONDS or when its client disconnects.
"""

import importlib
import json
import os
import select
import signal
import socket
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import NoReturn

# Nothing of the package itself, whose code is changed between two runs.
PRELOADED = (
    *("pytest", "anyio.pytest_plugin", "hypothesis", "trio", "httpx", "uvicorn", "websockets"),
    *(
        "fastapi.testclient",
        "starlette.staticfiles",
        "cryptography.hazmat.primitives.asymmetric.ec",
    ),
)


def serve(path: str, seconds: float) -> NoReturn:
    for name in PRELOADED:
        with suppress(ImportError):
            importlib.import_module(name)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(path)
        server.listen()
        while True:
            connection, _ = server.accept()
            with connection:
                arguments = json.loads(connection.makefile().readline())
                status = _forked(arguments, connection, time.monotonic() + seconds)
                with suppress(OSError):
                    connection.sendall(bytes([status & 0xFF]))


def _forked(arguments: Sequence[str], client: socket.socket, until: float) -> int:
    child = os.fork()
    if child == 0:
        os.setsid()
        silent = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(silent, stream)
        # Plugins that are already imported cannot be rewritten; their assertions do not matter.
        plugins = ("-W", "ignore::pytest.PytestAssertRewriteWarning")
        os._exit(int(importlib.import_module("pytest").main([*arguments, *plugins])))
    while True:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        gone = select.select([client], [], [], 0.02)[0] and not client.recv(1)
        if gone or time.monotonic() > until:
            os.killpg(child, signal.SIGKILL)


def run(path: str, arguments: Sequence[str]) -> int:
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(path)
        client.sendall(json.dumps(arguments).encode() + b"\n")
        status = client.recv(1)
    return status[0] if status else 1


if __name__ == "__main__":
    _, command, socket_path, *rest = sys.argv
    if command == "run":
        sys.exit(run(socket_path, rest))
    serve(socket_path, float(rest[0]))
