"""Tokens of the development provider for callers that a developer names."""

import json
import os
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastgate import LocalCaller
from fastgate.dev.provider.access_token import reserved_claims
from fastgate.dev.provider.app import DevelopmentProvider
from fastgate.dev.provider.caller_request import RequestRefused
from fastgate.dev.provider.issuer_settings import IssuerSettings
from tests.development_provider import API, SETTINGS, claims_in, get, post, verified

TARGET = Path(os.environ.get("CARGO_TARGET_DIR", Path(__file__).parents[2] / "target"))
TOOL = TARGET / "debug" / "fastgate-tool"


def test_a_token_for_any_caller(dev: str) -> None:
    wanted = {
        "subject": "eve",
        "scopes": ["orders:read", "orders:read:all"],
        "roles": ["b", "a"],
        "groups": ["staff"],
        "tenant": "acme",
        "claims": {"plan": "team", "features": ["export"], "account": {"suspended": False}},
        "audience": ["other", API],
        "expires_in": 5,
    }
    response = post(f"{dev}/tokens", json=wanted)
    assert response.status_code == 200
    assert response.headers["cache-control"] == "no-store"
    assert response.json()["expires_in"] == 5
    claims = verified(dev, response.json()["access_token"])
    issued = claims.pop("iat")
    del claims["jti"]
    assert claims == {
        "iss": dev,
        "sub": "eve",
        "client_id": "fastgate-dev",
        "aud": ["other", API],
        "exp": issued + 5,
        "scope": "orders:read orders:read:all",
        "roles": ["a", "b"],
        "groups": ["staff"],
        "tenant": "acme",
        **wanted["claims"],  # type: ignore[dict-item]
    }


def test_only_the_subject_is_required(dev: str) -> None:
    response = post(f"{dev}/tokens", json={"subject": "eve"})
    assert response.json().keys() == {"access_token", "token_type", "expires_in"}
    claims = verified(dev, response.json()["access_token"])
    assert claims.keys() == {"iss", "sub", "aud", "client_id", "iat", "exp", "jti"}


def test_a_configured_caller_has_its_members_unless_others_are_given(dev: str) -> None:
    def claims_of(**wanted: object) -> dict[str, Any]:
        answer = post(f"{dev}/tokens", json={"subject": "ada", **wanted}).json()
        return verified(dev, answer["access_token"])

    claims = claims_of()
    known = {
        "sub": "u-17",
        "client_id": "shop",
        "scope": "orders:read orders:write",
        "roles": ["admin"],
        "groups": ["staff"],
        "tenant": "acme",
        "plan": "team",
        "acr": "urn:mfa",
        "auth_time": 1_800_000_000,
        "sid": "s-1",
        "cnf": {"jkt": "A" * 43},
    }
    assert claims.items() >= known.items()
    fewer = claims_of(scopes=[], roles=[], claims={"acr": "urn:pwd"})
    assert fewer.keys() == claims.keys() - {"scope", "roles", "plan"}
    assert (fewer["sub"], fewer["acr"]) == ("u-17", "urn:pwd")


def test_a_configured_caller_may_say_when_its_token_expires() -> None:
    end = int(time.time()) + 20
    caller = LocalCaller("u-17", token_expires_at=end)
    settings = {"dev": IssuerSettings(audience=API, callers={"ada": caller})}
    issuer = DevelopmentProvider("http://localhost:1", settings).issuers["dev"]
    assert claims_in(issuer.token_for_caller(b'{"subject": "ada"}'))["exp"] == end
    later = claims_in(issuer.token_for_caller(b'{"subject": "ada", "expires_in": 600}'))
    assert later["exp"] == later["iat"] + 600


