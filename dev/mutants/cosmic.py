"""Mutants of the Python package, by cosmic-ray, against the tests of the module."""

import json
import os
import sqlite3
import subprocess
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from fcntl import LOCK_EX, LOCK_NB, flock
from hashlib import sha256
from pathlib import Path

import record
from record import ROOT, WORK, Mutant, MutantsError

TOOLS = ROOT / "target" / "tools" / "cosmic-ray" / "bin"
FORKED = Path(__file__).with_name("forked.py")
# The tests of each module, the most specific first. Other modules have the test of their name.
_ROUTING = (
    *("prefix", "root_path", "dispatch", "dispatch_bypass", "route", "strict"),
    *("former_routes", "app_parts", "middleware"),
)
TESTS = {
    "verify": ("verify", "contract", "origin_key"),
    "keys.okp": ("jwks", "origin_key"),
    "keys.jwks": ("jwks", "origin_key"),
    "keys.origin": ("origin_key", "contract"),
    "keys.key_set": ("origin_key", "jwks"),
    "routes.check": ("route", *_ROUTING, "unnamed_endpoints", "observe", "root_path_matrix"),
    "routes.dispatch": ("dispatch", *_ROUTING, "observe", "root_path_matrix"),
    "routes.entering": ("dispatch", *_ROUTING, "root_path_matrix"),
    "routes.root_path": (*_ROUTING, "local", "root_path_matrix"),
    "middleware": (
        *(
            "middleware",
            "content",
            "contract",
            "placement",
            "observe",
            "local",
            "expiry",
            "sockets",
        ),
        *_ROUTING,
    ),
}
# The tests take half a minute at most on an idle machine; a mutant that loops is stopped.
TEST_SECONDS = 180.0
# `X | None` in an annotation is not an operation; a mutant of it does not concern tests.
NOT_CHANGED = "core/ReplaceBinaryOperator_BitOr_.*"

OUTCOMES = {"killed": record.CAUGHT, "survived": record.SURVIVED, "incompetent": record.UNVIABLE}


def run(module: str, minutes: float) -> int:
    with _alone(WORK / f"python-{module}.lock"):
        return _run(module, minutes)


@contextmanager
def _alone(lock: Path) -> Iterator[None]:
    """Prevents a second run for a module: without its server, every mutant would seem to fail."""
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("w") as held:
        try:
            flock(held, LOCK_EX | LOCK_NB)
        except BlockingIOError as error:
            raise MutantsError(f"{lock.stem} is being tested already") from error
        yield


def _run(module: str, minutes: float) -> int:
    tree = record.copy_of_tree(f"python-{module}-tree")
    file = f"src/fastgate/{module.replace('.', '/')}.py"
    if not (tree / "origin" / file).is_file():
        raise MutantsError(f"there is no origin/{file}")
    names = dict.fromkeys(TESTS.get(module, (module.rpartition(".")[2],)))  # each once
    tests = [f"tests/test_{name}.py" for name in names]
    python = ROOT / ".venv" / "bin" / "python"
    socket = WORK / f"python-{module}.socket"
    command = f"{python} -IS {FORKED} run {socket} -x -q -p no:cacheprovider {' '.join(tests)}"
    configuration = WORK / f"python-{module}.toml"
    configuration.write_text(
        f"""[cosmic-ray]
module-path = "{file}"
timeout = {TEST_SECONDS}
excluded-modules = []
test-command = "{command}"
[cosmic-ray.distributor]
name = "local"
[cosmic-ray.filters.operators-filter]
exclude-operators = ["{NOT_CHANGED}"]
""",
        "utf-8",
    )
    origin = tree / "origin"
    # An interrupted run continues as long as the module is unchanged.
    session = WORK / f"python-{module}-{_digest(origin, (file,))}.sqlite"
    with _serving(python, socket, origin):
        if not session.exists():
            _call(("cosmic-ray", "baseline", str(configuration)), origin)
            _call(("cosmic-ray", "init", str(configuration), str(session)), origin)
            _call(("cr-filter-operators", str(session), str(configuration)), origin)
        _forget_survivors(session, _digest(origin, tests))
        _execute(configuration, session, origin, minutes * 60)
    dump = _call(("cosmic-ray", "dump", str(session)), origin)
    mutants, not_run = _mutants(dump)
    name = f"origin/{file}"
    count, digests = {name: len(mutants) + not_run}, {name: record.digest(tree / name)}
    return record.write(f"python-{module}", tree, mutants, count, digests)


