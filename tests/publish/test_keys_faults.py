"""`fastgate keys rotate` and `status` if a store is shared, a clock is wrong, the API fails, or a record is damaged."""

import json
import re
import subprocess

import pytest
from fastly_api.app import Fault
from fastly_api.state import Item, KvStore
from rotating import PREFIX, PUBLISH, START, Rotating

DAY = 86_400
DAMAGED = "--replace-damaged-record"


def other_store(rotating: Rotating) -> KvStore:
    """Return the KV store of another service, which shares the Secret Store."""
    store = KvStore(name="other-kv")
    rotating.api.state.kv_stores[store.id] = store
    return store


def test_services_that_share_a_secret_store_keep_each_others_keys(rotating: Rotating) -> None:
    rotating.rotate()
    ours, other = rotating.ids("signing"), other_store(rotating)
    in_other = ["--store-id", other.id, "--secret-store-id", rotating.secrets.id]
    output = rotating.rotate(*in_other, now=START + 2 * DAY)
    assert "the Secret Store has secrets of keys already" in output
    assert all(
        f"fastly secret-store-entry delete --store-id {rotating.secrets.id} --name {PREFIX}{kid}"
        in output
        for kid in ours
    )
    assert "Another service may use it" in output
    theirs = {key["kid"] for key in json.loads(other.items["edge-keys"].value)["keys"]}
    assert rotating.named == ours | theirs
    status = rotating("keys", "status", "--edge", rotating.edge, "--now", str(START + 2 * DAY))
    assert all(f'does not name the secret "{PREFIX}{kid}"' in status for kid in theirs)
    rotating.rotate(now=START + 2 * DAY)
    assert rotating.named == ours | theirs


def test_unlisted_secrets_are_deleted_on_demand_after_a_day(rotating: Rotating) -> None:
    rotating.rotate()
    keys = list(rotating.secrets.secrets.values())
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
        rotating.secrets.secrets[PREFIX + name] = keys[0].model_copy(
            update={"created_at": created_at}
        )
    rotating.secrets.secrets["client"] = keys[0].model_copy(update={"created_at": ages["old"]})
    before = rotating.named
    assert "does not name" in rotating.rotate()
    assert rotating.named == before
    output = rotating.rotate("--delete-unlisted")
    assert before - rotating.named == {"old", "old-with-fraction", "old-elsewhere"}
    assert output.count("deleted the secret") == 3
    assert "client" in rotating.secrets.secrets


@pytest.mark.parametrize("fast_by", [-7200, -40, 40, 10**9])
def test_a_wrong_clock_is_refused(rotating: Rotating, fast_by: int) -> None:
    rotating.rotate()
    before = rotating.store.items["edge-keys"].value
    rotating.fast_by = fast_by
    for arguments in [
        ["--max-age", "0"],
        ["--max-age", "0", "--dry-run"],
        ["--max-age", "0", "--wait"],
    ]:
        ran = rotating.rotate_attempt(*arguments, now=START + 2 * DAY)
        assert (ran.returncode, "Set the clock" in ran.stderr) == (1, True)
    assert rotating.store.items["edge-keys"].value == before
    status = rotating.attempt("keys", "status", "--edge", rotating.edge, "--now", str(START))
    assert (status.returncode, "the clock of this machine says" in status.stderr) == (1, True)


def test_the_clock_of_the_machine_is_compared(rotating: Rotating) -> None:
    arguments = ["keys", "rotate", "--edge", rotating.edge]
    rotating.fast_by = 3600
    ran = rotating.attempt(*arguments)
    differ = re.search(r"([0-9]+) s differ", ran.stderr)
    assert ran.returncode == 1
    assert differ is not None, ran.stderr
    # Time passes between the response and the comparison.
    assert 3590 <= int(differ[1]) <= 3601
    rotating.fast_by = 0
    rotating(*arguments)
    rotating.fast_by = 25
    rotating(*arguments)


def test_a_time_that_is_to_come_is_replaced_and_the_wait_begins_again(rotating: Rotating) -> None:
    rotating.rotate()
    rotating.rotate("--max-age", "0")
    item = rotating.store.items["edge-keys"]
    record = json.loads(item.value)
    for key in record["keys"]:
        key["since"] += 10**9
    item.value = json.dumps(record).encode()
    status = rotating.attempt("keys", "status", "--edge", rotating.edge, "--now", str(START + 60))
    assert (status.returncode, "is to come" in status.stderr) == (1, True)
    assert "keys rotate` writes the present time" in status.stderr
    corrected = rotating.rotate(now=START + 60)
    assert all(part in corrected for part in ("wrong clock", "2058", "wait until"))
    assert all(START + 60 <= int(str(key["since"])) < START + 120 for key in rotating.record)
    rotating.rotate(now=START + PUBLISH + 30)
    assert rotating.ids("retired") == set(), "the wait began again"
    rotating.rotate(now=START + PUBLISH + 120)
    assert len(rotating.ids("retired")) == 2
    at_last = rotating(
        "keys", "status", "--edge", rotating.edge, "--now", str(START + PUBLISH + 120)
    )
    assert "to come" not in at_last


