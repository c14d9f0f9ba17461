"""What is known of a module's mutants: the files in tests/mutants/."""

import json
import shutil
import subprocess
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
WORK = ROOT / "target" / "mutants"
RECORDS = ROOT / "tests" / "mutants"

CAUGHT, SURVIVED, TIMEOUT, UNVIABLE = "caught", "survived", "timeout", "unviable"


class MutantsError(Exception):
    """Something that keeps the mutants from being tested; the message says what."""


@dataclass(frozen=True)
class Mutant:
    """One changed place, and whether a test noticed."""

    name: str  # as the tool calls it; no other mutant of the same code has it
    file: str
    line: int  # from 1, at the time of the run
    change: str
    outcome: str

    def source(self, tree: Path) -> str:
        """The line as it was: with it, a mutant is recognized when lines above it have moved."""
        return (tree / self.file).read_text("utf-8").splitlines()[self.line - 1].strip()


def copy_of_tree(name: str) -> Path:
    """A fresh copy of the working tree without what is ignored; `.venv` is a link to the real one."""
    tree = WORK / name
    shutil.rmtree(tree, ignore_errors=True)
    listed = subprocess.run(
        ("git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"),
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    for file in filter(None, listed.stdout.split("\0")):
        if (ROOT / file).is_file():
            (tree / file).parent.mkdir(parents=True, exist_ok=True)
            # Not copy2: with new times, cargo cannot mistake a mutant of an earlier run for the code.
            shutil.copy(ROOT / file, tree / file)
    (tree / ".venv").symlink_to(ROOT / ".venv")
    return tree


def write(name: str, tree: Path, mutants: Sequence[Mutant], not_run: int) -> int:
    """Writes the record of a module and says what is in it; 1 if a survivor has no reason, else 0.

    Reasons of the record before stay with their mutants: same file, same change, same source line.
    """
    path = _path(name)
    reasons = dict(_reasons(path))
    survivors = []
    for mutant in sorted(mutants, key=lambda mutant: (mutant.file, mutant.line, mutant.change)):
        if mutant.outcome == SURVIVED:
            source = mutant.source(tree)
            reason = reasons.get((mutant.file, mutant.change, source), "")
            survivors.append(
                {
                    "where": f"{mutant.file}:{mutant.line}",
                    "line": source,
                    "change": mutant.change,
                    "equivalent": reason,
                }
            )
    counts = Counter(mutant.outcome for mutant in mutants)
    record = {
        "mutants": len(mutants) + not_run,
        "not_run": not_run,
        **{outcome: counts[outcome] for outcome in (CAUGHT, TIMEOUT, UNVIABLE, SURVIVED)},
        "survivors": survivors,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(record, indent=2, ensure_ascii=False) + "\n", "utf-8")
    summary = ", ".join(f"{counts[outcome]} {outcome}" for outcome in counts)
    print(f"{name}: {summary}, {not_run} not run; see {path.relative_to(ROOT)}")
    open_ones = [survivor for survivor in survivors if not survivor["equivalent"]]
    for survivor in open_ones:
        print(f"  survived: {survivor['where']}: {survivor['change']}\n    {survivor['line']}")
    return 1 if open_ones else 0


def unexplained(name: str, tree: Path, mutants: Iterable[Mutant]) -> list[Mutant]:
    """The survivors for which the record has no reason."""
    reasons = dict(_reasons(_path(name)))
    survivors = [mutant for mutant in mutants if mutant.outcome == SURVIVED]
    return [one for one in survivors if not reasons.get((one.file, one.change, one.source(tree)))]


def _path(name: str) -> Path:
    return RECORDS / f"{name.replace('/', '-')}.json"


def _reasons(path: Path) -> Iterable[tuple[tuple[str, str, str], str]]:
    if path.exists():
        for survivor in json.loads(path.read_text("utf-8"))["survivors"]:
            file = survivor["where"].rpartition(":")[0]
            yield (file, survivor["change"], survivor["line"]), survivor["equivalent"]
