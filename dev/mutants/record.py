"""The records of a module's mutants: the files in tests/mutants/."""

import json
import shutil
import subprocess
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
WORK = ROOT / "target" / "mutants"
RECORDS = ROOT / "tests" / "mutants"

OUTCOMES = CAUGHT, TIMEOUT, UNVIABLE, SURVIVED = "caught", "timeout", "unviable", "survived"


class MutantsError(Exception):
    """The mutants cannot be tested. The message says why."""


@dataclass(frozen=True)
class Mutant:
    """One changed place, and whether a test noticed."""

    name: str  # the tool's name for it, unique among the mutants of the same code
    file: str
    line: int  # the line number, from 1, at the time of the run
    change: str
    outcome: str

    def source(self, tree: Path) -> str:
        """The original line, by which a mutant is recognized after lines above it have changed."""
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
            # Not copy2: new times prevent cargo from reusing the build of an earlier mutant.
            shutil.copy(ROOT / file, tree / file)
    (tree / ".venv").symlink_to(ROOT / ".venv")
    return tree


def digest(file: Path) -> str:
    """SHA-256, as hexadecimal digits."""
    return sha256(file.read_bytes()).hexdigest()


def complete(name: str, digests: Mapping[str, str]) -> frozenset[str]:
    """The files that have not changed since all of their mutants were tested."""
    known = _read(name).get("files", {})
    return frozenset(
        file for file, digest in digests.items() if known.get(file, {}).get("sha256") == digest
    )


def write(
    name: str,
    tree: Path,
    mutants: Iterable[Mutant],
    of_files: Mapping[str, int],
    digests: Mapping[str, str],
) -> int:
    """Writes the record of a module and prints a summary; 1 if a survivor has no reason, else 0.

    Reasons in the previous record stay with their mutants: same file, same change, same source line. The results of
    unchanged files that were not tested again stay, too.

    Args:
        name: the name of the module.
        tree: the files that were tested.
        mutants: the mutants with a known outcome.
        of_files: how many mutants each file has.
        digests: SHA-256 of the files, as hexadecimal digits.

    """
    before, unchanged = _read(name), complete(name, digests)
    reasons = {_key(one): one["equivalent"] for one in before.get("survivors", ())}
    found: dict[str, list[Mutant]] = {file: [] for file in digests}
    for mutant in mutants:
        found[mutant.file].append(mutant)
    files, totals, survivors = {}, Counter[str](), []
    for file in sorted(digests):
        if file in unchanged and len(found[file]) < of_files.get(file, 0):
            files[file], kept = _with(before, file, tree, found[file])
            totals.update({outcome: files[file][outcome] for outcome in OUTCOMES})
            survivors += kept
            continue
        counts = Counter(mutant.outcome for mutant in found[file])
        totals.update(counts)
        if found[file] and len(found[file]) == of_files[file]:
            files[file] = {
                "sha256": digests[file],
                **{outcome: counts[outcome] for outcome in OUTCOMES},
            }
        for mutant in sorted(found[file], key=lambda each: (each.line, each.change)):
            if mutant.outcome == SURVIVED:
                where = {
                    "where": f"{file}:{mutant.line}",
                    "line": mutant.source(tree),
                    "change": mutant.change,
                }
                survivors.append({**where, "equivalent": reasons.get(_key(where), "")})
    count = sum(of_files.values())
    not_run = count - totals.total()
    outcomes = {outcome: totals[outcome] for outcome in OUTCOMES}
    written = {
        "mutants": count,
        "not_run": not_run,
        **outcomes,
        "files": files,
        "survivors": survivors,
    }
    path = _path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(written, indent=2, ensure_ascii=False) + "\n", "utf-8")
    summary = ", ".join(f"{number} {outcome}" for outcome, number in totals.items())
    print(f"{name}: {summary}, {not_run} not run; see {path.relative_to(ROOT)}")
    open_ones = [survivor for survivor in survivors if not survivor["equivalent"]]
    for survivor in open_ones:
        print(f"  survived: {survivor['where']}: {survivor['change']}\n    {survivor['line']}")
    return 1 if open_ones else 0


def _with(
    before: Mapping[str, Any], file: str, tree: Path, mutants: Iterable[Mutant]
) -> tuple[dict[str, Any], list[dict[str, str]]]:
    """The recorded counts of a file, and its survivors, without those that a test kills now."""
    killed = {
        (file, mutant.change, mutant.source(tree))
        for mutant in mutants
        if mutant.outcome != SURVIVED
    }
    survivors = [one for one in before["survivors"] if _key(one)[0] == file]
    kept = [one for one in survivors if _key(one) not in killed]
    counts = dict(before["files"][file])
    counts[SURVIVED] = len(kept)
    counts[CAUGHT] += len(survivors) - len(kept)
    return counts, kept


def survivors(name: str, tree: Path, mutants: Iterable[Mutant]) -> list[Mutant]:
    """The mutants that are survivors in the record, regardless of their present outcome."""
    known = {_key(one) for one in _read(name).get("survivors", ())}
    return [one for one in mutants if (one.file, one.change, one.source(tree)) in known]


def unexplained(name: str, tree: Path, mutants: Iterable[Mutant]) -> list[Mutant]:
    """The survivors for which the record has no reason."""
    reasons = {_key(one): one["equivalent"] for one in _read(name).get("survivors", ())}
    survivors = [mutant for mutant in mutants if mutant.outcome == SURVIVED]
    return [one for one in survivors if not reasons.get((one.file, one.change, one.source(tree)))]


def _path(name: str) -> Path:
    return RECORDS / f"{name.replace('/', '-')}.json"


def _read(name: str) -> dict[str, Any]:
    path = _path(name)
    return json.loads(path.read_text("utf-8")) if path.exists() else {}


def _key(survivor: Mapping[str, str]) -> tuple[str, str, str]:
    return survivor["where"].rpartition(":")[0], survivor["change"], survivor["line"]
