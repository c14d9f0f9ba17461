"""Compile the policy of an app for the local edge, in a process of its own.

    python -m fastgate.dev.policy.compile_app < JOB > RESULT

A process of its own imports the app as it is now: at a reload the app has changed. Input: a `Job`
as JSON. Output: a `Compiled` as JSON, and exit code 0; or the reason why there is none on standard
error, such as the app's own traceback, and exit code 1. What the app writes to standard output goes
to standard error, also what its libraries and its own child processes write.
"""

import contextlib
import inspect
import json
import operator
import os
import signal
import subprocess
import sys
from dataclasses import asdict, dataclass, field
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO

from fastgate.compile.policy import CannotCompile, compile_routes
from fastgate.dev.policy.local import (
    APP,
    Addresses,
    UnusableBase,
    local_base,
    own_routes,
    with_values,
)
from fastgate.find_app import FoundModule, find_module, import_app
from fastgate.guard_settings import settings_of
from fastgate.json_documents import document_at, rules_of
from fastgate.stage import names_in, stage_of
from fastgate.wrong_call import Failed, WrongCall

_DEADLINE = 120
"""Seconds for the import of the app."""
_GROUPS = os.name == "posix"
"""Whether processes have groups, which can be ended at once."""


@dataclass(frozen=True, slots=True)
class Job:
    """An app, and what its policy is compiled for."""

    target: str | None
    """The app, as for `find_module`."""
    folder: str
    base: str | None
    """The file of the base policy, if there is one."""
    edge: str
    provider: str
    origin: str | None = None
    """The name of the app under `origins` of the base."""
    stage: str | None = None
    """The file with the values of `${NAME}` in the policy."""


@dataclass(frozen=True, slots=True)
class Compiled:
    """What is known of an app, and its policy unless it has faults."""

    app: str
    """`package.module:app`."""
    folder: str
    """The folder from which it is imported."""
    is_factory: bool
    """Whether the name refers to a function that returns the app."""
    guarded: bool
    audience: str
    policy: dict[str, object] | None
    faults: list[dict[str, str]] = field(default_factory=list)
    """For each, `where`, `what` and `remedy`."""


class NotCompiled(Exception):
    """There is no result. The message is for people: the traceback of the app, or one line."""


def compile_in_a_process(job: Job) -> Compiled:
    """Compile; raise `NotCompiled` if the app cannot be imported."""
    # Files, and no pipes: a process that the app starts on import may keep a pipe open for ever.
    with TemporaryFile() as input_, TemporaryFile() as output, TemporaryFile() as errors:
        input_.write(json.dumps(asdict(job)).encode())
        input_.seek(0)
        code = _run(input_, output, errors)
        result, said = _text(output), _text(errors).strip()
    if code == 1 and said:
        raise NotCompiled(said)
    try:
        return Compiled(**json.loads(result))
    except (ValueError, TypeError) as error:
        how = f"signal {-code}" if code < 0 else f"exit code {code}"
        ended = f"the import of the app ended the process ({how}): import it without `sys.exit`"
        raise NotCompiled(f"{said}\n{ended}".lstrip()) from error


def _run(input_: IO[bytes], output: IO[bytes], errors: IO[bytes]) -> int:
    """Run this module as a program, and return its exit code."""
    process = subprocess.Popen(
        [sys.executable, "-m", "fastgate.dev.policy.compile_app"],
        stdin=input_,
        stdout=output,
        stderr=errors,
        start_new_session=_GROUPS,
    )
    try:
        return process.wait(_DEADLINE)
    except subprocess.TimeoutExpired as error:
        raise NotCompiled(
            f"the app was not imported in {_DEADLINE} seconds: import it without starting a "
            'server, which belongs below `if __name__ == "__main__":`'
        ) from error
    finally:
        # What the app has started on import ends as well: it is started again with the app itself.
        if _GROUPS:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
        process.kill()
        process.wait()


def _text(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode("utf-8", "replace")


def compiled(job: Job) -> Compiled:
    """Import the app and compile its policy.

    Raises:
        Failed, WrongCall: the app cannot be imported, or the base policy is unusable.

    """
    stage = stage_of(None if job.stage is None else Path(job.stage))
    base = None if job.base is None else document_at(Path(job.base))
    found, app = import_app(find_module(job.target, Path(job.folder)))
    settings = settings_of(app)
    audience = APP if settings is None else settings.audience
    try:
        staged = with_values(base, stage)
        local = local_base(staged, Addresses(job.edge, job.provider), audience)
    except (UnusableBase, WrongCall) as error:
        raise WrongCall(f"{job.base}: {error}") from error
    faults: list[dict[str, str]] = []
    policy: dict[str, object] | None = None
    try:
        routes = compile_routes(app, job.origin, rules=rules_of(local))
        stage.check_used([*names_in(base), *names_in(routes)])
        compiled_routes = [stage.applied(each, f"the route {each['id']}") for each in routes]
        policy = {**local, "routes": [*own_routes(local), *compiled_routes]}
    except CannotCompile as error:
        faults = [
            {"where": str(each.endpoint), "what": each.what, "remedy": each.remedy}
            for each in error.faults
        ]
    return Compiled(
        found.import_string,
        str(found.folder),
        _is_factory(found),
        settings is not None,
        audience,
        policy,
        faults,
    )


def _is_factory(found: FoundModule) -> bool:
    return inspect.isfunction(operator.attrgetter(found.name)(sys.modules[found.module]))


def main() -> int:
    """Compile the job on standard input."""
    output = os.dup(1)
    os.dup2(2, 1)
    try:
        result = compiled(Job(**json.load(sys.stdin)))
    except (Failed, WrongCall) as error:
        print(error, file=sys.stderr)  # noqa: T201
        return 1
    with open(output, "w", encoding="utf-8") as file:
        json.dump(asdict(result), file)
    return 0


if __name__ == "__main__":
    code = main()
    sys.stderr.flush()
    os._exit(code)  # without waiting for threads that the app has started
