"""Copy an app to an empty folder, and run `fastgate init` and `fastgate dev` there.

`FASTGATE` in the environment is the command: by default the package beside this Python. Nothing
of the package is imported, so that the tests are the same for installed wheels.
"""

import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from company import AUDIENCE, Company

APPS = Path(__file__).parent
FASTGATE = shlex.split(os.environ.get("FASTGATE", "")) or [sys.executable, "-m", "fastgate"]
FILES = ("policy.json", "policy.base.json", "policy.schema.json", "fastly.toml", ".gitignore")
_DEADLINE = 120
"""Seconds. On a machine without a compiled guest the first start compiles it."""


def project(name: str, folder: Path) -> Path:
    """Copy an app to a new folder, which no repository contains."""
    ignored = shutil.ignore_patterns("__pycache__", "edge", ".github")
    return Path(shutil.copytree(APPS / name, folder / Path(name).name, ignore=ignored))


def fastgate(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a command in the folder of an app."""
    return subprocess.run(
        [*FASTGATE, *arguments], cwd=folder, capture_output=True, text=True, check=False
    )


def init(folder: Path, company: Company, *options: str) -> subprocess.CompletedProcess[str]:
    """Run `fastgate init` with the provider of the company."""
    return fastgate(folder, "init", "--issuer", company.issuer, "--audience", AUDIENCE, *options)


@dataclass(frozen=True)
class Dev:
    """A running `fastgate dev`."""

    edge: str
    app: str
    provider: str
    client: httpx.Client

    def token(self, subject: str = "ada", *scopes: str, **members: object) -> str:
        """Return a token of the development provider."""
        request = {"subject": subject, "scopes": list(scopes), **members}
        found = self.client.post(f"{self.provider}/provider/tokens", json=request)
        assert found.status_code == 200, found.text
        return str(found.json()["access_token"])

    def get(self, path: str, token: str | None = None) -> httpx.Response:
        """Send a GET through the edge."""
        return self.client.get(f"{self.edge}{path}", headers=bearer(token))

    def post(self, path: str, content: object, token: str | None = None) -> httpx.Response:
        """Send JSON through the edge."""
        return self.client.post(f"{self.edge}{path}", json=content, headers=bearer(token))

    def statuses(self, path: str, *tokens: str | None) -> list[int]:
        """Return the status of a GET for each token."""
        return [self.get(path, token).status_code for token in tokens]


def bearer(token: str | None) -> dict[str, str]:
    """Return the fields of a request with this token."""
    return {} if token is None else {"Authorization": f"Bearer {token}"}


@contextmanager
def dev(folder: Path, environment: Mapping[str, str] | None = None) -> Iterator[Dev]:
    """Run `fastgate dev` on free ports. `{provider}` in a variable is the address of its provider."""
    edge, app, provider = free_ports(3)
    addresses = {"provider": f"http://127.0.0.1:{provider}/provider"}
    variables = {name: text.format(**addresses) for name, text in (environment or {}).items()}
    ports = ("--port", edge, "--app-port", app, "--provider-port", provider)
    log = folder / "dev.log"
    command = [*FASTGATE, "dev", *map(str, ports)]
    with running(command, folder, log, variables) as process, httpx.Client(timeout=30) as client:
        wait_for("are in force", log, process)
        yield Dev(
            f"http://127.0.0.1:{edge}",
            f"http://127.0.0.1:{app}",
            f"http://127.0.0.1:{provider}",
            client,
        )


@contextmanager
def running(
    command: Sequence[str], folder: Path, log: Path, variables: Mapping[str, str]
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program until the end of the block; then it must end."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env={**os.environ, **variables, "PYTHONUNBUFFERED": "1"},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            yield process
            process.terminate()
            process.wait(20)
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def wait_for(text: str, log: Path, process: subprocess.Popen[bytes]) -> None:
    """Wait until a program has written a text."""
    end = time.monotonic() + _DEADLINE
    while text not in (said := log.read_text(errors="replace")):
        assert process.poll() is None, f"it ended with {process.returncode}:\n{said}"
        assert time.monotonic() < end, said
        time.sleep(0.05)


def free_ports(count: int) -> list[int]:
    """Return ports that nobody uses at the moment."""
    with ExitStack() as stack:
        bound = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in bound:
            each.bind(("127.0.0.1", 0))
        return [int(each.getsockname()[1]) for each in bound]
