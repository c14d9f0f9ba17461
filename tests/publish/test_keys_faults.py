"""`fastgate keys rotate` and `status` if a store is shared, a clock is wrong, the API fails, or a record is damaged."""

import json
import subprocess

import pytest
from fastly_api.app import Fault
from fastly_api.state import Item, KvStore
from rotating import PREFIX, PUBLISH, START, Rotating, published

DAY = 86_400
DAMAGED = "--replace-damaged-record"

shop = pytest.fixture(published)


def other_store(shop: Rotating) -> KvStore:
    """Return the KV store of another service, which shares the Secret Store."""
    store = KvStore(name="other-kv")
    shop.api.state.kv_stores[store.id] = store
    return store


def test_services_that_share_a_secret_store_keep_each_others_keys(shop: Rotating) -> None:
    shop.rotate()
    ours, other = shop.ids("signing"), other_store(shop)
    in_other = ["--store-id", other.id, "--secret-store-id", shop.secrets.id]
    output = shop.rotate(*in_other, now=START + 2 * DAY)
    assert "the Secret Store has secrets of keys already" in output
    assert all(
        f"fastly secret-store-entry delete --store-id {shop.secrets.id} --name {PREFIX}{kid}"
        in output
        for kid in ours
    )
    assert "Another service may use it" in output
    theirs = {key["kid"] for key in json.loads(other.items["edge-keys"].value)["keys"]}
    assert shop.named == ours | theirs
    status = shop("keys", "status", "--edge", shop.edge, "--now", str(START + 2 * DAY))
    assert all(f'does not name the secret "{PREFIX}{kid}"' in status for kid in theirs)
    shop.rotate(now=START + 2 * DAY)
    assert shop.named == ours | theirs


def test_unlisted_secrets_are_deleted_on_demand_after_a_day(shop: Rotating) -> None:
    shop.rotate()
    keys = list(shop.secrets.secrets.values())
    ages = {
        "old": "2027-01-10T00:00:00Z",
        "old-with-fraction": "2027-01-10T00:00:00.123Z",
        "old-elsewhere": "2027-01-14T20:00:00+12:00",
        "young": "2027-01-15T07:00:00Z",
        "young-elsewhere": "2027-01-14T01:00:00-12:00",
        "unreadable": "1 Jan 2020",
        "empty": "",
        "to-come": "2099-01-01T00:00:00Z",
    }
    for name, created_at in ages.items():
        shop.secrets.secrets[PREFIX + name] = keys[0].model_copy(update={"created_at": created_at})
    shop.secrets.secrets["client"] = keys[0].model_copy(update={"created_at": ages["old"]})
    before = shop.named
    assert "does not name" in shop.rotate()
    assert shop.named == before
    output = shop.rotate("--delete-unlisted")
    assert before - shop.named == {"old", "old-with-fraction", "old-elsewhere"}
    assert output.count("deleted the secret") == 3
    assert "client" in shop.secrets.secrets


@pytest.mark.parametrize("fast_by", [-7200, -40, 40, 10**9])
def test_a_wrong_clock_is_refused(shop: Rotating, fast_by: int) -> None:
    shop.rotate()
    before = shop.store.items["edge-keys"].value
    shop.fast_by = fast_by
    for arguments in [
        ["--max-age", "0"],
        ["--max-age", "0", "--dry-run"],
        ["--max-age", "0", "--wait"],
    ]:
        ran = shop.rotate_attempt(*arguments, now=START + 2 * DAY)
        assert (ran.returncode, "Set the clock" in ran.stderr) == (1, True)
    assert shop.store.items["edge-keys"].value == before
    status = shop.attempt("keys", "status", "--edge", shop.edge, "--now", str(START))
    assert (status.returncode, "the clock of this machine says" in status.stderr) == (1, True)


def test_the_clock_of_the_machine_is_compared(shop: Rotating) -> None:
    arguments = ["keys", "rotate", "--edge", shop.edge]
    shop.fast_by = 3600
    ran = shop.attempt(*arguments)
    assert (ran.returncode, "3600 s differ" in ran.stderr or "3599 s differ" in ran.stderr) == (
        1,
        True,
    )
    shop.fast_by = 0
    shop(*arguments)
    shop.fast_by = 25
    shop(*arguments)


def test_a_time_that_is_to_come_is_replaced_and_the_wait_begins_again(shop: Rotating) -> None:
    shop.rotate()
    shop.rotate("--max-age", "0")
    item = shop.store.items["edge-keys"]
    record = json.loads(item.value)
    for key in record["keys"]:
        key["since"] += 10**9
    item.value = json.dumps(record).encode()
    status = shop.attempt("keys", "status", "--edge", shop.edge, "--now", str(START + 60))
    assert (status.returncode, "is to come" in status.stderr) == (1, True)
    assert "keys rotate` writes the present time" in status.stderr
    corrected = shop.rotate(now=START + 60)
    assert all(part in corrected for part in ("wrong clock", "2058", "wait until"))
    assert all(START + 60 <= int(str(key["since"])) < START + 120 for key in shop.record)
    shop.rotate(now=START + PUBLISH + 30)
    assert shop.ids("retired") == set(), "the wait began again"
    shop.rotate(now=START + PUBLISH + 120)
    assert len(shop.ids("retired")) == 2
    at_last = shop("keys", "status", "--edge", shop.edge, "--now", str(START + PUBLISH + 120))
    assert "to come" not in at_last


