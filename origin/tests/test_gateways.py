"""The assertions of other gateways: what is accepted, and every hostile input.

Rows Q1 to Q4, Q7, Q8 and Q11 of docs/attacks.md.
"""

import copy
import hmac
import json
import pickle
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from fastapi import FastAPI

from fastgate import Caller, KeysUnavailable, NotForwarded, guard
from fastgate.errors import KeyUnknown
from fastgate.gateways.evidence import GatewayClaims
from fastgate.gateways.gateway import Asserted
from fastgate.gateways.keys import COOL_DOWN, KEYS_HELD, PemKeys
from fastgate.gateways.verify import MAX_ASSERTION_BYTES
from tests.gateway_samples import (
    ALB_KID,
    AUD_TAG,
    SAMPLES,
    SERVICE_TOKEN,
    FakeGateway,
    public_jwk,
    rsa_key,
    sign_with,
)
from tests.serving import JwksServer

pytestmark = pytest.mark.anyio

Fields = list[tuple[str, str]]


@pytest.fixture
def key_server() -> Iterator[JwksServer]:
    server = JwksServer()
    yield server
    server.close()


@pytest.fixture(params=list(SAMPLES))
def fake(request: pytest.FixtureRequest, key_server: JwksServer) -> FakeGateway:
    return FakeGateway(request.param, key_server)


def app_behind(*fakes: FakeGateway) -> FastAPI:
    app = FastAPI()

    @app.get("/me")
    async def read_me(caller: Caller) -> dict[str, object]:
        groups = caller.forwarded_groups
        return {
            "subject": caller.subject,
            "issuer": caller.issuer,
            "client_id": caller.client_id,
            "scopes": sorted(caller.scopes),
            "route": caller.route,
            "email": caller.claims.get("email"),
            "claims": sorted(caller.claims),
            "groups": None if groups is None else sorted(groups),
            "request_id": caller.request_id,
        }

    guard(app, gateways=[each.gateway for each in fakes])
    return app


async def get(app: FastAPI, fields: Fields, path: str = "/me") -> httpx.Response:
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://testserver") as http:
        return await http.get(path, headers=fields)


async def code_of(
    app: FastAPI, fields: Fields, caplog: pytest.LogCaptureFixture, status: int = 401
) -> str:
    """Send one request that must be refused; return the code in the log."""
    caplog.clear()
    response = await get(app, fields)
    assert response.status_code == status, response.text
    codes = [each.__dict__.get("fastgate", {}).get("code") for each in caplog.records]
    (code,) = [each for each in codes if each]
    return str(code)


async def test_the_documented_assertion_is_accepted(fake: FakeGateway) -> None:
    response = await get(app_behind(fake), fake.fields())
    assert response.status_code == 200, response.text
    found = response.json()
    assert (found["subject"], found["issuer"]) == (fake.sample.subject, fake.sample.issuer)
    assert (found["email"], found["route"]) == ("user@example.com", "")
    assert not {"iss", "sub", "aud", "exp", "iat", "nbf", "jti"} & set(found["claims"])
    assert len(found["request_id"]) == 36
    expected = ["orders:read", "orders:write"] if fake.gateway.reports_scopes else []
    assert found["scopes"] == expected
    groups = ["admins", "staff"] if fake.gateway.name == "pomerium" else None
    assert found["groups"] == groups


async def test_groups_that_a_gateway_does_not_report_name_it(fake: FakeGateway) -> None:
    asserted = Asserted("ada", groups=None)
    identity = GatewayClaims(fake.gateway, "https://issuer", asserted, "id", {"a": 1}).identity()
    for each in (identity, copy.deepcopy(identity)):
        with pytest.raises(NotForwarded) as error:
            _ = each.groups
        assert f'the gateway "{fake.gateway.name}" has no groups' in str(error.value)
        assert "route" not in str(error.value)
    assert str(pickle.loads(pickle.dumps(error.value))) == str(error.value)  # noqa: S301


async def test_the_clients_request_id_is_not_used(fake: FakeGateway) -> None:
    fields = [*fake.fields(), ("X-Request-ID", "chosen-by-the-client")]
    found = (await get(app_behind(fake), fields)).json()
    assert found["request_id"] != "chosen-by-the-client"


