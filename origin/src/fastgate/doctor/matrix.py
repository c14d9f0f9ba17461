"""The matrix: forged requests that an origin has to refuse, each forged in one way.

Input: the target under test. Output: its `Probe`s. With the signing key of the edge (a test edge),
each probe has a single fault, so that each check is tested separately. Without the key, the probes
are those that any attacker can make: correct in every public value, and signed with another key.
"""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Iterator, Mapping

from fastgate.doctor.probe import BY_SERVER, HEADER, Mint, Probe, Target
from fastgate.fake_edge.signing import SigningKey, base64url
from fastgate.verify import ES256, HS256, MAX_TOKEN_BYTES


def matrix(target: Target) -> Iterator[Probe]:
    """Yield the whole matrix."""
    kid = _published_kid(target.jwks)
    signer = target.key or SigningKey()
    mint = Mint(target, signer, signer.kid if target.key else kid)
    if target.key:
        yield Probe("control: a valid header", mint.field(), must_pass=True)
    else:
        yield Probe("another key under the published kid", mint.field())
    yield from _without_a_header(target.path)
    yield from _more_than_one(mint)
    yield from _broken(mint)
    yield from _signed_wrongly(mint, target)
    yield from _wrong_claims(mint)
    yield from _about_another_request(mint, target)
    yield from _from_the_provider(mint)


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


def _signed_wrongly(mint: Mint, target: Target) -> Iterator[Probe]:
    own = target.algorithm
    other_algorithm = HS256 if own == ES256 else ES256
    for algorithm in ("none", "None", "RS256", other_algorithm):
        yield Probe(f"alg {algorithm}, a signature of {own}", mint.field({"alg": algorithm}))
    yield Probe(f"signed by {other_algorithm}", mint.by(other_algorithm, target.audience))
    yield Probe("signed by another origin's key", mint.by(HS256, "another-origin"))
    for algorithm in ("none", "nOnE"):
        unsigned = mint.token({"alg": algorithm}).rpartition(".")[0] + "."
        yield Probe(f"alg {algorithm}, unsigned", ((HEADER, unsigned),))
    signing_input = mint.token({"alg": "HS256"}).rpartition(".")[0]
    for name, secret in _public_secrets(target.jwks).items():
        mac = hmac.new(secret, signing_input.encode(), hashlib.sha256).digest()
        yield Probe(f"alg HS256 by {name}", ((HEADER, f"{signing_input}.{base64url(mac)}"),))
    other = SigningKey()
    forged = other.sign(mint.claims)
    yield Probe("unknown kid", ((HEADER, forged),))
    yield Probe("kid of a retired key", mint.field({"kid": "2020-01-01"}))
    yield Probe("no kid", mint.field({"kid": None}))
    carried = other.sign(mint.claims, jwk=other.jwk, kid=other.kid)
    yield Probe("a key within the token", ((HEADER, carried),))
    headers: dict[str, dict[str, object]] = {
        "crit": {"crit": ["exp"]},
        "an empty crit": {"crit": []},
        "typ JWT": {"typ": "JWT"},
        "no typ": {"typ": None},
    }
    for name, header in headers.items():
        yield Probe(name, mint.field(header))


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


def _published_kid(jwks: Mapping[str, object]) -> str:
    keys = jwks.get("keys")
    first = keys[0] if isinstance(keys, list) and keys else {}
    return str(first.get("kid", "unpublished"))


def _public_secrets(jwks: Mapping[str, object]) -> dict[str, bytes]:
    keys = jwks.get("keys")
    if not isinstance(keys, list) or not keys:
        return {"an empty secret": b""}
    return {
        "the public key as a secret": json.dumps(keys[0]).encode(),
        "its x coordinate as a secret": base64.urlsafe_b64decode(str(keys[0].get("x", "")) + "=="),
        "an empty secret": b"",
    }


def _changed(body: str) -> str:
    payload = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    return base64url(json.dumps({**payload, "sub": "root"}).encode())


def _other_path(path: str) -> str:
    return "/" if path != "/" else "/doctor"
