"""`fastly compute publish` with Fastly's own tool, and what it published, served on Viceroy."""

import json
import socket
import sys
import tomllib
from pathlib import Path

import httpx
import pytest
import uvicorn
from fastly_api.app import Fault
from fastly_api.on_viceroy import manifest, served
from fastly_api.running import Running, listener, serving
from fastly_api.state import Acl, Item, Link
from programs import ROOT, FastlyCli, edge, guest, program, run

HERE = Path(__file__).parent


def free_address() -> str:
    """Return an address of this machine on which nothing listens."""
    with socket.create_server(("127.0.0.1", 0)) as opened:
        return f"127.0.0.1:{opened.getsockname()[1]}"


def policy(url: str, folder: Path) -> str:
    """Compile the policy of the app for an edge at this address."""
    base = {
        "edge": {"issuer": url, "hosts": ["127.0.0.1"]},
        "origins": {"shop": {"backend": "origin", "audience": "shop"}},
        "issuers": {
            "dev": {"issuer": "http://127.0.0.1:9", "backend": "idp", "audiences": ["shop"]}
        },
    }
    (folder / "base.json").write_text(json.dumps(base))
    command = [sys.executable, "-m", "fastgate", "policy", "shop:app", "--app-dir", str(HERE)]
    return run(*command, "--base", folder / "base.json")


