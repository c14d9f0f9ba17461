"""`fastgate keys rotate` and `status` against the stand-in for Fastly's API."""

import json
import os
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from fastly_api.app import Fault
from fastly_api.running import Running
from programs import program, run
from rotating import PREFIX, PUBLISH, START, WITHDRAW, Rotating

USED = START + PUBLISH
WITHDRAWN = USED + WITHDRAW + 60
"""A minute later, because real seconds pass in the tests."""


EVERY = 1 if os.environ.get("FASTGATE_LONG") == "1" else 17
"""Of how many requests one is interrupted. Interrupting each takes minutes."""


@pytest.fixture
def shop(api: Running, tmp_path: Path) -> Iterator[Rotating]:
    """Return a published service without keys."""
    service = Rotating(api, tmp_path)
    with service.serving():
        yield service


def test_the_first_keys_are_used_at_once(shop: Rotating) -> None:
    status = shop.attempt("keys", "status")
    assert (status.returncode, "has no keys" in status.stderr) == (1, True)
    assert "due: make 2 keys" in shop.rotate("--dry-run")
    assert (shop.record, shop.named) == ([], set())
    output = shop.rotate()
    assert "the first keys are" in output
    assert "nothing to do" in output
    assert [(key["crv"], key["state"]) for key in shop.record] == [
        ("Ed25519", "signing"),
        ("X25519", "signing"),
    ]
    assert all(START <= int(str(key["since"])) < START + 60 for key in shop.record)
    for key in shop.record:
        private = json.loads(shop.secrets.secrets[f"{PREFIX}{key['kid']}"].value)
        assert (private["kid"], private["x"]) == (key["kid"], key["x"])
    before = shop.store.items["edge-keys"].generation
    assert "nothing to do" in shop.rotate(now=START + 29 * 86_400)
    assert shop.store.items["edge-keys"].generation == before


def test_a_whole_rotation(shop: Rotating) -> None:
    shop.rotate()
    first = shop.ids("signing")
    output = shop.rotate("--max-age", "0")
    following = shop.ids("next")
    assert "the next keys are" in output
    assert "wait until" in output
    assert (shop.ids("signing"), len(following)) == (first, 2)
    assert "wait until" in shop.rotate(now=START + PUBLISH - 60)
    assert shop.ids("signing") == first, "no key is used before every origin knows it"
    assert "the edge uses" in shop.rotate(now=USED + 60)
    assert (shop.ids("signing"), shop.ids("retired")) == (following, first)
    shop.rotate(now=USED + WITHDRAW)
    assert shop.ids("retired") == first, "no key is withdrawn before its headers have expired"
    assert "withdrew" in shop.rotate(now=WITHDRAWN + 60)
    assert (shop.ids("signing"), shop.ids("retired"), shop.named) == (following, set(), following)
    status = shop("keys", "status", "--edge", shop.edge, "--now", str(WITHDRAWN))
    assert "next: nothing" in status
    assert status.count("secret exists, published") == 2


def test_an_edge_that_does_not_publish_the_next_key_delays(shop: Rotating) -> None:
    shop.rotate()
    shop.rotate("--max-age", "0")
    shop.edge_status = 503
    ran = shop.rotate_attempt(now=USED + 60)
    assert (ran.returncode, "the edge answers 503" in ran.stderr) == (1, True)
    assert shop.ids("retired") == set()
    shop.edge_status = 200
    shop.rotate(now=USED + 60)
    assert len(shop.ids("retired")) == 2


def test_an_app_that_lacks_the_next_key_delays_and_none_shortens_the_wait(
    shop: Rotating,
) -> None:
    shop.rotate()
    shop.rotate("--max-age", "0")
    ready = ["--origin", f"{shop.edge}/ready"]
    shop.known = sorted(shop.ids("signing") | shop.ids("next"))
    shop.rotate(*ready, now=START + PUBLISH - 60)
    assert shop.ids("retired") == set()
    shop.known = sorted(shop.ids("signing"))
    ran = shop.rotate_attempt(*ready, now=USED + 60)
    assert (ran.returncode, "does not know the next key" in ran.stderr) == (1, True)
    assert shop.ids("retired") == set()
    shop.known = None
    assert "names no keys" in shop.rotate(*ready, now=USED + 60)
    assert len(shop.ids("retired")) == 2


