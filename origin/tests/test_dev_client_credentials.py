"""The client credentials grant of the development provider (RFC 6749 §4.4)."""

import base64
import json
import time

import httpx
import jwt
import pytest

from fastgate.dev.provider.app import DevelopmentProvider
from tests.development_provider import API, post, verified
from tests.serving import sent


def test_a_client_gets_a_token_by_basic_or_by_form(dev: str) -> None:
    form = {"grant_type": "client_credentials", "scope": "orders:read"}
    for arguments in (
        {"auth": ("writer", "writer-secret"), "data": form},
        {"auth": ("writer", "writer-secret"), "data": {**form, "client_id": "writer"}},
        {"data": {**form, "client_id": "writer", "client_secret": "writer-secret"}},
    ):
        response = post(f"{dev}/token", **arguments)
        assert response.status_code == 200, response.text
        assert response.headers["cache-control"] == "no-store"
        assert response.headers["pragma"] == "no-cache"
        answer = response.json()
        assert answer.keys() == {"access_token", "token_type", "expires_in", "scope"}
        assert (answer["token_type"], answer["expires_in"]) == ("Bearer", 3600)
        assert answer["scope"] == "orders:read"
        header = jwt.get_unverified_header(answer["access_token"])
        assert header.keys() == {"alg", "kid", "typ"}
        assert header["typ"] == "at+jwt"
        claims = verified(dev, answer["access_token"])
        jti, issued = claims.pop("jti"), claims.pop("iat")
        assert jti
        assert abs(issued - time.time()) < 30
        assert claims == {
            "iss": dev,
            "sub": "writer",
            "client_id": "writer",
            "aud": API,
            "exp": issued + 3600,
            "scope": "orders:read",
            "roles": ["keeper"],
            "shop": "lumen",
        }


def test_a_client_that_names_no_scope_gets_all_of_its_own(dev: str) -> None:
    for name, scope in (("writer", "orders:read orders:write"), ("guest", None)):
        for form in ({}, {"scope": ""}):
            data = {"grant_type": "client_credentials", **form}
            answer = post(f"{dev}/token", auth=(name, f"{name}-secret"), data=data).json()
            assert answer.get("scope") == scope
            assert verified(dev, answer["access_token"]).get("scope") == scope


@pytest.mark.parametrize(
    ("resource", "audience"),
    [
        (API, API),
        ("", API),
        ("http://127.0.0.1:7676/mcp", "http://127.0.0.1:7676/mcp"),
        ("http://127.0.0.1:7676", "http://127.0.0.1:7676"),
        ("http://127.0.0.1:7676/", "http://127.0.0.1:7676"),
    ],
)
def test_the_requested_resource_is_the_audience(dev: str, resource: str, audience: str) -> None:
    """RFC 8707 §2."""
    data = {"grant_type": "client_credentials", "resource": resource}
    answer = post(f"{dev}/token", auth=("guest", "guest-secret"), data=data).json()
    claims = jwt.decode(answer["access_token"], options={"verify_signature": False})
    assert claims["aud"] == audience


def test_a_client_for_any_scope_has_those_that_it_requests(dev: str) -> None:
    for scope in (None, "a", "orders:read b"):
        data = {"grant_type": "client_credentials", **({"scope": scope} if scope else {})}
        answer = post(f"{dev}/token", auth=("any", "any-secret"), data=data).json()
        assert answer.get("scope") == scope


GOOD = "grant_type=client_credentials"
ANY = "client_id=any&client_secret=any-secret"
BASIC = "Basic " + base64.b64encode(b"reader:reader-secret").decode()


def basic(text: bytes) -> str:
    return "Basic " + base64.b64encode(text).decode()


