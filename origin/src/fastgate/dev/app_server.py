"""The app on uvicorn, in a process of its own that is started again when a file changes.

Input: the app's name, a socket, and what to do before each start. Output: a running app whose guard
trusts the local edge. The socket stays open between two processes, so no request is refused.
"""

import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing.context import SpawnProcess
from pathlib import Path
from socket import socket
from types import FrameType
from typing import TYPE_CHECKING

import uvicorn

if TYPE_CHECKING:
    from uvicorn.supervisors.statreload import StatReload as ChangeReload
else:
    from uvicorn.supervisors import ChangeReload

from uvicorn.supervisors.statreload import StatReload

from fastgate.dev.ended_app import EndedApp
from fastgate.local_edge import trust_local_edge

_POLLS: bool = ChangeReload.__name__ == StatReload.__name__
"""Whether uvicorn reads the times of all files, since watchfiles is not installed."""
_GRACE = 2
"""Seconds for open connections, such as WebSockets, at a reload and at the end."""
_PATIENCE = 10
"""Seconds until a process of the app that does not end is killed."""
_POLL = 0.1
"""Seconds between two looks at the process of the app."""
ENDING_SIGNALS = tuple(
    getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)
)
"""The signals, besides Ctrl-C, that end everything, unless this process was started without them,
as by `nohup`."""
_OTHERS = 0.3
"""Seconds until a Ctrl-C, which ends the app as well, has arrived in this process."""


@dataclass(frozen=True, slots=True)
class ServedApp:
    """An app as uvicorn imports it."""

    name: str
    """`package.module:app`."""
    folder: str
    """The folder from which it is imported."""
    is_factory: bool


@dataclass(frozen=True, slots=True)
class AppProcess:
    """What the process of the app runs. It is pickled for that process."""

    config: uvicorn.Config
    folder: str
    edge: str

    def __call__(self, sockets: list[socket] | None = None) -> None:
        """Serve the app until the process is ended."""
        threading.Thread(target=_end_with_parent, daemon=True).start()
        sys.path.insert(0, self.folder)
        trust_local_edge(self.edge)
        uvicorn.Server(self.config).run(sockets=sockets)


def _end_with_parent() -> None:
    """End this process when the one that started it has ended, even if it was killed."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)


class Reloader(ChangeReload):
    """Starts the app again when one of its files changes, unless it has no policy then.

    Args:
        app: the app.
        edge: the URL of the local edge.
        listening: the socket on which the app is served.
        watched: folders with the files of the app.
        since: the time from which on a changed file counts: before the app was compiled.
        files: further files that are watched: those of the base policy and of its stage.
        before: is called before the app is started again. If it returns False, the former process
            goes on.
        after: is called when the new process has been started.
        ended: is called when the process of the app has ended by itself, with the reason. It is in
            a thread of its own.

    """

    def __init__(
        self,
        app: ServedApp,
        edge: str,
        listening: socket,
        watched: list[Path],
        *,
        since: float,
        files: Sequence[Path] = (),
        before: Callable[[], bool],
        after: Callable[[], None],
        ended: Callable[[str], None],
    ) -> None:
        config = uvicorn.Config(
            app.name,
            factory=app.is_factory,
            reload=True,
            reload_dirs=[str(each) for each in watched],
            log_level="warning",
            access_log=False,
            proxy_headers=False,
            timeout_graceful_shutdown=_GRACE,
        )
        super().__init__(config, AppProcess(config, app.folder, edge), [listening])
        self._before, self._after, self._ended = before, after, ended
        self._is_preparing = False
        self._watched: _Watched | None = None
        self._files = {file: _until(since, _changed(file)) for file in files}
        if _POLLS:
            times = {file: _until(since, _changed(file)) for file in self.iter_py_files()}
            self.mtimes = {file: time for file, time in times.items() if time is not None}

    def should_restart(self) -> list[Path] | None:
        """Return the files that have changed."""
        changes: list[Path] = [*(super().should_restart() or ())]
        before, self._files = self._files, {file: _changed(file) for file in self._files}
        changes = changes or [file for file in before if before[file] != self._files[file]]
        if changes and _POLLS:
            # What changes while the policy is compiled counts as the next change.
            times = {file: _changed(file) for file in self.iter_py_files()}
            self.mtimes = {file: time for file, time in times.items() if time is not None}
        return changes or None

    def run(self) -> None:
        """Serve until a signal. The process of the app ends in every case."""
        try:
            super().run()
        finally:
            self._end_process()

    def startup(self) -> None:
        """Start the app."""
        super().startup()
        for each in ENDING_SIGNALS:
            if signal.getsignal(each) != signal.SIG_IGN:
                signal.signal(each, self.signal_handler)
        self._watch()

    def signal_handler(self, sig: int, frame: FrameType | None) -> None:
        """End, also while the app is compiled, which may take long."""
        super().signal_handler(sig, frame)
        if self._is_preparing:
            self._is_preparing = False
            raise KeyboardInterrupt

    def restart(self) -> None:
        """Start the app again."""
        if not self._prepared():
            return
        times = self.mtimes if _POLLS else {}
        self._end_process()
        super().restart()
        self._watch()
        if _POLLS:
            self.mtimes = times
        self._after()

    def shutdown(self) -> None:
        """End the app."""
        self._end_process()
        super().shutdown()

    def _prepared(self) -> bool:
        self._is_preparing = True
        try:
            return not self.should_exit.is_set() and self._before()
        finally:
            self._is_preparing = False

    def _watch(self) -> None:
        self._watched = _Watched(self.process, self.sockets[0], self.should_exit, self._ended)

    def _end_process(self) -> None:
        """End the process of the app, also one that does not react."""
        if self._watched is not None:
            self._watched.leave()
            self._watched = None
            self.process.terminate()
            self.process.join(_PATIENCE)
            self.process.kill()
            self.process.join()


class _Watched:
    """Notices that the process of an app ends by itself, and then responds in its place.

    Args:
        process: the process.
        listening: the socket of the app.
        should_exit: whether everything ends.
        ended: is called with the reason.

    """

    def __init__(
        self,
        process: SpawnProcess,
        listening: socket,
        should_exit: threading.Event,
        ended: Callable[[str], None],
    ) -> None:
        self._process, self._listening = process, listening
        self._should_exit, self._ended = should_exit, ended
        self._is_left = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True, name="fastgate app watch")
        self._thread.start()

    def leave(self) -> None:
        """End this, and leave the socket to the next process."""
        self._is_left.set()
        self._thread.join()

    def _run(self) -> None:
        # Not its sentinel: a process that the app has forked keeps that one open.
        while (code := self._process.exitcode) is None:
            if self._is_left.wait(_POLL):
                return
        why = (
            f"the app has ended (exit code {code}): see the terminal, and change a file to start "
            "it again"
        )
        stand_in = EndedApp(self._listening, why)
        if not self._is_left.wait(_OTHERS) and not self._should_exit.is_set():
            self._ended(why)
        self._is_left.wait()
        stand_in.close()


def _until(since: float, changed: float | None) -> float | None:
    """Return when a file was changed last before a time, as far as that counts."""
    return None if changed is None else min(since, changed)


def _changed(file: Path) -> float | None:
    """Return when a file was changed last; None while there is none."""
    try:
        return file.stat().st_mtime
    except OSError:
        return None
