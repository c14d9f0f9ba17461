"""`fastgate init` compares its options with the members of kept files that they are about."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from fastgate.init.existing import Kept, Said, check_options, kept_file
from fastgate.init.issuer import chosen_issuer
from fastgate.wrong_call import WrongCall
from tests.init_projects import APP, Discovery, files_in, init
from tests.projects import fastgate_in

TENANT = "aaaabbbb-0000-cccc-1111-dddd2222eeee"
BASE = {
    "edge": {"issuer": "https://api.example.com", "hosts": ["api.example.com"]},
    "origins": {"orders": {"audience": "app", "backend": "orders"}},
    "issuers": {
        "auth0": {
            "preset": "auth0",
            "issuer": "https://a.eu.auth0.com/",
            "issuer_aliases": ["https://alias.example.com"],
            "backend": "idp",
            "audiences": ["https://api"],
        },
        "own": {"issuer": "https://id.example.com", "backend": "idp", "audiences": ["own"]},
    },
}
STAGED = {"edge": {"hosts": "${HOSTS}"}, "issuers": {"own": {"issuer": "https://${TENANT}/"}}}
MANIFEST = {
    "scripts": {"build": "echo ${HOME} stray.example.com"},
    "setup": {
        "backends": {
            "orders": {"address": "app.example.com", "override_host": "shop.example.com"},
            "app": {"address": "new.example.com"},
            "idp": {"address": "id.example.com"},
        }
    },
}


def said(**options: str) -> Said:
    """Return what options say, by their names."""
    names = ("issuer", "preset", "auth0", "okta", "entra")
    chosen = chosen_issuer(
        **{name: options.get(name) for name in names}, presets=["auth0", "entra"]
    )
    return Said(chosen, options.get("audience"), options.get("host"), options.get("origin_host"))


def faults(
    base: Mapping[str, Any] | None, manifest: Mapping[str, Any] | None, **options: str
) -> str:
    """Return what is wrong with options beside kept files; empty if nothing is."""
    try:
        check_options(
            None if base is None else Kept(Path("policy.base.json"), "", dict(base)),
            None if manifest is None else Kept(Path("fastly.toml"), "", dict(manifest)),
            said(**options),
        )
    except WrongCall as error:
        return str(error)
    return ""


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"host": "api.example.com"},
        {"host": "API.Example.com."},
        {"audience": "own"},
        {"issuer": "https://id.example.com", "audience": "own"},
        {"issuer": "https://alias.example.com"},
        {"issuer": "https://a.eu.auth0.com/", "preset": "auth0"},
        {"auth0": "A.eu.auth0.com.", "audience": "https://api"},
        {"origin_host": "app.example.com"},
        {"origin_host": "Shop.example.com."},
    ],
)
def test_options_that_kept_files_have(options: dict[str, str]) -> None:
    assert faults(BASE, MANIFEST, **options) == ""


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"host": "orders"}, "--host orders: policy.base.json .* in edge.hosts"),
        ({"host": "id.example.com"}, "--host .* in edge.hosts"),
        ({"audience": "app"}, r"--audience app: .* in issuers\.\*\.audiences"),
        ({"audience": "auth0"}, "--audience auth0: "),
        ({"issuer": "https://id.example.com", "audience": "https://api"}, "--audience https://api"),
        ({"issuer": "https://api.example.com"}, r"--issuer .* in issuers\.\*\.issuer"),
        ({"issuer": "https://a.eu.auth0.com"}, "--issuer "),
        ({"issuer": "https://a.eu.auth0.com/", "preset": "entra"}, "--preset entra: .*.preset:"),
        ({"issuer": "https://id.example.com", "preset": "auth0"}, "--preset auth0: "),
        ({"auth0": "other.eu.auth0.com"}, "--auth0 other.eu.auth0.com: policy.base.json"),
        ({"entra": TENANT.upper()}, f"--entra {TENANT.upper()}: policy.base.json"),
        ({"origin_host": "new.example.com"}, r"--origin-host .* in \[setup\.backends\.orders\]"),
        ({"origin_host": "id.example.com"}, "--origin-host id.example.com: "),
        ({"origin_host": "stray.example.com"}, "--origin-host "),
    ],
)
def test_options_that_kept_files_do_not_have(options: dict[str, str], message: str) -> None:
    (found,) = faults(BASE, MANIFEST, **options).split("\n")
    assert re.match(message, found)


def test_a_preset_of_an_account_is_compared_with_the_kept_one() -> None:
    own = {"issuer": "https://a.eu.auth0.com/", "audiences": ["a"]}
    assert "--auth0 a.eu.auth0.com: " in faults(
        {"issuers": {"x": own}}, None, auth0="a.eu.auth0.com"
    )


def test_only_a_member_with_names_is_not_compared() -> None:
    assert faults(STAGED, None, host="a.example.com", issuer="https://b.example.com") == ""
    assert "--audience a: " in faults(STAGED, None, audience="a")
    part = {**STAGED, "edge": {"hosts": ["api.example.com"]}}
    assert "--host a.example.com: " in faults(part, None, host="a.example.com")
    assert faults({"edge": "${EDGE}", "issuers": {"a": "${A}"}}, None, host="x", audience="a") == ""
    assert "--host x: " in faults({"edge": {"hosts": "$${HOSTS}"}}, None, host="x")


def test_the_backend_of_a_new_base_policy_is_that_of_the_app() -> None:
    assert faults(None, MANIFEST, origin_host="new.example.com") == ""
    assert "[setup.backends.app]" in faults(None, MANIFEST, origin_host="app.example.com")
    several: dict[str, Any] = {"origins": {"x": {"backends": {"orders": {}, "app": {}}}}}
    assert faults(several, MANIFEST, origin_host="new.example.com") == ""
    named = {"origins": {"x": {"backend": "${BACKEND}"}}}
    assert faults(named, MANIFEST, origin_host="new.example.com") == ""
    assert faults(named, MANIFEST, origin_host="other.example.com") != ""
    assert faults(BASE, {"setup": {"backends": {"orders": {}}}}, origin_host="a.example.com") == ""


def test_a_kept_file_is_read_once(tmp_path: Path) -> None:
    file = tmp_path / "policy.base.json"
    file.write_text(json.dumps(BASE))
    kept = kept_file(file)
    file.unlink()
    assert (json.loads(kept.text), kept.document) == (BASE, BASE)
    with pytest.raises(WrongCall, match="--host a"):
        check_options(kept, None, said(host="a"))


def test_options_that_kept_files_contradict_are_refused(
    shop_folder: Path, openid: Discovery
) -> None:
    assert init(shop_folder, openid).returncode == 0
    hosts = ["--host", "api.example.com", "--origin-host", "app.example.com"]
    assert fastgate_in(shop_folder, "init", *hosts).returncode == 0
    before = {each: each.read_bytes() for each in (shop_folder / "edge").iterdir()}
    wrong = {"host": "b.example.com", "origin-host": "b.example.com", "audience": "app"}
    ran = fastgate_in(
        shop_folder,
        "init",
        *(text for name, value in wrong.items() for text in (f"--{name}", value)),
        *("--auth0", "other.eu.auth0.com"),
    )
    assert ran.returncode == 2
    for option in (*wrong, "auth0"):
        assert f"--{option} " in ran.stderr
    assert ran.stderr.count("exists and does not have it") == 4
    assert {each: each.read_bytes() for each in (shop_folder / "edge").iterdir()} == before


def test_a_compiled_policy_without_its_base_is_refused(
    shop_folder: Path, openid: Discovery
) -> None:
    assert init(shop_folder, openid).returncode == 0
    (shop_folder / "edge/policy.base.json").unlink()
    before = files_in(shop_folder)
    ran = init(shop_folder, openid, "--host", "new.example.com")
    assert (ran.returncode, ran.stdout) == (2, "")
    assert "edge/policy.json: exists without policy.base.json" in ran.stderr
    assert "remove `routes`, apart from those written by hand" in ran.stderr
    assert files_in(shop_folder) == before
    (shop_folder / "edge/policy.json").unlink()
    assert init(shop_folder, openid, "--host", "new.example.com").returncode == 0
    policy = json.loads((shop_folder / "edge/policy.json").read_text())
    assert policy["edge"]["hosts"] == ["new.example.com"]


def test_a_compiled_policy_can_become_the_base(shop_folder: Path, openid: Discovery) -> None:
    assert init(shop_folder, openid).returncode == 0
    compiled = shop_folder / "edge/policy.json"
    before = compiled.read_bytes()
    compiled.rename(shop_folder / "edge/policy.base.json")
    assert init(shop_folder, openid).returncode == 0
    assert compiled.read_bytes() == before


def test_another_audience_of_the_app_is_refused_with_the_file(
    shop_folder: Path, openid: Discovery
) -> None:
    assert init(shop_folder, openid).returncode == 0
    guarded = 'guard(app, Settings(edge="https://api.example.com", audience="other"))\n'
    (shop_folder / "main.py").write_text(f"{APP}from fastgate import Settings, guard\n{guarded}")
    ran = init(shop_folder, openid)
    assert ran.returncode == 1
    assert 'origins.app.audience is "my-shop" in edge/policy.base.json: write' in ran.stderr
