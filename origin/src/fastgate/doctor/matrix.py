"""The forged requests that an origin has to refuse, one way of forging each.

In: what the origin would accept. Out: the matrix of `Forgery`s. With the edge's own signing key (of
a test edge) each is right in everything but one thing, so that each check is tested by itself;
without it they are what a stranger can make: right in all that is public, signed by another key.
"""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Iterator, Mapping

from fastgate.doctor.probe import BY_SERVER, HEADER, Forgery, Mint, Target
from fastgate.fake_edge.signing import SigningKey, base64url
from fastgate.verify import ES256, HS256, MAX_TOKEN_BYTES


def forgeries(believed: Target) -> Iterator[Forgery]:
    """Yield the whole matrix."""
    kid = _published_kid(believed.jwks)
    signer = believed.key or SigningKey()
    mint = Mint(believed, signer, signer.kid if believed.key else kid)
    if believed.key:
        yield Forgery("control: a good header", mint.field(), must_pass=True)
    else:
        yield Forgery("another key under the published kid", mint.field())
    yield from _without_a_header(believed.path)
    yield from _more_than_one(mint)
    yield from _broken(mint)
    yield from _signed_wrongly(mint, believed)
    yield from _wrong_claims(mint)
    yield from _about_another_request(mint, believed)
    yield from _from_the_provider(mint)


def _without_a_header(path: str) -> Iterator[Forgery]:
    yield Forgery("an empty header", ((HEADER, ""),), before=BY_SERVER)
    for method in ("HEAD", "POST", "OPTIONS"):
        yield Forgery(f"no header, by {method}", method=method)
    for name in ("X-Forwarded-For", "X-Real-IP", "X-Original-URL", "X-Rewrite-URL"):
        value = "127.0.0.1" if "-URL" not in name else path
        yield Forgery(f"no header, and {name}", ((name, value),), before=BY_SERVER)
    local = (("Host", "localhost"),)
    yield Forgery("no header, from localhost it says", local, before=BY_SERVER | {403, 404})
    socket = (("Connection", "Upgrade"), ("Upgrade", "websocket"))
    handshake = (
        ("Sec-WebSocket-Version", "13"),
        ("Sec-WebSocket-Key", base64url(bytes(16)) + "=="),
    )
    upgrade = (*socket, *handshake)
    yield Forgery("no header, by WebSocket", upgrade, method="GET", before=BY_SERVER | {403})
    spelled = path[:-1] + f"%{ord(path[-1]):02x}"
    for target in (spelled, f"http://localhost{path}", f"{path}?", f"{path};", f"{path}#"):
        name = f"no header, and the path as {target}"
        yield Forgery(name, target=target, before=BY_SERVER)


def _more_than_one(mint: Mint) -> Iterator[Forgery]:
    (good,) = mint.field()
    for name, fields in {
        "two headers, both good": (good, good),
        "two headers, the good one first": (good, (HEADER, "forged")),
        "two headers, the good one last": ((HEADER.lower(), "forged"), good),
        "two headers in one": ((HEADER, f"{good[1]}, {good[1]}"),),
        "as Fastgate_Identity": (("Fastgate_Identity", good[1]),),
        "as X-Fastgate-Identity": (("X-Fastgate-Identity", good[1]),),
    }.items():
        yield Forgery(name, fields, before=BY_SERVER)


def _broken(mint: Mint) -> Iterator[Forgery]:
    token = mint.token()
    head, body, signature = token.split(".")
    yield Forgery("no token at all", ((HEADER, "forged"),))
    for name, wrong in {
        "without its signature": f"{head}.{body}.",
        "without its third part": f"{head}.{body}",
        "a changed payload": f"{head}.{_changed(body)}.{signature}",
        "a signature of zeros": f"{head}.{body}.{base64url(bytes(64))}",
        "padding behind it": f"{token}==",
        "longer than 8 KiB": f"{head}.{body}{'A' * 8192}.{signature}",
    }.items():
        too_long = len(wrong) > MAX_TOKEN_BYTES
        before = BY_SERVER if too_long else frozenset[int]()
        yield Forgery(name, ((HEADER, wrong),), before=before)


