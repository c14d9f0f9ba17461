"""The app on uvicorn, in a process of its own that is started again when a file changes.

Input: the app's name, a socket, and what to do before each start. Output: a running app whose guard
trusts the local edge. The socket stays open between two processes, so no request is refused.
"""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from socket import socket
from typing import TYPE_CHECKING

import uvicorn

if TYPE_CHECKING:
    from uvicorn.supervisors.basereload import BaseReload as ChangeReload
else:
    from uvicorn.supervisors import ChangeReload

from fastgate.local_edge import trust_local_edge

_WATCHES_ALL_FILES = find_spec("watchfiles") is not None
"""Without watchfiles, uvicorn notices changes of Python files only."""


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
        sys.path.insert(0, self.folder)
        trust_local_edge(self.edge)
        uvicorn.Server(self.config).run(sockets=sockets)


class Reloader(ChangeReload):
    """Starts the app again when one of its files changes, unless it has no policy then.

    Args:
        app: the app.
        edge: the URL of the local edge.
        listening: the socket on which the app is served.
        watched: folders with the files of the app.
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
        before: Callable[[], bool],
        after: Callable[[], None],
    ) -> None:
        config = uvicorn.Config(
            app.name,
            factory=app.is_factory,
            reload=True,
            reload_dirs=[str(each) for each in watched],
            reload_includes=["*.py", "policy.base.json"] if _WATCHES_ALL_FILES else None,
            log_level="warning",
            access_log=False,
            proxy_headers=False,
        )
        super().__init__(config, AppProcess(config, app.folder, edge), [listening])
        self._before, self._after = before, after

    def restart(self) -> None:
        """Start the app again."""
        if self._before():
            super().restart()
            self._after()