async def test_a_request_without_an_assertion_is_refused(
    fake: FakeGateway, caplog: pytest.LogCaptureFixture
) -> None:
    assert await code_of(app_behind(fake), [], caplog) == "header-missing"
    assert fake.server.hits == 0


Forge = Callable[[FakeGateway], str]


def unsigned(fake: FakeGateway) -> str:
    return fake.mint(jose=fake.jose(alg="none"), sign=lambda _: b"")


def by_mac_with_the_public_key(fake: FakeGateway) -> str:
    public = fake.pem()
    return fake.mint(
        jose=fake.jose(alg="HS256"), sign=lambda text: hmac.digest(public, text, "sha256")
    )


def with_the_other_algorithm(fake: FakeGateway) -> str:
    other = ec.generate_private_key(ec.SECP256R1())
    name = "ES256"
    if fake.algorithm == "ES256":
        return fake.mint(
            jose=fake.jose(alg="RS256"),
            sign=lambda text: sign_with(rsa_key("another"), text),
        )
    return fake.mint(jose=fake.jose(alg=name), sign=lambda text: sign_with(other, text))


def by_another_key(fake: FakeGateway) -> str:
    if fake.algorithm == "RS256":
        other = rsa_key("another")
        return fake.mint(sign=lambda text: sign_with(other, text))
    return fake.mint(sign=lambda text: sign_with(ec.generate_private_key(ec.SECP256R1()), text))


def with_zeros_as_signature(fake: FakeGateway) -> str:
    return fake.mint(sign=lambda _: bytes(64))


def longer_signature(fake: FakeGateway) -> str:
    """Insert a zero before the second number of an ECDSA signature, which leaves its value."""

    def sign(text: bytes) -> bytes:
        signature = fake.sign(text)
        return signature[:32] + b"\0" + signature[32:]

    return fake.mint(sign=sign)


def with_an_own_key_in_the_header(fake: FakeGateway) -> str:
    if fake.algorithm == "RS256":
        private: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
        private = rsa_key("another")
    else:
        private = ec.generate_private_key(ec.SECP256R1())
    jose = fake.jose(jwk=public_jwk(private))
    return fake.mint(jose=jose, sign=lambda text: sign_with(private, text))


def with_another_payload(fake: FakeGateway) -> str:
    header, _, signature = fake.mint().split(".")
    return f"{header}.{fake.mint(fake.claims(sub='eve')).split('.')[1]}.{signature}"


