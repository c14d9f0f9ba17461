"""`fastgate keys rotate` and `status` against the stand-in for Fastly's API."""

import json
import subprocess

import pytest
from rotating import PREFIX, PUBLISH, START, WITHDRAW, Rotating

USED = START + PUBLISH
WITHDRAWN = USED + WITHDRAW + 60
"""A minute later, because real seconds pass in the tests."""


def test_the_first_keys_are_used_at_once(rotating: Rotating) -> None:
    status = rotating.attempt("keys", "status")
    assert (status.returncode, "has no keys" in status.stderr) == (1, True)
    assert "due: make 2 keys" in rotating.rotate("--dry-run")
    assert (rotating.record, rotating.named) == ([], set())
    output = rotating.rotate()
    assert "the first keys are" in output
    assert "nothing to do" in output
    assert [(key["crv"], key["state"]) for key in rotating.record] == [
        ("Ed25519", "signing"),
        ("X25519", "signing"),
    ]
    assert all(START <= int(str(key["since"])) < START + 60 for key in rotating.record)
    for key in rotating.record:
        private = json.loads(rotating.secrets.secrets[f"{PREFIX}{key['kid']}"].value)
        assert (private["kid"], private["x"]) == (key["kid"], key["x"])
    before = rotating.store.items["edge-keys"].generation
    assert "nothing to do" in rotating.rotate(now=START + 29 * 86_400)
    assert rotating.store.items["edge-keys"].generation == before


def test_a_whole_rotation(rotating: Rotating) -> None:
    rotating.rotate()
    first = rotating.ids("signing")
    output = rotating.rotate("--max-age", "0")
    following = rotating.ids("next")
    assert "the next keys are" in output
    assert "wait until" in output
    assert (rotating.ids("signing"), len(following)) == (first, 2)
    assert "wait until" in rotating.rotate(now=START + PUBLISH - 60)
    assert rotating.ids("signing") == first, "no key is used before every origin knows it"
    assert "the edge uses" in rotating.rotate(now=USED + 60)
    assert (rotating.ids("signing"), rotating.ids("retired")) == (following, first)
    rotating.rotate(now=USED + WITHDRAW)
    assert rotating.ids("retired") == first, "no key is withdrawn before its headers have expired"
    assert "withdrew" in rotating.rotate(now=WITHDRAWN + 60)
    assert (rotating.ids("signing"), rotating.ids("retired"), rotating.named) == (
        following,
        set(),
        following,
    )
    status = rotating("keys", "status", "--edge", rotating.edge, "--now", str(WITHDRAWN))
    assert "next: nothing" in status
    assert status.count("secret exists, published") == 2


def test_an_edge_that_does_not_publish_the_next_key_delays(rotating: Rotating) -> None:
    rotating.rotate()
    rotating.rotate("--max-age", "0")
    rotating.edge_status = 503
    ran = rotating.rotate_attempt(now=USED + 60)
    assert (ran.returncode, "the edge answers 503" in ran.stderr) == (1, True)
    assert rotating.ids("retired") == set()
    rotating.edge_status = 200
    rotating.rotate(now=USED + 60)
    assert len(rotating.ids("retired")) == 2


def test_an_app_that_lacks_the_next_key_delays_and_none_shortens_the_wait(
    rotating: Rotating,
) -> None:
    rotating.rotate()
    rotating.rotate("--max-age", "0")
    ready = ["--origin", f"{rotating.edge}/ready"]
    rotating.known = sorted(rotating.ids("signing") | rotating.ids("next"))
    rotating.rotate(*ready, now=START + PUBLISH - 60)
    assert rotating.ids("retired") == set()
    rotating.known = sorted(rotating.ids("signing"))
    ran = rotating.rotate_attempt(*ready, now=USED + 60)
    assert (ran.returncode, "does not know the next key" in ran.stderr) == (1, True)
    assert rotating.ids("retired") == set()
    rotating.known = None
    assert "names no keys" in rotating.rotate(*ready, now=USED + 60)
    assert len(rotating.ids("retired")) == 2


