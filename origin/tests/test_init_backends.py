"""`fastgate init` beside one kept file: what the other one says of the same hosts must agree."""

import json
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from fastgate.init.backends import backends_of, check_loops, check_provider, hints_of_backends
from fastgate.init.existing import Kept
from fastgate.init.provider import Provider
from fastgate.wrong_call import Failed, WrongCall
from tests.init_projects import APP, FILES, Discovery, discovery, files_in, init
from tests.projects import fastgate_in

OWN = {"issuer": "https://id.example.com", "backend": "keys", "audiences": ["a"]}
GUARD = """from fastgate import Settings, guard
guard(app, Settings(edge="https://{edge}", audience="my-shop", backend_host="{backend}"))
"""


def base(**members: object) -> Kept:
    """Return a base policy that is kept."""
    document = {"origins": {"x": {"backend": "shop"}}, "issuers": {"own": OWN}, **members}
    return Kept(Path("policy.base.json"), "", document)


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


@pytest.mark.parametrize(
    ("backend", "fits"),
    [
        ({}, True),
        ({"address": "ID.example.com."}, True),
        ({"address": "id.example.com", "port": 443}, True),
        ({"address": "proxy.example.com", "override_host": "id.example.com"}, True),
        ({"address": "id.example.com", "port": 8443}, False),
        ({"address": "old.example.com"}, False),
    ],
)
def test_the_provider_of_a_new_base_is_compared(backend: dict[str, object], fits: bool) -> None:
    kept = Kept(Path("fastly.toml"), "", setup(idp=backend, app={"address": "a.example.com"}))
    found = Provider("https://id.example.com", None, "https://id.example.com/jwks")
    if fits:
        check_provider(kept, found, "--issuer x")
    else:
        with pytest.raises(WrongCall, match=r"id.example.com:443, and fastly.toml exists and has"):
            check_provider(kept, found, "--issuer x")


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
    policy = base().document
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


@pytest.mark.parametrize(
    ("issuer", "origin"),
    [
        (OWN, "https://id.example.com"),
        ({**OWN, "issuer": "https://id.example.com:8443/a"}, "https://id.example.com:8443"),
        (
            {**OWN, "issuer": "a text", "jwks_uri": "https://k.example.com/a"},
            "https://k.example.com",
        ),
        ({**OWN, "preset": "okta", "jwks_uri": "https://k.example.com/"}, "https://k.example.com"),
        ({**OWN, "issuer": "https://${TENANT}/"}, None),
        ({**OWN, "issuer": "https://{tenant}.example.com/"}, None),
        ({**OWN, "issuer": "a text"}, None),
        ({**OWN, "backend": "${BACKEND}"}, None),
        ({**OWN, "introspection": {"backend": "ask"}}, None),
    ],
)
def test_where_the_keys_of_a_kept_base_are(issuer: dict[str, object], origin: str | None) -> None:
    if origin is None:
        with pytest.raises(WrongCall, match=r"write fastly.toml beside it, with .* for .*shop"):
            backends_of(base(issuers={"own": issuer}))
    else:
        app, providers = backends_of(base(issuers={"own": issuer}))
        assert (app, {name: each.origin for name, each in providers.items()}) == (
            "shop",
            {"keys": origin},
        )


def test_the_keys_of_a_preset_are_where_its_document_says(openid: Discovery) -> None:
    openid.document["jwks_uri"] = "https://keys.example.com/jwks"
    issuer = {**OWN, "preset": "google", "issuer": openid.url}
    _, providers = backends_of(base(issuers={"own": issuer}))
    assert providers["keys"].address == "keys.example.com"
    openid.status = 404
    with pytest.raises(Failed, match="has the status 404"):
        backends_of(base(issuers={"own": issuer}))


def test_a_base_with_several_backends_needs_a_manifest_by_hand() -> None:
    several: dict[str, object] = {"x": {"backends": {"eu": {}, "us": {}}}}
    with pytest.raises(WrongCall, match=r"the app has 2 backends, so .* for eu, keys, us$"):
        backends_of(base(origins=several))
    with pytest.raises(WrongCall, match="the app has no known backends"):
        backends_of(base(origins={}))
    two = {"a": OWN, "b": {**OWN, "issuer": "https://other.example.com"}}
    with pytest.raises(WrongCall, match="the backend keys has several hosts"):
        backends_of(base(issuers=two))