HOSTILE: dict[str, tuple[Forge, str]] = {
    "alg none": (unsigned, "algorithm-refused"),
    "alg HS256 with the public key": (by_mac_with_the_public_key, "algorithm-refused"),
    "the other algorithm": (with_the_other_algorithm, "algorithm-refused"),
    "no alg": (lambda fake: fake.mint(jose=fake.jose(alg=None)), "algorithm-refused"),
    "another key": (by_another_key, "signature-invalid"),
    "a signature of zeros": (with_zeros_as_signature, "signature-invalid"),
    "a short signature": (lambda fake: fake.mint(sign=lambda _: b"\1\1"), "signature-invalid"),
    "a longer spelling of the signature": (longer_signature, "signature-invalid"),
    "an own key": (with_an_own_key_in_the_header, "signature-invalid"),
    "another payload": (with_another_payload, "signature-invalid"),
    "no kid": (lambda fake: fake.mint(jose=fake.jose(kid=None)), "key-unknown"),
    "a kid that is a number": (lambda fake: fake.mint(jose=fake.jose(kid=1)), "key-unknown"),
    "crit": (lambda fake: fake.mint(jose=fake.jose(crit=["exp"])), "critical-refused"),
    "b64": (lambda fake: fake.mint(jose=fake.jose(b64=False)), "critical-refused"),
    "typ of an access token": (
        lambda fake: fake.mint(jose=fake.jose(typ="at+jwt")),
        "type-refused",
    ),
    "another issuer": (
        lambda fake: fake.mint(fake.claims(iss="https://evil.example")),
        "issuer-mismatch",
    ),
    "expired": (
        lambda fake: fake.mint(
            fake.claims(int(time.time()) - 4000), fake.jose(int(time.time()) - 4000)
        ),
        "expired",
    ),
    "an exp in the payload that has passed": (
        lambda fake: fake.mint(fake.claims(exp=int(time.time()) - 60)),
        "expired",
    ),
    "exp that is text": (
        lambda fake: fake.mint(fake.claims(exp="9999999999")),
        "claim-malformed",
    ),
    "exp that is true": (lambda fake: fake.mint(fake.claims(exp=True)), "claim-malformed"),
    "iat in the future": (
        lambda fake: fake.mint(fake.claims(iat=int(time.time()) + 100)),
        "not-yet-valid",
    ),
    "nbf in the future": (
        lambda fake: fake.mint(fake.claims(nbf=int(time.time()) + 100)),
        "not-yet-valid",
    ),
    "no sub": (lambda fake: fake.mint(fake.claims(sub=None)), "claim-malformed"),
    "an empty sub": (lambda fake: fake.mint(fake.claims(sub="")), "claim-malformed"),
    "a sub that is a list": (lambda fake: fake.mint(fake.claims(sub=["a"])), "claim-malformed"),
    "NUL in sub": (lambda fake: fake.mint(fake.claims(sub="a\0b")), "claim-malformed"),
    "a line break in sub": (lambda fake: fake.mint(fake.claims(sub="a\nb")), "claim-malformed"),
    "a long sub": (lambda fake: fake.mint(fake.claims(sub="a" * 513)), "claim-malformed"),
    "a duplicate member of the payload": (
        lambda fake: fake.mint(json.dumps(fake.claims())[:-1].encode() + b',"sub":"eve"}'),
        "token-malformed",
    ),
    "a duplicate member of the header": (
        lambda fake: fake.mint(jose=json.dumps(fake.jose())[:-1].encode() + b',"alg":"none"}'),
        "token-malformed",
    ),
    "a payload that is a list": (lambda fake: fake.mint(b"[1]"), "token-malformed"),
    "a header that is no JSON": (lambda fake: fake.mint(jose=b"{"), "token-malformed"),
    "two segments": (lambda fake: fake.mint().rpartition(".")[0], "token-malformed"),
    "four segments": (lambda fake: fake.mint() + ".AA", "token-malformed"),
    "a foreign character": (lambda fake: fake.mint() + "!", "token-malformed"),
    "nothing": (lambda _: "", "token-malformed"),
    "an oversized token": (lambda _: "a" * (MAX_ASSERTION_BYTES + 1), "header-too-long"),
}


@pytest.mark.parametrize("hostile", HOSTILE)
async def test_a_hostile_assertion_is_refused_with_its_cause(
    hostile: str, fake: FakeGateway, caplog: pytest.LogCaptureFixture
) -> None:
    forge, code = HOSTILE[hostile]
    app = app_behind(fake)
    assert await code_of(app, fake.fields(forge(fake)), caplog) == code
    (facts,) = [each.__dict__["fastgate"] for each in caplog.records if "fastgate" in each.__dict__]
    assert facts["gateway"] == fake.gateway.name
    assert facts["verified"] is False


@pytest.mark.parametrize("aud", ["another", ["another", "and more"], [], None, [1], {"a": 1}])
async def test_an_assertion_for_another_app_is_refused(
    aud: object, fake: FakeGateway, caplog: pytest.LogCaptureFixture
) -> None:
    app = app_behind(fake)
    token = fake.mint(fake.claims(aud=aud))
    if fake.gateway.name == "aws-alb":
        assert (await get(app, fake.fields(token))).status_code == 200  # it has no `aud`
        return
    expected = "claim-malformed" if aud is None or aud in ([1], {"a": 1}) else "audience-mismatch"
    assert await code_of(app, fake.fields(token), caplog) == expected


