"""Make the public test vectors of the contract: `tests/data/contract/*.json`.

    python origin/tests/make_vectors.py [all]

Input: only the constants here; the keys are fixed and public, so they are of no other use. Output:
for each of the two signatures one file of headers that must be accepted and one of headers that
must be refused, and the keys. ES256 signatures are random, so `all` changes every header. Without
`all`, existing vectors stay as they are; they are recognized by their names.
"""

import base64
import hashlib
import hmac
import json
import sys
from collections.abc import Mapping
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from fastgate.content import content_digest
from fastgate.fake_edge.signing import SigningKey, base64url

DIRECTORY = Path(__file__).parents[2] / "tests" / "data" / "contract"
NOW = 1_800_000_000
ISSUER, AUDIENCE = "https://edge.example", "orders"
REQUEST = {"method": "GET", "path": "/orders/7", "query": ""}
POST, BODY = {"method": "POST"}, '{"quantity": 1}'

# Secret scalars of keys on P-256. They are published here, so never trust these keys.
_SCALARS = (0x0FA57_6A7E_0001, 0x0FA57_6A7E_0002, 0x0FA57_6A7E_0003)
_KEYS = tuple(SigningKey(ec.derive_private_key(d, ec.SECP256R1())) for d in _SCALARS)
SCALARS = {key.kid: d for key, d in zip(_KEYS, _SCALARS, strict=True)}
EDGE, OLD_EDGE, STRANGER = _KEYS


def payload(**changes: object) -> dict[str, object]:
    """Return the payload of the contract with these claims changed; Ellipsis leaves one out."""
    good: dict[str, object] = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "iat": NOW,
        "exp": NOW + 30,
        "txn": "0b2f3c9e5d7a41f88e6c1d2b3a495867",
        "sub": "ada",
        "scope": "orders:read orders:write",
        "tctx": tctx(),
        "rctx": {"iss": "https://idp.example", "client_id": "shop", "country": "DE"},
    }
    return {name: value for name, value in {**good, **changes}.items() if value is not ...}


def tctx(**changes: object) -> dict[str, object]:
    """Return `tctx` for `GET /orders/7`, changed likewise."""
    good = {"route": "read_order", "template": "/orders/{order_id}", "method": "GET"}
    merged = {**good, "path": "/orders/7", **changes}
    return {name: value for name, value in merged.items() if value is not ...}


def query(text: str) -> dict[str, object]:
    """Return `tctx` for the same request with a query."""
    return tctx(query=base64url(hashlib.sha256(text.encode()).digest()))


def ending(at: int) -> dict[str, object]:
    """Return `rctx` of a caller whose token expires at this time."""
    return {"iss": "https://idp.example", "client_id": "shop", "token_exp": at}


def accepted() -> list[dict[str, object]]:
    """Return headers that an origin must accept, each with the request that it was signed for."""
    anonymous = payload(sub=..., scope=..., rctx={})
    at_edge_of_time = payload(iat=NOW - 30, exp=NOW)
    encoded = tctx(path="/orders/caf%C3%A9")
    return [
        _vector("a known caller", EDGE.sign(payload())),
        _vector("signed by the older of two published keys", OLD_EDGE.sign(payload())),
        _vector("an anonymous caller", EDGE.sign(anonymous)),
        _vector("somebody from a country", EDGE.sign({**anonymous, "rctx": {"country": "DE"}})),
        _vector("the end of the caller's token", EDGE.sign(payload(rctx=ending(NOW + 600)))),
        _vector("a token that ended within its leeway", EDGE.sign(payload(rctx=ending(NOW - 20)))),
        _vector("a caller without scopes", EDGE.sign(payload(scope=...))),
        _vector("a query", EDGE.sign(payload(tctx=query("a=%31&a=2"))), query="a=%31&a=2"),
        _vector("an encoded path", EDGE.sign(payload(tctx=encoded)), path="/orders/caf%C3%A9"),
        _vector("a POST", EDGE.sign(payload(tctx=tctx(method="POST"))), method="POST"),
        _vector("a WebSocket", EDGE.sign(payload(tctx=tctx(websocket=True))), websocket=True),
        _vector("a minute long", EDGE.sign(payload(exp=NOW + 60))),
        _vector("expired within the leeway", EDGE.sign(at_edge_of_time)),
        _vector("issued within the leeway to come", EDGE.sign(payload(iat=NOW + 5, exp=NOW + 35))),
        _vector("claims that nobody knows yet", EDGE.sign(payload(shoe_size=42))),
        _vector("a header member that nobody knows yet", EDGE.sign(payload(), nonce="x")),
        _vector("a subject that is not ASCII", EDGE.sign(payload(sub="Ada Løvelace 🦊"))),
        _vector("a signed body", EDGE.sign(payload(tctx=content(BODY))), **POST, body=BODY),
        _vector("a signed body of no bytes", EDGE.sign(payload(tctx=content(""))), **POST, body=""),
    ]


