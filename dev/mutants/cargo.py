"""Mutants of the library, by cargo-mutants, against the native tests."""

import json
import os
import re
import shutil
import subprocess
import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from hashlib import sha256
from pathlib import Path

import record
from record import ROOT, WORK, Mutant, MutantsError

CARGO_MUTANTS = str(ROOT / "target" / "tools" / "bin" / "cargo-mutants")
SOURCES = "sources.json"
BINARY = ROOT / "target" / "debug" / "fastgate"
# The native tests, and no others: what has to be linked with Viceroy takes a minute for each mutant.
TESTS = ("core", "bound", "issuers", "rules", "opaque")
ALL_TARGETS = ("--lib", "--bins", *(f"--test={name}" for name in TESTS))
# Most mutants fail in the tests that are about their module: those alone are built and run first. Others: `core`.
NEAREST = {
    "src/authorize": "rules",
    "src/identity/binding": "bound",
    "src/identity/demands": "issuers",
    "src/identity/deny_list": "opaque",
    "src/identity/dpop": "bound",
    "src/identity/introspection": "opaque",
    "src/identity/possession": "bound",
    "src/identity/replay": "bound",
    "src/request/certificate": "bound",
    "src/throttle": "rules",
}
# Tests that read the source as text would notice changes that no request can.
SKIPPED = ("attacks::", "house::", "references::")
# Half of the time of all tests: not at first.
SLOW = ("differential::", "who::chains_of_rules_")
# Seconds for one mutant: the tests take about two, and a build is incremental.
TEST_SECONDS, BUILD_SECONDS = 60, 300

OUTCOMES = {
    "CaughtMutant": record.CAUGHT,
    "MissedMutant": record.SURVIVED,
    "Timeout": record.TIMEOUT,
    "Unviable": record.UNVIABLE,
}


def run(module: str, shard: str, *, again: bool) -> int:
    part, of = _parts(shard)
    tree = record.copy_of_tree("tree")
    patterns = [f"src/{module}.rs", f"src/{module}/**/*.rs"]
    files = {
        path.relative_to(tree).as_posix() for pattern in patterns for path in tree.glob(pattern)
    }
    if not files:
        raise MutantsError(f"there is no module {module} in src/")
    work = WORK / module.replace("/", "-")
    names = _names(tree, _files(patterns))
    digests = {file: _digest(tree / file) for file in sorted(files)}
    if not again:
        out = work / f"{part}-of-{of}"
        shutil.rmtree(out, ignore_errors=True)
        chosen = [f"--shard={part}/{of}"]
        targets = _nearest(_names(tree, (*_files(patterns), *chosen)))
        _test(tree, out, _command(patterns, chosen, targets, (*SKIPPED, *SLOW)), digests)
    survivors = record.unexplained(module, tree, _known(work, tree, names).values())
    if survivors:
        chosen = [f"--re=^{re.escape(one.name)}$" for one in survivors]
        command = _command(patterns, chosen, ALL_TARGETS, SKIPPED)
        _test(tree, work / f"again-{time.time_ns()}", command, digests)
    known = _known(work, tree, names)
    return record.write(module, tree, list(known.values()), len(names) - len(known))


def _test(tree: Path, out: Path, command: Sequence[str], digests: Mapping[str, str]) -> None:
    """Tests the mutants of this command; what each came to is in the folder `out` then."""
    out.mkdir(parents=True)
    (out / SOURCES).write_text(json.dumps(digests))
    command = (*command[:2], "--dir", str(tree), "--output", str(out), *command[2:])
    try:
        status = subprocess.run(command, cwd=ROOT, env=_environment(), check=False).returncode
    finally:
        # The last mutant's program: cargo puts the right one there when it is asked next.
        BINARY.unlink(missing_ok=True)
    # 0: all caught; 2: some survived; 3: some timed out.
    if status not in (0, 2, 3):
        raise MutantsError(f"cargo-mutants ended with status {status}")


def _nearest(names: Iterable[str]) -> Sequence[str]:
    """The test targets that are about the files of these mutants."""
    near = {
        next((test for start, test in NEAREST.items() if name.startswith(start)), "core")
        for name in names
    }
    return [f"--test={test}" for test in TESTS if test in near]


def _names(tree: Path, chosen: Sequence[str]) -> frozenset[str]:
    """The mutants that there are now."""
    command = (CARGO_MUTANTS, "mutants", "--dir", str(tree), "--list", *chosen)
    listed = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    return frozenset(listed.stdout.splitlines())


def _known(work: Path, tree: Path, names: Collection[str]) -> dict[str, Mutant]:
    """By name, what the latest run of each mutant came to, as long as its file is the same."""
    known = {}
    runs = work.glob(f"*/{SOURCES}")
    for run_of in sorted(runs, key=lambda path: path.stat().st_mtime):
        outcomes = run_of.with_name("mutants.out") / "outcomes.json"
        sources = json.loads(run_of.read_text("utf-8"))
        for mutant in _mutants(outcomes) if outcomes.exists() else ():
            file = tree / mutant.file
            if mutant.name in names and file.exists() and _digest(file) == sources[mutant.file]:
                known[mutant.name] = mutant
    return known


def _digest(file: Path) -> str:
    return sha256(file.read_bytes()).hexdigest()


def _parts(shard: str) -> tuple[int, int]:
    match = re.fullmatch(r"(\d+)/(\d+)", shard)
    if not match or int(match[1]) >= int(match[2]):
        raise MutantsError(f"a shard is K/N with K < N, not {shard!r}")
    return int(match[1]), int(match[2])


def _command(
    patterns: Sequence[str], chosen: Sequence[str], targets: Sequence[str], skipped: Sequence[str]
) -> Sequence[str]:
    return (
        *(CARGO_MUTANTS, "mutants", "--in-place", "--no-shuffle", "--colors=never", *chosen),
        *(f"--timeout={TEST_SECONDS}", f"--build-timeout={BUILD_SECONDS}"),
        *_files(patterns),
        *(part for target in ("--locked", *targets) for part in ("--cargo-arg", target)),
        *("--", "--", *(part for test in skipped for part in ("--skip", test))),
    )


def _files(patterns: Sequence[str]) -> Sequence[str]:
    return [part for pattern in patterns for part in ("--file", pattern)]


def _environment() -> dict[str, str]:
    """The dependencies that the tests have built serve here, too: same profile, same folder."""
    return {
        **os.environ,
        "CARGO_TARGET_DIR": str(ROOT / "target"),
        "CARGO_PROFILE_DEV_DEBUG": "false",
    }


def _mutants(outcomes: Path) -> list[Mutant]:
    mutants = []
    for outcome in json.loads(outcomes.read_text("utf-8"))["outcomes"]:
        if outcome["scenario"] == "Baseline":
            continue
        mutant = outcome["scenario"]["Mutant"]
        # `src/a.rs:1:2: replace x with y in z`
        change = re.sub(r"^\S+:\d+:\d+: ", "", mutant["name"])
        line = mutant["span"]["start"]["line"]
        found = OUTCOMES[outcome["summary"]]
        mutants.append(Mutant(mutant["name"], mutant["file"], line, change, found))
    return mutants
