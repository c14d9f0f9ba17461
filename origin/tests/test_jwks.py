"""Which keys of a JWK Set are used, and which documents are not JWK Sets."""

import json
import logging

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import (
    SECP256K1,
    SECP256R1,
    derive_private_key,
)

from fastgate.errors import JwksRefused
from fastgate.fake_edge.signing import SigningKey
from fastgate.keys.jwks import read_jwks
from tests.edge import Edge, base64url


def kids(*entries: object) -> set[str]:
    return set(read_jwks(json.dumps({"keys": entries}).encode()))


def reason(document: bytes) -> str:
    with pytest.raises(JwksRefused) as refused:
        read_jwks(document)
    return refused.value.reason


def test_a_public_p256_key_for_signatures_is_accepted(edge: Edge) -> None:
    assert kids(edge.jwk) == {edge.kid}
    bare = {name: edge.jwk[name] for name in ("kty", "crv", "x", "y", "kid")}
    assert kids(bare) == {edge.kid}
    assert kids({**edge.jwk, "key_ops": ["verify"], "x5c": ["ignored"]}) == {edge.kid}


@pytest.mark.parametrize(
    "change",
    [
        {"use": "enc"},
        {"key_ops": ["sign"]},
        {"key_ops": []},
        {"alg": "ES384"},
        {"crv": "P-384"},
        {"crv": "secp256k1"},
        {"kty": "RSA"},
        {"kid": ""},
        {"kid": 5},
        {"kid": None},
        {"x": ""},
        {"x": "AAAA"},
        {"x": 7},
        {"x": "\u00e9"},
        {"x": base64url(bytes(32)), "y": base64url(bytes(32))},
        {"x": base64url(b"\xff" * 32)},
    ],
)
def test_a_key_for_another_purpose_is_ignored(edge: Edge, change: dict[str, object]) -> None:
    other = Edge()
    assert kids({**edge.jwk, **change}, other.jwk) == {other.kid}


def test_a_coordinate_has_32_bytes_for_every_value(edge: Edge) -> None:
    """RFC 7518 §6.2.1.2: leading zeros included, and no others. The numbers are the same here."""
    other = Edge()
    longer = base64url(b"\0" + edge.private_key.public_key().public_numbers().x.to_bytes(32))
    assert kids({**edge.jwk, "x": longer}, other.jwk) == {other.kid}
    # The base point's multiple by 379, whose `x` begins with a zero octet.
    short = SigningKey(derive_private_key(379, SECP256R1()))
    x = short.public_key.public_numbers().x
    assert x.bit_length() <= 31 * 8
    assert kids(short.jwk) == {short.kid}
    assert kids({**short.jwk, "x": base64url(x.to_bytes(31))}, other.jwk) == {other.kid}


def test_a_point_of_another_curve_is_ignored_regardless_of_its_crv(edge: Edge) -> None:
    """RFC 8725 §3.4: the inputs of a curve are points of that curve."""
    numbers = derive_private_key(1, SECP256K1()).public_key().public_numbers()
    point = {"x": base64url(numbers.x.to_bytes(32)), "y": base64url(numbers.y.to_bytes(32))}
    assert kids({**edge.jwk, **point, "kid": "other"}, edge.jwk) == {edge.kid}


def test_a_private_key_is_ignored(edge: Edge, caplog: pytest.LogCaptureFixture) -> None:
    private = {**Edge().jwk, "kid": "private", "d": base64url(bytes(31) + b"\1")}
    assert kids(private, edge.jwk) == {edge.kid}
    assert [record.message for record in caplog.records] == ["key left out: not-public"]


@pytest.mark.parametrize("secret", [{"d": "AAAA"}, {"kty": "oct", "k": "AAAA"}, {"kty": "oct"}])
def test_a_key_that_should_be_secret_is_ignored_and_logged(
    edge: Edge, secret: dict[str, object], caplog: pytest.LogCaptureFixture
) -> None:
    other = Edge()
    assert kids({**edge.jwk, **secret}, other.jwk) == {other.kid}
    assert [(record.levelno, record.message) for record in caplog.records] == [
        (logging.ERROR, "key left out: not-public")
    ]


def test_two_keys_of_one_kid_make_the_set_ambiguous(edge: Edge) -> None:
    twin = {**Edge().jwk, "kid": edge.kid}
    assert reason(json.dumps({"keys": [edge.jwk, twin]}).encode()) == "ambiguous-kid"


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        (b"", "not-json"),
        (b"<!doctype html><title>Sorry</title>", "not-json"),
        (b"[]", "not-json"),
        (b'{"keys":[],"keys":[]}', "not-json"),
        (b"{}", "not-a-jwk-set"),
        (b'{"keys":{}}', "not-a-jwk-set"),
        (b'{"keys":[]}', "no-usable-key"),
        (b'{"keys":[null,1,"x",[]]}', "no-usable-key"),
    ],
)
def test_a_document_that_is_not_a_jwk_set_with_a_usable_key_is_refused(
    document: bytes, expected: str
) -> None:
    assert reason(document) == expected
