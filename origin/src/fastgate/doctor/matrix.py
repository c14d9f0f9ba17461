"""The matrix: forged requests that an origin has to refuse, each forged in one way.

Input: the target under test. Output: its `Probe`s. With the signing key of the edge (a test edge),
each probe has a single fault, so that each check is tested separately. Without the key, the probes
are those that any attacker can make: correct in every public value, and signed with another key.
With the public key of the origin, the headers are signed by a MAC (HS256), else by EdDSA.
"""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Iterator, Mapping

from fastgate.base64url import base64url
from fastgate.doctor.malformed import wrong_members_of_the_caller, wrong_shared_responses
from fastgate.doctor.probe import BY_SERVER, HEADER, Mint, Probe, Target
from fastgate.fake_edge.signing import EdgeExchangeKey, EdgeKeys, SigningKey, signing_input
from fastgate.keys.okp import ED25519, X25519
from fastgate.verify import EDDSA, HS256, MAX_TOKEN_BYTES

_ORDER = 2**252 + 27742317777372353535851937790883648493
"""The order of the base point of Ed25519 (RFC 8032 §5.1)."""
_SMALL_ORDER_SIGNATURE = bytes([1, *bytes(63)])
"""R is the neutral element and S is 0: valid only under a public key of small order."""


def matrix(target: Target, host: str) -> Iterator[Probe]:
    """Yield the whole matrix. `host` is the `Host` that the probes are sent with."""
    keys = target.keys or EdgeKeys(SigningKey(), None)
    published = _Published(target.jwks)
    signing_kid = keys.signing.kid if target.keys else published.kid(ED25519)
    mint = Mint(target, host, keys.signing, signing_kid)
    by_mac = None
    if target.origin_key is not None:
        mac = (keys.exchange or EdgeExchangeKey()).for_origin(target.origin_key, target.audience)
        known = target.keys is not None and keys.exchange is not None
        kid = mac.kid if known else f"{published.kid(X25519)}.{target.origin_key.kid}"
        by_mac = Mint(target, host, mac, kid)
    good = by_mac or mint
    if target.keys:
        yield Probe("control: a valid header", good.field(), must_pass=True)
        if by_mac:
            yield Probe("control: a valid header by EdDSA", mint.field(), must_pass=True)
    else:
        yield Probe("another key under the published kid", good.field())
    yield from _without_a_header(target.path)
    yield from _more_than_one(good)
    yield from _broken(good)
    yield from _wrong_headers(good, HS256 if by_mac else EDDSA)
    for one in filter(None, (mint, by_mac)):
        yield from _public_key_as_a_secret(one, published)
    yield from _signed_wrongly(mint, keys, signing_kid, known=target.keys is not None)
    yield from _by_another_mac_key(good, target, keys.exchange or EdgeExchangeKey())
    yield from _wrong_claims(good)
    yield from wrong_members_of_the_caller(good)
    yield from wrong_shared_responses(good)
    yield from _about_another_request(good, target)
    yield from _from_the_provider(good)


def _without_a_header(path: str) -> Iterator[Probe]:
    yield Probe("an empty header", ((HEADER, ""),), before=BY_SERVER)
    for method in ("HEAD", "POST", "OPTIONS"):
        yield Probe(f"no header, by {method}", method=method)
    for name in ("X-Forwarded-For", "X-Real-IP", "X-Original-URL", "X-Rewrite-URL"):
        value = "127.0.0.1" if "-URL" not in name else path
        yield Probe(f"no header, and {name}", ((name, value),), before=BY_SERVER)
    local = (("Host", "localhost"),)
    yield Probe("no header, and Host: localhost", local, before=BY_SERVER | {403, 404})
    socket = (("Connection", "Upgrade"), ("Upgrade", "websocket"))
    handshake = (
        ("Sec-WebSocket-Version", "13"),
        ("Sec-WebSocket-Key", base64url(bytes(16)) + "=="),
    )
    upgrade = (*socket, *handshake)
    yield Probe("no header, by WebSocket", upgrade, method="GET", before=BY_SERVER | {403})
    spelled = path[:-1] + f"%{ord(path[-1]):02x}"
    for spelling in (spelled, f"http://localhost{path}", f"{path}?", f"{path};", f"{path}#"):
        name = f"no header, and the path as {spelling}"
        yield Probe(name, request_target=spelling, before=BY_SERVER)


def _more_than_one(mint: Mint) -> Iterator[Probe]:
    (good,) = mint.field()
    for name, fields in {
        "two headers, both valid": (good, good),
        "two headers, the valid one first": (good, (HEADER, "forged")),
        "two headers, the valid one last": ((HEADER.lower(), "forged"), good),
        "two headers in one": ((HEADER, f"{good[1]}, {good[1]}"),),
        "as Fastgate_Identity": (("Fastgate_Identity", good[1]),),
        "as X-Fastgate-Identity": (("X-Fastgate-Identity", good[1]),),
    }.items():
        yield Probe(name, fields, before=BY_SERVER)


