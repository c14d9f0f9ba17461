"""Report what the doctor found, and what that proves.

In: the verdict on each request. Out: a table for people, JSON for machines, and the exit code. A
run proves something only if the guard itself answered, and nothing is left open.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum


class Verdict(StrEnum):
    """What one response proves."""

    BY_GUARD = "refused-by-guard"
    """The guard's own refusal: its status and problem type."""
    BY_SERVER = "refused-before-guard"
    """A server may refuse this request by itself, and did."""
    UNCHANGED = "unchanged-at-edge"
    """The edge answered as it does without the forged header."""
    UNREACHABLE = "unreachable"
    """No connection to an address that need not be reachable."""
    PASSED = "passed"
    """The control was let in."""
    LET_IN = "let-in"
    """A hole."""
    UNPROVED = "unproved"
    """An answer that says nothing of the guard, or a control that was refused."""
    NO_ANSWER = "no-answer"
    """There was no answer where one was needed."""

    @property
    def ok(self) -> bool:
        """Whether it is as it must be."""
        return self not in (Verdict.LET_IN, Verdict.UNPROVED, Verdict.NO_ANSWER)


@dataclass(frozen=True, slots=True)
class Finding:
    """The outcome of one probe."""

    forgery: str
    where: str
    """`origin`, `edge` or the direct address."""
    answer: str
    """The status, or why there was none."""
    verdict: Verdict

    @property
    def ok(self) -> bool:
        """Whether it was answered as it must be."""
        return self.verdict.ok

    def document(self) -> dict[str, object]:
        """Return it as a JSON object."""
        return {
            "forgery": self.forgery,
            "where": self.where,
            "answer": self.answer,
            "verdict": self.verdict.value,
            "ok": self.ok,
        }


def exit_code(found: Sequence[Finding]) -> int:
    """Return 1 if something was let in, 2 if the guard was not proved to be there, otherwise 0."""
    if any(finding.verdict is Verdict.LET_IN for finding in found):
        return 1
    return 0 if _is_proof(found) else 2


def as_table(found: Sequence[Finding]) -> str:
    """Return the findings for a terminal, one line each and a last one that sums up."""
    width = max((len(finding.forgery) for finding in found), default=0)
    lines = [
        f"{_mark(finding)}  {finding.forgery:<{width}}  {finding.where}: {finding.answer}"
        for finding in found
    ]
    let_in = sum(finding.verdict is Verdict.LET_IN for finding in found)
    unproved = sum(not finding.ok for finding in found) - let_in
    count = f"answered {_by_guard(found)} of {len(found)} by the guard"
    return "\n".join(
        [*lines, f"{count}; {let_in} let in, {unproved} not proved: {_conclusion(found)}"]
    )


def as_json(found: Sequence[Finding]) -> str:
    """Return the findings for a machine."""
    document = {**_summary(found), "findings": [finding.document() for finding in found]}
    return json.dumps(document, indent=2)


def as_line(began: float, found: Sequence[Finding], error: str | None = None) -> str:
    """Return one run for a log: a line of JSON with the time, the counts and what is not ok."""
    at = datetime.fromtimestamp(began, UTC).isoformat(timespec="seconds")
    run = {
        "at": at,
        **_summary(found),
        "holes": _documents(found, (Verdict.LET_IN,)),
        "unproved": _documents(found, (Verdict.UNPROVED, Verdict.NO_ANSWER)),
    }
    return json.dumps(run if error is None else {**run, "ok": False, "error": error})


def _summary(found: Sequence[Finding]) -> dict[str, object]:
    code = exit_code(found)
    return {
        "ok": code == 0,
        "proved": code != 2,
        "requests": len(found),
        "by_guard": _by_guard(found),
    }


def _documents(found: Iterable[Finding], verdicts: Sequence[Verdict]) -> list[dict[str, object]]:
    return [finding.document() for finding in found if finding.verdict in verdicts]


def _is_proof(found: Sequence[Finding]) -> bool:
    """Whether all is as it must be, and the guard answered or the origin cannot be reached."""
    origin = [finding.verdict for finding in found if finding.where == "origin"]
    there = Verdict.BY_GUARD in origin or origin == [Verdict.UNREACHABLE]
    return there and all(finding.ok for finding in found)


def _by_guard(found: Iterable[Finding]) -> int:
    return sum(finding.verdict is Verdict.BY_GUARD for finding in found)


def _mark(finding: Finding) -> str:
    if finding.ok:
        return "ok  "
    return "HOLE" if finding.verdict is Verdict.LET_IN else "??  "


def _conclusion(found: Sequence[Finding]) -> str:
    if exit_code(found) == 1:
        return "there is a hole"
    if _is_proof(found):
        return "nothing was let in"
    if any(f.where == "origin" and f.verdict is Verdict.NO_ANSWER for f in found):
        return (
            "this proves nothing; is the address right, and does the origin run? "
            "For an origin that must not be reachable from here: --expect-unreachable"
        )
    if not _by_guard(found):
        return "this proves nothing; is the app guarded, and is this its address?"
    return "not all was proved"
