"""Which headers `verify` accepts, and why it refuses the others."""

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed448

from fastgate import EdgeClaims, Refused, errors
from fastgate.keys.key_set import read_key_set
from fastgate.verify import MAX_TOKEN_BYTES, RequestHead, verify
from tests.edge import AUDIENCE, HOST, IDP, ISSUER, Edge, base64url, payload

NOW = 1_800_000_000
HOST_BYTES = HOST.encode()
HEAD = RequestHead("GET", b"/orders/7", b"", HOST_BYTES)


def verified(
    token: bytes,
    edge: Edge,
    head: RequestHead = HEAD,
    now: float = NOW,
    audience: str = AUDIENCE,
    backend_host: str | None = None,
) -> EdgeClaims:
    keys = read_key_set(json.dumps(edge.jwks).encode())
    return verify(
        token,
        keys,
        head,
        issuer=ISSUER,
        audience=audience,
        now=now,
        backend_host=backend_host,
    )


def cause(token: bytes, edge: Edge, head: RequestHead = HEAD, now: float = NOW) -> str:
    with pytest.raises(Refused) as refused:
        verified(token, edge, head, now)
    return refused.value.code


def changed(**claims: object) -> dict[str, object]:
    """Return the payload with these claims changed; those set to Ellipsis are left out."""
    merged = {**payload(now=NOW), **claims}
    return {name: value for name, value in merged.items() if value is not ...}


def changed_within(outer: str, **claims: object) -> dict[str, object]:
    inner = payload(now=NOW)[outer]
    assert isinstance(inner, dict)
    merged = {**inner, **claims}
    return changed(**{outer: {name: value for name, value in merged.items() if value is not ...}})


def test_every_claim_of_a_valid_header_is_returned(edge: Edge) -> None:
    claims = verified(edge.mint(now=NOW), edge)
    assert (claims.issuer, claims.audience) == (ISSUER, AUDIENCE)
    assert (claims.subject, claims.requester.issuer) == ("ada", IDP)
    assert claims.scopes == {"orders:read"}
    assert (claims.request_id, claims.requester.country) == ("01J9Z", "DE")
    assert claims.transaction.template == "/orders/{order_id}"


def test_unknown_claims_and_header_members_are_ignored(edge: Edge) -> None:
    header = {**edge.jose_header(), "nonce": "x", "jku": "https://evil.example"}
    assert verified(edge.sign(changed(shoe_size=42), header), edge).subject == "ada"


def test_an_anonymous_caller_has_no_subject_and_needs_no_rctx(edge: Edge) -> None:
    claims = verified(edge.sign(changed(sub=..., scope="", rctx=...)), edge)
    assert claims.subject is None
    assert claims.scopes == frozenset()
    assert claims.requester.country is None


# About another request (docs/attacks.md, rows G2, G3 and G5).


def test_the_same_request_within_the_lifetime_is_accepted_again(edge: Edge) -> None:
    token = edge.mint(now=NOW)
    assert verified(token, edge, now=NOW) == verified(token, edge, now=NOW + 29)


@pytest.mark.parametrize(
    ("head", "code"),
    [
        (RequestHead("POST", b"/orders/7", b"", HOST_BYTES), "method-mismatch"),
        (RequestHead("get", b"/orders/7", b"", HOST_BYTES), "method-mismatch"),
        (RequestHead("GET", b"/orders/8", b"", HOST_BYTES), "path-mismatch"),
        (RequestHead("GET", b"/orders/%37", b"", HOST_BYTES), "path-mismatch"),
        (RequestHead("GET", b"/orders/7/", b"", HOST_BYTES), "path-mismatch"),
        (RequestHead("GET", b"/orders/\xff", b"", HOST_BYTES), "path-mismatch"),
        (RequestHead("GET", b"/orders/7", b"all=1", HOST_BYTES), "query-mismatch"),
    ],
)
def test_a_header_for_another_request_is_refused(edge: Edge, head: RequestHead, code: str) -> None:
    assert cause(edge.mint(now=NOW), edge, head) == code