def _broken(mint: Mint) -> Iterator[Probe]:
    token = mint.token()
    head, body, signature = token.split(".")
    yield Probe("no token at all", ((HEADER, "forged"),))
    for name, wrong in {
        "without its signature": f"{head}.{body}.",
        "without its third part": f"{head}.{body}",
        "a changed payload": f"{head}.{_changed(body)}.{signature}",
        "a signature of zeros": f"{head}.{body}.{base64url(bytes(64))}",
        "padding after it": f"{token}==",
        "longer than 8 KiB": f"{head}.{body}{'A' * 8192}.{signature}",
    }.items():
        too_long = len(wrong) > MAX_TOKEN_BYTES
        before = BY_SERVER if too_long else frozenset[int]()
        yield Probe(name, ((HEADER, wrong),), before=before)


def _wrong_headers(mint: Mint, own: str) -> Iterator[Probe]:
    others = ("none", "None", "RS256", "ES256", "Ed25519", EDDSA if own == HS256 else HS256)
    for algorithm in others:
        yield Probe(f"alg {algorithm}, a signature of {own}", mint.field({"alg": algorithm}))
    for algorithm in ("none", "nOnE"):
        unsigned = mint.token({"alg": algorithm}).rpartition(".")[0] + "."
        yield Probe(f"alg {algorithm}, unsigned", ((HEADER, unsigned),))
    yield Probe("kid of a retired key", mint.field({"kid": "2020-01-01"}))
    headers: dict[str, dict[str, object]] = {
        "no kid": {"kid": ...},
        "ver 1": {"ver": 1},
        "ver 3": {"ver": 3},
        "ver in quotes": {"ver": "2"},
        "ver in a list": {"ver": [2]},
        "no ver": {"ver": ...},
        "crit": {"crit": ["exp"]},
        "an empty crit": {"crit": []},
        "typ JWT": {"typ": "JWT"},
        "no typ": {"typ": ...},
    }
    for name, header in headers.items():
        yield Probe(name, mint.field(header))


def _public_key_as_a_secret(mint: Mint, published: "_Published") -> Iterator[Probe]:
    signed = mint.token({"alg": HS256}).rpartition(".")[0]
    of_pair = ", for a pair of keys" if mint.is_by_mac else ""
    for name, secret in published.as_secrets().items():
        mac = hmac.new(secret, signed.encode(), hashlib.sha256).digest()
        yield Probe(f"alg HS256 by {name}{of_pair}", ((HEADER, f"{signed}.{base64url(mac)}"),))


def _signed_wrongly(mint: Mint, keys: EdgeKeys, kid: str, *, known: bool) -> Iterator[Probe]:
    other = SigningKey()
    yield Probe("unknown kid", mint.by(other))
    yield Probe("a key within the token", mint.by(other, jwk=other.jwk))
    signed = signing_input(mint.claims, kid=kid)
    forged = {"a signature of small order": _SMALL_ORDER_SIGNATURE}
    if known:
        # RFC 8032 §5.1.7: S must be below the order.
        valid = keys.signing.signature(signed.encode())
        unreduced = int.from_bytes(valid[32:], "little") + _ORDER
        forged["a signature with an unreduced S"] = valid[:32] + unreduced.to_bytes(32, "little")
    for name, signature in forged.items():
        yield Probe(name, ((HEADER, f"{signed}.{base64url(signature)}"),))


def _by_another_mac_key(mint: Mint, target: Target, edge: EdgeExchangeKey) -> Iterator[Probe]:
    other = EdgeExchangeKey()
    stranger = edge.for_origin(other.public, target.audience)
    yield Probe("signed by another origin's key", mint.by(stranger))
    if (own := target.origin_key) is not None:
        for name, signer in {
            "another origin's key under this origin's kid": stranger,
            "the key of this origin for another audience": edge.for_origin(own, "another-origin"),
            "another edge's key for this origin": other.for_origin(own, target.audience),
        }.items():
            yield Probe(name, mint.by(signer, kid=mint.kid))