def accepted_by_mac() -> list[dict[str, object]]:
    """Return the same for an origin whose policy says HS256."""
    old = OLD_EDGE.sign_for(AUDIENCE, payload())
    anonymous = payload(sub=..., scope=..., rctx={})
    posted = _mac(payload(tctx=content(BODY)))
    return [
        _vector("a known caller", _mac(payload())),
        _vector("by the key derived from the older of two signing keys", old),
        _vector("an anonymous caller", _mac(anonymous)),
        _vector("the end of the caller's token", _mac(payload(rctx=ending(NOW + 600)))),
        _vector("a query", _mac(payload(tctx=query("a=%31&a=2"))), query="a=%31&a=2"),
        _vector("a signed body", posted, **POST, body=BODY),
        _vector("a WebSocket", _mac(payload(tctx=tctx(websocket=True))), websocket=True),
        _vector("claims that nobody knows yet", _mac(payload(shoe_size=42))),
        _vector("a header member that nobody knows yet", _mac(payload(), nonce="x")),
        _vector("a subject that is not ASCII", _mac(payload(sub="Ada Løvelace 🦊"))),
    ]


def refused() -> list[dict[str, object]]:
    """Return headers that an origin must refuse, each with the code of the cause."""
    good = EDGE.sign(payload())
    head, body, signature = good.split(".")
    unsigned = EDGE.sign(payload(), alg="none").rpartition(".")[0]
    by_mac = EDGE.sign(payload(), alg="HS256").rpartition(".")[0]
    mac = hmac.new(json.dumps(EDGE.jwk).encode(), by_mac.encode(), hashlib.sha256).digest()
    twice = json.dumps(payload())[:-1] + ',"sub":"root"}'
    swapped = base64url(json.dumps(payload(sub="root")).encode())
    causes: dict[str, list[tuple[str, str]]] = {
        "token-malformed": [
            ("no token", "forged"),
            ("two parts", f"{head}.{body}"),
            ("four parts", f"{good}.{signature}"),
            ("padding", f"{good}=="),
            ("two tokens", f"{good}, {good}"),
            ("a space before it", f" {good}"),
            ("a claim twice", _signed_bytes(EDGE, twice.encode())),
            ("an array for a payload", _signed_bytes(EDGE, b"[]")),
            ("a byte order mark", _signed_bytes(EDGE, b"\xef\xbb\xbf{}")),
        ],
        "header-too-long": [("8193 bytes", "x" * 8193)],
        "algorithm-refused": [
            ("alg none", f"{unsigned}."),
            ("alg none with a signature", f"{unsigned}.{signature}"),
            ("alg HS256 by the public key", f"{by_mac}.{base64url(mac)}"),
            ("alg HS256 by the derived key", _mac(payload())),
            *(
                (f"alg HS256 by {name}", f"{by_mac}.{base64url(_hmac(secret, by_mac))}")
                for name, secret in published_spellings(EDGE).items()
            ),
            ("alg RS256", EDGE.sign(payload(), alg="RS256")),
            ("alg is no string", EDGE.sign(payload(), alg=["ES256"])),
        ],
        "type-refused": [
            ("typ JWT", EDGE.sign(payload(), typ="JWT")),
            ("typ at+jwt", EDGE.sign(payload(), typ="at+jwt")),
            ("typ null", EDGE.sign(payload(), typ=None)),
        ],
        "critical-refused": [
            ("crit", EDGE.sign(payload(), crit=["exp"])),
            ("an empty crit", EDGE.sign(payload(), crit=[])),
        ],
        "key-unknown": [
            ("a stranger's key", STRANGER.sign(payload())),
            ("a stranger's key that it brings along", STRANGER.sign(payload(), jwk=STRANGER.jwk)),
            ("kid null", EDGE.sign(payload(), kid=None)),
            ("kid empty", EDGE.sign(payload(), kid="")),
        ],
        "signature-invalid": [
            ("a stranger's key under the edge's kid", STRANGER.sign(payload(), kid=EDGE.kid)),
            ("another published key's kid", OLD_EDGE.sign(payload(), kid=EDGE.kid)),
            ("a changed payload", f"{head}.{swapped}.{signature}"),
            ("a signature of zeros", f"{head}.{body}.{base64url(bytes(64))}"),
            ("no signature", f"{head}.{body}."),
        ],
        "claim-malformed": [
            ("no exp", EDGE.sign(payload(exp=...))),
            ("no iat", EDGE.sign(payload(iat=...))),
            ("exp in quotes", EDGE.sign(payload(exp=str(NOW + 30)))),
            ("exp with a fraction", EDGE.sign(payload(exp=NOW + 30.5))),
            ("no aud", EDGE.sign(payload(aud=...))),
            ("aud is a list", EDGE.sign(payload(aud=[AUDIENCE]))),
            ("no iss", EDGE.sign(payload(iss=...))),
            ("no txn", EDGE.sign(payload(txn=...))),
            ("sub null", EDGE.sign(payload(sub=None))),
            ("a subject of no issuer", EDGE.sign(payload(rctx={}))),
            ("scopes of nobody", EDGE.sign(payload(sub=..., rctx={}))),
            ("scopes with two spaces", EDGE.sign(payload(scope="a  b"))),
            ("no tctx", EDGE.sign(payload(tctx=...))),
            ("no tctx.template", EDGE.sign(payload(tctx=tctx(template=...)))),
            ("no tctx.path", EDGE.sign(payload(tctx=tctx(path=...)))),
            ("no tctx.method", EDGE.sign(payload(tctx=tctx(method=...)))),
            ("a country in lower case", EDGE.sign(payload(rctx={"country": "de"}))),
            ("a WebSocket that is none", EDGE.sign(payload(tctx=tctx(websocket=False)))),
            ("a WebSocket in quotes", EDGE.sign(payload(tctx=tctx(websocket="true")))),
            ("a WebSocket as a number", EDGE.sign(payload(tctx=tctx(websocket=1)))),
            ("a content digest by SHA-512", EDGE.sign(payload(tctx=by_sha512()))),
            ("a content digest without colons", EDGE.sign(payload(tctx=tctx(content_digest="x")))),
            ("two content digests", EDGE.sign(payload(tctx=twice_digested()))),
        ],
        "issuer-mismatch": [("another edge", EDGE.sign(payload(iss="https://other.example")))],
        "audience-mismatch": [("another origin", EDGE.sign(payload(aud="billing")))],
        "lifetime-refused": [
            ("61 seconds", EDGE.sign(payload(exp=NOW + 61))),
            ("no time at all", EDGE.sign(payload(exp=NOW))),
        ],
        "expired": [("expired beyond the leeway", EDGE.sign(payload(iat=NOW - 35, exp=NOW - 5)))],
        "not-yet-valid": [("from the future", EDGE.sign(payload(iat=NOW + 6, exp=NOW + 36)))],
        "method-mismatch": [
            ("another method", EDGE.sign(payload(tctx=tctx(method="POST")))),
            ("a WebSocket for a GET", EDGE.sign(payload(tctx=tctx(websocket=True)))),
        ],
        "path-mismatch": [
            ("another path", EDGE.sign(payload(tctx=tctx(path="/orders/8")))),
            ("another spelling", EDGE.sign(payload(tctx=tctx(path="/orders/%37")))),
        ],
        "query-mismatch": [
            ("a query that is not there", EDGE.sign(payload(tctx=query("a=1")))),
            ("a digest of no query", EDGE.sign(payload(tctx=query("")))),
        ],
    }
    bound = EDGE.sign(payload(tctx=content(BODY)))
    opening = _vector("a GET for a WebSocket", good, websocket=True)
    return [*_refused(causes), {**opening, "code": "method-mismatch"}] + [
        {**_vector(name, bound, **POST, body=body), "code": "content-mismatch"}
        for name, body in {
            "another body": BODY.replace("1", "9"),
            "a longer body": f"{BODY} ",
            "no body": "",
        }.items()
    ]