async def test_aud_may_be_a_list_or_a_string(fake: FakeGateway) -> None:
    app = app_behind(fake)
    for aud in (fake.gateway.audience, ["another", fake.gateway.audience]):
        if fake.gateway.audience is not None:
            token = fake.mint(fake.claims(aud=aud))
            assert (await get(app, fake.fields(token))).status_code == 200


async def test_exp_and_iat_are_required(
    fake: FakeGateway, caplog: pytest.LogCaptureFixture
) -> None:
    app = app_behind(fake)
    if fake.gateway.times_in_header:
        token = fake.mint(fake.claims(exp=None), fake.jose(exp=None))
        assert await code_of(app, fake.fields(token), caplog) == "claim-malformed"
        token = fake.mint(fake.claims(exp=None))
        assert (await get(app, fake.fields(token))).status_code == 200
        return
    for name in ("exp", "iat"):
        token = fake.mint(fake.claims(**{name: None}))
        assert await code_of(app, fake.fields(token), caplog) == "claim-malformed"


@pytest.mark.parametrize("name", ["exp", "iat", "nbf"])
@pytest.mark.parametrize("value", [10**400, -(10**400), 10**4200, 1e308, 2**60])
async def test_a_time_beyond_every_clock_is_malformed(
    fake: FakeGateway, caplog: pytest.LogCaptureFixture, name: str, value: float
) -> None:
    app = app_behind(fake)
    if fake.gateway.times_in_header:
        # It is read before the signature is verified.
        token = fake.mint(jose=fake.jose(**{name: value}), sign=lambda _: bytes(64))
        assert await code_of(app, fake.fields(token), caplog) == "claim-malformed"
        assert not fake.server.hits
    token = fake.mint(fake.claims(**{name: value}))
    if not fake.gateway.times_in_header or name == "exp":
        assert await code_of(app, fake.fields(token), caplog) == "claim-malformed"


async def test_several_assertions_are_refused(
    fake: FakeGateway, caplog: pytest.LogCaptureFixture
) -> None:
    app = app_behind(fake)
    twice = fake.fields() * 2
    assert await code_of(app, twice, caplog) == "assertion-repeated"
    other_spelling = [*fake.fields(), (fake.gateway.header.title(), fake.fields()[0][1])]
    assert await code_of(app, other_spelling, caplog) == "assertion-repeated"


async def test_assertions_of_two_gateways_in_one_request_are_refused(
    key_server: JwksServer, caplog: pytest.LogCaptureFixture
) -> None:
    other_server = JwksServer()
    try:
        fakes = FakeGateway("google-iap", key_server), FakeGateway("pomerium", other_server)
        app = app_behind(*fakes)
        for each in fakes:
            assert (await get(app, each.fields())).status_code == 200
        both = [*fakes[0].fields(), *fakes[1].fields()]
        assert await code_of(app, both, caplog) == "assertion-repeated"
    finally:
        other_server.close()


async def test_one_gateways_key_does_not_sign_for_another(
    key_server: JwksServer, caplog: pytest.LogCaptureFixture
) -> None:
    other_server = JwksServer()
    try:
        iap, pomerium = FakeGateway("google-iap", key_server), FakeGateway("pomerium", other_server)
        app = app_behind(iap, pomerium)
        forged = iap.fields(iap.mint(sign=pomerium.sign))
        assert await code_of(app, forged, caplog) == "signature-invalid"
        moved = iap.fields(pomerium.mint())
        assert await code_of(app, moved, caplog) == "signature-invalid"
    finally:
        other_server.close()


async def test_a_rotated_key_is_fetched_once_per_cool_down(
    fake: FakeGateway, caplog: pytest.LogCaptureFixture
) -> None:
    if fake.gateway.key_per_url:
        return
    app = app_behind(fake)
    assert (await get(app, fake.fields())).status_code == 200
    fake.rotate("key-2")
    assert (await get(app, fake.fields())).status_code == 200
    assert fake.server.hits == 2
    for number in range(5):
        unknown = fake.mint(jose=fake.jose(kid=f"unknown-{number}"))
        assert await code_of(app, fake.fields(unknown), caplog) == "key-unknown"
    assert fake.server.hits == 2