def test_waiting_outlasts_a_failure_of_the_api(rotating: Rotating) -> None:
    rotating.rotate()
    rotating.rotate("--max-age", "0")
    record = f"/resources/stores/kv/{rotating.store.id}/keys/edge-keys"
    for method, path in [("GET", record), ("GET", "/resources/stores/secret"), ("PUT", record)]:
        rotating.api.fail(Fault(status=503, times=4, method=method, path=path))
    rotating.longest = 20
    with pytest.raises(subprocess.TimeoutExpired) as killed:
        rotating.rotate_attempt("--wait", now=START + PUBLISH + 60)
    output = (killed.value.stdout or b"").decode()
    assert output.count("the request is repeated in 1 s") == 3
    assert "the edge uses" in output
    rotating.api.fail(Fault(status=503, times=2, method="GET", path=record))
    ran = rotating.rotate_attempt(now=START + PUBLISH + 120)
    assert (ran.returncode, "503" in ran.stderr) == (1, True), (
        "a command that does not wait says so"
    )


@pytest.mark.parametrize(
    ("option", "url"),
    [
        ("--edge", "http://rotating.example.com"),
        ("--edge", "ftp://rotating.example.com"),
        ("--edge", "rotating.example.com"),
        ("--edge", ""),
        ("--edge", "https://user:pass@rotating.example.com"),
        ("--edge", "https://rotating.example.com?x"),
        ("--origin", "ftp://rotating.example.com/ready"),
        ("--origin", "rotating.example.com"),
        ("--origin", "http:///ready"),
    ],
)
def test_an_address_that_cannot_be_asked_is_found_first(
    rotating: Rotating, option: str, url: str
) -> None:
    for command in (["rotate", "--wait"], ["rotate", "--dry-run"], ["status"]):
        ran = rotating.attempt("keys", *command, option, url)
        assert (ran.returncode, ran.stderr.startswith(f"{option}: ")) == (2, True), ran.stderr
        assert "user:pass" not in ran.stderr
    assert rotating.api.requests == []


def test_the_address_in_the_policy_is_checked_before_a_rotation_begins(rotating: Rotating) -> None:
    rotating.rotate()
    names = set(rotating.named)
    for policy in (None, {"edge": {"issuer": "http://rotating.example.com"}}):
        if policy:
            value = json.dumps(policy).encode()
            rotating.store.items["policy"] = Item(value=value, generation=1)
        ran = rotating.attempt("keys", "rotate", "--max-age", "0", "--wait", "--now", str(START))
        assert (ran.returncode, "--edge: write the address" in ran.stderr) == (2, True)
    assert (rotating.named, rotating.ids("next")) == (names, set())


def damage(rotating: Rotating, value: bytes) -> None:
    """Write another text in place of the record."""
    generation = rotating.api.state.next_generation()
    rotating.store.items["edge-keys"] = Item(value=value, generation=generation)


@pytest.mark.parametrize("kind", ["no JSON", "no keys", "other kid", "too long", "no secret"])
def test_a_damaged_record_is_replaced_on_demand(rotating: Rotating, kind: str) -> None:
    rotating.rotate()
    before, text = rotating.ids("signing"), rotating.store.items["edge-keys"].value
    other_kid = text.replace(min(before).encode(), b"A" * 43)
    texts = {"no JSON": b"{", "no keys": b'{"version":1,"keys":[]}', "other kid": other_kid}
    texts["too long"] = text + b" " * 65_536
    if kind == "no secret":
        del rotating.secrets.secrets[PREFIX + min(before)]
    else:
        damage(rotating, texts[kind])
    status = rotating.attempt("keys", "status", "--edge", rotating.edge, "--now", str(START))
    ran = rotating.rotate_attempt()
    for refused in (status, ran):
        assert refused.returncode == 1
        assert f"`fastgate keys rotate {DAMAGED}`" in refused.stderr
        assert "503" in refused.stderr
        assert kind == "no secret" or all(kid in refused.stderr for kid in before)
    assert (
        rotating.ids("signing")
        if kind == "no secret"
        else rotating.store.items["edge-keys"].value == texts[kind]
    )
    output = rotating.rotate(DAMAGED)
    assert "the first keys are" in output
    assert len(rotating.ids("signing")) == 2
    assert rotating.ids("signing") <= rotating.named
    assert not rotating.ids("signing") & before
    assert "does not name the secret" in output
    replaced = rotating.store.items["edge-keys"].value
    rotating.rotate(DAMAGED)
    assert rotating.store.items["edge-keys"].value == replaced, "a record without a fault stays"


def test_a_record_that_was_repaired_in_between_is_not_replaced(rotating: Rotating) -> None:
    rotating.rotate()
    text = rotating.store.items["edge-keys"].value
    damage(rotating, b"{")
    put = f"/resources/stores/kv/{rotating.store.id}/keys/edge-keys"

    class Repaired(Fault):
        """The record is repaired before it is written; no request fails."""

        def takes(self, method: str, target: str) -> bool:
            """Repair it."""
            if super().takes(method, target):
                damage(rotating, text)
            return False

    rotating.api.fail(Repaired(status=503, method="PUT", path=put))
    rotating.rotate(DAMAGED)
    assert rotating.store.items["edge-keys"].value == text
    assert rotating.named == rotating.ids("signing")


def test_a_record_of_a_newer_version_is_not_replaced(rotating: Rotating) -> None:
    rotating.rotate()
    damage(rotating, b'{"version":2,"keys":[]}')
    status = rotating.attempt("keys", "status", "--edge", rotating.edge, "--now", str(START))
    for ran in (status, rotating.rotate_attempt(), rotating.rotate_attempt(DAMAGED)):
        assert (ran.returncode, "Install a newer" in ran.stderr) == (1, True)
        assert "this edge" not in ran.stderr
        assert f"--store-id {rotating.store.id} --key edge-keys" in ran.stderr
    assert b'"version":2' in rotating.store.items["edge-keys"].value