def refused_by_mac() -> list[dict[str, object]]:
    """Return the same for an origin whose policy says HS256."""
    good = _mac(payload())
    head, body, signature = good.split(".")
    signing_input = f"{head}.{body}"
    secret = EDGE.origin_secret(AUDIENCE)
    derived_for_another = EDGE.sign_for("billing", payload())
    swapped = base64url(json.dumps(payload(sub="root")).encode())
    unsigned = EDGE.signing_input(payload(), alg="none")
    secrets = {
        **published_spellings(EDGE),
        "an empty key": b"",
        "the signing key's d": SCALARS[EDGE.kid].to_bytes(32),
        "the origin key's base64url": base64url(secret).encode(),
        "the origin key's first half": secret[:16],
    }
    causes: dict[str, list[tuple[str, str]]] = {
        "token-malformed": [
            ("no token", "forged"),
            ("two parts", signing_input),
            ("padding", f"{good}="),
            ("two tokens", f"{good}, {good}"),
        ],
        "algorithm-refused": [
            ("an ES256 header of the edge", EDGE.sign(payload())),
            ("a MAC under alg ES256", _mac(payload(), alg="ES256")),
            ("a MAC under alg HS512", _mac(payload(), alg="HS512")),
            ("a MAC under alg hs256", _mac(payload(), alg="hs256")),
            ("alg none", f"{unsigned}."),
            ("alg none with a MAC", _mac(payload(), alg="none")),
            ("alg is no string", _mac(payload(), alg=["HS256"])),
        ],
        "type-refused": [("typ JWT", _mac(payload(), typ="JWT"))],
        "critical-refused": [("an empty crit", _mac(payload(), crit=[]))],
        "key-unknown": [
            ("a stranger's derived key", STRANGER.sign_for(AUDIENCE, payload())),
            ("kid null", _mac(payload(), kid=None)),
        ],
        "signature-invalid": [
            ("the key of another origin", derived_for_another),
            (
                "another signing key's derived key",
                OLD_EDGE.sign_for(AUDIENCE, payload(), kid=EDGE.kid),
            ),
            ("an ES256 signature under alg HS256", EDGE.sign(payload(), alg="HS256")),
            ("a changed payload", f"{head}.{swapped}.{signature}"),
            ("a MAC of zeros", f"{signing_input}.{base64url(bytes(32))}"),
            ("no MAC", f"{signing_input}."),
            ("half a MAC", f"{signing_input}.{base64url(_hmac(secret, signing_input)[:16])}"),
            ("a longer MAC", f"{signing_input}.{base64url(_hmac(secret, signing_input) + b'x')}"),
            *(
                (f"keyed with {name}", f"{signing_input}.{base64url(_hmac(key, signing_input))}")
                for name, key in secrets.items()
            ),
        ],
        "claim-malformed": [("no exp", _mac(payload(exp=...)))],
        "issuer-mismatch": [("another edge", _mac(payload(iss="https://other.example")))],
        "audience-mismatch": [("another origin", _mac(payload(aud="billing")))],
        "expired": [("expired beyond the leeway", _mac(payload(iat=NOW - 35, exp=NOW - 5)))],
        "path-mismatch": [("another path", _mac(payload(tctx=tctx(path="/orders/8"))))],
    }
    bound = _mac(payload(tctx=content(BODY)))
    changed = _vector("another body", bound, **POST, body="{}")
    return [*_refused(causes), {**changed, "code": "content-mismatch"}]