@pytest.mark.parametrize(
    ("websocket", "found"), [(False, "POST"), (True, "POST (WebSocket)"), (True, "GET (WebSocket)")]
)
def test_a_refusal_distinguishes_a_handshake_from_a_request(
    edge: Edge, websocket: bool, found: str
) -> None:
    head = RequestHead(found.partition(" ")[0], b"/orders/7", b"", HOST_BYTES, websocket=websocket)
    with pytest.raises(errors.MethodMismatch) as refused:
        verified(edge.mint(now=NOW), edge, head)
    assert (refused.value.signed, refused.value.found) == ("GET", found)


def test_the_query_is_bound_byte_for_byte(edge: Edge) -> None:
    token = edge.mint(query=b"a=1&b=%20", now=NOW)
    assert (
        verified(token, edge, RequestHead("GET", b"/orders/7", b"a=1&b=%20", HOST_BYTES)).subject
        == "ada"
    )
    for query in (b"", b"b=%20&a=1", b"a=1&b=+", b"a=1&b=%20&"):
        assert (
            cause(token, edge, RequestHead("GET", b"/orders/7", query, HOST_BYTES))
            == "query-mismatch"
        )


def test_a_digest_of_the_empty_query_is_not_the_absence_of_one(edge: Edge) -> None:
    digest = base64url(hashlib.sha256(b"").digest())
    assert cause(edge.sign(changed_within("tctx", query=digest)), edge) == "query-mismatch"


def test_a_percent_encoded_path_is_compared_as_it_was_sent(edge: Edge) -> None:
    head = RequestHead("GET", b"/orders/%37", b"", HOST_BYTES)
    assert verified(edge.mint("/orders/%37", now=NOW), edge, head).subject == "ada"


def test_the_decoded_path_is_compared_if_the_server_keeps_only_that(edge: Edge) -> None:
    token = edge.mint("/orders/%37", now=NOW)
    good: tuple[tuple[str, ...], ...] = (("/orders/7",), ("/api/orders/7", "/orders/7"))
    for paths in good:
        head = RequestHead("GET", None, b"", HOST_BYTES, decoded_paths=paths)
        assert verified(token, edge, head).subject == "ada"
    bad: tuple[tuple[str, ...], ...] = ((), ("/orders/8",), ("/orders/%37",))
    for paths in bad:
        head = RequestHead("GET", None, b"", HOST_BYTES, decoded_paths=paths)
        assert cause(token, edge, head) == "path-mismatch"


def test_a_header_for_another_origin_of_the_same_edge_is_refused(edge: Edge) -> None:
    with pytest.raises(errors.AudienceMismatch):
        verified(edge.mint(now=NOW), edge, audience="billing")


@pytest.mark.parametrize("aud", [[AUDIENCE], "", "orders ", "Orders", None, ...])
def test_the_audience_is_one_exact_string(edge: Edge, aud: object) -> None:
    assert cause(edge.sign(changed(aud=aud)), edge) in {"audience-mismatch", "claim-malformed"}


@pytest.mark.parametrize("iss", [ISSUER + "/", ISSUER.upper(), "https://evil.example", [ISSUER]])
def test_the_issuer_is_one_exact_string(edge: Edge, iss: object) -> None:
    assert cause(edge.sign(changed(iss=iss, req_wl=iss)), edge) in {
        "issuer-mismatch",
        "claim-malformed",
    }


# Time (row G4).


def test_a_header_expires_at_exp_plus_leeway_and_not_a_moment_later(edge: Edge) -> None:
    token = edge.mint(now=NOW)  # exp is NOW + 30, the leeway 5
    assert verified(token, edge, now=NOW + 34.9).subject == "ada"
    assert cause(token, edge, now=NOW + 35) == "expired"
    assert cause(token, edge, now=NOW + 3600) == "expired"


