"""Compile the policy of an app for the local edge, in a process of its own.

    python -m fastgate.dev.policy.compile_app < JOB > RESULT

A process of its own imports the app as it is now: at a reload the app has changed. Input: a `Job`
as JSON. Output: a `Compiled` as JSON, and exit code 0; or the reason why there is none on standard
error, such as the app's own traceback, and exit code 1. What the app writes to standard output goes
to standard error, also what its libraries and its own child processes write.
"""

import inspect
import json
import operator
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from fastgate.compile.policy import CannotCompile, RouteDocument, compile_routes
from fastgate.dev.policy.local import APP, Addresses, UnusableBase, local_base
from fastgate.find_app import FoundModule, find_module, import_app
from fastgate.guard_settings import settings_of
from fastgate.json_documents import document_at, rules_of
from fastgate.wrong_call import Failed, WrongCall

_DEADLINE = 120
"""Seconds for the import of the app."""


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
    command = [sys.executable, "-m", "fastgate.dev.policy.compile_app"]
    try:
        ran = subprocess.run(  # noqa: S603 this module
            command,
            input=json.dumps(asdict(job)),
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=_DEADLINE,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise NotCompiled(
            f"the app was not imported in {_DEADLINE} seconds: import it without starting a "
            'server, which belongs below `if __name__ == "__main__":`'
        ) from error
    if ran.returncode != 0:
        raise NotCompiled(ran.stderr.strip() or f"the process ended with {ran.returncode}")
    return Compiled(**json.loads(ran.stdout))


def compiled(job: Job) -> Compiled:
    """Import the app and compile its policy.

    Raises:
        Failed, WrongCall: the app cannot be imported, or the base policy is unusable.

    """
    base = None if job.base is None else document_at(Path(job.base))
    found, app = import_app(find_module(job.target, Path(job.folder)))
    settings = settings_of(app)
    audience = APP if settings is None else settings.audience
    try:
        local = local_base(base, Addresses(job.edge, job.provider), audience)
    except UnusableBase as error:
        raise WrongCall(f"{job.base}: {error}") from error
    faults: list[dict[str, str]] = []
    policy: dict[str, object] | None = None
    try:
        routes = compile_routes(app, job.origin, rules=rules_of(local))
        policy = {**local, "routes": [*_own_routes(local), *routes]}
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


def _own_routes(local: Mapping[str, object]) -> Sequence[RouteDocument]:
    """Return the routes of the base to which the edge responds itself."""
    routes = local.get("routes", [])
    listed = routes if isinstance(routes, list) else []
    return [each for each in listed if isinstance(each, dict) and each.get("respond") is not None]


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