def _signed_wrongly(mint: Mint, believed: Target) -> Iterator[Forgery]:
    own = believed.algorithm
    other_algorithm = HS256 if own == ES256 else ES256
    for algorithm in ("none", "None", "RS256", other_algorithm):
        yield Forgery(f"alg {algorithm}, a signature of {own}", mint.field({"alg": algorithm}))
    yield Forgery(f"signed by {other_algorithm}", mint.by(other_algorithm, believed.audience))
    yield Forgery("signed by another origin's key", mint.by(HS256, "another-origin"))
    for algorithm in ("none", "nOnE"):
        unsigned = mint.token({"alg": algorithm}).rpartition(".")[0] + "."
        yield Forgery(f"alg {algorithm}, unsigned", ((HEADER, unsigned),))
    signing_input = mint.token({"alg": "HS256"}).rpartition(".")[0]
    for name, secret in _public_secrets(believed.jwks).items():
        mac = hmac.new(secret, signing_input.encode(), hashlib.sha256).digest()
        yield Forgery(f"alg HS256 by {name}", ((HEADER, f"{signing_input}.{base64url(mac)}"),))
    other = SigningKey()
    forged = other.sign(mint.claims)
    yield Forgery("unknown kid", ((HEADER, forged),))
    yield Forgery("kid of a key long gone", mint.field({"kid": "2020-01-01"}))
    yield Forgery("no kid", mint.field({"kid": None}))
    carried = other.sign(mint.claims, jwk=other.jwk, kid=other.kid)
    yield Forgery("a key that the token brings along", ((HEADER, carried),))
    headers: dict[str, dict[str, object]] = {
        "crit": {"crit": ["exp"]},
        "an empty crit": {"crit": []},
        "typ JWT": {"typ": "JWT"},
        "no typ": {"typ": None},
    }
    for name, header in headers.items():
        yield Forgery(name, mint.field(header))


def _wrong_claims(mint: Mint) -> Iterator[Forgery]:
    now = int(time.time())
    changes: dict[str, dict[str, object]] = {
        "expired": {"iat": now - 120, "exp": now - 90},
        "from the future": {"iat": now + 120, "exp": now + 150},
        "good for an hour": {"exp": now + 3600},
        "without exp": {"exp": ...},
        "without iat": {"iat": ...},
        "exp in quotes": {"exp": str(now + 30)},
        "wrong audience": {"aud": "another-origin"},
        "several audiences": {"aud": [mint.claims["aud"], "another-origin"]},
        "without audience": {"aud": ...},
        "wrong issuer": {"iss": "https://another-edge.example"},
        "without issuer": {"iss": ...},
        "a subject of nobody": {"rctx": {}},
        "without tctx": {"tctx": ...},
    }
    for name, claims in changes.items():
        yield Forgery(name, mint.field(**claims))


def _about_another_request(mint: Mint, believed: Target) -> Iterator[Forgery]:
    path = believed.path
    yield Forgery("wrong path", mint.about(path=f"{path}/other"))
    yield Forgery("without path", mint.about(path=...))
    yield Forgery("wrong method", mint.about(method="PATCH"))
    yield Forgery("wrong route", mint.about(template="/doctor/{other}"))
    yield Forgery("without route", mint.about(template=...))
    if believed.route is not None:
        yield Forgery("the id of another route", mint.about(route=f"{believed.route}-other"))
    if believed.body is not None:
        yield Forgery("another body", mint.field(), body=believed.body + b" ")
        yield Forgery("no body", mint.field(), body=b"")
        yield Forgery("a body that is not signed", mint.about(content_digest=...))
    digest = base64url(hashlib.sha256(b"a=1").digest())
    yield Forgery("wrong query", mint.about(query=digest))
    yield Forgery("replayed with another query", mint.field(), target=f"{path}?admin=1")
    yield Forgery("replayed on another path", mint.field(), target=_other_path(path))
    yield Forgery("replayed by another method", mint.field(), method="HEAD")
    yield Forgery("replayed under another spelling", mint.field(), target=f"{path}/")


def _from_the_provider(mint: Mint) -> Iterator[Forgery]:
    access = SigningKey().sign(
        {"iss": "https://idp.example", "sub": "doctor", "aud": "doctor", "exp": 2**33},
        typ="at+jwt",
    )
    yield Forgery("a provider's token in its place", ((HEADER, access),))
    yield Forgery("a provider's token as Bearer", (("Authorization", f"Bearer {access}"),))
    yield Forgery("a good header as Bearer", (("Authorization", f"Bearer {mint.token()}"),))
    typed = mint.field({"typ": "at+jwt"})
    yield Forgery("typ at+jwt", typed)


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
