"""`fastgate push`, `rollback` and `purge` against the stand-in for Fastly's API."""

import hashlib
import json
from pathlib import Path

import httpx
import pytest
from fastly_api import kv_stores
from fastly_api.app import Fault
from fastly_api.on_viceroy import served
from fastly_api.running import Running
from fastly_api.state import Item, Secret
from programs import ROOT, edge, package, program, run
from pushing import Pushing, policy
from starlette.requests import Request
from test_publish import free_address


def revision(text: str) -> str:
    """Return the revision of a policy."""
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def test_the_first_push_and_the_second(shop: Pushing) -> None:
    one, two = policy("/a", "/b"), policy("/b", "/c", hosts=["shop.example.com", "www.example.com"])
    output = shop.push(one)
    assert "+ the first policy" in output
    assert shop.live == one
    metadata = json.loads(shop.store.items["policy"].metadata)
    assert metadata["revision"] == revision(one)
    assert metadata["time"].endswith("Z")
    written = [each.target for each in shop.api.requests if each.method == "PUT"]
    assert [target.rpartition("/")[2] for target in written] == [
        f"policy%40{revision(one)}?add=true",
        "policy?add=true",
    ]
    generation = str(shop.store.items["policy"].generation)
    output = shop.push(two)
    for line in ['- route "a"', '+ route "c"', "~ $.edge.hosts"]:
        assert line in output
    assert 'route "b"' not in output
    assert shop.api.requests[-1].fields["if-generation-match"] == generation
    assert (shop.live, shop.history) == (two, {one, two})


def test_the_same_policy_is_not_written_again(shop: Pushing) -> None:
    shop.push(policy("/a"))
    generation = shop.store.items["policy"].generation
    assert "nothing to do" in shop.push(policy("/a"))
    assert shop.store.items["policy"].generation == generation


def test_a_dry_run_and_a_push_without_consent_write_nothing(shop: Pushing) -> None:
    shop.write(policy("/a"))
    assert "+ the first policy" in shop("push", "--dry-run")
    refused = shop.attempt("push")
    assert (refused.returncode, "--yes" in refused.stderr) == (2, True)
    assert shop.store.items == {}


def test_a_policy_that_push_did_not_write_is_kept_in_the_history(shop: Pushing) -> None:
    shop.store.items["policy"] = Item(value=b'{"by": "hand"}', generation=7)
    shop.push(policy("/a"), "--change-issuer")
    assert shop.history == {'{"by": "hand"}', policy("/a")}


