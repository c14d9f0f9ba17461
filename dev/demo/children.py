"""The services as child processes: ready within a `with` block, stopped after it."""

import http.client
import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

from exchange import send
from layout import HOST, LOGS, ROOT, DemoError, url
from services import SERVICES, Service
from words import dim, green, red

START_SECONDS = 30.0  # for the first response of each service
STOP_SECONDS = 3.0  # for all of them, between SIGTERM and SIGKILL
POLL_SECONDS = 0.1
TAIL_LINES = 20

# The prefix of a line for Fastly's log endpoint `fastgate`.
REQUEST_LOG = "fastgate :: "
# The lines without the prefix, one JSON object each, as `fastgate diff --log` reads them.
REQUESTS = LOGS / "requests.ndjson"

# A closed terminal (SIGHUP) is in the list because the children, in their own process groups,
# would outlive it.
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Child:
    """A running service: its process group, and the thread that keeps its log."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.on_request: Callable[[str], None] | None = None  # gets each line of the request log
        try:
            self._process = subprocess.Popen(
                service.command,
                cwd=ROOT,
                env={**os.environ, **service.environment},
                stdin=subprocess.PIPE,  # nothing is written; the provider exits when it closes
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                encoding="utf-8",
                errors="replace",
                process_group=0,  # Ctrl-C reaches only this process, which stops the others in order
            )
        except OSError as error:
            raise DemoError(f"cannot start the {service.name}: {error}") from error
        self._log_keeper = threading.Thread(target=self._keep_log, daemon=True)
        self._log_keeper.start()

    def _keep_log(self) -> None:
        assert self._process.stdout is not None
        with self.service.log.open("w", encoding="utf-8", buffering=1) as log:
            for line in self._process.stdout:
                if line.startswith(REQUEST_LOG + "{"):
                    self._keep_request(line.removeprefix(REQUEST_LOG))
                else:
                    log.write(line)

    def _keep_request(self, line: str) -> None:
        with REQUESTS.open("a", encoding="utf-8") as requests:
            requests.write(line)
        if self.on_request:
            self.on_request(line)

    @property
    def ended(self) -> bool:
        return self._process.poll() is not None

    def wait_until_it_responds(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        last = "nothing"
        while time.monotonic() < deadline:
            if self.ended:
                raise DemoError(self.obituary())
            try:
                last = str(send(self.service.port, "GET", self.service.first_request).status)
            except (OSError, http.client.HTTPException) as error:
                last = repr(error)
            if last.isdigit() and int(last) < 500:
                return
            time.sleep(POLL_SECONDS)
        raise DemoError(
            f"the {self.service.name} gave no good response in {START_SECONDS:.0f} s"
            f" (last: {last}){self._tail()}"
        )

    def obituary(self) -> str:
        return f"the {self.service.name} ended, {self._how_it_ended()}{self._tail()}"

    def _how_it_ended(self) -> str:
        status = self._process.wait()
        return f"killed by {signal.Signals(-status).name}" if status < 0 else f"status {status}"

    def _tail(self) -> str:
        if self.ended:
            self._log_keeper.join(timeout=1)  # so that its last output is in the file
        log = self.service.log
        text = log.read_text("utf-8", "replace") if log.exists() else ""
        lines = "".join(f"\n    {line}" for line in text.splitlines()[-TAIL_LINES:])
        return f"; the end of {log.relative_to(ROOT)}:{lines or ' (empty)'}"

    def signal_group(self, number: signal.Signals) -> None:
        # After the process has ended, its id may belong to another process.
        if not self.ended:
            os.killpg(self._process.pid, number)

    def wait(self, deadline: float) -> None:
        try:
            self._process.wait(timeout=max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            self.signal_group(signal.SIGKILL)
            self._process.wait()


class Children:
    """All services: ready within the `with` block, stopped after it."""

    def __init__(self) -> None:
        self._children: list[Child] = []

    def __enter__(self) -> Self:
        refuse_taken_ports()
        LOGS.mkdir(parents=True, exist_ok=True)
        REQUESTS.unlink(missing_ok=True)
        try:
            for service in SERVICES:
                self._start(service)
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stop()

    def _start(self, service: Service) -> None:
        begun = time.monotonic()
        print(f"  {service.name:<18} {url(service.port)}  ", end="", flush=True)
        try:
            child = Child(service)
            self._children.append(child)
            child.wait_until_it_responds()
        except BaseException:
            print(red("✗"))
            raise
        print(green("✓"), dim(f"{time.monotonic() - begun:.1f} s"))

    def _stop(self) -> None:
        # A second Ctrl-C must not leave a process behind. This takes 3 s at most.
        for number in STOP_SIGNALS:
            signal.signal(number, signal.SIG_IGN)
        for child in self._children:
            child.signal_group(signal.SIGTERM)
        deadline = time.monotonic() + STOP_SECONDS
        for child in self._children:
            child.wait(deadline)

    def stop(self, name: str) -> None:
        """Kills one service, as a machine that fails does."""
        for child in [child for child in self._children if child.service.name == name]:
            child.signal_group(signal.SIGKILL)
            child.wait(time.monotonic() + STOP_SECONDS)
            self._children.remove(child)

    def report_requests(self, report: Callable[[str], None]) -> None:
        """From now on, `report` gets each line of the edge's request log: one JSON object."""
        for child in self._children:
            child.on_request = report

    def check_alive(self) -> None:
        """Raises DemoError, with the log's last lines, if a service has ended by itself."""
        for child in self._children:
            if child.ended:
                raise DemoError(child.obituary())


def refuse_taken_ports() -> None:
    taken = [service for service in SERVICES if not is_free(service.port)]
    if taken:
        lines = (
            f"port {service.port}, which the {service.name} needs, is in use;"
            f" `lsof -i :{service.port}` shows by what"
            for service in taken
        )
        raise DemoError("\n".join(lines))


def is_free(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # As for the services, a port with closing connections counts as free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
        return True