@pytest.mark.parametrize("body", [b"", b"{}", b'{"keys": []}', b"<html>", b'{"keys": [{}]}'])
async def test_without_keys_the_response_is_a_503(
    body: bytes, fake: FakeGateway, caplog: pytest.LogCaptureFixture
) -> None:
    fake.server.body = body
    app = app_behind(fake)
    if fake.gateway.key_per_url:
        assert await code_of(app, fake.fields(), caplog) == "key-unknown"
    else:
        assert await code_of(app, fake.fields(), caplog, status=503) == "keys-unavailable"


async def test_if_the_key_server_is_down_the_response_is_a_503(
    fake: FakeGateway, caplog: pytest.LogCaptureFixture
) -> None:
    fake.server.close()
    fake.server.close = lambda: None  # type: ignore[method-assign]
    assert await code_of(app_behind(fake), fake.fields(), caplog, 503) == "keys-unavailable"


async def test_a_redirect_to_other_keys_is_not_followed(
    fake: FakeGateway, caplog: pytest.LogCaptureFixture
) -> None:
    fake.server.status, fake.server.headers = 302, {"Location": "/elsewhere"}
    status = 401 if fake.gateway.key_per_url else 503
    await code_of(app_behind(fake), fake.fields(), caplog, status)
    assert "/elsewhere" not in fake.server.paths


# Cloudflare Access


@pytest.fixture
def access(key_server: JwksServer) -> FakeGateway:
    return FakeGateway("cloudflare-access", key_server)


async def test_a_service_token_is_no_user(access: FakeGateway) -> None:
    app = app_behind(access)
    token = access.mint(access.claims(**SERVICE_TOKEN, email=None))
    found = (await get(app, access.fields(token))).json()
    assert found["subject"] == "service-token:e367826f93b8d71185e03fe518aff3b4.access"
    assert found["client_id"] == SERVICE_TOKEN["common_name"]
    assert found["email"] is None


async def test_a_user_cannot_have_the_subject_of_a_service_token(
    access: FakeGateway, caplog: pytest.LogCaptureFixture
) -> None:
    app = app_behind(access)
    name = SERVICE_TOKEN["common_name"]
    for claims in (
        access.claims(sub=f"service-token:{name}"),
        access.claims(sub="", common_name=""),
        access.claims(sub="", common_name=["a"]),
        access.claims(sub=None, common_name=name),
    ):
        assert await code_of(app, access.fields(access.mint(claims)), caplog) == "claim-malformed"
    # A user whose token has a common name is still the user.
    user = (await get(app, access.fields(access.mint(access.claims(common_name=name))))).json()
    assert (user["subject"], user["client_id"]) == (access.sample.subject, None)


@pytest.mark.parametrize("kind", ["org", "", None, "APP"])
async def test_a_session_of_the_team_is_not_an_assertion(
    kind: str | None, access: FakeGateway, caplog: pytest.LogCaptureFixture
) -> None:
    token = access.mint(access.claims(type=kind, aud=[AUD_TAG]))
    assert await code_of(app_behind(access), access.fields(token), caplog) == "claim-malformed"


# Google IAP


async def test_iap_limits_the_lifetime(
    key_server: JwksServer, caplog: pytest.LogCaptureFixture
) -> None:
    iap = FakeGateway("google-iap", key_server)
    app, now = app_behind(iap), int(time.time())
    assert (await get(app, iap.fields(iap.mint(iap.claims(exp=now + 660))))).status_code == 200
    token = iap.mint(iap.claims(exp=now + 700))
    assert await code_of(app, iap.fields(token), caplog) == "lifetime-refused"


async def test_iap_allows_for_30_seconds_between_clocks(key_server: JwksServer) -> None:
    iap = FakeGateway("google-iap", key_server)
    app, now = app_behind(iap), int(time.time())
    for claims in (iap.claims(iat=now + 20), iap.claims(iat=now - 600, exp=now - 20)):
        assert (await get(app, iap.fields(iap.mint(claims)))).status_code == 200


# Oathkeeper


@pytest.fixture
def oathkeeper(key_server: JwksServer) -> FakeGateway:
    return FakeGateway("oathkeeper", key_server)


