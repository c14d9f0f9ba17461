"""Run background jobs that outlive the task that starts them, on asyncio and on trio.

Input: an asynchronous function, or a delay and a callback. Output: a `Job` that any task may wait
for, or a function that cancels the timer. Cancelling a task that waits does not cancel the job.
anyio has no such tasks: its tasks end with the block that starts them.
"""

import asyncio
import logging
import sys
from collections.abc import Awaitable, Callable
from typing import Any, Protocol, TypeAlias

Run: TypeAlias = Callable[[], Awaitable[None]]

_log = logging.getLogger("fastgate")


class Job(Protocol):
    """A background task for which any number of tasks may wait."""

    @property
    def done(self) -> bool:
        """Whether the job has ended."""

    async def wait(self) -> None:
        """Wait for the end of the job. Cancelling the waiting task does not cancel the job."""


def can_start() -> bool:
    """Whether the current task runs on asyncio or trio."""
    if _trio() is not None:
        return True
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def start(run: Run) -> Job:
    """Run a function in the background. An error is logged."""
    trio = _trio()
    return _AsyncioJob(run) if trio is None else _TrioJob(trio, run)


def call_later(seconds: float, callback: Callable[[], object]) -> Callable[[], object]:
    """Schedule a callback; return a function that cancels it."""
    trio = _trio()
    if trio is None:
        return asyncio.get_running_loop().call_later(seconds, callback).cancel
    scope = trio.CancelScope()

    async def wait() -> None:
        with scope:
            await trio.sleep(seconds)
            callback()

    _TrioJob(trio, wait)
    cancel: Callable[[], object] = scope.cancel
    return cancel


class _AsyncioJob:
    def __init__(self, run: Run) -> None:
        self._task = asyncio.get_running_loop().create_task(_logged(run))

    @property
    def done(self) -> bool:
        return self._task.done()

    async def wait(self) -> None:
        await asyncio.shield(self._task)


class _TrioJob:
    def __init__(self, trio: Any, run: Run) -> None:  # noqa: ANN401
        self._ended = trio.Event()
        trio.lowlevel.spawn_system_task(self._run, run)

    @property
    def done(self) -> bool:
        ended: bool = self._ended.is_set()
        return ended

    async def wait(self) -> None:
        await self._ended.wait()

    async def _run(self, run: Run) -> None:
        try:
            await _logged(run)
        finally:
            self._ended.set()


async def _logged(run: Run) -> None:
    # On trio, an error in a system task would end the whole program.
    try:
        await run()
    except Exception:
        _log.exception("a background job failed")


def _trio() -> Any | None:  # noqa: ANN401
    """Return the module trio if the current task runs on it. trio is not a dependency."""
    trio = sys.modules.get("trio")
    if trio is None:
        return None
    try:
        trio.lowlevel.current_task()
    except RuntimeError:
        return None
    return trio