def test_an_app_without_a_key_of_its_own_needs_no_exchange_key(shop: Rotating) -> None:
    shop.rotate()
    shop.rotate("--max-age", "0")
    shop.known = [str(key["kid"]) for key in shop.record if key["crv"] == "Ed25519"]
    shop.rotate("--origin", f"{shop.edge}/ready", now=USED + 60)
    assert len(shop.ids("retired")) == 2


def test_longer_stale_times_lengthen_the_wait(shop: Rotating) -> None:
    shop.rotate()
    shop.rotate("--max-age", "0")
    shop.rotate("--keys-max-stale", "7200", now=USED + 3500)
    assert shop.ids("retired") == set()
    shop.rotate("--keys-max-stale", "7200", now=USED + 3700)
    assert len(shop.ids("retired")) == 2


def test_it_waits_for_what_is_due_and_goes_on_after_an_interruption(shop: Rotating) -> None:
    shop.rotate()
    shop.rotate("--max-age", "0")
    shop.longest = 10
    with pytest.raises(subprocess.TimeoutExpired) as killed:
        shop.rotate("--wait", "--keys-max-stale", "3600", now=START + PUBLISH - 2)
    output = (killed.value.stdout or b"").decode()
    assert output.count("wait until") == 2
    assert "the edge uses" in output
    shop.longest = 60
    assert len(shop.record) == 4
    shop.rotate("--keys-max-stale", "3600", now=START + PUBLISH + WITHDRAW + 60)
    assert len(shop.record) == 2


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
            shop = Rotating(api, _folder(tmp_path, f"{phase}-{number}"))
            with shop.serving():
                for now in times[:phase]:
                    shop.rotate("--max-age", "1", now=now)
                _interrupted(shop, number, times[phase], applied)
                for now in times[phase:]:
                    shop.rotate("--max-age", "1", now=now)
                    assert shop.ids("signing") <= shop.named
                assert (len(shop.record), len(shop.ids("signing"))) == (2, 2)
                shop.rotate("--max-age", "99", "--delete-unlisted", now=times[-1] + 86_400)
                assert shop.named == shop.ids("signing"), "no secret is left"


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


def _interrupted(shop: Rotating, number: int, now: int, applied: bool) -> None:
    fault = AfterSome(status=503, times=2, applied=applied, left=number)
    shop.api.fail(fault)
    ran = shop.rotate_attempt("--max-age", "1", now=now)
    assert fault.times == 0
    assert ran.returncode == 1
    assert "503" in ran.stderr
    assert shop.ids("signing") <= shop.named, "the edge can sign at any time"


def test_an_answer_that_was_lost_once_changes_nothing(shop: Rotating) -> None:
    shop.api.fail(Fault(status=503, method="PUT", path="/resources/stores/kv", applied=True))
    shop.rotate()
    assert shop.named == shop.ids("signing")
    shop.api.fail(Fault(status=503, method="POST", path="/resources/stores/secret", applied=True))
    path = f"/resources/stores/secret/{shop.secrets.id}"
    shop.api.fail(Fault(status=503, method="POST", path=path, applied=True))
    shop.rotate("--max-age", "0")
    assert shop.named == shop.ids("signing") | shop.ids("next")


def test_two_rotators_at_once(shop: Rotating) -> None:
    for arguments, now in [
        ([], START),
        (["--max-age", "1"], START + 86_400 + 60),
        ([], START + 86_400 + PUBLISH + 120),
        ([], START + 86_400 + PUBLISH + WITHDRAW + 240),
    ]:
        with ThreadPoolExecutor(4) as pool:
            runs = [pool.submit(shop.rotate, *arguments, now=now) for _ in range(4)]
            assert all("to do" in ran.result() or "wait" in ran.result() for ran in runs)
        assert len(shop.ids("signing")) == 2
        assert shop.named == {str(key["kid"]) for key in shop.record}
    assert len(shop.record) == 2


def test_a_next_key_whose_secret_was_deleted_is_never_used(shop: Rotating) -> None:
    shop.rotate()
    shop.rotate("--max-age", "0")
    lost = min(shop.ids("next"))
    del shop.secrets.secrets[PREFIX + lost]
    assert "dropped a next key" in shop.rotate(now=USED + 60)
    assert lost not in shop.ids("signing") | shop.ids("next")
    assert shop.ids("signing") <= shop.named


