"""`fastgate push` against the stand-in for Fastly's API."""

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
from pushing import Pushing, policy, revision
from starlette.requests import Request
from test_publish import free_address


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


def test_the_active_version_is_read_once(shop: Pushing) -> None:
    shop.push(policy("/a"))
    version = f"/service/{shop.service.id}/version"
    for command in (
        ["push", "--yes"],
        ["rollback", revision(policy("/a")), "--yes"],
        ["check", "--publish"],
        ["keys", "rotate", "--dry-run"],
    ):
        shop.api.requests.clear()
        shop(*command)
        for path in (version, f"{version}/1/resource"):
            targets = [each.target for each in shop.api.requests]
            assert targets.count(path) == 1, (command, path)


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


def test_a_policy_longer_than_a_command_line(shop: Pushing) -> None:
    text = policy(*[f"/path/{number}" for number in range(1500)])
    assert len(text) > 128 * 1024
    shop.push(text)
    assert shop.live == text


def test_the_shadow_policy(shop: Pushing) -> None:
    shop.push(policy("/a"))
    shop.push(policy("/b"), "--shadow")
    assert shop.live == policy("/a")
    assert shop.store.items["policy.shadow"].value == policy("/b").encode()


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
