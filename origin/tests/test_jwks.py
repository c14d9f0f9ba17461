"""Which keys of a JWK Set are used, and which documents are not JWK Sets."""

import json
import logging
import os

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from fastgate.errors import JwksRefused
from fastgate.fake_edge.signing import EdgeExchangeKey
from fastgate.keys.jwks import PublishedKeys, read_exchange_key, read_jwks
from fastgate.keys.okp import X25519, is_usable_ed25519, octets_of, public_jwk
from tests.edge import Edge, base64url

PRIME = 2**255 - 19
D = -121665 * pow(121666, -1, PRIME) % PRIME
# RFC 7748 §6.1 and the points of low order on Curve25519, also in encodings beyond the prime.
LOW_ORDER_U = (
    *(0, 1, PRIME - 1, PRIME, PRIME + 1),
    325606250916557431795983626356110631294008115727848805560023387167927233504,
    39382357235489614581723060781553021112529911719440698176882885853963445705823,
)


def read(*entries: object) -> PublishedKeys:
    return read_jwks(json.dumps({"keys": entries}).encode())


def kids(*entries: object) -> set[str]:
    found = read(*entries)
    return {*found.signing, *(key.kid for key in found.exchange)}


def reason(document: bytes) -> str:
    with pytest.raises(JwksRefused) as refused:
        read_jwks(document)
    return refused.value.reason


def little(number: int) -> str:
    return base64url(number.to_bytes(32, "little"))


def test_a_public_key_on_ed25519_for_signatures_is_accepted(edge: Edge) -> None:
    assert kids(edge.jwk) == {edge.kid}
    bare = {name: edge.jwk[name] for name in ("kty", "crv", "x", "kid")}
    assert kids(bare) == {edge.kid}
    assert kids({**edge.jwk, "key_ops": ["verify"], "x5c": ["ignored"]}) == {edge.kid}


def test_a_public_key_on_x25519_for_key_exchange_is_accepted() -> None:
    key = EdgeExchangeKey()
    assert kids(key.jwk) == {key.public.kid}
    bare = {name: key.jwk[name] for name in ("kty", "crv", "x", "kid")}
    assert kids(bare) == {key.public.kid}
    assert kids({**key.jwk, "key_ops": ["deriveBits"], "x5c": ["ignored"]}) == {key.public.kid}


@pytest.mark.parametrize(
    "change",
    [
        {"use": "enc"},
        {"key_ops": ["sign"]},
        {"key_ops": []},
        {"key_ops": "verify"},
        {"alg": "ES256"},
        {"alg": "Ed25519"},
        {"crv": "Ed448"},
        {"crv": "X25519"},
        {"crv": "P-256"},
        {"kty": "EC"},
        {"kid": ""},
        {"kid": 5},
        {"kid": None},
        {"x": ""},
        {"x": "AAAA"},
        {"x": 7},
        {"x": "\u00e9" * 43},
    ],
)
def test_a_key_for_another_purpose_is_ignored(edge: Edge, change: dict[str, object]) -> None:
    other = Edge()
    assert kids({**edge.jwk, **change}, other.jwk) == {other.kid}


@pytest.mark.parametrize(
    "change",
    [
        {"use": "sig"},
        {"alg": "ECDH-ES"},
        {"alg": "EdDSA"},
        {"key_ops": ["verify"]},
        {"crv": "Ed25519", "use": "enc"},
        {"crv": "X448"},
        {"kty": "EC"},
        {"kid": "another"},
        {"kid": ""},
        {"kid": None},
        {"x": "AAAA"},
        {"x": base64url(bytes(31))},
        {"x": base64url(bytes(33))},
    ],
)
def test_an_exchange_key_for_another_purpose_or_without_its_thumbprint_is_ignored(
    edge: Edge, change: dict[str, object]
) -> None:
    assert kids({**EdgeExchangeKey().jwk, **change}, edge.jwk) == {edge.kid}


def test_base64url_has_one_spelling() -> None:
    octets = bytes.fromhex("fb" * 32)  # encodes with "-" and "_"
    canonical = base64url(octets)
    assert "-" in canonical or "_" in canonical
    assert octets_of(canonical) == octets
    stray = canonical[:-1] + chr(ord(canonical[-1]) + 1)  # the two unused bits are not zero
    for wrong in (
        *(f"{canonical}=", f"{canonical}==", f" {canonical}", f"{canonical}\n", stray),
        canonical.replace("-", "+").replace("_", "/"),
        *(canonical[:-1], canonical + "A", canonical[:20] + "\n" + canonical[20:], "", "="),
        *(None, 7, octets, [canonical]),
    ):
        assert octets_of(wrong) is None, wrong


@pytest.mark.parametrize("of", ["edge", "exchange"])
def test_a_key_in_another_spelling_of_base64url_is_ignored(edge: Edge, of: str) -> None:
    jwk = edge.jwk if of == "edge" else EdgeExchangeKey().jwk
    x, other = str(jwk["x"]), Edge()
    for wrong in (f"{x}=", x[:-1] + chr(ord(x[-1]) + 1), f"{x}\n"):
        assert kids({**jwk, "x": wrong}, other.jwk) == {other.kid}


def order_8_points() -> list[bytes]:
    """Return all points of small order, computed: multiples of the prime order of any point."""
    order, found = 2**252 + 27742317777372353535851937790883648493, set[bytes]()
    for y in range(2, 60):
        x = root_of((y * y - 1) * pow(D * y * y + 1, -1, PRIME))
        if x is not None:
            point = multiplied((x, y), order)
            for times in range(8):
                found.add(encoded(multiplied(point, times)))
    assert len(found) == 8
    return sorted(found)