def test_a_header_from_the_future_is_accepted_only_within_the_leeway(edge: Edge) -> None:
    token = edge.mint(now=NOW)
    assert verified(token, edge, now=NOW - 5).subject == "ada"
    assert cause(token, edge, now=NOW - 5.1) == "not-yet-valid"


@pytest.mark.parametrize(
    ("lifetime", "ok"), [(60, True), (61, False), (1, True), (0, False), (-1, False)]
)
def test_a_header_is_valid_for_a_minute_at_most(edge: Edge, lifetime: int, ok: bool) -> None:
    token = edge.sign(changed(iat=NOW, exp=NOW + lifetime))
    if ok:
        assert verified(token, edge).subject == "ada"
    else:
        assert cause(token, edge) == "lifetime-refused"


def test_a_lifetime_is_logged_as_a_difference(edge: Edge) -> None:
    token = edge.sign(changed(iat=1000, exp=2005))
    with pytest.raises(errors.LifetimeRefused) as refused:
        verified(token, edge, now=1000)
    assert refused.value.signed == "1005 seconds"


# Structure, algorithm, key (rows G6 and G9).


@pytest.mark.parametrize(
    "alg",
    [*("none", "None", "nOnE", "", None, 5, ["EdDSA"]), *("Ed25519", "eddsa", "ES256", "RS256")],
)
def test_only_eddsa_is_accepted(edge: Edge, alg: object) -> None:
    token = edge.sign(payload(now=NOW), {**edge.jose_header(), "alg": alg})
    assert cause(token, edge) == "algorithm-refused"
    unsigned = token.rpartition(b".")[0] + b"."
    assert cause(unsigned, edge) == "algorithm-refused"


def test_a_mac_keyed_with_the_public_key_is_not_a_signature(edge: Edge) -> None:
    public = edge.private_key.public_key()
    spellings = (
        public.public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        ),
        public.public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        ),
        public.public_bytes_raw(),
        json.dumps(edge.jwk).encode(),
    )
    for alg in ("HS256", "EdDSA"):
        header = {**edge.jose_header(), "alg": alg}
        signing_input = edge.sign(payload(now=NOW), header).rpartition(b".")[0]
        for secret in spellings:
            mac = hmac.new(secret, signing_input, hashlib.sha256).digest()
            token = signing_input + b"." + base64url(mac).encode()
            assert cause(token, edge) in {"algorithm-refused", "signature-invalid"}


@pytest.mark.parametrize(
    "typ",
    ["JWT", "at+jwt", "TXNTOKEN+JWT", "application/txntoken+jwt", "txntoken+jwt ", "", None, 1],
)
def test_a_token_of_another_type_is_refused(edge: Edge, typ: object) -> None:
    token = edge.sign(payload(now=NOW), {**edge.jose_header(), "typ": typ})
    assert cause(token, edge) == "type-refused"


@pytest.mark.parametrize("crit", [[], ["exp"], ["b64"], ["foo"], "x", [1], None, {}])
def test_any_crit_is_refused_even_an_empty_one(edge: Edge, crit: object) -> None:
    token = edge.sign(payload(now=NOW), {**edge.jose_header(), "crit": crit})
    assert cause(token, edge) == "critical-refused"


def test_an_unencoded_payload_is_refused(edge: Edge) -> None:
    token = edge.sign(payload(now=NOW), {**edge.jose_header(), "b64": False})
    assert cause(token, edge) == "critical-refused"


@pytest.mark.parametrize(
    "kid", [None, "", 7, [], ["k"], {"k": 1}, "../keys", "' OR 1=1 --", "kid\r\n\0", "🔑"]
)
def test_a_kid_is_looked_up_exactly_or_not_at_all(edge: Edge, kid: object) -> None:
    token = edge.sign(payload(now=NOW), {**edge.jose_header(), "kid": kid})
    assert cause(token, edge) == "key-unknown"


def test_a_missing_kid_is_not_guessed_although_there_is_one_key(edge: Edge) -> None:
    header = {name: value for name, value in edge.jose_header().items() if name != "kid"}
    assert cause(edge.sign(payload(now=NOW), header), edge) == "key-unknown"