def test_an_issuer_has_its_own_audience_tenant_claim_and_lifetime(
    provider: DevelopmentProvider,
) -> None:
    url = provider.issuers["partners"].url
    answer = post(f"{url}/tokens", json={"subject": "bob", "tenant": "acme"}).json()
    claims = verified(url, answer["access_token"], "partners-api")
    assert (claims["org_id"], claims["exp"] - claims["iat"]) == ("acme", 60)
    assert "tenant" not in claims
    own = post(f"{url}/tokens", json={"subject": "bob", "claims": {"tenant": "acme"}}).json()
    assert verified(url, own["access_token"], "partners-api")["tenant"] == "acme"
    wrong = post(f"{url}/tokens", json={"subject": "bob", "claims": {"org_id": "acme"}})
    assert (
        wrong.json()["detail"]
        == '"claims": cannot replace "org_id"; write "tenant" beside "claims"'
    )


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("", 'write {"subject": "ada"}'),
        ("[]", 'write {"subject": "ada"}'),
        ("null", 'write {"subject": "ada"}'),
        ('{"subject": "a", "subject": "b"}', "duplicate member"),
        ('{"subject": "\\ud800"}', "no JSON object"),
        ("{}", '"subject": is missing; write "subject": "ada"'),
        ('{"subject": 1}', '"subject": has a wrong value'),
        ('{"subject": null}', '"subject": has a wrong value'),
        ('{"subject": ""}', '"subject": is no name'),
        ('{"subject": "a\\u0000"}', '"subject": is no name'),
        (json.dumps({"subject": "é" * 128}), '"subject": is no name'),
        ('{"sub": "ada"}', '"sub": is unknown; the members are subject, scopes, roles,'),
        ('{"subject": "a", "scope": "b"}', '"scope": is unknown'),
        ('{"subject": "a", "scopes": "b"}', 'write "scopes": ["orders:read"]'),
        ('{"subject": "a", "scopes": null}', 'write "scopes": ["orders:read"]'),
        ('{"subject": "a", "scopes": [1]}', 'write "scopes": ["orders:read"]'),
        ('{"subject": "a", "scopes": ["b c"]}', "'b c' is no scope"),
        ('{"subject": "a", "scopes": [""]}', "'' is no scope"),
        ('{"subject": "a", "roles": "admin"}', 'write "roles": ["admin"]'),
        ('{"subject": "a", "roles": [""]}', "\"roles\": '' is no name"),
        ('{"subject": "a", "groups": {"b": 1}}', 'write "groups": ["staff"]'),
        ('{"subject": "a", "groups": ["b\\n"]}', '"groups": '),
        ('{"subject": "a", "tenant": ["b"]}', 'write "tenant": "acme"'),
        ('{"subject": "a", "tenant": ""}', '"tenant": is no name'),
        ('{"subject": "a", "claims": []}', 'write "claims": {"plan": "team"}'),
        ('{"subject": "a", "claims": null}', 'write "claims": {"plan": "team"}'),
        ('{"subject": "a", "audience": ""}', 'write "audience": "https://api.example.com"'),
        ('{"subject": "a", "audience": []}', 'write "audience": '),
        ('{"subject": "a", "audience": [""]}', 'write "audience": '),
        ('{"subject": "a", "audience": ["b", 1]}', 'write "audience": '),
        ('{"subject": "a", "audience": 1}', 'write "audience": '),
        ('{"subject": "a", "expires_in": 0}', 'write "expires_in": 300'),
        ('{"subject": "a", "expires_in": -1}', 'write "expires_in": 300'),
        ('{"subject": "a", "expires_in": 86401}', 'write "expires_in": 300'),
        ('{"subject": "a", "expires_in": true}', 'write "expires_in": 300'),
        ('{"subject": "a", "expires_in": 1.5}', 'write "expires_in": 300'),
        ('{"subject": "a", "expires_in": "60"}', 'write "expires_in": 300'),
        ('{"subject": "a", "expires_in": null}', 'write "expires_in": 300'),
    ],
)
def test_a_wrong_request_says_what_to_write(dev: str, body: str, said: str) -> None:
    headers = {"content-type": "application/json"}
    response = post(f"{dev}/tokens", content=body, headers=headers)
    assert response.status_code == 400
    assert response.headers["content-type"] == "application/problem+json"
    assert said in response.json()["detail"]


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
REGISTERED = [
    *("iss", "sub", "aud", "exp", "nbf", "iat", "jti", "client_id", "azp", "scope", "scp"),
    *("roles", "groups", "tenant"),
]
OFFLINE = DevelopmentProvider("http://localhost:1", SETTINGS).issuers["dev"]


