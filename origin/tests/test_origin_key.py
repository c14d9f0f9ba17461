"""An origin with a key of its own accepts the MAC of its edge, under derived keys."""

import base64
import hashlib
import hmac
import io
import json
import logging
import re
from collections.abc import Mapping
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from fastgate import EdgeClaims, FastgateMiddleware, Refused, Settings
from fastgate.__main__ import main
from fastgate.errors import JwksRefused
from fastgate.fake_edge.signing import EdgeExchangeKey, MacSigner, SigningKey, signing_input
from fastgate.keys.jwks import ExchangeKey, read_exchange_key
from fastgate.keys.key_set import KeySet, read_key_set
from fastgate.keys.origin import MacKey, OriginKeys, PrivateKey, read_origin_keys
from fastgate.keys.source import EdgeKeys, StaticKeys
from fastgate.verify import RequestHead, verify
from tests.edge import AUDIENCE, HEADER, HOST, ISSUER, Edge, base64url, payload
from tests.serving import JwksServer
from tests.test_middleware import PATH, TEMPLATE, Origin, client

pytestmark = pytest.mark.anyio

HEAD = RequestHead("GET", PATH.encode(), b"", HOST.encode())


def new_key() -> PrivateKey:
    return PrivateKey(X25519PrivateKey.generate())


@pytest.fixture
def exchange(edge: Edge) -> EdgeExchangeKey:
    """Return the exchange key of `edge`, which publishes it."""
    key = EdgeExchangeKey()
    edge.jwks = {"keys": [edge.jwk, key.jwk]}
    return key


@pytest.fixture
def own() -> PrivateKey:
    """Return the private key of the origin."""
    return new_key()


@pytest.fixture
def mac(exchange: EdgeExchangeKey, own: PrivateKey) -> MacSigner:
    """Return the signer of the edge for the origin."""
    return exchange.for_origin(own.public, AUDIENCE)


def published(edge: Edge, *own: PrivateKey, audience: str = AUDIENCE) -> KeySet:
    return read_key_set(json.dumps(edge.jwks).encode(), OriginKeys(own, audience))


def verified(token: str, keys: KeySet) -> EdgeClaims:
    claims = json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "=="))
    return verify(
        token.encode(), keys, HEAD, issuer=ISSUER, audience=AUDIENCE, now=claims.get("iat", 0)
    )


def cause(token: str, keys: KeySet) -> str:
    with pytest.raises(Refused) as refused:
        verified(token, keys)
    return refused.value.code


async def status(guarded: FastgateMiddleware, header: str) -> int:
    async with client(guarded) as http:
        return (await http.get(PATH, headers={HEADER: header})).status_code


def reason(document: Mapping[str, object]) -> str:
    with pytest.raises(JwksRefused) as refused:
        read_origin_keys(document)
    return refused.value.reason


async def test_a_header_by_the_mac_of_the_edge_is_accepted(
    edge: Edge, own: PrivateKey, mac: MacSigner
) -> None:
    origin = Origin()
    guarded = FastgateMiddleware(origin, edge.settings(origin_key=own.private_jwk))
    assert await status(guarded, mac.sign(payload(PATH, TEMPLATE))) == 200
    assert origin.seen[0]["fastgate"].subject == "ada"


async def test_an_origin_with_a_key_accepts_the_signature_of_the_edge_as_well(
    edge: Edge, own: PrivateKey, mac: MacSigner
) -> None:
    guarded = FastgateMiddleware(Origin(), edge.settings(origin_key=own.private_jwk))
    assert await status(guarded, edge.mint(PATH, TEMPLATE).decode()) == 200
    assert await status(guarded, mac.sign(payload(PATH, TEMPLATE))) == 200


async def test_the_keys_of_the_edge_are_fetched_as_without_an_own_key(
    edge: Edge, own: PrivateKey, mac: MacSigner, jwks_server: JwksServer
) -> None:
    jwks_server.publish({"keys": [edge.jwk]})
    made = edge.settings(keys=None, jwks_url=jwks_server.url, origin_key=own.private_jwk)
    assert isinstance(made.key_source(), EdgeKeys)
    guarded = FastgateMiddleware(Origin(), made)
    header = mac.sign(payload(PATH, TEMPLATE))
    assert await status(guarded, header) == 401, "no exchange key is published yet"
    jwks_server.publish(edge.jwks)
    fresh = FastgateMiddleware(Origin(), made)
    assert await status(fresh, header) == 200


