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
from pathlib import Path
from socket import socket
from typing import TYPE_CHECKING

import uvicorn

if TYPE_CHECKING:
    from uvicorn.supervisors.statreload import StatReload as ChangeReload
else:
    from uvicorn.supervisors import ChangeReload

from uvicorn.supervisors.statreload import StatReload

from fastgate.local_edge import trust_local_edge

_POLLS: bool = ChangeReload.__name__ == StatReload.__name__
"""Whether uvicorn reads the times of all files, since watchfiles is not installed."""
_GRACE = 2
"""Seconds for open connections, such as WebSockets, at a reload and at the end."""


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
        files: further files that are watched: those of the base policy and of its stage.
        before: is called before the app is started again. If it returns False, the former process
            goes on.
        after: is called when the new process has been started.

    """

    def __init__(
        self,
        app: ServedApp,
        edge: str,
        listening: socket,
        watched: list[Path],
        *,
        files: Sequence[Path] = (),
        before: Callable[[], bool],
        after: Callable[[], None],
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
        self._before, self._after = before, after
        self._files = {file: _changed(file) for file in files}

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

    def restart(self) -> None:
        """Start the app again."""
        if self._before():
            times = self.mtimes if _POLLS else {}
            super().restart()
            if _POLLS:
                self.mtimes = times
            self._after()


def _changed(file: Path) -> float | None:
    """Return when a file was changed last; None while there is none."""
    try:
        return file.stat().st_mtime
    except OSError:
        return None