def root_of(square: int) -> int | None:
    x = pow(square, (PRIME + 3) // 8, PRIME)
    if (x * x - square) % PRIME:
        x = x * pow(2, (PRIME - 1) // 4, PRIME) % PRIME
    return None if (x * x - square) % PRIME else x


def added(one: tuple[int, int], two: tuple[int, int]) -> tuple[int, int]:
    (x1, y1), (x2, y2) = one, two
    product = D * x1 * x2 * y1 * y2
    return (
        (x1 * y2 + x2 * y1) * pow(1 + product, -1, PRIME) % PRIME,
        (y1 * y2 + x1 * x2) * pow(1 - product, -1, PRIME) % PRIME,
    )


def multiplied(point: tuple[int, int], times: int) -> tuple[int, int]:
    result = (0, 1)
    while times:
        if times & 1:
            result = added(result, point)
        point, times = added(point, point), times >> 1
    return result


def encoded(point: tuple[int, int]) -> bytes:
    x, y = point
    return (y | (x & 1) << 255).to_bytes(32, "little")


def test_a_signing_key_of_small_order_is_ignored(edge: Edge) -> None:
    """With such a key, one signature is valid for many messages, and needs no private key."""
    beyond = [(PRIME + y | sign).to_bytes(32, "little") for y in (0, 1) for sign in (0, 1 << 255)]
    for public in (*order_8_points(), *beyond):
        entry = {**edge.jwk, "kid": "weak", "x": base64url(public)}
        assert kids(entry, edge.jwk) == {edge.kid}, public.hex()


def test_cryptography_accepts_a_signature_under_a_key_of_small_order() -> None:
    """The reason for the check: R is the neutral element, S is zero, and the message is any."""
    weak, signature = Ed25519PublicKey.from_public_bytes(bytes([1, *bytes(31)])), bytes([1])
    weak.verify(signature.ljust(64, b"\0"), b"any message")
    with pytest.raises(InvalidSignature):
        Ed25519PrivateKey.generate().public_key().verify(signature.ljust(64, b"\0"), b"any")


def test_octets_that_are_not_a_point_of_the_curve_are_ignored(edge: Edge) -> None:
    """RFC 8032 §5.1.3: y is below the prime, and there is an x for it."""
    not_points = [y for y in range(2, 20) if not is_usable_ed25519(y.to_bytes(32, "little"))]
    expected = [
        y
        for y in range(2, 20)
        if root_of((y * y - 1) * pow(D * y * y + 1, -1, PRIME) % PRIME) is None
    ]
    assert not_points == expected != []
    for y in (*not_points, PRIME + 3, 2**255 - 1):
        assert kids({**edge.jwk, "kid": "wrong", "x": little(y)}, edge.jwk) == {edge.kid}


def test_every_generated_key_is_usable() -> None:
    for _ in range(50):
        public = Ed25519PrivateKey.from_private_bytes(os.urandom(32)).public_key()
        assert is_usable_ed25519(public.public_bytes_raw())


@pytest.mark.parametrize("high_bit", [0, 1 << 255])
@pytest.mark.parametrize("u", LOW_ORDER_U)
def test_an_exchange_key_of_low_order_is_ignored(edge: Edge, u: int, high_bit: int) -> None:
    """RFC 7748 §6.1: the shared secret would be all zeros."""
    jwk = public_jwk(X25519, (u + high_bit).to_bytes(32, "little"))
    assert kids(jwk, edge.jwk) == {edge.kid}
    with pytest.raises(JwksRefused, match="jwks-refused") as refused:
        read_exchange_key(jwk)
    assert refused.value.reason == "not-an-exchange-key"


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"d": "AAAA"}, "not-public"),
        ({"priv": "AAAA"}, "not-public"),
        ({"crv": "Ed25519"}, "not-an-exchange-key"),
        ({"use": "sig"}, "not-an-exchange-key"),
        ({"x": 7}, "not-an-exchange-key"),
        ({"kid": "another"}, "not-its-thumbprint"),
    ],
)
def test_the_public_key_of_an_origin_is_read_strictly(
    change: dict[str, object], expected: str
) -> None:
    key = EdgeExchangeKey()
    assert read_exchange_key(key.jwk).kid == key.public.kid
    assert read_exchange_key({k: v for k, v in key.jwk.items() if k != "kid"}) == read_exchange_key(
        key.jwk
    )
    with pytest.raises(JwksRefused) as refused:
        read_exchange_key({**key.jwk, **change})
    assert refused.value.reason == expected


def test_a_private_key_is_ignored(edge: Edge, caplog: pytest.LogCaptureFixture) -> None:
    private = {**Edge().jwk, "kid": "private", "d": base64url(bytes(31) + b"\1")}
    assert kids(private, EdgeExchangeKey().private_jwk, edge.jwk) == {edge.kid}
    assert caplog.messages == ["key left out: not-public"] * 2


@pytest.mark.parametrize(
    "secret",
    [
        *({name: "AAAA"} for name in ("d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv")),
        {"kty": "oct", "k": "AAAA"},
        {"kty": "oct"},
    ],
)
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
    exchange = EdgeExchangeKey()
    namesake = {**edge.jwk, "kid": exchange.public.kid}
    assert reason(json.dumps({"keys": [exchange.jwk, namesake]}).encode()) == "ambiguous-kid"
    assert reason(json.dumps({"keys": [exchange.jwk] * 2}).encode()) == "ambiguous-kid"


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


def test_thumbprints_are_those_of_the_standards() -> None:
    """RFC 8037 §A.3 for Ed25519."""
    x = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"
    octets = octets_of(x)
    assert octets is not None
    assert public_jwk("Ed25519", octets)["kid"] == "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"
