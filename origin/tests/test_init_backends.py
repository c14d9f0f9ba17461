"""`fastgate init` beside one kept file: what the other one says of the same hosts must agree."""

import json
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from fastgate.init.backends import check_loops, hints_of_backends
from fastgate.wrong_call import WrongCall
from tests.init_projects import APP, FILES, Discovery, discovery, files_in, init
from tests.projects import fastgate_in

GUARD = """from fastgate import Settings, guard
guard(app, Settings(edge="https://{edge}", audience="my-shop", backend_host="{backend}"))
"""


def setup(**backends: Mapping[str, object]) -> dict[str, Any]:
    """Return a manifest with backends."""
    return {"setup": {"backends": backends}}


def test_another_provider_than_that_of_a_kept_manifest_is_refused(
    shop_folder: Path, openid: Discovery
) -> None:
    assert init(shop_folder, openid).returncode == 0
    with discovery() as other:
        refused = init(shop_folder, other)
        assert "correct the provider's backend in fastly.toml" in refused.stderr
        for name in ("policy.base.json", "policy.json"):
            (shop_folder / "edge" / name).unlink()
        before = files_in(shop_folder)
        ran = init(shop_folder, other)
        assert (ran.returncode, ran.stdout) == (2, "")
        assert f"--issuer {other.url}: its keys are at 127.0.0.1:" in ran.stderr
        assert "edge/fastly.toml exists and has 127.0.0.1:" in ran.stderr
        assert files_in(shop_folder) == before
        (shop_folder / "edge/fastly.toml").unlink()
        assert init(shop_folder, other).returncode == 0
    assert files_in(shop_folder) == FILES


def with_a_kept_base(
    folder: Path, provider: Discovery, change: Callable[[dict[str, Any]], None]
) -> None:
    """Let `init` write all files, change the base policy, and keep only that."""
    assert init(folder, provider).returncode == 0
    file = folder / "edge/policy.base.json"
    document = json.loads(file.read_text())
    change(document)
    file.write_text(json.dumps(document))
    for name in ("fastly.toml", "policy.json"):
        (folder / "edge" / name).unlink()


def test_an_origin_that_is_a_host_of_a_kept_base_is_refused(
    shop_folder: Path, openid: Discovery
) -> None:
    with_a_kept_base(
        shop_folder, openid, lambda document: document["edge"]["hosts"].append("www.example.com")
    )
    before = files_in(shop_folder)
    ran = fastgate_in(shop_folder, "init", "--origin-host", "www.example.com")
    assert (ran.returncode, ran.stdout) == (2, "")
    assert "the edge would send each request to itself" in ran.stderr
    assert files_in(shop_folder) == before


@pytest.mark.parametrize(("edge", "code"), [("app.example.com", 2), ("new.example.com", 0)])
def test_a_host_that_is_the_origin_of_a_kept_manifest_is_refused(
    edge: str, code: int, shop_folder: Path, openid: Discovery
) -> None:
    assert init(shop_folder, openid).returncode == 0
    for name in ("policy.base.json", "policy.json"):
        (shop_folder / "edge" / name).unlink()
    guarded = GUARD.format(edge=edge, backend="app9.example.com")
    (shop_folder / "main.py").write_text(f"{APP}{guarded}")
    ran = fastgate_in(shop_folder, "init", "--issuer", openid.url, "--audience", "a")
    assert ran.returncode == code, ran.stderr
    assert ("the edge would send each request to itself" in ran.stderr) == (code == 2)
    hint = 'Settings.backend_host is "app9.example.com" here and the backend app in fastly.toml'
    assert (hint in ran.stderr) == (code == 0)


def test_a_loop_is_found_in_whatever_both_files_say() -> None:
    edge = {"edge": {"hosts": ["a.example.com", "b.example.com:8443", "127.0.0.1", "${HOST}"]}}
    local = {"address": "127.0.0.1"}
    check_loops(edge, setup(app={"address": "c.example.com", "override_host": "a.example.com"}))
    check_loops(edge, setup(app=local, idp={}))
    check_loops({}, {"setup": {"backends": 1}})
    for address in ("A.example.com.", "b.example.com"):
        with pytest.raises(WrongCall, match=r"\[setup.backends.two\] of fastly.toml"):
            check_loops(edge, setup(app=local, two={"address": address}))


