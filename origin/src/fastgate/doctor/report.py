"""Report the findings of the doctor, and what they prove.

Input: the verdict on each request. Output: a table for people, JSON for machines, and the exit
code. A run proves something only if the guard itself responded, and no request is left unproved.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum


class Verdict(StrEnum):
    """The conclusion from one response."""

    BY_GUARD = "refused-by-guard"
    """The guard's own refusal: its status and problem type."""
    BY_SERVER = "refused-before-guard"
    """A server may refuse this request before the guard, and did."""
    UNCHANGED = "unchanged-at-edge"
    """The edge responded as it does without the forged header."""
    UNREACHABLE = "unreachable"
    """There is no connection to an address that need not be reachable."""
    PASSED = "passed"
    """The control was let in."""
    LET_IN = "let-in"
    """The origin accepted a request that it must refuse."""
    UNPROVED = "unproved"
    """The response proves nothing about the guard, or the control was refused."""
    NO_RESPONSE = "no-response"
    """There was no response, although one is needed."""

    @property
    def ok(self) -> bool:
        """Whether the response is an expected one."""
        return self not in (Verdict.LET_IN, Verdict.UNPROVED, Verdict.NO_RESPONSE)


@dataclass(frozen=True, slots=True)
class Finding:
    """The outcome of one probe."""

    probe: str
    """The name of the probe."""
    where: str
    """`origin`, `edge` or the direct address."""
    response: str
    """The status, or why there is no response."""
    verdict: Verdict

    @property
    def ok(self) -> bool:
        """Whether the response is an expected one."""
        return self.verdict.ok

    def document(self) -> dict[str, object]:
        """Return the finding as a JSON object."""
        return {
            "probe": self.probe,
            "where": self.where,
            "response": self.response,
            "verdict": self.verdict.value,
            "ok": self.ok,
        }


def exit_code(found: Sequence[Finding]) -> int:
    """Return 1 if a request was let in, 2 if the guard was not proved to be there, else 0."""
    if any(finding.verdict is Verdict.LET_IN for finding in found):
        return 1
    return 0 if _is_proof(found) else 2


def as_table(found: Sequence[Finding]) -> str:
    """Return the findings for a terminal: one line each, and a summary."""
    width = max((len(finding.probe) for finding in found), default=0)
    lines = [
        f"{_mark(finding)}  {finding.probe:<{width}}  {finding.where}: {finding.response}"
        for finding in found
    ]
    let_in = sum(finding.verdict is Verdict.LET_IN for finding in found)
    unproved = sum(not finding.ok for finding in found) - let_in
    count = f"{_by_guard(found)} of {len(found)} refused by the guard"
    return "\n".join(
        [*lines, f"{count}; {let_in} let in, {unproved} not proved: {_conclusion(found)}"]
    )


def as_json(found: Sequence[Finding]) -> str:
    """Return the findings for a machine."""
    document = {**_summary(found), "findings": [finding.document() for finding in found]}
    return json.dumps(document, indent=2)


def as_line(began: float, found: Sequence[Finding], error: str | None = None) -> str:
    """Return one run as a line of JSON: the time, the counts and the findings that are not ok."""
    at = datetime.fromtimestamp(began, UTC).isoformat(timespec="seconds")
    run = {
        "at": at,
        **_summary(found),
        "let_in": _documents(found, (Verdict.LET_IN,)),
        "unproved": _documents(found, (Verdict.UNPROVED, Verdict.NO_RESPONSE)),
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
    """Whether every response is expected, and the guard responded or the origin is unreachable."""
    origin = [finding.verdict for finding in found if finding.where == "origin"]
    there = Verdict.BY_GUARD in origin or origin == [Verdict.UNREACHABLE]
    return there and all(finding.ok for finding in found)


def _by_guard(found: Iterable[Finding]) -> int:
    return sum(finding.verdict is Verdict.BY_GUARD for finding in found)


def _mark(finding: Finding) -> str:
    if finding.ok:
        return "ok  "
    return "FAIL" if finding.verdict is Verdict.LET_IN else "??  "


def _conclusion(found: Sequence[Finding]) -> str:
    if exit_code(found) == 1:
        return "the origin accepts forged requests"
    if _is_proof(found):
        return "nothing was let in"
    if any(f.where == "origin" and f.verdict is Verdict.NO_RESPONSE for f in found):
        return (
            "this proves nothing; check the address, and whether the origin runs. "
            "For an origin that must not be reachable from here, write --expect-unreachable"
        )
    if not _by_guard(found):
        return "this proves nothing; check that the app is guarded, and that this is its address"
    return "some requests prove nothing; see the lines marked ??"
