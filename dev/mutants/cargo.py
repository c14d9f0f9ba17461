"""Mutants of the library, by cargo-mutants, against the native tests."""

import json
import os
import re
import shutil
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path

import record
from record import ROOT, WORK, Mutant, MutantsError

CARGO_MUTANTS = str(ROOT / "target" / "tools" / "bin" / "cargo-mutants")
SOURCES = "sources.json"
BUILD = WORK / "build"
# Only the native tests: linking with Viceroy takes a minute for each mutant.
FAST_TARGETS = ("--test=unit",)
ALL_TARGETS = ("--lib", "--bins", *FAST_TARGETS)
# Slower tests, for mutants that survive the others: sequences of requests, and signature vectors.
SLOW_TARGETS = ("--test=model", "--test=signatures")
# Tests that read the source as text would notice changes that no request can.
SKIPPED = ("attacks::", "architecture::", "references::")
# These take most of the time, and few mutants fail only in these, so they run later.
SLOW = ("cli::", "differential::", "who::chains_of_rules_")
# Seconds for one mutant: most tests take about two, the slow ones about eighty; builds are incremental.
TEST_SECONDS, BUILD_SECONDS = 240, 300

OUTCOMES = {
    "CaughtMutant": record.CAUGHT,
    "MissedMutant": record.SURVIVED,
    "Timeout": record.TIMEOUT,
    "Unviable": record.UNVIABLE,
}


def run(module: str, minutes: float, *, again: bool) -> int:
    """Tests the untested mutants, or only those that survived, and writes the record."""
    until = time.monotonic() + minutes * 60
    tree = record.copy_of_tree("tree")
    patterns = [f"src/{module}.rs", f"src/{module}/**/*.rs"]
    files = {
        path.relative_to(tree).as_posix() for pattern in patterns for path in tree.glob(pattern)
    }
    if not files:
        raise MutantsError(f"there is no module {module} in src/")
    work = WORK / module.replace("/", "-")
    names = _names(tree, patterns)
    digests = {file: record.digest(tree / file) for file in sorted(files)}
    complete = record.complete(module, digests)
    known = _known(work, tree, names)
    left = [name for name in names if name not in known and _file_of(name) not in complete]
    if left and not again:
        command = _command(patterns, left, FAST_TARGETS, (*SKIPPED, *SLOW))
        _test(tree, work, command, digests, until)
        known = _known(work, tree, names)
    recorded = [_mutant(name) for name in names if name not in known and _file_of(name) in complete]
    recorded = record.survivors(module, tree, recorded)
    for targets in (ALL_TARGETS, SLOW_TARGETS):
        survivors = record.unexplained(module, tree, [*known.values(), *recorded])
        if survivors:
            command = _command(patterns, [one.name for one in survivors], targets, SKIPPED)
            _test(tree, work, command, digests, until)
            known = _known(work, tree, names)
            recorded = [one for one in recorded if one.name not in known]
    of_files = Counter(map(_file_of, names))
    return record.write(module, tree, known.values(), of_files, digests)


def _test(
    tree: Path, work: Path, command: Sequence[str], digests: Mapping[str, str], until: float
) -> None:
    """Tests the mutants of this command until the time is over; the outcomes are below `work`."""
    _copy_build()
    out = work / str(time.time_ns())
    out.mkdir(parents=True)
    (out / SOURCES).write_text(json.dumps(digests))
    command = (*command[:2], "--dir", str(tree), "--output", str(out), *command[2:])
    with subprocess.Popen(command, cwd=ROOT, env=_environment()) as running:
        try:
            # 0: all caught; 2: some survived; 3: some timed out.
            status = running.wait(max(until - time.monotonic(), 0))
            if status not in (0, 2, 3):
                raise MutantsError(f"cargo-mutants ended with status {status}")
        except subprocess.TimeoutExpired:
            running.send_signal(signal.SIGINT)


def _copy_build() -> None:
    """Copies the built dependencies of the tests, once: building them takes a quarter of an hour.

    A copy, because cargo gives builds of the copied tree the same names as builds of the working tree: in one folder,
    tests of the working tree would run the code of a mutant.
    """
    if BUILD.exists():
        return
    print("mutants: copying target/debug once", flush=True)
    for folder in (".fingerprint", "build", "deps"):
        built = ROOT / "target" / "debug" / folder
        if built.is_dir():
            shutil.copytree(built, BUILD / "debug" / folder, symlinks=True)


def _file_of(name: str) -> str:
    """The file of a mutant: `src/a.rs` for `src/a.rs:1:2: replace x with y in z`."""
    return name.partition(":")[0]


def _mutant(name: str, outcome: str = record.SURVIVED) -> Mutant:
    file, line, _, change = name.split(":", 3)
    return Mutant(name, file, int(line), change.strip(), outcome)


def _names(tree: Path, patterns: Sequence[str]) -> list[str]:
    """The names of the present mutants."""
    command = (CARGO_MUTANTS, "mutants", "--dir", str(tree), "--list", *_files(patterns))
    listed = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    return listed.stdout.splitlines()


def _known(work: Path, tree: Path, names: Collection[str]) -> dict[str, Mutant]:
    """The latest outcome of each mutant, by name, if its file has not changed since."""
    known: dict[str, Mutant] = {}
    if not work.exists():
        return known
    wanted = frozenset(names)
    runs = work.glob(f"*/{SOURCES}")
    for run_of in sorted(runs, key=lambda path: path.stat().st_mtime):
        outcomes = run_of.with_name("mutants.out") / "outcomes.json"
        sources = json.loads(run_of.read_text("utf-8"))
        for mutant in _mutants(outcomes) if outcomes.exists() else ():
            file = tree / mutant.file
            if (
                mutant.name in wanted
                and file.exists()
                and record.digest(file) == sources[mutant.file]
            ):
                known[mutant.name] = mutant
    return known


def _command(
    patterns: Sequence[str], names: Iterable[str], targets: Sequence[str], skipped: Sequence[str]
) -> Sequence[str]:
    return (
        *(CARGO_MUTANTS, "mutants", "--in-place", "--no-shuffle", "--colors=never"),
        *(f"--re=^{re.escape(name)}$" for name in names),
        *(f"--timeout={TEST_SECONDS}", f"--build-timeout={BUILD_SECONDS}"),
        *_files(patterns),
        *(
            part
            for target in ("--locked", "--features=tool", *targets)
            for part in ("--cargo-arg", target)
        ),
        *("--", "--", *(part for test in skipped for part in ("--skip", test))),
    )


def _files(patterns: Sequence[str]) -> Sequence[str]:
    return [part for pattern in patterns for part in ("--file", pattern)]


def _environment() -> dict[str, str]:
    return {
        **os.environ,
        "CARGO_TARGET_DIR": str(BUILD),
        "CARGO_PROFILE_DEV_DEBUG": "false",
    }


def _mutants(outcomes: Path) -> list[Mutant]:
    mutants = []
    for outcome in json.loads(outcomes.read_text("utf-8"))["outcomes"]:
        if outcome["scenario"] == "Baseline":
            continue
        name = outcome["scenario"]["Mutant"]["name"]
        mutants.append(_mutant(name, OUTCOMES[outcome["summary"]]))
    return mutants
