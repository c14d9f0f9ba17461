"""The local edge, as a child process.

Input: the programs of the wheel `fastgate-edge`, a manifest, addresses. Output: a running edge, and
each line of its log. It ends when this process ends: its standard input is then closed.
"""

import os
import queue
import subprocess
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO

from fastgate.dev.edge.installed import Programs
from fastgate.wrong_call import Failed

ENDED = "the local edge has ended: press Ctrl-C, and start `fastgate dev` again"
LOG = "fastgate :: "
"""What Viceroy writes before each line of the log endpoint `fastgate`."""
_LISTENING, _RELOADED, _NOT_RELOADED = "listening on ", "reloaded", "not reloaded: "
_CLOSING = 5
"""Seconds for the rest of its output. A process that it has started may keep the output open."""
_DEADLINE = 120
"""Seconds. On a machine without a compiled guest the first start compiles it."""


class EdgeProcess:
    """The local edge. `start` returns when it listens.

    Args:
        programs: where the program and the guest are.
        manifest: the manifest, which `reload` reads again.
        folder: the folder in which it runs: paths in the manifest are relative to it.
        listen: its address, `127.0.0.1:7676`.
        page: the address of the process that serves `/__fastgate/`.
        log: is called with each line of the log, in a thread of its own.

    """

    def __init__(
        self,
        programs: Programs,
        manifest: Path,
        *,
        folder: Path,
        listen: str,
        page: str,
        log: Callable[[str], None],
    ) -> None:
        self._command: Sequence[str] = [
            str(programs.local_edge),
            *("--config", str(manifest), "--wasm", str(programs.guest)),
            *("--compiled", str(programs.compiled_guests), "--listen", listen, "--page", page),
            "--commands",
        ]
        self._folder, self._log = folder, log
        self._replies: queue.Queue[str] = queue.Queue()
        self._child: subprocess.Popen[str] | None = None
        self._reader: threading.Thread | None = None
        self._has_started = threading.Event()
        self._is_ending = False

    def start(self) -> None:
        """Start it, and wait until it listens. Raises `Failed` if it ends instead."""
        try:
            self._start()
        finally:
            self._has_started.set()

    def _start(self) -> None:
        self._child = subprocess.Popen(  # noqa: S603 the program of the wheel
            self._command,
            cwd=self._folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            errors="replace",
            # Ctrl-C is for this process, which then ends the child.
            start_new_session=os.name == "posix",
        )
        if self._child.stdout is not None:
            self._reader = threading.Thread(
                target=self._read, args=(self._child.stdout,), daemon=True
            )
            self._reader.start()
        if not (said := self._reply()).startswith(_LISTENING):
            raise Failed(f"the local edge does not start: {said}")

    def reload(self) -> str | None:
        """Read the manifest again. Return why that is impossible; the former one then stays.

        It waits for a start in another thread.
        """
        self._has_started.wait()
        child = self._child
        if child is None or child.stdin is None or child.poll() is not None:
            return ENDED
        child.stdin.write("reload\n")
        child.stdin.flush()
        said = self._reply()
        return None if said == _RELOADED else said.removeprefix(_NOT_RELOADED)

    def stop(self) -> None:
        """End it."""
        self._is_ending = True
        if self._child is not None:
            self._child.terminate()
            self._child.wait()
            if self._child.stdin is not None:
                self._child.stdin.close()
        if self._reader is not None:
            self._reader.join(_CLOSING)

    def _reply(self) -> str:
        try:
            return self._replies.get(timeout=_DEADLINE)
        except queue.Empty:
            return f"no response in {_DEADLINE} seconds"

    def _read(self, output: IO[str]) -> None:
        last = ""
        with output:
            for line in output:
                text = line.rstrip("\n")
                if text.startswith((_LISTENING, _NOT_RELOADED)) or text == _RELOADED:
                    self._replies.put(text)
                elif text:
                    last = text
                    self._log(text)
        if not self._is_ending and self._has_started.is_set():
            self._log(ENDED)
        self._replies.put(last or "it ended without a message")