@pytest.mark.parametrize("first", [True, False])
def test_a_lost_race_is_refused_and_nothing_is_lost(
    shop: Pushing, first: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not first:
        shop.push(policy("/a"))
    theirs = policy("/theirs")
    condition = kv_stores._generation

    def overtaken(request: Request) -> int | None:
        if request.url.path.endswith("/keys/policy"):
            generation = shop.api.state.next_generation()
            shop.store.items["policy"] = Item(value=theirs.encode(), generation=generation)
        return condition(request)

    monkeypatch.setattr(kv_stores, "_generation", overtaken)
    shop.write(policy("/mine"))
    ran = shop.attempt("push", "--yes")
    assert ran.returncode == 1
    assert "somebody else" in ran.stderr
    assert revision(theirs) in ran.stderr
    assert shop.live == theirs
    assert policy("/mine") in shop.history
    monkeypatch.undo()
    shop("push", "--yes")
    assert (shop.live, theirs in shop.history) == (policy("/mine"), True)


@pytest.mark.parametrize("applied", [False, True])
@pytest.mark.parametrize("times", [1, 2])
def test_interrupted_at_each_request_the_live_policy_is_whole(
    api: Running, tmp_path: Path, applied: bool, times: int
) -> None:
    one, two = policy("/a"), policy("/b")
    for number in range(6):
        folder = tmp_path / str(number)
        folder.mkdir()
        shop = Pushing(api, folder)
        shop.store.items["policy"] = Item(value=one.encode(), generation=1 << 63)
        shop.write(two)
        keys = f"/resources/stores/kv/{shop.store.id}/keys/policy"
        method, path = [
            ("GET", f"/service/{shop.service.id}/version"),
            ("GET", f"/service/{shop.service.id}/version/1/resource"),
            ("GET", keys),
            ("PUT", f"{keys}%40{revision(one)}?add=true"),
            ("PUT", f"{keys}%40{revision(two)}?add=true"),
            ("PUT", keys),
        ][number]
        fault = Exact(status=503, times=times, method=method, path=path, applied=applied)
        api.fail(fault)
        ran = shop.attempt("push", "--yes")
        assert fault.times == 0, path
        assert ran.returncode in {0, 1}
        assert shop.live == (one if ran.returncode else two), (path, ran.stderr)
        last = number == 5
        assert (ran.returncode == 0) == (times == 1 or (applied and last)), (path, ran.stderr)
        if ran.returncode:
            assert "503" in ran.stderr
            shop("push", "--yes")
        assert (shop.live, shop.history) == (two, {one, two})


class Exact(Fault):
    """Requests to one address fail."""

    def takes(self, method: str, target: str) -> bool:
        """Whether this request fails."""
        return target == self.path and super().takes(method, target)


@pytest.mark.parametrize(("token", "status"), [("revoked", "401"), ("read-only", "403")])
def test_a_token_without_permission(shop: Pushing, token: str, status: str) -> None:
    shop.write(policy("/a"))
    ran = shop.attempt("push", "--yes", token=token)
    assert ran.returncode == 1
    assert status in ran.stderr
    assert "token" in ran.stderr
    assert shop.store.items == {}


def test_what_does_not_exist_is_named(shop: Pushing) -> None:
    shop.write(policy("/a"))
    for arguments, words in [
        (["--service-id", "other"], ["404", "service other"]),
        (["--store-id", "other"], ["404", "KV store other"]),
    ]:
        ran = shop.attempt("push", "--yes", *arguments)
        assert ran.returncode == 1
        assert all(word in ran.stderr for word in words), ran.stderr
    shop.version.links.clear()
    assert "linked to no KV store" in shop.attempt("push", "--yes").stderr
    shop.version.active = False
    assert "no active version" in shop.attempt("push", "--yes").stderr
    no_token = shop.attempt("push", "--yes", FASTLY_API_TOKEN="")
    assert (no_token.returncode, "FASTLY_API_TOKEN" in no_token.stderr) == (2, True)
    plain = shop.attempt("push", "--yes", FASTLY_API_ENDPOINT="http://api.example.com")
    assert (plain.returncode, "https" in plain.stderr) == (2, True)


def test_a_policy_longer_than_a_command_line(shop: Pushing) -> None:
    text = policy(*[f"/path/{number}" for number in range(1500)])
    assert len(text) > 128 * 1024
    shop.push(text)
    assert shop.live == text


def test_a_policy_that_cannot_work_on_fastly_is_not_pushed(shop: Pushing) -> None:
    for text, place in [
        (policy("/a", hosts=["127.0.0.1"]), "$.edge.hosts[0]"),
        (policy("/a", issuer="http://127.0.0.1:7676"), "$.edge.issuer"),
        (policy("/a").replace('"origin"', '"elsewhere"'), "$.origins.shop.backend"),
        (policy("a"), "$.routes[0].path"),
        ("{", "line 1"),
        (policy("/a") + " " * (8 << 20), "8 MiB"),
    ]:
        shop.write(text)
        ran = shop.attempt("push", "--yes")
        assert ran.returncode == 1
        assert place in ran.stdout
        assert shop.api.requests == []
        ran = shop.attempt("check", "--publish")
        assert (ran.returncode, place in ran.stdout) == (1, True)
        assert shop.live is None
        shop.api.requests.clear()


def test_a_policy_that_the_service_cannot_serve_is_not_pushed(shop: Pushing) -> None:
    shop.push(policy("/a"))
    shop.push(policy("/b"))
    shop.version.backends.pop()
    shop.write(policy("/a"))
    for command in (["push", "--yes"], ["rollback", revision(policy("/a")), "--yes"]):
        ran = shop.attempt(*command)
        assert ran.returncode == 1
        assert "$.issuers.login.backend" in ran.stdout
        assert shop.live == policy("/b")
    output = shop("push", "--yes", "--store-id", shop.store.id)
    assert "not compared with the live service" in output
    assert shop.live == policy("/a")


def test_rollback_lists_and_restores(shop: Pushing) -> None:
    one, two = policy("/a"), policy("/b")
    shop.push(one)
    shop.push(two)
    listed = shop("rollback").splitlines()
    assert {line.split()[0] for line in listed} == {revision(one), revision(two)}
    (current,) = [line for line in listed if "in force" in line]
    assert current.startswith(revision(two))
    assert '- route "b"' in shop("rollback", revision(one)[:8], "--yes")
    assert (shop.live, shop.history) == (one, {one, two})
    assert "nothing to do" in shop("rollback", revision(one), "--yes")
    unknown = shop.attempt("rollback", "ffffffffffff", "--yes")
    assert (unknown.returncode, "no such revision" in unknown.stderr) == (2, True)
    shop.store.items[f"policy@{revision(two)}"].value = b"{}"
    assert "another text" in shop.attempt("rollback", revision(two), "--yes").stderr
    assert shop.live == one


def pushed_in(shop: Pushing, year: int) -> None:
    """Make the latest push one of another year, as far as its first entry goes."""
    live = shop.store.items["policy"]
    described = json.loads(live.metadata)
    entry = shop.store.items[f"policy@{described['revision']}"]
    is_first = json.loads(entry.metadata)["time"] == described["time"]
    live.metadata = json.dumps({**described, "time": f"{year}-01-01T00:00:00Z"})
    if is_first:
        entry.metadata = live.metadata


def test_rollback_lists_the_latest_push_of_each_first(shop: Pushing) -> None:
    one, two = policy("/a"), policy("/b")
    for text, year in [(one, 2021), (two, 2022), (one, 2023)]:
        shop.push(text)
        pushed_in(shop, year)
    assert [line.split()[:2] for line in shop("rollback").splitlines()] == [
        [revision(one), "2023-01-01T00:00:00Z"],
        [revision(two), "2022-01-01T00:00:00Z"],
    ]
    shop.push(policy("/c"))
    listed = [line.split() for line in shop("rollback").splitlines()]
    assert [line[0] for line in listed] == [revision(policy("/c")), revision(one), revision(two)]
    assert [line[1][:4] for line in listed[1:]] == ["2023", "2022"]
    assert listed[0][2:] == ["in", "force"]


def test_the_shadow_policy(shop: Pushing) -> None:
    shop.push(policy("/a"))
    shop.push(policy("/b"), "--shadow")
    assert shop.live == policy("/a")
    assert shop.store.items["policy.shadow"].value == policy("/b").encode()


def test_purge_writes_the_record(shop: Pushing) -> None:
    shop.push(policy("/a"))
    for number in (1, 2):
        shop("purge", "--audience", "shop")
        assert json.loads(shop.store.items["purge"].value) == {"shop": number}
    assert "if-generation-match" in shop.api.requests[-1].fields


def test_purge_knows_the_audiences_of_the_live_policy(shop: Pushing) -> None:
    refused = shop.attempt("purge", "--audience", "shop")
    assert (refused.returncode, "no policy" in refused.stderr) == (1, True)
    shop.push(policy("/a"))
    refused = shop.attempt("purge", "--audience", "shopp")
    assert refused.returncode == 1
    assert 'write one of "shop"' in refused.stderr
    shop.store.items["policy"].value = b"{}"
    assert shop.attempt("purge", "--audience", "shop").returncode == 1
    assert "purge" not in shop.store.items


@pytest.mark.parametrize("generation", [None, "", "x"])
def test_an_answer_without_a_generation_is_an_error(
    shop: Pushing, generation: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.push(policy("/a"))
    shop("purge", "--audience", "shop")
    answered = {} if generation is None else {"generation": generation}
    monkeypatch.setattr(kv_stores, "fields", lambda _item: answered)
    before, count = shop.store.model_dump(), len(shop.api.requests)
    shop.write(policy("/b"))
    for command in (["push", "--yes"], ["purge", "--audience", "shop"]):
        ran = shop.attempt(*command)
        assert (ran.returncode, "no generation" in ran.stderr) == (1, True), ran.stderr
    assert {each.method for each in shop.api.requests[count:]} == {"GET"}
    assert shop.store.model_dump() == before


@pytest.mark.parametrize(
    ("endpoint", "words"),
    [
        ("http://localhost:x@{}", "user name"),
        ("http://user:of-a-friend@{}", "user name"),
        ("https://@{}", "user name"),
        ("http://{}?", "query"),
        ("http://{}#", "fragment"),
        ("http://localhost.example.com", "https"),
        ("http://0.0.0.0:1", "https"),
        ("http://localhost:x", "FASTLY_API_ENDPOINT"),
    ],
)
def test_the_token_is_sent_to_the_parsed_host_only(
    shop: Pushing, endpoint: str, words: str
) -> None:
    shop.write(policy("/a"))
    here = shop.api.environment()["FASTLY_API_ENDPOINT"].removeprefix("http://")
    ran = shop.attempt("push", "--yes", FASTLY_API_ENDPOINT=endpoint.format(here))
    assert (ran.returncode, words in ran.stderr) == (2, True), ran.stderr
    assert "of-a-friend" not in ran.stderr
    assert shop.api.requests == []


def test_what_was_pushed_is_served(shop: Pushing, tmp_path: Path) -> None:
    shop.push(policy("/hello"))
    keys = run(program("FASTGATE_TOOL"), "keys", "new").encode()
    shop.secrets.secrets["signing-keys"] = Secret(value=keys, digest="")
    shop.version.package = package()
    folder, compiled = tmp_path / "served", ROOT / "target" / "compiled"
    folder.mkdir()
    backends = dict.fromkeys(("origin", "idp"), "http://127.0.0.1:1")
    address = free_address()
    state = shop.api.state
    with served(state, shop.service, backends, folder, edge(), address, compiled):
        answer = httpx.get(f"http://{address}/hello", headers={"Host": "shop.example.com"})
    assert (answer.status_code, answer.text) == (200, "this is /hello")
