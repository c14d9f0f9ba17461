"""An origin that shares a key with its edge accepts only HS256."""

import base64
import hashlib
import hmac
import json
import logging
from collections.abc import Mapping
from typing import Any

import pytest

from fastgate import FastgateMiddleware, Refused, Settings
from fastgate.errors import JwksRefused
from fastgate.fake_edge.signing import SigningKey
from fastgate.keys.jwks import read_jwks
from fastgate.keys.origin import OriginKey, read_origin_keys
from fastgate.keys.source import StaticKeys
from fastgate.verify import RequestHead, verify
from tests.edge import AUDIENCE, HEADER, ISSUER, Edge, payload
from tests.test_middleware import PATH, TEMPLATE, Origin, client

pytestmark = pytest.mark.anyio


@pytest.fixture
def signer(edge: Edge) -> SigningKey:
    return SigningKey(edge.private_key)


def document(*keys: Mapping[str, object]) -> dict[str, object]:
    return {"keys": list(keys)}


def settings(signer: SigningKey, **changes: object) -> Settings:
    members = {"edge": ISSUER, "audience": AUDIENCE, **changes}
    return Settings(origin_keys=document(signer.origin_jwk(AUDIENCE)), **members)  # type: ignore[arg-type]


def reason(*keys: object) -> str:
    with pytest.raises(JwksRefused) as refused:
        read_origin_keys({"keys": list(keys)})
    return refused.value.reason


async def status(guarded: FastgateMiddleware, header: str) -> int:
    async with client(guarded) as http:
        return (await http.get(PATH, headers={HEADER: header})).status_code


async def test_a_header_by_the_origins_own_key_is_accepted(signer: SigningKey) -> None:
    origin = Origin()
    guarded = FastgateMiddleware(origin, settings(signer))
    assert await status(guarded, signer.sign_for(AUDIENCE, payload(PATH, TEMPLATE))) == 200
    assert origin.seen[0]["fastgate"].subject == "ada"


async def test_the_algorithm_belongs_to_the_key_and_never_to_the_token(
    edge: Edge, signer: SigningKey, caplog: pytest.LogCaptureFixture
) -> None:
    claims = payload(PATH, TEMPLATE)
    headers = {"ES256": signer.sign(claims), "HS256": signer.sign_for(AUDIENCE, claims)}
    guards = {
        "ES256": FastgateMiddleware(Origin(), edge.settings()),
        "HS256": FastgateMiddleware(Origin(), settings(signer)),
    }
    for of_guard, guarded in guards.items():
        for of_header, header in headers.items():
            expected = 200 if of_guard == of_header else 401
            assert await status(guarded, header) == expected, (of_guard, of_header)
    assert caplog.messages == ["refused: algorithm-refused"] * 2


async def test_another_origins_key_is_refused(
    signer: SigningKey, caplog: pytest.LogCaptureFixture
) -> None:
    guarded = FastgateMiddleware(Origin(), settings(signer))
    assert await status(guarded, signer.sign_for("billing", payload(PATH, TEMPLATE))) == 401
    assert caplog.messages == ["refused: signature-invalid"]


async def test_an_origin_with_its_keys_is_ready_and_fetches_none(signer: SigningKey) -> None:
    made = settings(signer, ready_path="/ready")
    assert isinstance(made.key_source(), StaticKeys)
    async with client(FastgateMiddleware(Origin(), made)) as http:
        assert (await http.get("/ready")).status_code == 204


async def test_rotation_rotates_the_origin_keys(edge: Edge, signer: SigningKey) -> None:
    following = SigningKey()
    both = document(following.origin_jwk(AUDIENCE), signer.origin_jwk(AUDIENCE))
    guarded = FastgateMiddleware(
        Origin(), Settings(edge=ISSUER, audience=AUDIENCE, origin_keys=both)
    )
    for key in (signer, following):
        assert await status(guarded, key.sign_for(AUDIENCE, payload(PATH, TEMPLATE))) == 200


def test_the_secret_is_in_no_representation(signer: SigningKey) -> None:
    made, secret = settings(signer), signer.origin_jwk(AUDIENCE)["k"]
    key = signer.origin_key(AUDIENCE)
    for shown in (repr(made), str(made), repr(made.key_source()), repr(key), str([key])):
        assert str(secret) not in shown
        assert repr(signer.origin_secret(AUDIENCE))[2:-1] not in shown


