"""`fastgate keys rotate` and `status` against the stand-in for Fastly's API."""

import json
import subprocess

import pytest
from rotating import PREFIX, PUBLISH, START, WITHDRAW, Rotating, published

USED = START + PUBLISH
WITHDRAWN = USED + WITHDRAW + 60
"""A minute later, because real seconds pass in the tests."""

shop = pytest.fixture(published)


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