@pytest.mark.parametrize(
    ("authorization", "form", "error"),
    [
        ([BASIC], "", "invalid_request"),
        ([BASIC], "grant_type=", "invalid_request"),
        ([BASIC], f"{GOOD}&{GOOD}", "invalid_request"),
        ([BASIC], f"{GOOD}&scope=orders:read&scope=orders:read", "invalid_request"),
        ([BASIC], f"{GOOD}&scope=%ff", "invalid_request"),
        ([BASIC], f"{GOOD}&scope=\xff", "invalid_request"),
        ([BASIC, BASIC], GOOD, "invalid_request"),
        ([BASIC], f"{GOOD}&client_id=reader&client_secret=reader-secret", "invalid_request"),
        ([BASIC], f"{GOOD}&client_id=writer", "invalid_request"),
        ([BASIC], "grant_type=password&username=a&password=b", "unsupported_grant_type"),
        ([BASIC], "grant_type=authorization_code&code=a", "unsupported_grant_type"),
        ([BASIC], "grant_type=CLIENT_CREDENTIALS", "unsupported_grant_type"),
        ([BASIC], f"{GOOD}&scope=orders:write", "invalid_scope"),
        ([BASIC], f"{GOOD}&scope=orders:read+orders:write", "invalid_scope"),
        ([BASIC], f"{GOOD}&scope=orders:read++orders:read", "invalid_scope"),
        ([BASIC], f"{GOOD}&scope=+orders:read", "invalid_scope"),
        ([BASIC], f"{GOOD}&scope=ORDERS:READ", "invalid_scope"),
        ([], f"{GOOD}&{ANY}&scope=a++b", "invalid_scope"),
        ([], f"{GOOD}&{ANY}&scope=%22", "invalid_scope"),
        ([BASIC], f"{GOOD}&resource=https://other.example.com", "invalid_target"),
        ([BASIC], f"{GOOD}&resource=http://127.0.0.1:7676/mcp/", "invalid_target"),
        ([BASIC], f"{GOOD}&resource=a&resource=b", "invalid_request"),
        ([], GOOD, "invalid_client"),
        ([], f"{GOOD}&client_id=reader", "invalid_client"),
        ([], f"{GOOD}&client_id=reader&client_secret=writer-secret", "invalid_client"),
        ([], f"{GOOD}&client_id=nobody&client_secret=nobody-secret", "invalid_client"),
        ([], f"{GOOD}&client_id=&client_secret=-secret", "invalid_client"),
        ([basic(b"reader:writer-secret")], GOOD, "invalid_client"),
        ([basic(b"reader:")], GOOD, "invalid_client"),
        ([basic(b"reader")], GOOD, "invalid_client"),
        ([basic(b"nobody:nobody-secret")], GOOD, "invalid_client"),
        ([basic(b"reader:\xff")], GOOD, "invalid_client"),
        (["Basic"], GOOD, "invalid_client"),
        (["Basic ***"], GOOD, "invalid_client"),
        ([BASIC.replace("cm", "c*m", 1)], GOOD, "invalid_client"),
        (["Bearer reader-secret"], GOOD, "invalid_client"),
        ([""], GOOD, "invalid_client"),
    ],
)
def test_an_error_is_one_of_the_specification(
    dev: str, authorization: list[str], form: str, error: str
) -> None:
    """RFC 6749 §5.2."""
    fields = [("Content-Type", "application/x-www-form-urlencoded")]
    fields += [("Authorization", value) for value in authorization]
    status, head, body = exchanged(f"{dev}/token", fields, form.encode("latin-1"))
    assert status == (401 if error == "invalid_client" else 400)
    assert ("www-authenticate: basic realm=" in head) == (status == 401)
    assert "cache-control: no-store" in head
    answer = json.loads(body)
    assert answer.keys() == {"error", "error_description"}
    assert answer["error"] == error
    allowed = {*range(0x20, 0x7F)} - {0x22, 0x5C}
    assert {ord(each) for each in answer["error_description"]} <= allowed


def exchanged(url: str, fields: list[tuple[str, str]], body: bytes) -> tuple[int, str, str]:
    parts = httpx.URL(url)
    assert parts.port is not None
    host = ("Host", f"{parts.host}:{parts.port}")
    status, rest = sent((parts.host, parts.port), "POST", parts.path, [host, *fields], body)
    head, _, content = rest.partition("\r\n\r\n")
    return status, head.lower(), content


def test_name_and_secret_by_basic_are_forms(dev: str) -> None:
    """RFC 6749 §2.3.1."""
    fields = [("Authorization", basic(b"re%61der:reader%2Dsecret"))]
    fields += [("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")]
    assert exchanged(f"{dev}/token", fields, GOOD.encode())[0] == 200


def test_a_client_of_one_issuer_is_none_of_another(provider: DevelopmentProvider) -> None:
    url = provider.issuers["partners"].url
    data = {"grant_type": "client_credentials"}
    response = post(f"{url}/token", auth=("reader", "reader-secret"), data=data)
    assert response.json()["error"] == "invalid_client"
    assert "none: configure one" in response.json()["error_description"]


def test_the_token_endpoint_takes_a_form(dev: str) -> None:
    headers = {"content-type": "application/json"}
    for content in ('{"grant_type": "client_credentials"}', GOOD):
        response = post(
            f"{dev}/token", content=content, headers=headers, auth=("reader", "reader-secret")
        )
        assert (response.status_code, response.json()["error"]) == (400, "invalid_request")
        assert "www-form-urlencoded" in response.json()["error_description"]
    plain = {"content": GOOD, "headers": {"content-type": "text/plain"}}
    assert post(f"{dev}/token", **plain, auth=("reader", "reader-secret")).status_code == 403