@pytest.mark.parametrize("value", ["Basic YTpi", "Bearer", "Bearer ", "bearer", "token abc", ""])
async def test_other_credentials_are_not_an_assertion(
    value: str, oathkeeper: FakeGateway, caplog: pytest.LogCaptureFixture
) -> None:
    fields = [("Authorization", value)]
    assert await code_of(app_behind(oathkeeper), fields, caplog) == "token-malformed"


async def test_a_valid_token_under_another_scheme_is_refused(
    oathkeeper: FakeGateway, caplog: pytest.LogCaptureFixture
) -> None:
    fields = [("Authorization", f"Digest {oathkeeper.mint()}")]
    assert await code_of(app_behind(oathkeeper), fields, caplog) == "token-malformed"


async def test_the_scheme_may_have_any_case(oathkeeper: FakeGateway) -> None:
    fields = [("Authorization", f"BEARER  {oathkeeper.mint()}")]
    assert (await get(app_behind(oathkeeper), fields)).status_code == 200


@pytest.mark.parametrize("scope", [["orders:read"], 1, "a  b", "a\tb"])
async def test_a_malformed_scope_is_refused(
    scope: object, oathkeeper: FakeGateway, caplog: pytest.LogCaptureFixture
) -> None:
    token = oathkeeper.mint(oathkeeper.claims(scope=scope))
    found = await code_of(app_behind(oathkeeper), oathkeeper.fields(token), caplog)
    assert found == "claim-malformed"


# Load balancers of AWS


@pytest.fixture
def alb(key_server: JwksServer) -> FakeGateway:
    return FakeGateway("aws-alb", key_server)


@pytest.mark.parametrize("name", ["signer", "client"])
@pytest.mark.parametrize("value", ["another", None, ["a"], 1])
async def test_another_load_balancer_is_refused_before_any_fetch(
    name: str, value: object, alb: FakeGateway, caplog: pytest.LogCaptureFixture
) -> None:
    token = alb.mint(jose=alb.jose(**{name: value}))
    assert await code_of(app_behind(alb), alb.fields(token), caplog) == "signer-mismatch"
    assert alb.server.hits == 0


async def test_the_issuers_of_header_and_payload_have_to_agree(
    alb: FakeGateway, caplog: pytest.LogCaptureFixture
) -> None:
    app = app_behind(alb)
    assert (await get(app, alb.fields(alb.mint(alb.claims(iss=None))))).status_code == 200
    token = alb.mint(alb.claims(iss=None), alb.jose(iss=None))
    assert await code_of(app, alb.fields(token), caplog) == "claim-malformed"
    token = alb.mint(jose=alb.jose(iss="https://evil.example"))
    assert await code_of(app, alb.fields(token), caplog) == "issuer-mismatch"


@pytest.mark.parametrize(
    "kid",
    [
        "../../evil",
        f"{ALB_KID}/../evil",
        f"{ALB_KID}?x",
        f"{ALB_KID}\n",
        "@evil.example/12345678-1234-1234-1234-123456789012",
        ALB_KID[:-1],
        "12345678-1234-1234-1234-12345678901\u0662",
        "%2e%2e%2f",
        "x" * 5000,
    ],
)
async def test_a_kid_that_is_no_uuid_never_enters_a_url(
    kid: str, alb: FakeGateway, caplog: pytest.LogCaptureFixture
) -> None:
    token = alb.mint(jose=alb.jose(kid=kid))
    assert await code_of(app_behind(alb), alb.fields(token), caplog) == "key-unknown"
    assert alb.server.hits == 0


async def test_padding_is_accepted_only_where_it_belongs(
    alb: FakeGateway, caplog: pytest.LogCaptureFixture
) -> None:
    app = app_behind(alb)
    for name in ("a", "ab", "abc"):  # every length of padding
        assert (await get(app, alb.fields(alb.mint(alb.claims(name=name))))).status_code == 200
    half = alb.mint()[:-1]
    assert half.endswith("=")
    for wrong in (half, alb.mint() + "=", alb.mint() + "====", "=" + alb.mint(), "=.=.="):
        assert await code_of(app, alb.fields(wrong), caplog) == "token-malformed"