def test_waiting_outlasts_a_failure_of_the_api(shop: Rotating) -> None:
    shop.rotate()
    shop.rotate("--max-age", "0")
    record = f"/resources/stores/kv/{shop.store.id}/keys/edge-keys"
    for method, path in [("GET", record), ("GET", "/resources/stores/secret"), ("PUT", record)]:
        shop.api.fail(Fault(status=503, times=4, method=method, path=path))
    shop.longest = 20
    with pytest.raises(subprocess.TimeoutExpired) as killed:
        shop.rotate_attempt("--wait", now=START + PUBLISH + 60)
    output = (killed.value.stdout or b"").decode()
    assert output.count("the request is repeated in 1 s") == 3
    assert "the edge uses" in output
    shop.api.fail(Fault(status=503, times=2, method="GET", path=record))
    ran = shop.rotate_attempt(now=START + PUBLISH + 120)
    assert (ran.returncode, "503" in ran.stderr) == (1, True), (
        "a command that does not wait says so"
    )


@pytest.mark.parametrize(
    ("option", "url"),
    [
        ("--edge", "http://shop.example.com"),
        ("--edge", "ftp://shop.example.com"),
        ("--edge", "shop.example.com"),
        ("--edge", ""),
        ("--edge", "https://user:pass@shop.example.com"),
        ("--edge", "https://shop.example.com?x"),
        ("--origin", "ftp://shop.example.com/ready"),
        ("--origin", "shop.example.com"),
        ("--origin", "http:///ready"),
    ],
)
def test_an_address_that_cannot_be_asked_is_found_first(
    shop: Rotating, option: str, url: str
) -> None:
    for command in (["rotate", "--wait"], ["rotate", "--dry-run"], ["status"]):
        ran = shop.attempt("keys", *command, option, url)
        assert (ran.returncode, ran.stderr.startswith(f"{option}: ")) == (2, True), ran.stderr
        assert "user:pass" not in ran.stderr
    assert shop.api.requests == []


def test_the_address_in_the_policy_is_checked_before_a_rotation_begins(shop: Rotating) -> None:
    shop.rotate()
    names = set(shop.named)
    for policy in (None, {"edge": {"issuer": "http://shop.example.com"}}):
        if policy:
            value = json.dumps(policy).encode()
            shop.store.items["policy"] = Item(value=value, generation=1)
        ran = shop.attempt("keys", "rotate", "--max-age", "0", "--wait", "--now", str(START))
        assert (ran.returncode, "--edge: write the address" in ran.stderr) == (2, True)
    assert (shop.named, shop.ids("next")) == (names, set())


def damage(shop: Rotating, value: bytes) -> None:
    """Write another text in place of the record."""
    generation = shop.api.state.next_generation()
    shop.store.items["edge-keys"] = Item(value=value, generation=generation)


@pytest.mark.parametrize("kind", ["no JSON", "no keys", "other kid", "too long", "no secret"])
def test_a_damaged_record_is_replaced_on_demand(shop: Rotating, kind: str) -> None:
    shop.rotate()
    before, text = shop.ids("signing"), shop.store.items["edge-keys"].value
    other_kid = text.replace(min(before).encode(), b"A" * 43)
    texts = {"no JSON": b"{", "no keys": b'{"version":1,"keys":[]}', "other kid": other_kid}
    texts["too long"] = text + b" " * 65_536
    if kind == "no secret":
        del shop.secrets.secrets[PREFIX + min(before)]
    else:
        damage(shop, texts[kind])
    status = shop.attempt("keys", "status", "--edge", shop.edge, "--now", str(START))
    ran = shop.rotate_attempt()
    for refused in (status, ran):
        assert refused.returncode == 1
        assert f"`fastgate keys rotate {DAMAGED}`" in refused.stderr
        assert "503" in refused.stderr
        assert kind == "no secret" or all(kid in refused.stderr for kid in before)
    assert (
        shop.ids("signing")
        if kind == "no secret"
        else shop.store.items["edge-keys"].value == texts[kind]
    )
    output = shop.rotate(DAMAGED)
    assert "the first keys are" in output
    assert len(shop.ids("signing")) == 2
    assert shop.ids("signing") <= shop.named
    assert not shop.ids("signing") & before
    assert "does not name the secret" in output
    replaced = shop.store.items["edge-keys"].value
    shop.rotate(DAMAGED)
    assert shop.store.items["edge-keys"].value == replaced, "a record without a fault stays"


def test_a_record_that_was_repaired_in_between_is_not_replaced(shop: Rotating) -> None:
    shop.rotate()
    text = shop.store.items["edge-keys"].value
    damage(shop, b"{")
    put = f"/resources/stores/kv/{shop.store.id}/keys/edge-keys"

    class Repaired(Fault):
        """The record is repaired before it is written; no request fails."""

        def takes(self, method: str, target: str) -> bool:
            """Repair it."""
            if super().takes(method, target):
                damage(shop, text)
            return False

    shop.api.fail(Repaired(status=503, method="PUT", path=put))
    shop.rotate(DAMAGED)
    assert shop.store.items["edge-keys"].value == text
    assert shop.named == shop.ids("signing")


def test_a_record_of_a_newer_version_is_not_replaced(shop: Rotating) -> None:
    shop.rotate()
    damage(shop, b'{"version":2,"keys":[]}')
    status = shop.attempt("keys", "status", "--edge", shop.edge, "--now", str(START))
    for ran in (status, shop.rotate_attempt(), shop.rotate_attempt(DAMAGED)):
        assert (ran.returncode, "Install a newer" in ran.stderr) == (1, True)
        assert "this edge" not in ran.stderr
        assert f"--store-id {shop.store.id} --key edge-keys" in ran.stderr
    assert b'"version":2' in shop.store.items["edge-keys"].value
