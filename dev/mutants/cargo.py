"""Mutants of the library, by cargo-mutants, against the native tests."""

import json
import os
import re
import subprocess
from collections.abc import Sequence
from pathlib import Path

import record
from record import ROOT, WORK, Mutant, MutantsError

TOOLS = ROOT / "target" / "tools"
# The native tests, and no others: what has to be linked with Viceroy takes a minute for each mutant.
TARGETS = (
    "--lib",
    "--bins",
    *(f"--test={name}" for name in ("core", "bound", "issuers", "rules", "opaque")),
)
# Tests that read the source as text would notice changes that no request can.
SKIPPED = ("house::", "references::")
# Seconds for one mutant: the tests take about two, and a build is incremental.
TEST_SECONDS, BUILD_SECONDS = 60, 300

OUTCOMES = {
    "CaughtMutant": record.CAUGHT,
    "MissedMutant": record.SURVIVED,
    "Timeout": record.TIMEOUT,
    "Unviable": record.UNVIABLE,
}


def run(module: str, shard: str) -> int:
    part, of = _parts(shard)
    tree = record.copy_of_tree("tree")
    files = [f"src/{module}.rs", f"src/{module}/**/*.rs"]
    if not any(path for pattern in files for path in tree.glob(pattern)):
        raise MutantsError(f"there is no module {module} in src/")
    out = WORK / module.replace("/", "-") / f"{part}-of-{of}"
    out.mkdir(parents=True, exist_ok=True)
    status = subprocess.run(
        _command(files, shard, tree, out), cwd=ROOT, env=_environment(), check=False
    )
    # 0: all caught; 2: some survived; 3: some timed out.
    if status.returncode not in (0, 2, 3):
        raise MutantsError(f"cargo-mutants ended with status {status.returncode}")
    mutants: list[Mutant] = []
    done = []
    for number in range(of):
        outcomes = out.with_name(f"{number}-of-{of}") / "mutants.out" / "outcomes.json"
        if outcomes.exists():
            mutants += _mutants(outcomes)
            done.append(number)
    shards = "all" if len(done) == of else f"{', '.join(map(str, done))} of {of}"
    return record.write(module, tree, mutants, shards)


def _parts(shard: str) -> tuple[int, int]:
    match = re.fullmatch(r"(\d+)/(\d+)", shard)
    if not match or int(match[1]) >= int(match[2]):
        raise MutantsError(f"a shard is K/N with K < N, not {shard!r}")
    return int(match[1]), int(match[2])


def _command(files: Sequence[str], shard: str, tree: Path, out: Path) -> Sequence[str]:
    return (
        *(
            str(TOOLS / "bin" / "cargo-mutants"),
            "mutants",
            "--dir",
            str(tree),
            "--output",
            str(out),
        ),
        *("--in-place", "--no-shuffle", f"--shard={shard}"),
        *(f"--timeout={TEST_SECONDS}", f"--build-timeout={BUILD_SECONDS}", "--colors=never"),
        *(part for file in files for part in ("--file", file)),
        *(part for target in ("--locked", *TARGETS) for part in ("--cargo-arg", target)),
        *("--", "--", *(part for test in SKIPPED for part in ("--skip", test))),
    )


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
        mutants.append(Mutant(mutant["file"], line, change, OUTCOMES[outcome["summary"]]))
    return mutants