def test_the_derivation_is_that_of_the_contract(
    edge: Edge, exchange: EdgeExchangeKey, own: PrivateKey
) -> None:
    """By hand, with HKDF of `cryptography` (RFC 5869) and thumbprints of RFC 7638."""

    def thumb(jwk: Mapping[str, object]) -> bytes:
        members = {name: jwk[name] for name in ("crv", "kty", "x")}
        text = json.dumps(members, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).digest()

    def octets(text: object) -> bytes:
        return base64.urlsafe_b64decode(f"{text}=")

    audience = "bestellungen-ä"
    private = X25519PrivateKey.from_private_bytes(octets(exchange.private_jwk["d"]))
    secret = private.exchange(X25519PublicKey.from_public_bytes(octets(own.public_jwk["x"])))
    edge_thumb, own_thumb = thumb(exchange.jwk), thumb(own.public_jwk)
    info = b"Fastgate-Identity 2 HS256\0" + edge_thumb + own_thumb + audience.encode()
    key = HKDF(SHA256(), 32, salt=None, info=info).derive(secret)
    kid = f"{base64url(edge_thumb)}.{base64url(own_thumb)}"
    found = published(edge, own, audience=audience)[kid]
    assert isinstance(found, MacKey)
    assert found.mac(b"signed") == hmac.digest(key, b"signed", "sha256")
    assert found.mac(b"signed") == exchange.for_origin(own.public, audience).key.mac(b"signed")