def test_the_guard_may_expect_either_host_of_the_backend() -> None:
    app = {"address": "app.example.com", "override_host": "Shop.example.com"}
    policy = {"origins": {"x": {"backend": "shop"}}}
    for host in ("app.example.com", "shop.example.com", None):
        assert [*hints_of_backends(host, policy, setup(shop=app))] == []
    assert [*hints_of_backends("x.example.com", policy, setup(shop={}))] == []
    assert [*hints_of_backends("x.example.com", policy, setup(app=app))] == []
    (hint,) = hints_of_backends("x.example.com", policy, setup(shop=app))
    assert "shop in fastly.toml has app.example.com or shop.example.com" in hint


def test_a_new_manifest_has_the_backends_of_a_kept_base(
    shop_folder: Path, openid: Discovery
) -> None:
    def rename(document: dict[str, Any]) -> None:
        document["origins"]["app"]["backend"] = "shop"
        document["issuers"]["provider"]["backend"] = "keys"

    with_a_kept_base(shop_folder, openid, rename)
    ran = fastgate_in(shop_folder, "init")
    assert (ran.returncode, ran.stdout) == (2, "")
    assert ran.stderr.splitlines() == [
        "fastgate init needs to know:",
        "  the host on which the app runs: --origin-host app.example.com",
    ]
    ran = fastgate_in(shop_folder, "init", "--origin-host", "app.example.com")
    assert ran.returncode == 0, ran.stderr
    manifest = tomllib.loads((shop_folder / "edge/fastly.toml").read_text())
    port = int(openid.url.split(":")[2].split("/")[0])
    backends = manifest["setup"]["backends"]
    assert {name: (each["address"], each["port"]) for name, each in backends.items()} == {
        "shop": ("app.example.com", 443),
        "keys": ("127.0.0.1", port),
    }
    assert manifest["local_server"]["backends"]["keys"] == {"url": f"http://127.0.0.1:{port}"}


def test_the_origin_is_not_asked_for_beside_a_kept_manifest(
    shop_folder: Path, openid: Discovery
) -> None:
    assert init(shop_folder, openid).returncode == 0
    for name in ("policy.base.json", "policy.json"):
        (shop_folder / "edge" / name).unlink()
    ran = fastgate_in(shop_folder, "init")
    assert ran.returncode == 2
    assert "--origin-host" not in ran.stderr
    assert "--audience TEXT" in ran.stderr
    options = ["--issuer", openid.url, "--audience", "a", "--host", "api.example.com"]
    assert fastgate_in(shop_folder, "init", *options).returncode == 0
    assert files_in(shop_folder) == FILES


def test_a_provider_on_the_backend_of_the_app(shop_folder: Path, openid: Discovery) -> None:
    def share(document: dict[str, Any]) -> None:
        document["issuers"]["provider"]["backend"] = "app"

    with_a_kept_base(shop_folder, openid, share)
    before = files_in(shop_folder)
    ran = fastgate_in(shop_folder, "init", "--origin-host", "app.example.com")
    assert (ran.returncode, ran.stdout) == (2, "")
    assert "the app and an issuer have the same backend" in ran.stderr
    assert files_in(shop_folder) == before
    file = shop_folder / "edge/policy.base.json"
    file.write_text(file.read_text().replace(openid.url, "https://app.example.com/auth"))
    ran = fastgate_in(shop_folder, "init", "--origin-host", "app.example.com")
    assert ran.returncode == 0, ran.stderr
    manifest = tomllib.loads((shop_folder / "edge/fastly.toml").read_text())
    assert [*manifest["setup"]["backends"]] == [*manifest["local_server"]["backends"]] == ["app"]


def test_a_name_with_a_line_end_is_a_fault_of_the_policy(
    shop_folder: Path, openid: Discovery
) -> None:
    def rename(document: dict[str, Any]) -> None:
        document["origins"]["app"]["backend"] = "a\nb = 1"

    with_a_kept_base(shop_folder, openid, rename)
    before = files_in(shop_folder)
    ran = fastgate_in(shop_folder, "init", "--origin-host", "app.example.com")
    assert (ran.returncode, ran.stdout) == (1, "")
    assert "$.origins.app.backend\n    is not the name of a backend" in ran.stderr
    assert files_in(shop_folder) == before


def test_a_kept_manifest_with_members_of_another_kind_is_refused(
    shop_folder: Path, openid: Discovery
) -> None:
    (shop_folder / "edge").mkdir()
    (shop_folder / "edge/fastly.toml").write_text('[setup.backends.idp]\nport = "7961"\n')
    ran = init(shop_folder, openid)
    assert (ran.returncode, ran.stdout) == (2, "")
    assert "edge/fastly.toml: [setup.backends.idp] has a text as port: write a number" in ran.stderr
    assert files_in(shop_folder) == ["edge/fastly.toml"]