def test_a_service_is_published_filled_and_answers(
    api: Running, fastly: FastlyCli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = free_address()
    url = f"http://{address}"
    monkeypatch.setenv("EDGE", url)
    monkeypatch.syspath_prepend(str(HERE))

    fastly.publish("--domain", "shop.edgecompute.app")
    service = api.state.service("shop-gate")
    kv_store, secret_store = api.state.kv_store("fastgate"), api.state.secret_store("fastgate")
    assert (kv_store.items, secret_store.secrets) == ({}, {})
    keys = run(program("FASTGATE_TOOL"), "keys", "new")
    secret = ["--store-id", secret_store.id, "--name", "signing-keys", "--stdin"]
    fastly("secret-store-entry", "create", *secret, content=keys)
    text = policy(url, tmp_path)
    item = ["--store-id", kv_store.id, "--key", "policy", "--value", text, "--add"]
    fastly("kv-store-entry", "create", *item)
    assert secret_store.secrets["signing-keys"].value == keys.encode()
    assert kv_store.items["policy"].value == text.encode()

    from shop import app

    web, opened = uvicorn.Server(uvicorn.Config(app, log_level="warning")), listener()
    with serving(web, opened) as origin:
        backends = {"origin": origin, "idp": "http://127.0.0.1:9"}
        folder, compiled = tmp_path / "served", ROOT / "target" / "compiled"
        folder.mkdir()
        served_at = served(api.state, service, backends, folder, edge(), address, compiled)
        with served_at, httpx.Client(base_url=url) as client:
            public = client.get("/")
            assert (public.status_code, public.json()) == (200, "hello")
            refused = client.get("/orders/7")
            assert refused.status_code == 401
            assert refused.headers["www-authenticate"].startswith("Bearer")
            assert client.get("/elsewhere").status_code == 404
            unknown_host = client.get("/", headers={"Host": "other.example"})
            assert unknown_host.status_code == 421


def test_publish_creates_what_the_manifest_names(api: Running, fastly: FastlyCli) -> None:
    output = fastly.publish("--domain", "shop.edgecompute.app")
    service = api.state.service("shop-gate")
    assert (service.type, len(service.versions)) == ("wasm", 1)
    version = service.active
    assert version
    assert version.locked
    assert version.domains == ["shop.edgecompute.app"]
    assert "https://shop.edgecompute.app" in output
    origins = {
        each.name: (each.members["address"], each.members["port"]) for each in version.backends
    }
    assert origins == {"origin": ("origin.example.com", "443"), "idp": ("idp.example.com", "443")}
    links = {(each.resource_type, each.name, each.resource_id) for each in version.links}
    kv_store, secret_store = api.state.kv_store("fastgate"), api.state.secret_store("fastgate")
    kinds = {("kv-store", kv_store.id), ("secret-store", secret_store.id)}
    assert links == {(kind, "fastgate", store) for kind, store in kinds}
    assert version.package
    assert version.package.name == "shop-gate"
    assert service.id in (fastly.folder / "fastly.toml").read_text()
    assert {each.status for each in api.requests} <= {200, 201}


def test_a_publication_that_failed_can_be_repeated_and_keeps_what_stores_have(
    api: Running, fastly: FastlyCli
) -> None:
    api.fail(Fault(status=500, method="PUT", path="/service"))
    failed = fastly.attempt("compute", "publish", "--non-interactive", "--status-check-off")
    assert failed.returncode == 1
    assert api.state.services == {}
    written = tomllib.loads((fastly.folder / "fastly.toml").read_text())
    assert written["service_id"] == ""
    store = api.state.kv_store("fastgate")
    fastly("kv-store-entry", "create", "--store-id", store.id, "--key", "policy", "--value", "{}")
    fastly.publish()
    service = api.state.service("shop-gate")
    assert service.active
    assert store.id in {link.resource_id for link in service.active.links}
    assert store.items["policy"].value == b"{}"
    assert (len(api.state.kv_stores), len(api.state.secret_stores)) == (1, 1)


def test_publish_again_is_a_new_version_and_leaves_the_stores_alone(
    api: Running, fastly: FastlyCli
) -> None:
    fastly.publish()
    kv_store, service = api.state.kv_store("fastgate"), api.state.service("shop-gate")
    fastly(
        "kv-store-entry", "create", "--store-id", kv_store.id, "--key", "policy", "--value", "{}"
    )
    before = kv_store.items["policy"].generation
    fastly.publish()  # the manifest in the package now has the id of the service
    assert [each.active for each in service.versions] == [False, True]
    assert kv_store.items["policy"].generation == before
    unchanged = fastly.publish()
    assert len(service.versions) == 2, unchanged


def test_the_package_has_the_guest_unchanged(api: Running, fastly: FastlyCli) -> None:
    fastly("compute", "build", "--non-interactive")
    assert (fastly.folder / "bin" / "main.wasm").read_bytes() == guest().read_bytes()
    fastly("compute", "pack", "--wasm-binary", str(guest()))
    assert (fastly.folder / "pkg" / "package.tar.gz").exists()
    assert api.requests == []  # neither needs a token


def test_a_token_without_permission_publishes_nothing(api: Running, fastly: FastlyCli) -> None:
    for token, status in [("read-only", "403"), ("revoked", "401")]:
        options = ["--non-interactive", "--status-check-off", "--token", token]
        ran = fastly.attempt("compute", "publish", *options)
        assert ran.returncode == 1
        assert status in ran.stderr
    assert (api.state.services, api.state.kv_stores) == ({}, {})


def test_conditional_writes_as_the_tool_sends_them(api: Running, fastly: FastlyCli) -> None:
    fastly("kv-store", "create", "--name", "other")
    store = api.state.kv_store("other")
    create = ["kv-store-entry", "create", "--store-id", store.id, "--key", "files/a b", "--value"]
    fastly(*create, "1", "--metadata", '{"content_type":"text/plain"}')
    item = store.items["files/a b"]
    assert (item.value, item.metadata) == (b"1", '{"content_type":"text/plain"}')
    assert "412" in fastly.attempt(*create, "2", "--add").stderr
    other = str(item.generation - 1)
    assert "412" in fastly.attempt(*create, "2", "--if-generation-match", other).stderr
    fastly(*create, "2", "--if-generation-match", str(item.generation))
    assert store.items["files/a b"].value == b"2"
    line = '{"key":"q","value":"eA=="}\n'
    fastly("kv-store-entry", "create", "--store-id", store.id, "--stdin", content=line)
    listed = fastly("kv-store-entry", "list", "--store-id", store.id)
    assert listed.split()[-3:] == ["files/a", "b", "q"]


def test_a_secret_is_created_once_and_replaced_only_on_demand(
    api: Running, fastly: FastlyCli
) -> None:
    fastly("secret-store", "create", "--name", "other")
    store = api.state.secret_store("other")
    create = ["secret-store-entry", "create", "--store-id", store.id, "--name", "key", "--stdin"]
    fastly(*create, content="one")
    assert "409" in fastly.attempt(*create, content="two").stderr
    assert store.secrets["key"].value == b"one"
    fastly(*create, "--recreate", content="two")
    assert store.secrets["key"].value == b"two"
    assert all(each.digest is None for each in api.requests if "/stores/secret" in each.target)


def test_purges_links_and_lists_as_the_tool_sends_them(api: Running, fastly: FastlyCli) -> None:
    fastly.publish()
    service = api.state.service("shop-gate")
    fastly("service", "purge", "--key", "orders", "--soft")
    fastly("service", "purge", "--all")
    assert [(each.key, each.soft) for each in api.state.purges] == [("orders", True), (None, False)]
    fastly("compute", "acl", "create", "--name", "blocked")
    (acl,) = api.state.acls.values()
    entry = ["--operation", "create", "--prefix", "192.0.2.0/24", "--action", "BLOCK"]
    fastly("compute", "acl", "update", "--acl-id", acl.id, *entry)
    assert acl.entries == {"192.0.2.0/24": "BLOCK"}
    link = ["--version", "latest", "--autoclone", "--resource-id", acl.id, "--name", "blocked"]
    fastly("service", "resource-link", "create", *link)
    assert [len(each.links) for each in service.versions] == [2, 3]
    fastly("service", "version", "activate", "--version", "2")
    assert service.active is service.versions[1]
    locked = fastly.attempt(
        "service", "backend", "create", "--version", "1", "--name", "x", "--address", "x.example"
    )
    assert (locked.returncode, "locked" in locked.stderr) == (1, True)


def test_the_manifest_for_viceroy_has_every_store_and_acl(
    api: Running, fastly: FastlyCli, tmp_path: Path
) -> None:
    fastly.publish()
    service = api.state.service("shop-gate")
    assert service.active
    acl = Acl(name="a", entries={"192.0.2.0/24": "BLOCK"})
    link = Link(name="blocked", resource_id=acl.id, resource_type="acl")
    api.state.acls[acl.id] = acl
    service.active.links.append(link)
    item = Item(value=b"\xff", metadata='{"a":"\\""}', generation=1)
    api.state.kv_store("fastgate").items['files/"x"'] = item
    backends = {"origin": "http://127.0.0.1:1", "idp": "http://127.0.0.1:2"}
    local = tomllib.loads(manifest(api.state, service, backends, tmp_path).read_text())
    local = local["local_server"]
    origin = {"url": "http://127.0.0.1:1", "override_host": "origin.example.com"}
    assert local["backends"]["origin"] == origin
    (entry,) = local["kv_stores"]["fastgate"]
    assert Path(entry.pop("file")).read_bytes() == b"\xff"
    assert entry == {"key": 'files/"x"', "metadata": '{"a":"\\""}'}
    assert local["secret_stores"] == {"fastgate": []}
    written = json.loads(Path(local["acls"]["blocked"]).read_text())
    assert written["entries"] == [{"op": "create", "prefix": "192.0.2.0/24", "action": "BLOCK"}]
    folder = tmp_path / "served"
    folder.mkdir()
    address, compiled = free_address(), ROOT / "target" / "compiled"
    with served(api.state, service, backends, folder, edge(), address, compiled):
        assert httpx.get(f"http://{address}/").status_code == 503
    del backends["idp"]
    with pytest.raises(ValueError, match="the backends differ: idp"):
        manifest(api.state, service, backends, tmp_path)