def test_every_pair_of_keys_is_derived_once_when_the_set_is_read(
    edge: Edge, exchange: EdgeExchangeKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    following, keys = EdgeExchangeKey(), (new_key(), new_key())
    edge.jwks = {"keys": [edge.jwk, exchange.jwk, following.jwk]}
    found = published(edge, *keys)
    pairs = [(theirs, own) for theirs in (exchange, following) for own in keys]
    expected = [f"{theirs.public.kid}.{own.public.kid}" for theirs, own in pairs]
    assert list(found) == [edge.kid, *expected]
    monkeypatch.setattr(PrivateKey, "shared_with", None)  # `verify` derives nothing
    for theirs, own in pairs:
        monkeypatch.undo()
        signer = theirs.for_origin(own.public, AUDIENCE)
        monkeypatch.setattr(PrivateKey, "shared_with", None)
        assert verified(signer.sign(payload(PATH, TEMPLATE)), found).subject == "ada"


def test_the_algorithm_belongs_to_the_key_and_never_to_the_token(
    edge: Edge, own: PrivateKey, mac: MacSigner
) -> None:
    keys, claims = published(edge, own), payload(PATH, TEMPLATE)
    signing = SigningKey(edge.private_key)
    for kid, alg in ((mac.kid, "EdDSA"), (edge.kid, "HS256")):
        text = signing_input(claims, kid=kid, alg=alg)
        for signer in (mac, signing):
            forged = f"{text}.{base64url(signer.signature(text.encode()))}"
            assert cause(forged, keys) == "algorithm-refused"
    for kid, alg, signer in ((mac.kid, "HS256", signing), (edge.kid, "EdDSA", mac)):
        text = signing_input(claims, kid=kid, alg=alg)
        forged = f"{text}.{base64url(signer.signature(text.encode()))}"
        assert cause(forged, keys) == "signature-invalid"


def test_an_origin_without_a_key_knows_no_mac(edge: Edge, mac: MacSigner) -> None:
    keys = read_key_set(json.dumps(edge.jwks).encode())
    assert set(keys) == {edge.kid}
    assert cause(mac.sign(payload(PATH, TEMPLATE)), keys) == "key-unknown"


def test_the_mac_of_another_origin_edge_or_audience_is_refused(
    edge: Edge, exchange: EdgeExchangeKey, own: PrivateKey, mac: MacSigner
) -> None:
    keys, claims = published(edge, own), payload(PATH, TEMPLATE)
    another = exchange.for_origin(new_key().public, AUDIENCE)
    assert cause(another.sign(claims), keys) == "key-unknown"
    assert cause(another.sign(claims, kid=mac.kid), keys) == "signature-invalid"
    billing = exchange.for_origin(own.public, "billing")
    assert billing.kid == mac.kid
    assert cause(billing.sign(claims), keys) == "signature-invalid"
    stranger = EdgeExchangeKey().for_origin(own.public, AUDIENCE)
    assert cause(stranger.sign(claims), keys) == "key-unknown"
    assert cause(stranger.sign(claims, kid=mac.kid), keys) == "signature-invalid"
    theirs, ours = mac.kid.split(".")
    for kid in (theirs, ours, f"{ours}.{theirs}", f"{mac.kid}.", f"{theirs}.{theirs}"):
        assert cause(mac.sign(claims, kid=kid), keys) == "key-unknown"


def test_a_mac_under_public_octets_is_refused(
    edge: Edge, exchange: EdgeExchangeKey, own: PrivateKey, mac: MacSigner
) -> None:
    keys, text = published(edge, own), signing_input(payload(), alg="HS256", kid=mac.kid)
    xs = [base64.urlsafe_b64decode(f"{jwk['x']}=") for jwk in (exchange.jwk, own.public_jwk)]
    for secret in (b"", bytes(32), *xs, exchange.public.thumbprint, own.public.thumbprint):
        forged = hmac.digest(secret, text.encode(), "sha256")
        assert cause(f"{text}.{base64url(forged)}", keys) == "signature-invalid"


@pytest.mark.parametrize("length", [0, 1, 16, 31, 33, 64])
def test_a_mac_of_another_length_is_refused(
    edge: Edge, own: PrivateKey, mac: MacSigner, length: int
) -> None:
    text = signing_input(payload(), alg="HS256", kid=mac.kid)
    right = mac.signature(text.encode())
    forged = (right + right)[:length]
    assert cause(f"{text}.{base64url(forged)}", published(edge, own)) == "signature-invalid"


def test_a_zero_shared_secret_is_refused_wherever_it_would_arise(own: PrivateKey) -> None:
    """RFC 7748 §6.1. `jwks` leaves such keys out, so this is a second line of defence."""
    zero = ExchangeKey(X25519PublicKey.from_public_bytes(bytes(32)), bytes(32))
    with pytest.raises(ValueError, match="shared key"):
        own.shared_with(zero)
    with pytest.raises(ValueError, match="shared key"):
        dict(OriginKeys((own,), AUDIENCE).mac_keys([zero]))


def test_a_signing_key_named_as_a_pair_makes_the_set_ambiguous(
    edge: Edge, own: PrivateKey, mac: MacSigner
) -> None:
    keys = edge.jwks["keys"]
    assert isinstance(keys, list)
    edge.jwks = {"keys": [*keys, {**Edge().jwk, "kid": mac.kid}]}
    with pytest.raises(JwksRefused) as refused:
        published(edge, own)
    assert refused.value.reason == "ambiguous-kid"


async def test_keys_of_edge_and_origin_rotate_without_downtime(
    edge: Edge, exchange: EdgeExchangeKey, own: PrivateKey
) -> None:
    following, following_edge = new_key(), EdgeExchangeKey()
    edge.jwks = {"keys": [edge.jwk, following_edge.jwk, exchange.jwk]}
    both = {"keys": [following.private_jwk, own.private_jwk]}
    guarded = FastgateMiddleware(Origin(), edge.settings(origin_key=both))
    for theirs in (exchange, following_edge):
        for ours in (own, following):
            header = theirs.for_origin(ours.public, AUDIENCE).sign(payload(PATH, TEMPLATE))
            assert await status(guarded, header) == 200


async def test_an_origin_with_given_keys_is_ready_and_fetches_none(
    edge: Edge, own: PrivateKey
) -> None:
    made = edge.settings(origin_key=own.private_jwk, ready_path="/ready")
    assert isinstance(made.key_source(), StaticKeys)
    async with client(FastgateMiddleware(Origin(), made)) as http:
        assert (await http.get("/ready")).status_code == 204


def test_an_edge_that_publishes_no_exchange_key_is_logged(
    edge: Edge, own: PrivateKey, caplog: pytest.LogCaptureFixture
) -> None:
    assert set(published(edge, own)) == {edge.kid}
    assert caplog.messages == ["the edge publishes no X25519 key, so it cannot sign by a MAC"]


def test_the_secret_is_in_no_representation(
    edge: Edge, exchange: EdgeExchangeKey, own: PrivateKey, mac: MacSigner
) -> None:
    made, secret = edge.settings(origin_key=own.private_jwk), str(own.private_jwk["d"])
    octets = base64.urlsafe_b64decode(f"{secret}=")
    shown = [made, made.key_source(), own, OriginKeys((own,), AUDIENCE), mac, [mac.key], exchange]
    for thing in shown:
        for text in (repr(thing), str(thing)):
            assert secret not in text
            assert repr(octets)[2:-1] not in text
            assert octets.hex() not in text


async def test_no_refusal_logs_the_secret(
    edge: Edge,
    exchange: EdgeExchangeKey,
    own: PrivateKey,
    mac: MacSigner,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    guarded = FastgateMiddleware(Origin(), edge.settings(origin_key=own.private_jwk))
    stranger = exchange.for_origin(new_key().public, AUDIENCE)
    for header in ("x", stranger.sign(payload(PATH, TEMPLATE)), mac.sign({})):
        assert await status(guarded, header) == 401
    secret = str(own.private_jwk["d"])
    assert secret not in caplog.text
    wrong = {**own.private_jwk, "use": "sig"}
    with pytest.raises(ValueError, match="not-an-exchange-key") as refused:
        edge.settings(origin_key=wrong)
    assert secret not in str(refused.value)


def jwk(**changes: object) -> dict[str, object]:
    entry = {**new_key().private_jwk, **changes}
    return {name: value for name, value in entry.items() if value is not ...}


def stray(text: object) -> str:
    return f"{str(text)[:-1]}{chr(ord(str(text)[-1]) + 1)}"


GOOD = jwk()


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        (jwk(kty="EC"), "not-an-exchange-key"),
        (jwk(kty="oct", k="AAAA"), "not-an-exchange-key"),
        (jwk(crv="Ed25519"), "not-an-exchange-key"),
        (jwk(crv="X448"), "not-an-exchange-key"),
        (jwk(use="sig"), "not-an-exchange-key"),
        (SigningKey().private_jwk, "not-an-exchange-key"),
        ({}, "not-an-exchange-key"),
        (new_key().public_jwk, "not-private"),
        (jwk(d=""), "not-32-bytes"),
        (jwk(d=7), "not-32-bytes"),
        (jwk(d="é" * 43), "not-32-bytes"),
        (jwk(d=base64url(bytes(31))), "not-32-bytes"),
        (jwk(d=base64url(bytes(33))), "not-32-bytes"),
        ({**GOOD, "d": f"{GOOD['d']}="}, "not-32-bytes"),
        ({**GOOD, "d": stray(GOOD["d"])}, "not-32-bytes"),
        ({**GOOD, "x": f"{GOOD['x']}="}, "not-32-bytes"),
        ({**GOOD, "x": stray(GOOD["x"])}, "not-32-bytes"),
        (jwk(x=...), "not-32-bytes"),
        (jwk(x=GOOD["x"]), "not-a-pair"),
        (jwk(x=base64url(bytes(32))), "not-a-pair"),  # a point of low order
        (jwk(kid=GOOD["kid"]), "not-its-thumbprint"),
        (jwk(kid=""), "not-its-thumbprint"),
        (jwk(kid=None), "not-its-thumbprint"),
    ],
)
def test_an_unsuitable_origin_key_is_refused_and_not_ignored(
    edge: Edge, entry: dict[str, object], expected: str
) -> None:
    assert reason(entry) == expected
    assert reason({"keys": [entry]}) == expected
    assert reason({"keys": [jwk(), entry]}) == expected
    with pytest.raises(ValueError, match=expected) as refused:
        edge.settings(origin_key=entry)
    assert "fastgate origin-key new" in str(refused.value)


