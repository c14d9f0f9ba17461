"""The repository's own manifest, from a clean copy: `fastly compute build`, `pack` and `publish`."""

import os
import tarfile
import tomllib
from pathlib import Path

import httpx
import pytest
from fastly_api.on_viceroy import served
from fastly_api.running import Running
from programs import ROOT, FastlyCli, edge, guest
from repository import clone, compiled_path
from test_publish import free_address


@pytest.fixture
def in_clone(api: Running, tmp_path: Path) -> FastlyCli:
    """Return Fastly's tool in a clean copy of the repository."""
    home = Path.home()
    environment = api.environment() | {"PATH": compiled_path(tmp_path / "cargo")}
    for name, folder in [("CARGO_HOME", ".cargo"), ("RUSTUP_HOME", ".rustup")]:
        environment[name] = os.environ.get(name, str(home / folder))
    (tmp_path / "home").mkdir()
    return FastlyCli(clone(tmp_path / "clone"), tmp_path / "home", environment)


def test_build_and_pack_need_neither_token_nor_preparation(
    api: Running, in_clone: FastlyCli
) -> None:
    in_clone("compute", "build", "--non-interactive")
    with tarfile.open(in_clone.folder / "pkg" / "fastgate.tar.gz") as archive:
        program = archive.extractfile("fastgate/bin/main.wasm")
        assert program
        assert program.read().startswith(b"\0asm")
    assert (in_clone.folder / "local" / "signing-keys.json").stat().st_mode & 0o077 == 0
    in_clone("compute", "pack", "--wasm-binary", str(guest()))
    assert api.requests == []


def test_publish_writes_no_policy_and_the_edge_refuses_until_there_is_one(
    api: Running, in_clone: FastlyCli, tmp_path: Path
) -> None:
    in_clone.publish("--domain", "gate.edgecompute.app")
    service = api.state.service("fastgate")
    assert api.state.kv_store("fastgate").items == {}
    assert api.state.secret_store("fastgate").secrets == {}
    assert service.active
    names = {each.name for each in service.active.backends}
    address, folder = free_address(), tmp_path / "served"
    folder.mkdir()
    compiled = ROOT / "target" / "compiled"
    backends = dict.fromkeys(names, "http://127.0.0.1:9")
    with served(api.state, service, backends, folder, edge(), address, compiled):
        for path in ("/", "/.well-known/fastgate/jwks.json"):
            assert httpx.get(f"http://{address}{path}").status_code == 503


def test_the_manifest_seeds_no_values_except_on_the_local_edge() -> None:
    manifest = tomllib.loads((ROOT / "fastly.toml").read_text())
    stores = [
        *manifest["setup"]["kv_stores"].values(),
        *manifest["setup"]["secret_stores"].values(),
    ]
    assert [store for store in stores if "items" in store or "entries" in store] == []
    local = manifest["local_server"]["kv_stores"]["fastgate"]
    assert {"key": "policy", "file": "policy.json"} in local