async def test_no_refusal_logs_the_secret(
    signer: SigningKey, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    guarded = FastgateMiddleware(Origin(), settings(signer))
    for header in ("x", signer.sign_for("billing", payload(PATH, TEMPLATE)), signer.sign({})):
        assert await status(guarded, header) == 401
    assert str(signer.origin_jwk(AUDIENCE)["k"]) not in caplog.text
    wrong = {**signer.origin_jwk(AUDIENCE), "alg": "HS512"}
    with pytest.raises(ValueError, match="not-an-origin-key") as refused:
        Settings(edge=ISSUER, audience=AUDIENCE, origin_keys=document(wrong))
    assert str(wrong["k"]) not in str(refused.value)


def jwk(**changes: object) -> dict[str, object]:
    entry = {**SigningKey().origin_jwk(AUDIENCE), **changes}
    return {name: value for name, value in entry.items() if value is not ...}


def spelled(octets: bytes) -> str:
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        (jwk(kty="EC"), "not-an-origin-key"),
        (jwk(alg="HS512"), "not-an-origin-key"),
        (jwk(alg=...), "not-an-origin-key"),
        (jwk(use="enc"), "not-an-origin-key"),
        (SigningKey().jwk, "not-an-origin-key"),
        ("x", "not-an-origin-key"),
        (None, "not-an-origin-key"),
        (jwk(kid=""), "no-kid"),
        (jwk(kid=7), "no-kid"),
        (jwk(kid=...), "no-kid"),
        (jwk(k=...), "not-32-bytes"),
        (jwk(k=""), "not-32-bytes"),
        (jwk(k=7), "not-32-bytes"),
        (jwk(k="é" * 43), "not-32-bytes"),
        (jwk(k=spelled(bytes(31))), "not-32-bytes"),
        (jwk(k=spelled(bytes(33))), "not-32-bytes"),
        (jwk(k=spelled(bytes(32)) + "="), "not-32-bytes"),
        (jwk(k="+" * 43), "not-32-bytes"),
        (jwk(k="A" * 42 + "B"), "not-32-bytes"),  # stray bits
    ],
)
def test_an_unsuitable_origin_key_is_refused_and_not_ignored(entry: object, expected: str) -> None:
    assert reason(entry) == expected
    assert reason(jwk(), entry) == expected


def test_origin_keys_are_a_jwk_set_with_unique_kids(signer: SigningKey) -> None:
    assert reason() == "no-usable-key"
    assert reason(jwk(kid="one"), jwk(kid="one")) == "ambiguous-kid"
    wrong: list[dict[str, object]] = [{}, {"keys": {}}, {"keys": None}]
    for no_set in wrong:
        with pytest.raises(JwksRefused) as refused:
            read_origin_keys(no_set)
        assert refused.value.reason == "not-a-jwk-set"
    with pytest.raises(ValueError, match="32 bytes"):
        OriginKey(b"")


@pytest.mark.parametrize(
    "beside", [{"keys": Edge().jwks}, {"jwks_url": "https://edge.example/keys"}]
)
def test_origin_keys_exclude_other_sources_of_keys(
    signer: SigningKey, beside: dict[str, object]
) -> None:
    with pytest.raises(ValueError, match="at most one"):
        settings(signer, **beside)


def test_a_published_document_contains_no_usable_secret(
    edge: Edge, signer: SigningKey, caplog: pytest.LogCaptureFixture
) -> None:
    both: dict[str, Any] = {"keys": [edge.jwk, {**signer.origin_jwk(AUDIENCE), "kid": "oct"}]}
    keys = read_jwks(json.dumps(both).encode())
    assert set(keys) == {edge.kid}
    assert caplog.messages == ["key left out: not-public"]
    forged = signer.sign_for(AUDIENCE, payload(PATH, TEMPLATE), kid="oct")
    with pytest.raises(Refused) as refused:
        verify(
            forged.encode(),
            keys,
            RequestHead("GET", PATH.encode(), b""),
            issuer=ISSUER,
            audience=AUDIENCE,
            now=0,
        )
    assert refused.value.code == "key-unknown"


def test_stray_bits_in_the_last_character_of_a_mac_are_refused(signer: SigningKey) -> None:
    # 32 octets leave two unused bits in the last of 43 characters.
    keys = read_origin_keys(document(signer.origin_jwk(AUDIENCE)))
    token = signer.sign_for(AUDIENCE, payload(PATH, TEMPLATE))
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    sibling = alphabet[alphabet.index(token[-1]) + 1]
    with pytest.raises(Refused) as refused:
        verify(
            f"{token[:-1]}{sibling}".encode(),
            keys,
            RequestHead("GET", PATH.encode(), b""),
            issuer=ISSUER,
            audience=AUDIENCE,
            now=0,
        )
    assert refused.value.code == "token-malformed"


def test_the_mac_is_compared_in_constant_time(
    signer: SigningKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    compared: list[tuple[bytes, bytes]] = []

    def compare(one: bytes, other: bytes) -> bool:
        compared.append((one, other))
        return hmac.compare_digest(one, other)

    monkeypatch.setattr("fastgate.verify.compare_digest", compare)
    keys = read_origin_keys(document(signer.origin_jwk(AUDIENCE)))
    signing_input = signer.signing_input(payload(PATH, TEMPLATE), alg="HS256")
    mac = hashlib.sha256(b"guess").digest()
    with pytest.raises(Refused):
        verify(
            f"{signing_input}.{spelled(mac)}".encode(),
            keys,
            RequestHead("GET", PATH.encode(), b""),
            issuer=ISSUER,
            audience=AUDIENCE,
            now=0,
        )
    assert compared == [(signer.origin_key(AUDIENCE).mac(signing_input.encode()), mac)]