def test_origin_keys_are_a_jwk_or_a_jwk_set_of_different_keys() -> None:
    assert read_origin_keys(GOOD)[0].private_jwk == GOOD
    assert read_origin_keys({name: GOOD[name] for name in ("kty", "crv", "x", "d")})
    assert reason({"keys": []}) == "no-usable-key"
    assert reason({"keys": [GOOD, GOOD]}) == "ambiguous-kid"
    assert reason({"keys": ["x"]}) == "not-an-exchange-key"
    assert reason({"keys": None}) == "not-a-jwk-set"
    assert reason({"keys": GOOD}) == "not-a-jwk-set"
    with pytest.raises(ValueError, match="32 bytes"):
        MacKey(b"")


def test_a_public_key_in_the_settings_is_explained(edge: Edge) -> None:
    with pytest.raises(ValueError, match="pass the private one"):
        edge.settings(origin_key=new_key().public_jwk)


def test_the_former_argument_is_unknown() -> None:
    with pytest.raises(TypeError, match="origin_keys"):
        Settings(edge=ISSUER, audience=AUDIENCE, origin_keys={})  # type: ignore[call-arg]


def test_stray_bits_in_the_last_character_of_a_mac_are_refused(
    edge: Edge, own: PrivateKey, mac: MacSigner
) -> None:
    # 32 octets leave two unused bits in the last of 43 characters.
    token = mac.sign(payload(PATH, TEMPLATE))
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    sibling = alphabet[alphabet.index(token[-1]) + 1]
    assert cause(f"{token[:-1]}{sibling}", published(edge, own)) == "token-malformed"


