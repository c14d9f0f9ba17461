"""Verify that the edge signed a header for exactly this request.

Input: the header's bytes, the edge's keys, the request and the time. Output: `EdgeClaims`, or a
`Refused` that names the cause. The function is pure: it fetches nothing, reads no clock and logs
nothing. It parses header and payload once and strictly, from the very bytes that were signed.
`cryptography` checks EdDSA.
"""

import hashlib
from functools import lru_cache
from hmac import compare_digest
from typing import NamedTuple
from urllib.parse import unquote

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from fastgate import errors, strict_json
from fastgate.base64url import base64url, from_base64url
from fastgate.claims import EdgeClaims, Transaction
from fastgate.keys.key_set import KeySet
from fastgate.keys.origin import MacKey

EDDSA, HS256 = "EdDSA", "HS256"
TYPE = "txntoken+jwt"
VERSION = 2
MAX_TOKEN_BYTES = 8192
MAX_LIFETIME_SECONDS = 60


class RequestHead(NamedTuple):
    """The request line and `Host` as bytes from the wire, never decoded or rebuilt from a URL."""

    method: str
    raw_path: bytes | None
    """None if the server keeps only the decoded path."""
    query: bytes
    """The query string without the question mark; empty if there is none."""
    host: bytes | None
    """The value of the only `Host`; None if there is none, or more than one."""
    other_paths: tuple[bytes, ...] = ()
    """Other paths that the edge may have signed: with the root path, or without it."""
    decoded_paths: tuple[str, ...] = ()
    """The decoded paths that the edge may have signed, if there is no `raw_path`."""
    websocket: bool = False
    """Whether this is the opening handshake of a WebSocket."""


def verify(
    token: bytes,
    keys: KeySet,
    head: RequestHead,
    *,
    issuer: str,
    audience: str,
    now: float,
    leeway: float = 5.0,
    backend_host: str | None = None,
    region: str | None = None,
) -> EdgeClaims:
    """Return the statements of the edge about the request `head`.

    Args:
        token: the value of the one `Fastgate-Identity` header.
        keys: the edge's keys by `kid`. Each key determines the accepted algorithm.
        head: the request that the origin is about to run.
        issuer: the exact `iss` of the edge.
        audience: the exact `aud` of this origin.
        now: Unix time, seconds.
        leeway: seconds by which the clocks of edge and origin may differ.
        backend_host: the `Host` with which requests arrive, if it is not the client's.
        region: the region in which the origin runs, if it runs in one only.

    Raises:
        Refused: a subclass names the cause. `KeyUnknown` is raised before anything is
            authenticated. It may justify fetching fresh keys, and nothing else.

    """
    claims = EdgeClaims.parse(_authenticated_payload(token, keys))
    signed_issuer, signed_audience, issued_at, expires_at, _, _, _, judged, _ = claims
    try:
        if signed_issuer != issuer:
            raise errors.IssuerMismatch(signed=signed_issuer, found=issuer)
        if signed_audience != audience:
            raise errors.AudienceMismatch(signed=signed_audience, found=audience)
        _check_time(issued_at, expires_at, now, leeway)
        _check_request(judged, head)
        _check_host(judged, head.host, backend_host)
        if region is not None and claims.requester.region != region:
            raise errors.RegionMismatch(signed=claims.requester.region, found=region)
    except errors.Refused as error:
        error.request_id = claims.request_id
        raise
    return claims


def _authenticated_payload(token: bytes, keys: KeySet) -> dict[str, object]:
    if len(token) > MAX_TOKEN_BYTES:
        raise errors.HeaderTooLong
    segments = token.split(b".")
    if len(segments) != 3:
        raise errors.TokenMalformed
    head, body, tag = segments
    algorithm, kid = _checked_header(head)
    payload, signature = _base64url(body), _base64url(tag)

    key = keys.get(kid)
    if key is None:
        raise errors.KeyUnknown(signed=kid, found=", ".join(keys))
    signing_input = token[: -len(tag) - 1]
    # The key determines the algorithm. The token's header has to agree (RFC 8725 §3.1).
    if isinstance(key, MacKey):
        if algorithm != HS256:
            raise errors.AlgorithmRefused
        signed = compare_digest(key.mac(signing_input), signature)
    else:
        if algorithm != EDDSA:
            raise errors.AlgorithmRefused
        signed = _is_signed_by(key, signing_input, signature)
    if not signed:
        raise errors.SignatureInvalid
    return _json_object(payload)