def test_another_edges_key_is_unknown_and_under_our_kid_its_signature_fails(edge: Edge) -> None:
    other = Edge()
    assert cause(other.mint(now=NOW), edge) == "key-unknown"
    token = other.sign(payload(now=NOW), {**edge.jose_header(), "jwk": other.jwk})
    assert cause(token, edge) == "signature-invalid"


def test_an_access_token_of_the_identity_provider_is_not_an_identity_header(edge: Edge) -> None:
    provider = Edge()
    access_token: Mapping[str, object] = {
        "iss": IDP,
        "aud": AUDIENCE,
        "sub": "ada",
        "client_id": "shop",
        "iat": NOW,
        "exp": NOW + 30,
        "scope": "orders:read",
    }
    header = {"alg": "EdDSA", "typ": "at+jwt", "kid": provider.kid}
    assert cause(provider.sign(access_token, header), edge) == "type-refused"
    # Not even if the provider's token had this type and this key.
    assert cause(edge.sign(access_token), edge) == "claim-malformed"


def test_a_changed_byte_anywhere_is_refused(edge: Edge) -> None:
    header, body, signature = edge.mint(now=NOW).split(b".")
    forged = base64url(json.dumps(changed(sub="root")).encode()).encode()
    assert cause(b".".join((header, forged, signature)), edge) == "signature-invalid"
    flipped = base64url(bytes(64)).encode()
    assert cause(b".".join((header, body, flipped)), edge) == "signature-invalid"
    der = edge.private_key.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    assert cause(b".".join((header, body, base64url(der).encode())), edge) == "signature-invalid"


@pytest.mark.parametrize("version", [..., None, 1, 3, 2.0, 2.5, "2", True, [2], {"ver": 2}, -2])
def test_another_version_of_the_contract_is_refused(edge: Edge, version: object) -> None:
    header = {**edge.jose_header(), "ver": version}
    raw = {name: value for name, value in header.items() if value is not ...}
    assert cause(edge.sign(payload(now=NOW), raw), edge) == "version-refused"


def test_the_version_is_the_number_2_in_every_spelling_of_its_digits(edge: Edge) -> None:
    spelled = json.dumps(edge.jose_header()).replace(": 2", ": 2e0")
    assert cause(edge.sign(payload(now=NOW), spelled.encode()), edge) == "version-refused"
    for digits in ("02", "+2", "0x2"):
        spelled = json.dumps(edge.jose_header()).replace(": 2", f": {digits}")
        assert cause(edge.sign(payload(now=NOW), spelled.encode()), edge) == "token-malformed"


def test_a_header_of_version_1_is_refused(edge: Edge) -> None:
    header = {name: value for name, value in edge.jose_header().items() if name != "ver"}
    assert cause(edge.sign(payload(now=NOW), {**header, "alg": "ES256"}), edge) == (
        "algorithm-refused"
    )
    assert cause(edge.sign(payload(now=NOW), header), edge) == "version-refused"


# Ed25519 (RFC 8032 §5.1.7): the same cases as in the collection of Wycheproof.

ORDER = 2**252 + 27742317777372353535851937790883648493
PRIME = 2**255 - 19


def with_signature(token: bytes, signature: bytes) -> bytes:
    return token.rpartition(b".")[0] + b"." + base64url(signature).encode()


@pytest.fixture
def signed(edge: Edge) -> bytes:
    return edge.mint(now=NOW)


@pytest.fixture
def octets(signed: bytes) -> bytes:
    """Return the signature of `signed`: R, then S."""
    return base64.urlsafe_b64decode(signed.rpartition(b".")[2] + b"==")


