"""Which service and which store a command writes to, and that none replaces the policy of another."""

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from fastly_api.running import Running
from fastly_api.state import Item, KvStore, Link, Service
from programs import FastlyCli, program, project
from pushing import Pushing, policy

STAGE = {"issuer": "https://stage.example.com", "hosts": ["shop.example.com"]}


def other_service(shop: Pushing) -> tuple[Service, KvStore]:
    """Return another service that has stores of its own."""
    service, store = Service(name="other", type="wasm"), KvStore(name="other-kv")
    version = service.versions[0]
    version.active = version.locked = True
    version.links += [
        Link(name="fastgate", resource_id=store.id, resource_type="kv-store"),
        Link(name="fastgate", resource_id=shop.secrets.id, resource_type="secret-store"),
    ]
    version.backends += shop.version.backends
    shop.api.state.kv_stores[store.id] = store
    shop.api.state.services[service.id] = service
    return service, store


def test_two_published_services_do_not_replace_each_others_policy(
    api: Running, tmp_path: Path
) -> None:
    (tmp_path / "home").mkdir()
    shared = None
    for name in ("shop", "stage"):
        edge = project(tmp_path / name)
        manifest = edge / "fastly.toml"
        manifest.write_text(manifest.read_text().replace("shop-gate", f"{name}-gate"))
        host = f"{name}.edgecompute.app"
        FastlyCli(edge, tmp_path / "home", api.environment()).publish("--domain", host)
        text = policy("/a", issuer=f"https://{host}", hosts=[host])
        (edge / "policy.json").write_text(text)
        ran = subprocess.run(
            [program("FASTGATE_TOOL"), "push", "--yes"],
            cwd=edge,
            env={**os.environ, **api.environment()},
            capture_output=True,
            text=True,
            check=False,
        )
        assert "does not use TLS" not in ran.stdout
        store = api.state.kv_store("fastgate")
        if shared is None:
            assert ran.returncode == 0, ran.stderr
            shared = store.items["policy"].value
        else:
            assert ran.returncode == 1
            for words in ("https://shop.edgecompute.app", f"https://{host}", "stores of its own"):
                assert words in ran.stderr
            assert "--change-issuer" in ran.stderr
            assert store.items["policy"].value == shared


@pytest.mark.parametrize("options", [[], ["--shadow"], ["--dry-run"]])
def test_another_issuer_needs_an_option(shop: Pushing, options: list[str]) -> None:
    shop.push(policy("/a"))
    before = shop.store.model_dump()
    shop.write(policy("/b", **STAGE))
    ran = shop.attempt("push", "--yes", *options)
    assert ran.returncode == 1
    for words in (STAGE["issuer"], "https://shop.example.com", "stores of its own"):
        assert str(words) in ran.stderr
    assert shop.store.model_dump() == before
    shop("push", "--yes", "--change-issuer", *options)
    assert (shop.live == policy("/a")) == bool(options)


def test_a_rollback_to_another_issuer_needs_the_option(shop: Pushing) -> None:
    shop.push(policy("/a"))
    shop.push(policy("/b", **STAGE), "--change-issuer")
    first = [line.split()[0] for line in shop("rollback").splitlines() if "in force" not in line]
    ran = shop.attempt("rollback", *first, "--yes")
    assert (ran.returncode, "--change-issuer" in ran.stderr) == (1, True)
    assert shop.live == policy("/b", **STAGE)
    shop("rollback", *first, "--yes", "--change-issuer")
    assert shop.live == policy("/a")


@pytest.mark.parametrize("former", [b"", b"{", b"\xff", b"{}", b'{"edge": {"issuer": 5}}'])
def test_a_policy_that_cannot_be_read_may_be_of_another_service(
    shop: Pushing, former: bytes
) -> None:
    shop.store.items["policy"] = Item(value=former, generation=3)
    shop.write(policy("/a"))
    ran = shop.attempt("push", "--yes")
    assert (ran.returncode, "--change-issuer" in ran.stderr) == (1, True)
    assert shop.store.items["policy"].value == former
    shop("push", "--yes", "--change-issuer")
    assert shop.live == policy("/a")


def test_the_last_line_names_the_service_and_the_store(shop: Pushing) -> None:
    place = f"service {shop.service.id} (KV store {shop.store.id})"
    assert place in shop.push(policy("/a")).splitlines()[-1]
    assert "about a minute" in shop.push(policy("/b")).splitlines()[-1]
    assert place in shop.push(policy("/b")).splitlines()[-1]
    assert place in shop("purge", "--audience", "shop").splitlines()[-1]