def _is_signed_by(key: object, signing_input: bytes, signature: bytes) -> bool:
    # A key source of the app's own may hold any key. `EdDSA` also names Ed448 (RFC 8037 §3.1).
    if not isinstance(key, Ed25519PublicKey):
        return False
    try:
        key.verify(signature, signing_input)
    except InvalidSignature:
        return False
    return True


# An edge writes the same header as long as it signs with the same key.
@lru_cache(maxsize=64)
def _checked_header(segment: bytes) -> tuple[str, str]:
    """Check a JOSE header and return its `alg` and `kid`."""
    header = _json_object(_base64url(segment))
    algorithm = header.get("alg")
    if algorithm not in (EDDSA, HS256):
        raise errors.AlgorithmRefused
    if header.get("typ") != TYPE:
        raise errors.TypeRefused
    # `b64` changes the signed bytes, and must be listed as critical (RFC 7797 §6).
    if "crit" in header or "b64" in header:
        raise errors.CriticalRefused
    version = header.get("ver")
    # In Python, 2.0 equals 2. In the contract it does not.
    if type(version) is not int or version != VERSION:
        raise errors.VersionRefused
    kid = header.get("kid")
    if not isinstance(kid, str) or not kid:
        raise errors.KeyUnknown
    return str(algorithm), kid


# These run for every request: unpacking a tuple is faster than reading its members by name.


def _check_time(issued_at: int, expires_at: int, now: float, leeway: float) -> None:
    if not 0 < expires_at - issued_at <= MAX_LIFETIME_SECONDS:
        raise errors.LifetimeRefused(signed=f"{expires_at - issued_at} seconds")
    # RFC 7519 §4.1.4: a token is valid before `exp`, and no longer at `exp`.
    if now - leeway >= expires_at:
        raise errors.Expired(signed=f"exp {expires_at}", found=f"now {now:.0f}")
    if now + leeway < issued_at:
        raise errors.NotYetValid(signed=f"iat {issued_at}", found=f"now {now:.0f}")


def _check_request(judged: Transaction, head: RequestHead) -> None:
    _, _, signed_method, _, signed_path, signed_query, _, is_websocket, _, _, _ = judged
    method, raw_path, query, _, other_paths, decoded_paths, websocket = head
    if signed_method != method or is_websocket is not websocket:
        signed, found = _kind(signed_method, is_websocket), _kind(method, websocket)
        raise errors.MethodMismatch(signed=signed, found=found)
    if raw_path is None:
        if unquote(signed_path) not in decoded_paths:
            raise errors.PathMismatch(signed=signed_path, found=", ".join(decoded_paths))
    elif (path := signed_path.encode()) != raw_path and path not in other_paths:
        raise errors.PathMismatch(signed=signed_path, found=raw_path.decode("latin-1"))
    if signed_query != (_digest(query) if query else None):
        raise errors.QueryMismatch


def _check_host(judged: Transaction, found: bytes | None, backend_host: str | None) -> None:
    # The platform hands a WebSocket over with the backend's own name in `Host`.
    if judged.websocket and backend_host is None and found:
        return
    expected = judged.host if backend_host is None else backend_host
    if expected.encode() != found:
        shown = None if found is None else found.decode("latin-1")
        raise errors.HostMismatch(signed=expected, found=shown)


def _kind(method: str, websocket: bool) -> str:
    """Return the method, and mark the GET that opens a WebSocket."""
    return f"{method} (WebSocket)" if websocket else method


def _digest(octets: bytes) -> str:
    return base64url(hashlib.sha256(octets).digest())


def _base64url(segment: bytes) -> bytes:
    try:
        return from_base64url(segment)
    except ValueError:
        raise errors.TokenMalformed from None


def _json_object(raw: bytes) -> dict[str, object]:
    try:
        return strict_json.parse_object(raw)
    except ValueError as error:
        raise errors.TokenMalformed from error