def _wrong_claims(mint: Mint) -> Iterator[Probe]:
    now = int(time.time())
    changes: dict[str, dict[str, object]] = {
        "expired": {"iat": now - 120, "exp": now - 90},
        "from the future": {"iat": now + 120, "exp": now + 150},
        "valid for an hour": {"exp": now + 3600},
        "without exp": {"exp": ...},
        "without iat": {"iat": ...},
        "exp in quotes": {"exp": str(now + 30)},
        "wrong audience": {"aud": "another-origin"},
        "several audiences": {"aud": [mint.claims["aud"], "another-origin"]},
        "without audience": {"aud": ...},
        "wrong issuer": {"iss": "https://another-edge.example"},
        "without issuer": {"iss": ...},
        "another requesting workload": {"req_wl": "https://another-edge.example"},
        "without requesting workload": {"req_wl": ...},
        "requesting workload in a list": {"req_wl": [mint.claims["req_wl"]]},
        "without scope": {"scope": ...},
        "a subject without an issuer": {"rctx": {}},
        "without tctx": {"tctx": ...},
    }
    for name, claims in changes.items():
        yield Probe(name, mint.field(**claims))


def _about_another_request(mint: Mint, target: Target) -> Iterator[Probe]:
    path = target.path
    yield Probe("wrong path", mint.about(path=f"{path}/other"))
    yield Probe("without path", mint.about(path=...))
    yield Probe("wrong method", mint.about(method="PATCH"))
    yield Probe("without host", mint.about(host=...))
    yield Probe("host in a list", mint.about(host=[mint.tctx["host"]]))
    if target.backend_host is None:
        yield Probe("wrong host", mint.about(host="another.example"))
    if target.region is not None:
        rctx = {name: value for name, value in mint.claims["rctx"].items() if name != "region"}  # type: ignore[attr-defined]
        yield Probe("another region", mint.field(rctx={**rctx, "region": f"{target.region}-other"}))
        yield Probe("no region", mint.field(rctx=rctx))
    yield Probe("wrong route", mint.about(template="/doctor/{other}"))
    yield Probe("without route", mint.about(template=...))
    if target.route is not None:
        yield Probe("the id of another route", mint.about(route=f"{target.route}-other"))
    if target.body is not None:
        yield Probe("another body", mint.field(), body=target.body + b" ")
        yield Probe("no body", mint.field(), body=b"")
        yield Probe("a body that is not signed", mint.about(content_digest=...))
    digest = base64url(hashlib.sha256(b"a=1").digest())
    yield Probe("wrong query", mint.about(query=digest))
    yield Probe("replayed with another query", mint.field(), request_target=f"{path}?admin=1")
    yield Probe("replayed on another path", mint.field(), request_target=_other_path(path))
    yield Probe("replayed by another method", mint.field(), method="HEAD")
    yield Probe("replayed under another spelling", mint.field(), request_target=f"{path}/")
    (good,), another = mint.field(), ("Host", "another.example")
    by_proxy = BY_SERVER | {403, 404}
    yield Probe("replayed with another Host", (another, good), before=by_proxy)
    own = ("Host", str(mint.tctx["host"]))
    for name, hosts in {"first": (own, another), "last": (another, own)}.items():
        probe = f"replayed with two Hosts, the signed one {name}"
        yield Probe(probe, (*hosts, good), before=by_proxy)


def _from_the_provider(mint: Mint) -> Iterator[Probe]:
    access = SigningKey().sign(
        {"iss": "https://idp.example", "sub": "doctor", "aud": "doctor", "exp": 2**33},
        typ="at+jwt",
    )
    yield Probe("a provider's token in its place", ((HEADER, access),))
    yield Probe("a provider's token as Bearer", (("Authorization", f"Bearer {access}"),))
    yield Probe("a valid header as Bearer", (("Authorization", f"Bearer {mint.token()}"),))
    typed = mint.field({"typ": "at+jwt"})
    yield Probe("typ at+jwt", typed)


class _Published:
    """The keys that the edge publishes, as an attacker reads them."""

    def __init__(self, jwks: Mapping[str, object]) -> None:
        keys = jwks.get("keys")
        found = keys if isinstance(keys, list) else []
        self._keys = [key for key in found if isinstance(key, dict)]

    def kid(self, curve: str) -> str:
        """Return the `kid` of the first key on this curve."""
        return next((str(key.get("kid")) for key in self._of(curve)), "unpublished")

    def as_secrets(self) -> dict[str, bytes]:
        """Return what an attacker may try as the secret of a MAC, by name."""
        secrets = {"an empty secret": b"", "a secret of zeros": bytes(32)}
        for curve in (ED25519, X25519):
            for key in self._of(curve)[:1]:
                secrets[f"the public {curve} key as a secret"] = json.dumps(key).encode()
                secrets[f"its {curve} octets as a secret"] = _decoded(str(key.get("x", "")))
        return secrets

    def _of(self, curve: str) -> list[dict[str, object]]:
        return [key for key in self._keys if key.get("crv") == curve]


def _decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _changed(body: str) -> str:
    payload = json.loads(_decoded(body))
    return base64url(json.dumps({**payload, "sub": "root"}).encode())


def _other_path(path: str) -> str:
    return "/" if path != "/" else "/doctor"