@pytest.mark.parametrize("times", [1, 2, 7, 15])
def test_a_signature_whose_s_is_not_reduced_is_refused(
    edge: Edge, signed: bytes, octets: bytes, times: int
) -> None:
    """Otherwise each signature would have several spellings."""
    assert verified(with_signature(signed, octets), edge).subject == "ada"
    s = int.from_bytes(octets[32:], "little") + times * ORDER
    if s < 2**256:
        forged = octets[:32] + s.to_bytes(32, "little")
        assert cause(with_signature(signed, forged), edge) == "signature-invalid"


@pytest.mark.parametrize("number", [0, 1, ORDER - 1, ORDER, ORDER + 1, PRIME, 2**256 - 1])
def test_a_signature_of_special_numbers_is_refused(
    edge: Edge, signed: bytes, octets: bytes, number: int
) -> None:
    special = number.to_bytes(32, "little")
    for forged in (special * 2, special + octets[32:], octets[:32] + special):
        assert cause(with_signature(signed, forged), edge) == "signature-invalid"


def test_a_signature_has_64_bytes_in_one_order(edge: Edge, signed: bytes, octets: bytes) -> None:
    r, s = octets[:32], octets[32:]
    wrong = (b"", r, r + s[:-1], r + s + b"\0", b"\0" + r + s, s + r, r[::-1] + s[::-1], r + s + r)
    for forged in wrong:
        assert cause(with_signature(signed, forged), edge) == "signature-invalid"


def test_a_signature_with_the_other_sign_of_r_is_refused(
    edge: Edge, signed: bytes, octets: bytes
) -> None:
    flipped = octets[:31] + bytes([octets[31] ^ 0x80]) + octets[32:]
    assert cause(with_signature(signed, flipped), edge) == "signature-invalid"


def test_the_prehashed_variant_is_another_signature(edge: Edge, signed: bytes) -> None:
    """Ed25519ph signs the hash of the message, with a prefix (RFC 8032 §5.1)."""
    digest = hashlib.sha512(signed.rpartition(b".")[0]).digest()
    for message in (digest, b"SigEd25519 no Ed25519 collisions\1\0" + digest):
        forged = edge.private_key.sign(message)
        assert cause(with_signature(signed, forged), edge) == "signature-invalid"


def test_a_signature_of_small_order_is_valid_under_no_usable_key(edge: Edge, signed: bytes) -> None:
    for first in (0, 1, PRIME - 1, PRIME, PRIME + 1):
        forged = first.to_bytes(32, "little") + bytes(32)
        assert cause(with_signature(signed, forged), edge) == "signature-invalid"


def test_the_compact_form_has_one_spelling_only(edge: Edge) -> None:
    token = edge.mint(now=NOW)
    header, body, signature = token.split(b".")
    for wrong in (
        b"",
        b".",
        b"..",
        b"a.b.c",
        header + b"." + body,
        token + b".",
        b"." + token,
        token + b"=",
        token + b"\n",
        b" " + token,
        token + b", " + token,
        token + b"," + token,
        header + b"." + body[:4] + b"\n" + body[4:] + b"." + signature,
        header + b"." + body + b"." + signature[:4] + b"+" + signature[4:],
        token + b"\xff",
        json.dumps({"payload": body.decode(), "signature": signature.decode()}).encode(),
    ):
        assert cause(wrong, edge) == "token-malformed", wrong


def test_stray_bits_in_the_last_character_are_refused(edge: Edge) -> None:
    token = edge.mint(now=NOW)
    # 64 octets leave four unused bits in the last of 86 characters.
    alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    sibling = alphabet[alphabet.index(token[-1:]) + 1 :][:1]
    lenient = base64.urlsafe_b64decode(token.rpartition(b".")[2][:-1] + sibling + b"==")
    strict = base64.urlsafe_b64decode(token.rpartition(b".")[2] + b"==")
    assert lenient == strict, "the standard library accepts both spellings"
    assert cause(token[:-1] + sibling, edge) == "token-malformed"


def test_a_header_over_the_limit_is_not_read(edge: Edge) -> None:
    assert cause(b"x" * (MAX_TOKEN_BYTES + 1), edge) == "header-too-long"
    assert cause(b"x" * MAX_TOKEN_BYTES, edge) == "token-malformed"
    assert MAX_TOKEN_BYTES == 8192, "an edge may send as much"