def test_a_used_key_whose_secret_was_deleted_is_reported(shop: Rotating) -> None:
    shop.rotate()
    shop.secrets.secrets.clear()
    ran = shop.rotate_attempt()
    assert (ran.returncode, "its secret was deleted" in ran.stderr) == (1, True)
    status = shop.attempt("keys", "status", "--edge", shop.edge)
    assert (status.returncode, "no secret, not published" in status.stdout) == (1, True)
    del shop.store.items["edge-keys"]
    shop.rotate()
    assert shop.ids("signing") == shop.named


def test_keys_of_one_secret_become_secrets_of_their_own(shop: Rotating, tmp_path: Path) -> None:
    private = run(program("FASTGATE_TOOL"), "keys", "new")
    shop.keep_former(private)
    before = shop.published
    ran = shop.rotate_attempt()
    assert (ran.returncode, "--from FILE" in ran.stderr) == (1, True)
    file = tmp_path / "keys.json"
    file.write_text(run(program("FASTGATE_TOOL"), "keys", "new"))
    other = shop.rotate_attempt("--from", file)
    assert (other.returncode, "publishes other keys" in other.stderr) == (1, True)
    assert shop.record == []
    file.write_text(private)
    assert "due: take over 2 keys" in shop.rotate("--from", file, "--dry-run")
    assert shop.named == set()
    path = f"/resources/stores/kv/{shop.store.id}/keys/edge-keys"
    shop.api.fail(Fault(status=503, times=2, method="PUT", path=path, applied=True))
    assert shop.rotate_attempt("--from", file).returncode == 1
    output = shop.rotate("--from", file)
    assert (shop.published, shop.ids("signing"), shop.named) == (before, before, before)
    assert "secret-store-entry delete" in output
    del shop.secrets.secrets["signing-keys"]
    shop.rotate("--from", file)
    file.write_text(run(program("FASTGATE_TOOL"), "keys", "new"))
    refused = shop.rotate_attempt("--from", file)
    assert (refused.returncode, "other keys" in refused.stderr) == (2, True)


def test_lost_former_keys_are_abandoned_only_on_demand(shop: Rotating) -> None:
    shop.keep_former(run(program("FASTGATE_TOOL"), "keys", "new"))
    assert shop.rotate_attempt().returncode == 1
    shop.rotate("--abandon-former-keys")
    assert shop.ids("signing") == shop.named


@pytest.mark.parametrize(("token", "status"), [("revoked", "401"), ("read-only", "403")])
def test_a_token_without_permission(shop: Rotating, token: str, status: str) -> None:
    ran = shop.rotate_attempt(token=token)
    assert (ran.returncode, status in ran.stderr) == (1, True)
    assert (shop.record, shop.named) == ([], set())


def test_a_client_key_that_fastly_has_not_signed_gets_no_secret(shop: Rotating) -> None:
    arguments = ["keys", "rotate", "--edge", shop.edge]
    ran = shop.attempt(*arguments, FASTLY_USE_API_SIGNING_KEY="")
    assert (ran.returncode, "not signed by Fastly" in ran.stderr) == (1, True)
    assert not any(
        each.target.endswith("/secrets") and each.method == "POST" for each in shop.api.requests
    )


def test_a_secret_store_that_is_not_linked_is_named(shop: Rotating) -> None:
    shop.version.links = [link for link in shop.version.links if link.resource_type == "kv-store"]
    ran = shop.rotate_attempt()
    assert (ran.returncode, "linked to no Secret Store" in ran.stderr) == (1, True)
    assert "fastly secret-store create" in ran.stderr


def test_secrets_on_several_pages(shop: Rotating) -> None:
    shop.rotate()
    shop.rotate("--max-age", "0")
    used = dict(shop.secrets.secrets)
    shop.secrets.secrets.clear()
    for number in range(1200):
        shop.secrets.secrets[f"client-{number}"] = next(iter(used.values()))
    shop.secrets.secrets.update(used)
    shop.rotate(now=USED + 60)
    assert len(shop.ids("retired")) == 2
