"""The policy and the manifest of the local edge: what differs from those of the service."""

import json
import tomllib
from datetime import UTC
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastgate.dev.edge.manifest import local_manifest, local_server_of
from fastgate.dev.policy.local import Addresses, UnusableBase, audiences_of, backends_of, local_base
from fastgate.toml_text import toml_document
from tests.dev_session import APP, serving, until

ADDRESSES = Addresses("http://127.0.0.1:7676", "http://127.0.0.1:9080")


def test_a_base_policy_works_on_this_machine(tmp_path: Path) -> None:
    (tmp_path / "main.py").write_text(APP, "utf-8")
    folder = tmp_path / "edge"
    folder.mkdir()
    (folder / "policy.base.json").write_text(json.dumps(BASE), "utf-8")
    (folder / "blocked.json").write_text(
        '{"entries": [{"op": "create", "prefix": "127.0.0.0/8", "action": "BLOCK"}]}', "utf-8"
    )
    (folder / "fastly.toml").write_text(MANIFEST, "utf-8")
    with serving(tmp_path) as session:
        session.until_ready()
        assert session.state()["error"] is None, session.output
        for issuer in ("main", "staff"):
            token = session.token("orders:read", issuer=issuer)
            response = session.get("/orders/7", token)
            assert (response.status_code, response.json()["order"]) == (200, 7)
            assert session.get("/orders/7", session.token(issuer=issuer)).status_code == 403
        # The base policy is read again, too, although it is no file of the app.
        session.edit(lambda text: text.replace('"edge"', '"egde"'), "edge/policy.base.json")
        until(lambda: session.state()["error"], "the fault is not noticed", 20)
        assert "egde" in session.state()["error"]
        assert session.get("/health").status_code == 200


BASE: dict[str, Any] = {
    "$schema": "https://example.com/policy.schema.json",
    "edge": {"issuer": "https://api.example.com", "hosts": ["api.example.com"]},
    "issuers": {
        "main": {
            "preset": "auth0",
            "issuer": "https://acme.eu.auth0.com/",
            "backend": "auth0",
            "audiences": ["https://api.example.com"],
        },
        "staff": {
            "issuer": "https://login.example.com",
            "backend": "login",
            "audiences": ["https://api.example.com"],
            "introspection": {
                "endpoint": "https://login.example.com/introspect",
                "client_id": "edge",
                "secret": "introspection-secret",
            },
        },
    },
    "origins": {
        "orders": {
            "audience": "orders",
            "key": "k",
            "regions": {"eu": {}, "us": {}},
            "selection": {"default_region": "eu"},
            "backends": {"eu-1": {"region": "eu"}, "us-1": {"region": "us"}},
        }
    },
}
MANIFEST = """
manifest_version = 3
name = "orders"
language = "other"

[local_server.backends.eu-1]
url = "https://eu.example.com"

[local_server.acls]
blocked = "blocked.json"

[local_server.geolocation]
format = "inline-toml"

[local_server.geolocation.addresses."127.0.0.1"]
country_code = "DE"

[[local_server.kv_stores.fastgate]]
key = "policy"
data = "never served"
"""


def test_resources_keep_their_path_and_tokens_name_them() -> None:
    resources = ("https://api.example.com/mcp", "https://api.example.com/v1")
    base = {
        "edge": {**BASE["edge"], "resource": resources[1]},
        "origins": {"tools": {"backend": "b", "audience": "a", "resource": resources[0]}},
        "issuers": {"main": {**BASE["issuers"]["main"], "audiences": [*resources, "other"]}},
    }
    local = local_base(base, ADDRESSES, "unused")
    here = [f"{ADDRESSES.edge}/mcp", f"{ADDRESSES.edge}/v1"]
    assert local["origins"]["tools"]["resource"] == here[0]  # type: ignore[index]
    assert local["edge"]["resource"] == here[1]  # type: ignore[index]
    assert audiences_of(local) == {"main": [*here, "other"]}
    assert base["origins"]["tools"]["resource"] == resources[0], "the base stays as it is"


def test_the_local_policy_has_nothing_of_the_service() -> None:
    local = local_base(BASE, ADDRESSES, "")
    text = json.dumps(local)
    assert "example.com" not in text.replace('"https://api.example.com"', "")  # an audience
    assert "auth0" not in text
    assert "introspection" not in text
    assert "$schema" not in local
    assert local["edge"] == {"issuer": ADDRESSES.edge, "hosts": ["127.0.0.1", "localhost"]}
    assert [*audiences_of(local)] == ["main", "staff"]
    assert backends_of(local) == {"orders": ["eu-1", "us-1"]}
    assert BASE["origins"]["orders"]["key"] == "k"  # the file's own document is not changed


@pytest.mark.parametrize("section", ["edge", "origins", "issuers"])
@pytest.mark.parametrize("value", [[], "text", 1, None, True])
def test_a_base_of_another_form_is_refused_with_its_place(section: str, value: object) -> None:
    with pytest.raises(UnusableBase, match=rf"\$\.{section} is not an object"):
        local_base({section: value}, ADDRESSES, "")
    if section != "edge":
        with pytest.raises(UnusableBase, match=rf"\$\.{section}\.a is not an object"):
            local_base({section: {"a": value}}, ADDRESSES, "")


_TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
_TABLES = st.recursive(
    _TEXTS
    | st.integers(-(2**63), 2**63 - 1)
    | st.booleans()
    | st.floats(allow_nan=False)
    | st.dates()
    | st.times()
    | st.datetimes()
    | st.datetimes(timezones=st.just(UTC)),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_TEXTS, inner, max_size=4),
    max_leaves=8,
)


@given(st.dictionaries(_TEXTS, _TABLES, max_size=4))
def test_a_table_is_read_as_it_was_written(table: dict[str, object]) -> None:
    assert tomllib.loads(toml_document(table)) == table


@given(st.dictionaries(_TEXTS, _TEXTS), _TEXTS)
def test_a_manifest_has_what_it_was_made_from(backends: dict[str, str], path: str) -> None:
    text = local_manifest({"acls": {path: path}}, backends, Path("p.json"), Path("k.json"))
    section = tomllib.loads(text)["local_server"]
    assert section["backends"] == {name: {"url": url} for name, url in backends.items()}
    assert section["acls"] == {path: path}
    assert section["kv_stores"] == {"fastgate": [{"key": "policy", "file": "p.json"}]}


def test_files_of_a_manifest_are_found_from_another_folder(tmp_path: Path) -> None:
    file = tmp_path / "fastly.toml"
    file.write_text(MANIFEST, "utf-8")
    section = local_server_of(file)
    assert section["acls"] == {"blocked": str(tmp_path / "blocked.json")}
    text = local_manifest(section, {"app": "http://127.0.0.1:1"}, None, tmp_path / "keys.json")
    made = tomllib.loads(text)["local_server"]
    assert made["backends"] == {"app": {"url": "http://127.0.0.1:1"}}
    assert made["geolocation"] == section["geolocation"]
    assert "never served" not in text