def test_options_win_over_the_environment(shop: Pushing) -> None:
    service, store = other_service(shop)
    shop.write(policy("/a"))
    manifest = shop.folder / "fastly.toml"
    shop("push", "--yes", "--manifest", manifest, FASTLY_SERVICE_ID=service.id)
    assert (shop.live, store.items) == (policy("/a"), {})
    shop("push", "--yes", FASTLY_SERVICE_ID=service.id)
    assert "policy" in store.items
    shop.write(policy("/b"))
    named: list[str | Path] = ["--service-id", shop.service.id, "--manifest", manifest]
    shop("push", "--yes", *named, FASTLY_SERVICE_ID=service.id)
    assert shop.live == policy("/b")
    assert store.items["policy"].value == policy("/a").encode()
    text = manifest.read_text().replace(f'service_id = "{shop.service.id}"', "")
    manifest.write_text(text)
    shop("push", "--yes", "--manifest", manifest, FASTLY_SERVICE_ID=service.id)
    assert store.items["policy"].value == policy("/b").encode()


def test_a_store_of_another_service_is_refused(shop: Pushing) -> None:
    service, store = other_service(shop)
    shop.write(policy("/a"))
    for command in (["push", "--yes"], ["purge", "--audience", "shop"], ["rollback"]):
        named = ["--service-id", shop.service.id, "--store-id", store.id]
        ran = shop.attempt(*command, *named)
        assert ran.returncode == 2
        assert all(each in ran.stderr for each in (shop.service.id, shop.store.id, store.id))
    assert store.items == shop.store.items == {}
    shop("push", "--yes", "--service-id", service.id, "--store-id", store.id)
    assert "policy" in store.items


@pytest.mark.parametrize("text", [None, "broken [", "service_id = 5\n", 'service_id = ""\n', ""])
def test_no_service_is_a_wrong_call(shop: Pushing, text: str | None) -> None:
    shop.write(policy("/a"))
    manifest = shop.folder / "fastly.toml"
    manifest.unlink()
    if text is not None:
        manifest.write_text(text)
    for command in (["push", "--yes"], ["rollback"], ["purge", "--audience", "shop"]):
        ran = shop.attempt(*command)
        assert (ran.returncode, "fastly.toml" in ran.stderr) == (2, True), ran.stderr
    assert shop.api.requests == []


def large(shop: Pushing) -> None:
    """Store a record that the edge does not read."""
    record = {f"x{number:05}": 1 for number in range(7000)}
    shop.store.items["purge"] = Item(value=json.dumps(record).encode(), generation=5)


def greatest(shop: Pushing) -> None:
    """Store the greatest generation."""
    record = {"shop": 2**64 - 1}
    shop.store.items["purge"] = Item(value=json.dumps(record).encode(), generation=5)


@pytest.mark.parametrize("former", [large, greatest])
def test_a_purge_that_no_edge_would_see_is_refused(
    shop: Pushing, former: Callable[[Pushing], None]
) -> None:
    shop.push(policy("/a"))
    former(shop)
    before = shop.store.items["purge"].value
    ran = shop.attempt("purge", "--audience", "shop")
    assert (ran.returncode, "nothing was purged" in ran.stderr) == (1, True)
    (shop.folder / "record.json").write_bytes(before)
    ran = shop.attempt("purge", "--audience", "shop", "--record", "record.json")
    assert (ran.returncode, "nothing was purged" in ran.stderr) == (2, True)
    assert shop.store.items["purge"].value == before


@pytest.mark.parametrize(
    "audience", ["a'b; touch pwned; echo '", "$(touch pwned)", "a\u202eb", "ü"]
)
def test_a_printed_command_is_one_for_a_shell(shop: Pushing, audience: str) -> None:
    ran = shop.attempt("purge", "--audience", audience, FASTLY_API_TOKEN="")
    assert ran.returncode == 0
    command = ran.stderr.splitlines()[-1].removeprefix("fastly ")
    script = "fastly() { printf '%s\\n' \"$@\"; }; fastly " + command
    shown = subprocess.run(
        ["bash", "-c", script], cwd=shop.folder, capture_output=True, text=True, check=True
    )
    assert json.loads(shown.stdout.splitlines()[-1]) == {audience: 1}
    assert not (shop.folder / "pwned").exists()


@pytest.mark.parametrize("option", ["--store-id", "--secret-store-id"])
@pytest.mark.parametrize("command", ["rotate", "status"])
def test_one_store_alone_is_not_paired_with_that_of_another_service(
    shop: Pushing, option: str, command: str
) -> None:
    ran = shop.attempt("keys", command, option, "of-another", "--edge", "https://a.example")
    assert (ran.returncode, "name the service, --service-id" in ran.stderr) == (2, True), ran.stderr
    assert shop.secrets.secrets == {}
    empty = shop.attempt("keys", command, option, "")
    assert (empty.returncode, shop.api.requests) == (2, [])
