"""What `fastgate init` reads in a kept base policy, or in a kept manifest, of the same hosts."""

import tomllib
from pathlib import Path

import pytest

from fastgate.init.backends import backends_of, check_provider, without_app
from fastgate.init.existing import Kept
from fastgate.init.manifest_types import check_kinds
from fastgate.init.provider import Provider
from fastgate.wrong_call import Failed, WrongCall
from tests.init_projects import Discovery

OWN = {"issuer": "https://id.example.com", "backend": "keys", "audiences": ["a"]}
ID = Provider("https://id.example.com", None, "https://id.example.com/jwks")
IPV6 = Provider("http://[::1]:7961", None, "http://[::1]:7961/jwks")
HERE = Provider("http://127.0.0.1:7961", None, "http://127.0.0.1:7961/jwks")


def base(**members: object) -> Kept:
    """Return a base policy that is kept."""
    document = {"origins": {"x": {"backend": "shop"}}, "issuers": {"own": OWN}, **members}
    return Kept(Path("policy.base.json"), "", document)


def manifest(**sections: object) -> Kept:
    """Return a manifest that is kept."""
    return Kept(Path("fastly.toml"), "", dict(sections))


@pytest.mark.parametrize(
    ("backend", "fits"),
    [
        ({}, True),
        ({"address": "ID.example.com."}, True),
        ({"address": "id.example.com", "port": 443}, True),
        ({"address": "proxy.example.com", "override_host": "id.example.com"}, True),
        ({"address": "id.example.com", "port": 8443}, False),
        ({"address": "old.example.com"}, False),
        ({"port": 8443}, False),
    ],
)
def test_the_provider_of_a_new_base_is_compared(backend: dict[str, object], fits: bool) -> None:
    kept = manifest(setup={"backends": {"idp": backend, "app": {"address": "a.example.com"}}})
    if fits:
        check_provider(kept, ID, "--issuer x")
    else:
        with pytest.raises(WrongCall, match=r"id.example.com:443, and fastly.toml exists and has"):
            check_provider(kept, ID, "--issuer x")


@pytest.mark.parametrize(
    ("provider", "backend", "fits"),
    [
        (ID, {}, True),
        (ID, {"url": "https://ID.example.com:443/"}, True),
        (ID, {"url": "http://127.0.0.1:9000"}, True),  # a stand-in on this machine
        (ID, {"url": "http://proxy.example.com", "override_host": "id.example.com"}, True),
        (ID, {"url": "https://old.example.com"}, False),
        (ID, {"url": "https://id.example.com:8443"}, False),
        (ID, {"url": "http://id.example.com:443"}, False),
        (ID, {"url": "id.example.com"}, False),
        (ID, {"url": "https://[x"}, False),
        (IPV6, {"url": "http://[::1]:7961"}, True),
        (IPV6, {"url": "http://127.0.0.1:5555"}, False),
        (HERE, {"url": "http://127.0.0.1:7961"}, True),
        (HERE, {"url": "http://127.0.0.1:5555"}, False),
        (HERE, {"url": "https://old.example.com"}, False),
    ],
)
def test_the_url_for_this_machine_is_compared(
    provider: Provider, backend: dict[str, object], fits: bool
) -> None:
    setup = {"backends": {"idp": {"address": provider.address, "port": provider.port}}}
    kept = manifest(setup=setup, local_server={"backends": {"idp": backend}})
    if fits:
        check_provider(kept, provider, "--issuer x")
    else:
        with pytest.raises(WrongCall, match=r"has .* in \[local_server.backends.idp\]: edit addr"):
            check_provider(kept, provider, "--issuer x")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("setup.backends.idp.address = 5", r"\[setup.backends.idp\] has no text as address"),
        ("setup.backends.app.address = ''", r"\[setup.backends.app\] has no text as address"),
        ("setup.backends.app.override_host = []", "has no text as override_host"),
        ("setup.backends.app.port = '443'", "has a text as port: write a number, without quotes"),
        ("setup.backends.app.port = true", "has no port as port: write a number from 1 to 65535"),
        ("setup.backends.app.port = 443.0", "has no port as port"),
        ("setup.backends.app.port = 0", "has no port as port"),
        ("setup.backends.app.port = 65536", "has no port as port"),
        ("local_server.backends.'a b'.url = 1", r'\[local_server.backends."a b"\] has no text as'),
        ("local_server.backends.a.override_host = 1", "has no text as override_host"),
        ("setup.backends.app = 1", r"\[setup.backends.app\] is no table"),
        ("setup.backends = [1]", "setup.backends is no table"),
        ("local_server = 1", "local_server is no table"),
    ],
)
def test_a_value_that_the_cli_could_not_read_is_named(text: str, message: str) -> None:
    with pytest.raises(WrongCall, match=f"^fastly.toml: .*{message}"):
        check_kinds(manifest(**tomllib.loads(text)))


def test_what_is_absent_or_of_others_is_of_no_wrong_kind() -> None:
    backends = {"app": {"address": "a.example.com", "port": 65_535, "x": 1}, "idp": {}}
    check_kinds(manifest(setup={"backends": backends, "kv_stores": 1}, mine=1))
    check_kinds(manifest(local_server={"backends": {"app": {"url": "http://127.0.0.1:8000"}}}))


@pytest.mark.parametrize(
    ("keys", "fits"),
    [
        ("https://app.example.com/jwks", True),
        ("https://APP.example.com.:443/jwks", True),
        ("https://app.example.com:8443/jwks", False),
        ("http://app.example.com:443/jwks", False),
        ("https://id.example.com/jwks", False),
    ],
)
def test_a_provider_on_the_backend_of_the_app_is_the_same_host(keys: str, fits: bool) -> None:
    providers = {"shop": Provider("i", None, keys), "keys": ID}
    if fits:
        assert without_app(base(), "app.example.com", "shop", providers) == {"keys": ID}
    else:
        with pytest.raises(WrongCall, match='have the same backend, "shop", but the app runs on'):
            without_app(base(), "app.example.com", "shop", providers)
    assert without_app(base(), "app.example.com", "other", providers) == providers


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
    same = {"a": OWN, "b": {**OWN, "issuer": "https://ID.example.com:443/b"}}
    assert [*backends_of(base(issuers=same))[1]] == ["keys"]
    two = {"a": OWN, "b": {**OWN, "issuer": "https://other.example.com"}}
    with pytest.raises(WrongCall, match="the backend keys has several hosts"):
        backends_of(base(issuers=two))