@given(
    claims=st.dictionaries(st.sampled_from(REGISTERED) | st.text(max_size=9), VALUES, max_size=4)
)
def test_claims_replace_nothing_that_is_registered(claims: dict[str, object]) -> None:
    """They are refused, or the token has exactly them and what the provider itself writes."""
    body = json.dumps({"subject": "eve", "scopes": ["a"], "claims": claims}).encode()
    if forbidden := [name for name in REGISTERED if name in claims]:
        with pytest.raises(RequestRefused) as refused:
            OFFLINE.token_for_caller(body)
        assert any(f'cannot replace "{name}"' in str(refused.value) for name in forbidden)
        return
    written = claims_in(OFFLINE.token_for_caller(body))
    own = {name: written.pop(name) for name in list(written) if name in REGISTERED}
    assert written == claims
    del own["jti"]
    assert own == {
        "iss": OFFLINE.url,
        "sub": "eve",
        "aud": API,
        "client_id": "fastgate-dev",
        "scope": "a",
        "iat": own["iat"],
        "exp": own["iat"] + 3600,
    }


def test_the_property_knows_every_claim_that_is_refused() -> None:
    assert set(reserved_claims("tenant")) == set(REGISTERED)


# The edge


def explained(issuer: str, token: str, folder: Path, path: str = "/me") -> dict[str, Any]:
    """Return what the edge's own code says of a request with this token."""
    keys, policy = folder / "jwks.json", folder / "policy.json"
    keys.write_bytes(get(f"{issuer}/jwks").content)
    route = {"methods": ["GET"], "origin": "shop", "access": "authenticated"}
    document = {
        "edge": {"issuer": "http://127.0.0.1:7676", "hosts": ["127.0.0.1"]},
        "origins": {"shop": {"backend": "origin", "audience": "shop"}},
        # Without a preset: the tokens are those of RFC 9068.
        "issuers": {
            "dev": {
                "issuer": issuer,
                "backend": "idp",
                "audiences": [API],
                "max_lifetime": 3600,
                "require_client": True,
                "claims": {"tenant": "tenant"},
                "tenants": ["acme"],
            }
        },
        "routes": [
            {"id": "me", "path": "/me", "scopes": ["profile"], **route},
            {"id": "staff", "path": "/staff", "require": {"group": "staff"}, **route},
            {"id": "admin", "path": "/admin", "require": {"role": "admin"}, **route},
        ],
    }
    policy.write_text(json.dumps(document))
    command = [str(TOOL), "explain", path, "--policy", str(policy), "--token", token]
    command += ["--jwks", f"dev={keys}", "--json"]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    assert ran.stdout, ran.stderr
    found: dict[str, Any] = json.loads(ran.stdout)
    assert ran.returncode == (0 if found["verdict"] == "forwarded" else 1)
    return found


@pytest.mark.skipif(not TOOL.exists(), reason="cargo build --bin fastgate-tool")
@pytest.mark.parametrize(
    ("path", "members", "verdict", "status"),
    [
        ("/me", {"scopes": ["profile"]}, "forwarded", None),
        ("/me", {}, "insufficient-scope", 403),
        ("/me", {"scopes": ["email"]}, "insufficient-scope", 403),
        ("/me", {"scopes": ["profile"], "audience": "other"}, "token-audience", 401),
        ("/me", {"scopes": ["profile"], "tenant": "globex"}, "token-tenant", 401),
        ("/me", {"scopes": ["profile"], "expires_in": 7200}, "token-lives-too-long", 401),
        ("/staff", {"groups": ["staff"]}, "forwarded", None),
        ("/staff", {"groups": ["guests"]}, "condition-unmet", 403),
        ("/admin", {"roles": ["admin"]}, "forwarded", None),
        ("/admin", {"groups": ["admin"]}, "condition-unmet", 403),
    ],
)
def test_the_edge_reads_every_member_of_a_token(
    dev: str,
    path: str,
    members: dict[str, object],
    verdict: str,
    status: int | None,
    tmp_path: Path,
) -> None:
    body = {"subject": "ada l.", "tenant": "acme", **members}
    token = post(f"{dev}/tokens", json=body).json()["access_token"]
    found = explained(dev, token, tmp_path, path)
    assert (found["verdict"], found.get("status")) == (verdict, status), found
    if status != 401:
        assert found["subject"] == "ada l."


@pytest.mark.skipif(not TOOL.exists(), reason="cargo build --bin fastgate-tool")
def test_the_edge_refuses_a_token_of_another_issuer(
    provider: DevelopmentProvider, dev: str, tmp_path: Path
) -> None:
    body = {"subject": "eve", "scopes": ["profile"], "tenant": "acme", "audience": API}
    for name, verdict in (("partners", "token-unknown-issuer"), ("dev", "forwarded")):
        token = post(f"{provider.issuers[name].url}/tokens", json=body).json()["access_token"]
        assert explained(dev, token, tmp_path)["verdict"] == verdict