@pytest.mark.parametrize(
    "member", ['"alg":"EdDSA"', '"typ":"txntoken+jwt"', '"ver":2', '"kid":"x"', '"\\u0061lg":1']
)
def test_a_duplicate_member_in_the_header_is_refused(edge: Edge, member: str) -> None:
    raw = json.dumps(edge.jose_header())[:-1] + "," + member + "," + member + "}"
    assert cause(edge.sign(payload(now=NOW), raw.encode()), edge) == "token-malformed"


@pytest.mark.parametrize(
    "member", ['"sub":"root"', '"s\\u0075b":"root"', '"exp":9999999999', '"scope":"orders:write"']
)
def test_a_duplicate_claim_is_refused_at_any_depth(edge: Edge, member: str) -> None:
    raw = json.dumps(payload(now=NOW))
    assert cause(edge.sign((raw[:-1] + "," + member + "}").encode()), edge) == "token-malformed"
    nested = raw.replace('"tctx": {', '"tctx": {"path": "/", ')
    assert cause(edge.sign(nested.encode()), edge) == "token-malformed"


@pytest.mark.parametrize(
    "raw",
    [
        b"[]",
        b'"x"',
        b"1",
        b"null",
        b"{",
        b"\xef\xbb\xbf{}",
        b'{"sub":"\xff"}',
        b'{"sub":"\\ud800"}',
        b'{"exp":NaN}',
        b'{"exp":' + b"9" * 5000 + b"}",
        b'{"a":' + b"[" * 5000 + b"]" * 400 + b"}",
    ],
)
def test_a_document_that_is_not_one_unambiguous_object_is_refused(edge: Edge, raw: bytes) -> None:
    assert cause(edge.sign(raw), edge) == "token-malformed"
    assert cause(edge.sign(payload(now=NOW), raw), edge) == "token-malformed"


# Claims.


@pytest.mark.parametrize("name", ["iat", "exp"])
@pytest.mark.parametrize(
    "value",
    [..., None, "1800000000", True, [NOW], NOW + 0.5, float(NOW), 2**60, -(2**60), 10**4200],
)
def test_times_are_integers_and_required(edge: Edge, name: str, value: object) -> None:
    assert cause(edge.sign(changed(**{name: value})), edge) == "claim-malformed"


@pytest.mark.parametrize(
    "claims",
    [
        changed(sub=None),
        changed(sub=""),
        changed(sub=7),
        changed(sub=...),
        changed(txn=...),
        changed(txn=1),
        changed(req_wl=...),
        changed(req_wl=None),
        changed(req_wl=""),
        changed(req_wl=[ISSUER]),
        changed(req_wl=ISSUER + "/"),
        changed(req_wl="https://another-edge.example"),
        changed(scope=...),
        changed(scope=None),
        changed(sub=..., rctx={}),
        changed(sub=..., rctx=..., scope=...),
        changed(scope=["orders:read"]),
        changed(scope="orders:read  orders:write"),
        changed(scope="orders:read\torders:write"),
        changed(scope=" orders:read"),
        changed(tctx=...),
        changed(tctx=[]),
        changed(rctx="x"),
        changed(rctx={}),
        changed_within("tctx", template=...),
        changed_within("tctx", route=1),
        changed_within("tctx", path=None),
        changed_within("tctx", host=...),
        changed_within("tctx", host=None),
        changed_within("tctx", host=""),
        changed_within("tctx", host=[HOST]),
        changed_within("tctx", method=["GET"]),
        changed_within("tctx", query=""),
        changed_within("tctx", query="short"),
        changed_within("rctx", country="de"),
        changed_within("rctx", country="DEU"),
        changed_within("rctx", client_id=5),
        changed_within("rctx", iss=""),
    ],
)
def test_a_claim_of_the_wrong_type_is_refused_not_coerced(
    edge: Edge, claims: dict[str, object]
) -> None:
    assert cause(edge.sign(claims), edge) == "claim-malformed"