@contextmanager
def _serving(python: Path, socket: Path, origin: Path) -> Iterator[None]:
    """Runs the server that runs the tests."""
    socket.unlink(missing_ok=True)
    command = (str(python), str(FORKED), "serve", str(socket), str(TEST_SECONDS))
    with subprocess.Popen(command, cwd=origin, env=_environment()) as server:
        try:
            while not socket.exists():
                if server.poll() is not None:
                    raise MutantsError(f"{FORKED.name} ended with status {server.returncode}")
                time.sleep(0.05)
            yield
        finally:
            server.terminate()


def _digest(origin: Path, files: Iterable[str]) -> str:
    return sha256(b"".join((origin / file).read_bytes() for file in files)).hexdigest()[:12]


def _forget_survivors(session: Path, tests: str) -> None:
    """Removes survivors of other tests from the results, so that the present tests run on them."""
    note = session.with_suffix(".tests")
    if note.exists() and note.read_text("utf-8") != tests:
        with sqlite3.connect(session) as results:
            results.execute("DELETE FROM work_results WHERE test_outcome = 'SURVIVED'")
    note.write_text(tests, "utf-8")


def _execute(configuration: Path, session: Path, origin: Path, seconds: float) -> None:
    """Runs the mutants without a result, for at most this time; another run continues."""
    command = (str(TOOLS / "cosmic-ray"), "exec", str(configuration), str(session))
    with subprocess.Popen(command, cwd=origin, env=_environment()) as running:
        try:
            status = running.wait(seconds)
        except subprocess.TimeoutExpired:
            running.terminate()
            return
    if status != 0:
        raise MutantsError(f"cosmic-ray exec ended with status {status}")


def _environment() -> dict[str, str]:
    return {
        **os.environ,
        "PYTHONPATH": "src",  # the copy, not the installed package
        "PYTHONDONTWRITEBYTECODE": "1",  # bytecode of a mutant of the same length in the same second would be reused
    }


def _call(command: Sequence[str], folder: Path) -> str:
    done = subprocess.run(
        (str(TOOLS / command[0]), *command[1:]),
        cwd=folder,
        env=_environment(),
        text=True,
        stdout=subprocess.PIPE,
        check=False,
    )
    if done.returncode != 0:
        raise MutantsError(
            f"{' '.join(command)} ended with status {done.returncode}: {done.stdout}"
        )
    return done.stdout


def _mutants(dump: str) -> tuple[list[Mutant], int]:
    """The mutants that were run, and the number of those that were not."""
    mutants, not_run = [], 0
    for line in dump.splitlines():
        item, result = json.loads(line)
        if result is None:
            not_run += 1
            continue
        if result["worker_outcome"] == "skipped":
            continue
        outcome = OUTCOMES[result["test_outcome"]]
        for mutation in item["mutations"]:
            file = f"origin/{mutation['module_path']}"
            operator = mutation["operator_name"].removeprefix("core/")
            name = f"{file}: {operator} {mutation['occurrence']}"
            line, _ = mutation["start_pos"]
            change = _changed(result["diff"]) or operator
            mutants.append(Mutant(name, file, line, change, outcome))
    return mutants, not_run


def _changed(diff: str | None) -> str:
    """The changed line of the mutant."""
    lines = (diff or "").splitlines()
    changed = [line[1:] for line in lines if line.startswith("+") and not line.startswith("+++")]
    return " ".join(" ".join(changed).split())