def published_spellings(key: SigningKey) -> dict[str, bytes]:
    """Return the public key in every spelling that could be mistaken for a secret."""
    public = key.public_key
    x, y = (base64.urlsafe_b64decode(f"{key.jwk[name]}=") for name in ("x", "y"))
    pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return {
        "the public key as PEM": pem,
        "the public key as PEM without its last newline": pem.rstrip(b"\n"),
        "the public key as DER": public.public_bytes(
            Encoding.DER, PublicFormat.SubjectPublicKeyInfo
        ),
        "the public key as JWK": json.dumps(key.jwk).encode(),
        "the public key as compact JWK": json.dumps(key.jwk, separators=(",", ":")).encode(),
        "the public key's x": x,
        "the public key's x and y": x + y,
        "the public key's point": b"\x04" + x + y,
        "the kid": key.kid.encode(),
    }


def content(body: str) -> dict[str, object]:
    """Return `tctx` for a POST with this body."""
    return tctx(method="POST", content_digest=content_digest(body.encode()))


def by_sha512() -> dict[str, object]:
    """Return `tctx` with a digest that RFC 9530 allows and the contract does not."""
    digest = base64.b64encode(hashlib.sha512(b"").digest()).decode()
    return tctx(content_digest=f"sha-512=:{digest}:")