async def test_other_gateways_have_no_padding(
    oathkeeper: FakeGateway, caplog: pytest.LogCaptureFixture
) -> None:
    app = app_behind(oathkeeper)
    assert (
        await code_of(app, oathkeeper.fields(oathkeeper.mint() + "=="), caplog) == "token-malformed"
    )


async def test_a_key_is_fetched_by_its_kid_and_kept(alb: FakeGateway) -> None:
    app = app_behind(alb)
    for _ in range(3):
        assert (await get(app, alb.fields())).status_code == 200
    assert alb.server.paths == [f"/keys/{ALB_KID}"]


async def test_unknown_kids_cause_few_fetches(
    alb: FakeGateway, caplog: pytest.LogCaptureFixture
) -> None:
    app = app_behind(alb)
    assert (await get(app, alb.fields())).status_code == 200
    alb.server.status, statuses = 403, set[int]()
    for number in range(30):
        kid = f"00000000-0000-0000-0000-{number % 20:012}"
        token = alb.mint(jose=alb.jose(kid=kid))
        caplog.clear()
        statuses.add((await get(app, alb.fields(token))).status_code)
    assert statuses == {401, 503}
    assert 1 < alb.server.hits <= 4
    # The flood does not affect the known key.
    assert (await get(app, alb.fields())).status_code == 200


async def test_a_key_that_could_not_be_fetched_yet_is_no_fault_of_the_caller(
    alb: FakeGateway,
) -> None:
    app = app_behind(alb)
    for number in range(4):
        forged = alb.mint(jose=alb.jose(kid=f"00000000-0000-0000-0000-{number:012}"))
        await get(app, alb.fields(forged))
    response = await get(app, alb.fields())
    assert (response.status_code, response.json()["type"]) == (
        503,
        "urn:fastgate:problem:unavailable",
    )


async def test_an_absent_key_is_asked_for_once_per_cool_down(alb: FakeGateway) -> None:
    now = 1000.0
    keys = PemKeys(alb.gateway, clock=lambda: now)
    alb.server.status = 404
    for now in (1000.0, 1003.0, 1029.0):  # noqa: B007 - the clock reads it
        with pytest.raises(KeyUnknown):
            await keys.key(ALB_KID)
    assert alb.server.hits == 1
    alb.server.status, now = 200, 1031.0
    await keys.key(ALB_KID)
    assert alb.server.hits == 2


async def test_a_server_that_was_down_is_asked_again_soon(alb: FakeGateway) -> None:
    now = 1000.0
    up, url = alb.gateway, alb.server.origin.replace("127.0.0.1", "127.0.0.2")
    keys = PemKeys(replace(up, keys_url=f"{url}/keys"), clock=lambda: now)
    with pytest.raises(KeysUnavailable):
        await keys.key(ALB_KID)
    keys._held[ALB_KID]._url = f"{up.keys_url}/{ALB_KID}"
    now = 1003.0
    await keys.key(ALB_KID)


async def test_few_keys_are_held(alb: FakeGateway) -> None:
    now = 0.0
    keys = PemKeys(alb.gateway, clock=lambda: now)
    kids = [f"00000000-0000-0000-0000-{number:012}" for number in range(KEYS_HELD + 5)]
    for now, kid in enumerate(kids, 1):
        now *= COOL_DOWN
        await keys.key(kids[0])
        await keys.key(kid)
    assert len(keys._held) == KEYS_HELD
    assert kids[0] in keys._held


@pytest.mark.parametrize("curve", [ec.SECP384R1(), ec.SECP256K1()])
async def test_a_pem_key_on_another_curve_is_refused(
    curve: ec.EllipticCurve, alb: FakeGateway, caplog: pytest.LogCaptureFixture
) -> None:
    alb.private = ec.generate_private_key(curve)
    alb.server.body = alb.pem()
    token = alb.mint(sign=lambda _: bytes(64))
    assert await code_of(app_behind(alb), alb.fields(token), caplog) == "key-unknown"