def test_a_scope_is_a_whole_word(edge: Edge) -> None:
    claims = verified(edge.sign(changed(scope="orders:read notadmin")), edge)
    assert claims.scopes == {"orders:read", "notadmin"}


def test_a_refusal_prints_its_code_and_nothing_of_the_token(edge: Edge) -> None:
    with pytest.raises(Refused) as refused:
        verified(edge.sign(changed(aud="a-secret-name")), edge)
    assert str(refused.value) == "audience-mismatch"


def test_a_caller_without_scopes_has_an_empty_claim(edge: Edge) -> None:
    assert verified(edge.sign(changed(scope="")), edge).scopes == frozenset()


def test_eddsa_accepts_only_keys_on_ed25519(edge: Edge) -> None:
    # A custom key source may hold any key. `EdDSA` also names Ed448 (RFC 8037 §3.1).
    signed = edge.sign(payload(now=NOW)).rpartition(b".")[0]
    other = ed448.Ed448PrivateKey.generate()
    token = signed + b"." + base64url(other.sign(signed)).encode()
    for key in (other.public_key(), ec.generate_private_key(ec.SECP256R1()).public_key(), "key"):
        keys = {edge.kid: key}
        with pytest.raises(Refused) as refused:
            verify(token, keys, HEAD, issuer=ISSUER, audience=AUDIENCE, now=NOW)  # type: ignore[arg-type]
        assert refused.value.code == "signature-invalid"


# The host.


@pytest.mark.parametrize(
    "found",
    [
        *(None, b"", b"another.example", HOST_BYTES + b":80", HOST_BYTES + b"."),
        *(HOST_BYTES.upper(), b" " + HOST_BYTES, HOST_BYTES + b", " + HOST_BYTES, b"\xff"),
    ],
)
def test_the_host_is_compared_byte_for_byte(edge: Edge, found: bytes | None) -> None:
    with pytest.raises(errors.HostMismatch) as refused:
        verified(edge.mint(now=NOW), edge, HEAD._replace(host=found))
    shown = None if found is None else found.decode("latin-1")
    assert (refused.value.signed, refused.value.found) == (HOST, shown)
    assert refused.value.request_id == "01J9Z"


def test_the_clients_host_is_returned(edge: Edge) -> None:
    for host in ("api.example.com", "API.example.com:8443", "[::1]:80", "münchen.example"):
        token = edge.mint(host=host, now=NOW)
        claims = verified(token, edge, HEAD._replace(host=host.encode()))
        assert claims.transaction.host == host


def test_the_host_of_the_backend_replaces_the_clients(edge: Edge) -> None:
    token = edge.mint(host="api.example.com", now=NOW)

    def judged(found: bytes | None) -> EdgeClaims:
        return verified(token, edge, HEAD._replace(host=found), backend_host="orders.internal")

    assert judged(b"orders.internal").transaction.host == "api.example.com"
    for found in (None, b"api.example.com", b"orders.internal:80", b"Orders.internal"):
        with pytest.raises(errors.HostMismatch):
            judged(found)


def test_a_handshake_may_arrive_with_the_name_of_the_backend(edge: Edge) -> None:
    # The platform puts the backend's name into `Host` of a handshake.
    handshake = HEAD._replace(websocket=True)
    token = edge.sign(changed_within("tctx", websocket=True))
    for host in (b"127.0.0.1:8000", b"orders.internal"):
        claims = verified(token, edge, handshake._replace(host=host))
        assert claims.transaction.host == HOST
    for none in (None, b""):
        assert cause(token, edge, handshake._replace(host=none)) == "host-mismatch"

    def judged(found: bytes) -> EdgeClaims:
        return verified(token, edge, handshake._replace(host=found), backend_host="orders.internal")

    assert judged(b"orders.internal").transaction.host == HOST
    with pytest.raises(errors.HostMismatch):
        judged(b"127.0.0.1:8000")