def test_an_app_without_a_key_of_its_own_needs_no_exchange_key(rotating: Rotating) -> None:
    rotating.rotate()
    rotating.rotate("--max-age", "0")
    rotating.known = [str(key["kid"]) for key in rotating.record if key["crv"] == "Ed25519"]
    rotating.rotate("--origin", f"{rotating.edge}/ready", now=USED + 60)
    assert len(rotating.ids("retired")) == 2


def test_longer_stale_times_lengthen_the_wait(rotating: Rotating) -> None:
    rotating.rotate()
    rotating.rotate("--max-age", "0")
    rotating.rotate("--keys-max-stale", "7200", now=USED + 3500)
    assert rotating.ids("retired") == set()
    rotating.rotate("--keys-max-stale", "7200", now=USED + 3700)
    assert len(rotating.ids("retired")) == 2


def test_it_waits_for_what_is_due_and_goes_on_after_an_interruption(rotating: Rotating) -> None:
    rotating.rotate()
    rotating.rotate("--max-age", "0")
    rotating.longest = 10
    with pytest.raises(subprocess.TimeoutExpired) as killed:
        rotating.rotate("--wait", "--keys-max-stale", "3600", now=START + PUBLISH - 2)
    output = (killed.value.stdout or b"").decode()
    assert output.count("wait until") == 2
    assert "the edge uses" in output
    rotating.longest = 60
    assert len(rotating.record) == 4
    rotating.rotate("--keys-max-stale", "3600", now=START + PUBLISH + WITHDRAW + 60)
    assert len(rotating.record) == 2


def test_a_next_key_whose_secret_was_deleted_is_never_used(rotating: Rotating) -> None:
    rotating.rotate()
    rotating.rotate("--max-age", "0")
    lost = min(rotating.ids("next"))
    del rotating.secrets.secrets[PREFIX + lost]
    assert "dropped a next key" in rotating.rotate(now=USED + 60)
    assert lost not in rotating.ids("signing") | rotating.ids("next")
    assert rotating.ids("signing") <= rotating.named


def test_a_used_key_whose_secret_was_deleted_is_reported(rotating: Rotating) -> None:
    rotating.rotate()
    rotating.secrets.secrets.clear()
    ran = rotating.rotate_attempt()
    assert (ran.returncode, "its secret was deleted" in ran.stderr) == (1, True)
    status = rotating.attempt("keys", "status", "--edge", rotating.edge)
    assert (status.returncode, "no secret, not published" in status.stdout) == (1, True)
    del rotating.store.items["edge-keys"]
    rotating.rotate()
    assert rotating.ids("signing") == rotating.named


@pytest.mark.parametrize(("token", "status"), [("revoked", "401"), ("read-only", "403")])
def test_a_token_without_permission(rotating: Rotating, token: str, status: str) -> None:
    ran = rotating.rotate_attempt(token=token)
    assert (ran.returncode, status in ran.stderr) == (1, True)
    assert (rotating.record, rotating.named) == ([], set())


def test_a_client_key_that_fastly_has_not_signed_gets_no_secret(rotating: Rotating) -> None:
    arguments = ["keys", "rotate", "--edge", rotating.edge]
    ran = rotating.attempt(*arguments, FASTLY_USE_API_SIGNING_KEY="")
    assert (ran.returncode, "not signed by Fastly" in ran.stderr) == (1, True)
    assert not any(
        each.target.endswith("/secrets") and each.method == "POST" for each in rotating.api.requests
    )


def test_a_secret_store_that_is_not_linked_is_named(rotating: Rotating) -> None:
    rotating.version.links = [
        link for link in rotating.version.links if link.resource_type == "kv-store"
    ]
    ran = rotating.rotate_attempt()
    assert (ran.returncode, "linked to no Secret Store" in ran.stderr) == (1, True)
    assert "fastly secret-store create" in ran.stderr


def test_secrets_on_several_pages(rotating: Rotating) -> None:
    rotating.rotate()
    rotating.rotate("--max-age", "0")
    used = dict(rotating.secrets.secrets)
    rotating.secrets.secrets.clear()
    for number in range(1200):
        rotating.secrets.secrets[f"client-{number}"] = next(iter(used.values()))
    rotating.secrets.secrets.update(used)
    rotating.rotate(now=USED + 60)
    assert len(rotating.ids("retired")) == 2