def test_the_mac_is_compared_in_constant_time(
    edge: Edge, own: PrivateKey, mac: MacSigner, monkeypatch: pytest.MonkeyPatch
) -> None:
    compared: list[tuple[bytes, bytes]] = []

    def compare(one: bytes, other: bytes) -> bool:
        compared.append((one, other))
        return hmac.compare_digest(one, other)

    monkeypatch.setattr("fastgate.verify.compare_digest", compare)
    text = signing_input(payload(PATH, TEMPLATE), alg="HS256", kid=mac.kid)
    guess = hashlib.sha256(b"guess").digest()
    assert cause(f"{text}.{base64url(guess)}", published(edge, own)) == "signature-invalid"
    assert compared == [(mac.signature(text.encode()), guess)]


# The command.


def run(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    action: str,
    given: str = "",
) -> tuple[int, str, str]:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(given.encode())))
    code = main(["origin-key", action])
    return code, *capsys.readouterr()


def test_the_command_makes_a_key_that_the_settings_accept(
    edge: Edge, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = run(monkeypatch, capsys, "new")
    private: dict[str, Any] = json.loads(out)
    assert code == 0
    assert edge.settings(origin_key=private).origin_key == private
    assert private["d"] not in err
    assert "origins.<name>.key" in err
    found = re.search(r"\{.*\}", err)
    assert found
    public = json.loads(found.group())
    assert public == {name: private[name] for name in ("kty", "crv", "x", "use", "kid")}
    assert read_exchange_key(public).kid == public["kid"]
    code, out, err = run(monkeypatch, capsys, "public", json.dumps(private))
    assert (code, json.loads(out)) == (0, public)
    assert private["d"] not in out + err
    _, other, _ = run(monkeypatch, capsys, "new")
    assert json.loads(other)["d"] != private["d"]


def test_the_public_halves_of_several_keys_are_one_line_each(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    keys = [new_key(), new_key()]
    both = json.dumps({"keys": [key.private_jwk for key in keys]})
    code, out, _ = run(monkeypatch, capsys, "public", both)
    assert code == 0
    assert [json.loads(line) for line in out.splitlines()] == [key.public_jwk for key in keys]


@pytest.mark.parametrize(
    "given", ["", "x", "[]", "{}", json.dumps(new_key().public_jwk), json.dumps(jwk(kty="EC"))]
)
def test_the_command_refuses_what_is_not_a_private_key(
    given: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = run(monkeypatch, capsys, "public", given)
    assert (code, out) == (2, "")
    assert "origin-key public < FILE" in err
    if '"d"' in given:
        assert json.loads(given)["d"] not in err


def test_an_x25519_key_has_one_spelling_and_no_algorithm() -> None:
    jwk = {"kty": "OKP", "crv": "X25519"}
    for number in (9, 2**255 - 20):
        text = base64url(number.to_bytes(32, "little"))
        if number == 9:
            assert read_exchange_key({**jwk, "x": text})
    for number in (2**255 - 19 + 9, 2**255 - 1, 2**255 + 9):
        with pytest.raises(JwksRefused):
            read_exchange_key({**jwk, "x": base64url(number.to_bytes(32, "little"))})
    with pytest.raises(JwksRefused):
        read_exchange_key({**jwk, "x": base64url((9).to_bytes(32, "little")), "alg": "ECDH-ES"})
