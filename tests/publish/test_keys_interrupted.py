"""`fastgate keys rotate` that is interrupted, or runs twice at once."""

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from fastly_api.app import Fault
from fastly_api.running import Running
from rotating import PUBLISH, START, WITHDRAW, Rotating

EVERY = 1 if os.environ.get("FASTGATE_LONG") == "1" else 17
"""Of how many requests one is interrupted. Interrupting each takes minutes."""


@pytest.mark.parametrize("applied", [False, True])
def test_interrupted_at_each_request_a_rotation_goes_on(
    api: Running, tmp_path: Path, applied: bool
) -> None:
    times = [START, START + 86_400, START + 86_400 + PUBLISH + 60]
    times += [times[-1] + WITHDRAW + 60]
    whole = Rotating(api, _folder(tmp_path, "whole"))
    with whole.serving():
        counts = []
        for now in times:
            before = len(api.requests)
            whole.rotate("--max-age", "1", now=now)
            counts.append(len(api.requests) - before)
    assert len(whole.ids("signing")) == 2
    for phase, count in enumerate(counts):
        for number in range(int(applied), count, EVERY):
            rotating = Rotating(api, _folder(tmp_path, f"{phase}-{number}"))
            with rotating.serving():
                for now in times[:phase]:
                    rotating.rotate("--max-age", "1", now=now)
                _interrupted(rotating, number, times[phase], applied)
                for now in times[phase:]:
                    rotating.rotate("--max-age", "1", now=now)
                    assert rotating.ids("signing") <= rotating.named
                assert (len(rotating.record), len(rotating.ids("signing"))) == (2, 2)
                rotating.rotate("--max-age", "99", "--delete-unlisted", now=times[-1] + 86_400)
                assert rotating.named == rotating.ids("signing"), "no secret is left"


def _folder(parent: Path, name: str) -> Path:
    (parent / name).mkdir()
    return parent / name


class AfterSome(Fault):
    """The request after some others fails, and so does its repetition."""

    left: int

    def takes(self, method: str, target: str) -> bool:
        """Whether this request fails."""
        self.left -= 1
        return self.left < 0 and super().takes(method, target)


def _interrupted(rotating: Rotating, number: int, now: int, applied: bool) -> None:
    fault = AfterSome(status=503, times=2, applied=applied, left=number)
    rotating.api.fail(fault)
    ran = rotating.rotate_attempt("--max-age", "1", now=now)
    assert fault.times == 0
    assert ran.returncode == 1
    assert "503" in ran.stderr
    assert rotating.ids("signing") <= rotating.named, "the edge can sign at any time"


def test_an_answer_that_was_lost_once_changes_nothing(rotating: Rotating) -> None:
    rotating.api.fail(Fault(status=503, method="PUT", path="/resources/stores/kv", applied=True))
    rotating.rotate()
    assert rotating.named == rotating.ids("signing")
    rotating.api.fail(
        Fault(status=503, method="POST", path="/resources/stores/secret", applied=True)
    )
    path = f"/resources/stores/secret/{rotating.secrets.id}"
    rotating.api.fail(Fault(status=503, method="POST", path=path, applied=True))
    rotating.rotate("--max-age", "0")
    assert rotating.named == rotating.ids("signing") | rotating.ids("next")


def test_two_rotators_at_once(rotating: Rotating) -> None:
    for arguments, now in [
        ([], START),
        (["--max-age", "1"], START + 86_400 + 60),
        ([], START + 86_400 + PUBLISH + 120),
        ([], START + 86_400 + PUBLISH + WITHDRAW + 240),
    ]:
        with ThreadPoolExecutor(4) as pool:
            runs = [pool.submit(rotating.rotate, *arguments, now=now) for _ in range(4)]
            assert all("to do" in ran.result() or "wait" in ran.result() for ran in runs)
        assert len(rotating.ids("signing")) == 2
        assert rotating.named == {str(key["kid"]) for key in rotating.record}
    assert len(rotating.record) == 2
