"""The development provider: metadata, keys, who may ask, and settings."""

import base64
import hashlib
import json
from typing import Any

import httpx
import jwt
import pytest

from fastgate import LocalCaller
from fastgate.dev.provider.app import DevelopmentProvider
from fastgate.dev.provider.issuer_settings import Client, IssuerSettings
from tests.development_provider import API, PAGE, SETTINGS, get, post


def test_the_metadata_is_found_in_both_places(provider: DevelopmentProvider) -> None:
    for name, issuer in provider.issuers.items():
        base = issuer.url.removesuffix(f"/{name}")
        for url in (
            f"{issuer.url}/.well-known/openid-configuration",
            f"{base}/.well-known/oauth-authorization-server/{name}",
        ):
            document = get(url).json()
            assert document["issuer"] == issuer.url
            assert document["token_endpoint"] == f"{issuer.url}/token"
            assert document["jwks_uri"] == f"{issuer.url}/jwks"
            assert document["grant_types_supported"] == ["client_credentials"]


def test_each_issuer_publishes_one_key_of_its_own(provider: DevelopmentProvider) -> None:
    kids = set()
    for issuer in provider.issuers.values():
        response = get(f"{issuer.url}/jwks")
        assert response.headers["content-type"] == "application/jwk-set+json"
        (key,) = response.json()["keys"]
        assert set(key) == {"kty", "crv", "x", "y", "alg", "use", "kid"}, "no private member"
        assert (key["alg"], key["use"]) == ("ES256", "sig")
        # RFC 7638 §3
        members = {name: key[name] for name in ("crv", "kty", "x", "y")}
        canonical = json.dumps(members, separators=(",", ":")).encode()
        digest = base64.urlsafe_b64encode(hashlib.sha256(canonical).digest()).rstrip(b"=")
        assert key["kid"] == digest.decode()
        kids.add(key["kid"])
    assert len(kids) == len(provider.issuers)


def test_a_key_lives_as_long_as_the_process() -> None:
    first, second = (DevelopmentProvider("http://localhost:1", SETTINGS) for _ in range(2))
    assert first.issuers["dev"].jwks != second.issuers["dev"].jwks


def test_coordinates_keep_their_length() -> None:
    """RFC 7518 §6.2.1.2: a number with leading zeros is not shortened; one key in 128 has one."""
    settings = {f"i{number}": IssuerSettings(audience=API) for number in range(600)}
    for issuer in DevelopmentProvider("http://localhost:1", settings).issuers.values():
        (key,) = issuer.jwks["keys"]
        assert (len(key["x"]), len(key["y"])) == (43, 43)
        token = str(issuer.token_for_caller(b'{"subject": "ada"}')["access_token"])
        jwt.decode(token, jwt.PyJWK(key), algorithms=["ES256"], audience=API)


def test_what_does_not_exist_is_explained(provider: DevelopmentProvider, dev: str) -> None:
    base = dev.removesuffix("/dev")
    for path in ("/", "/nowhere/jwks", "/dev", "/nowhere/.well-known/openid-configuration"):
        response = get(base + path)
        assert response.status_code == 404
        assert response.headers["content-type"] == "application/problem+json"
        for issuer in provider.issuers.values():
            assert issuer.url in response.json()["detail"]
    for path in ("/nowhere/token", "/nowhere/tokens"):
        assert post(base + path, json={}).status_code == 404
    response = get(f"{dev}/token")
    assert (response.status_code, response.headers["allow"]) == (405, "POST")


def test_the_provider_accepts_requests_of_this_machine_only(dev: str) -> None:
    path, form = "/.well-known/openid-configuration", {"grant_type": "client_credentials"}
    for headers in (
        {"Host": "evil.example"},
        {"Origin": "https://evil.example"},
        {"Sec-Fetch-Site": "cross-site"},
    ):
        assert get(dev + path, headers=headers).status_code == 403
        wanted = {"json": {"subject": "ada"}, "headers": headers}
        assert post(f"{dev}/tokens", **wanted).status_code == 403
        client = {"auth": ("reader", "reader-secret"), "data": form, "headers": headers}
        assert post(f"{dev}/token", **client).status_code == 403
    for kind in ("text/plain", "application/x-www-form-urlencoded"):
        plain = {"content": '{"subject": "ada"}', "headers": {"content-type": kind}}
        assert post(f"{dev}/tokens", **plain).status_code == 403
    assert post(f"{dev}/tokens", content='{"subject": "ada"}').status_code == 403


def test_a_page_of_the_list_can_ask_and_read(dev: str) -> None:
    asked = {"access-control-request-method": "POST"}
    asked |= {"access-control-request-headers": "content-type"}
    for origin, status in ((PAGE, 200), ("http://127.0.0.1:3000", 403)):
        headers = {"origin": origin, "sec-fetch-site": "same-site"}
        preflight = httpx.request(
            "OPTIONS", f"{dev}/tokens", headers={**headers, **asked}, trust_env=False
        )
        response = post(f"{dev}/tokens", json={"subject": "ada"}, headers=headers)
        for each in (preflight, response):
            assert each.status_code == status
            allowed = PAGE if status == 200 else None
            assert each.headers.get("access-control-allow-origin") == allowed


@pytest.mark.parametrize(
    "changes",
    [
        {"audience": ""},
        {"lifetime": 0},
        {"lifetime": 86_401},
        {"clients": {"a b": Client()}},
        {"clients": {"": Client()}},
        {"clients": {"a": Client(("b c",))}},
        {"clients": {"a": Client(claims={"iss": "https://evil.example"})}},
        {"clients": {"a": Client(claims={"roles": ["admin"]})}},
        {"callers": {"ada": LocalCaller("")}},
        {"callers": {"ada": LocalCaller("ada", client_id="\n")}},
        {"callers": {"ada": LocalCaller("ada", claims={"scp": "all"})}},
    ],
)
def test_wrong_settings_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(
        ValueError, match=r"^(audience|lifetime|clients|callers): .*(write|leave it out)"
    ):
        IssuerSettings(**{"audience": API, **changes})


@pytest.mark.parametrize(
    ("address", "issuers"),
    [
        *((address, ["dev"]) for address in ("", "127.0.0.1:1", "https://localhost:1")),
        *((address, ["dev"]) for address in ("http://0.0.0.0:1", "http://evil.example")),
        *((address, ["dev"]) for address in ("http://localhost:1/", "http://localhost:1?a")),
        *(("http://localhost:1", [name]) for name in ("", "Dev", "a/b", ".well-known", "a" * 65)),
        ("http://localhost:1", []),
    ],
)
def test_a_wrong_address_or_id_is_refused(address: str, issuers: list[str]) -> None:
    with pytest.raises(ValueError, match=r"^(address|issuers): .*write"):
        DevelopmentProvider(address, dict.fromkeys(issuers, SETTINGS["dev"]))