def twice_digested() -> dict[str, object]:
    """Return `tctx` with a list of digests."""
    return tctx(content_digest=f"{content_digest(b'')}, {content_digest(b'')}")


def _refused(causes: Mapping[str, list[tuple[str, str]]]) -> list[dict[str, object]]:
    return [
        {**_vector(name, header), "code": code}
        for code, vectors in causes.items()
        for name, header in vectors
    ]


def _mac(claims: Mapping[str, object], **header: object) -> str:
    return EDGE.sign_for(AUDIENCE, claims, **header)


def _hmac(secret: bytes, signing_input: str) -> bytes:
    return hmac.digest(secret, signing_input.encode(), "sha256")


def _vector(name: str, header: str, **request: str | bool) -> dict[str, object]:
    return {"name": name, "header": header, "request": {**REQUEST, **request}}


def _signed_bytes(key: SigningKey, raw: bytes) -> str:
    head = key.sign({}).partition(".")[0]
    signing_input = f"{head}.{base64url(raw)}"
    return f"{signing_input}.{key.signature(signing_input.encode())}"


def _kept(name: str, vectors: list[dict[str, object]]) -> list[dict[str, object]]:
    """Return the vectors, with the headers that are already in the file."""
    path = DIRECTORY / name
    if "all" in sys.argv[1:] or not path.exists():
        return vectors
    there = {vector["name"]: vector for vector in json.loads(path.read_text())["vectors"]}
    return [there.get(vector["name"], vector) for vector in vectors]


def _write(name: str, document: Mapping[str, object]) -> None:
    text = json.dumps(document, indent=2, ensure_ascii=False)
    (DIRECTORY / name).write_text(text + "\n")


def _private(key: SigningKey) -> dict[str, object]:
    return {**key.jwk, "d": base64url(SCALARS[key.kid].to_bytes(32))}


if __name__ == "__main__":
    common = {"issuer": ISSUER, "audience": AUDIENCE, "now": NOW, "leeway": 5}
    DIRECTORY.mkdir(parents=True, exist_ok=True)
    _write("signing-keys.json", {"keys": [_private(EDGE), _private(OLD_EDGE)]})
    _write("jwks.json", {"keys": [EDGE.jwk, OLD_EDGE.jwk]})
    for name, vectors in {
        "accepted.json": accepted(),
        "refused.json": refused(),
        "accepted-hs256.json": accepted_by_mac(),
        "refused-hs256.json": refused_by_mac(),
    }.items():
        _write(name, {**common, "vectors": _kept(name, vectors)})
    for audience in (AUDIENCE, "billing"):
        derived = [key.origin_jwk(audience) for key in (EDGE, OLD_EDGE)]
        _write(f"origin-keys-{audience}.json", {"keys": derived})
