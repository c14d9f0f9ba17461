"""Verify that a gateway signed an assertion for this app.

Input: the bytes of one assertion, the rules of its gateway, a key and the time. Output: the
payload, or a `Refused` that names the cause. Like `fastgate.verify`, it fetches nothing, reads no
clock and logs nothing. RFC 8725 lists the checks.
"""

from typing import NamedTuple, TypeAlias

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from fastgate import errors, strict_json
from fastgate.base64url import from_base64url
from fastgate.gateways.gateway import Gateway, Members
from fastgate.requester import LATEST

PublicKey: TypeAlias = EllipticCurvePublicKey | RSAPublicKey
"""A key on P-256 verifies ES256; an RSA key verifies RS256."""

MAX_ASSERTION_BYTES = 16_384
"""Load balancers of AWS forward claims of up to 11 KB, which base64 makes a third longer."""
_COORDINATE = 32
_TYPE = "JWT"


class Unverified(NamedTuple):
    """The parts of an assertion whose JOSE header was checked, but whose signature was not."""

    kid: str
    header: Members
    payload: bytes
    signing_input: bytes
    signature: bytes


def read_unverified(token: bytes, gateway: Gateway, now: float, leeway: float) -> Unverified:
    """Split an assertion and check its JOSE header, before any key is looked up.

    Raises:
        Refused: a subclass names the cause.

    """
    if len(token) > MAX_ASSERTION_BYTES:
        raise errors.HeaderTooLong
    segments = token.split(b".")
    if len(segments) != 3:
        raise errors.TokenMalformed
    decoded, payload, signature = (_decoded(each, padded=gateway.padded) for each in segments)
    header = _json_object(decoded)
    if header.get("alg") != gateway.algorithm:
        raise errors.AlgorithmRefused
    # `crit` lists extensions, and none is supported; `b64` would change the signed bytes.
    if "crit" in header or "b64" in header:
        raise errors.CriticalRefused
    if header.get("typ", _TYPE) != _TYPE:
        raise errors.TypeRefused
    for name, expected in gateway.signed_header:
        if header.get(name) != expected:
            # The value is not verified, so it is not in the log.
            raise errors.SignerMismatch(found=f"{name} is not {expected}")
    if gateway.times_in_header:
        _check_times(header, gateway, now, leeway)
    kid = header.get("kid")
    if not isinstance(kid, str) or not kid:
        raise errors.KeyUnknown
    signing_input = token[: -len(segments[2]) - 1]
    return Unverified(kid, header, payload, signing_input, signature)


def verified_payload(
    token: Unverified, key: PublicKey, gateway: Gateway, now: float, leeway: float
) -> tuple[str, Members]:
    """Return the issuer and the payload of an assertion.

    Raises:
        Refused: a subclass names the cause.

    """
    if not _is_signed_by(key, token, gateway):
        raise errors.SignatureInvalid
    payload = _json_object(token.payload)
    issuer = payload.get("iss")
    if gateway.times_in_header:
        named = token.header.get("iss")
        issuer = payload.get("iss", named)
        if named != issuer:
            raise errors.IssuerMismatch(signed=str(issuer), found=str(named))
    if not isinstance(issuer, str) or not issuer:
        raise errors.ClaimMalformed("iss")
    if gateway.issuer is not None and issuer != gateway.issuer:
        raise errors.IssuerMismatch(signed=issuer, found=gateway.issuer)
    if gateway.audience is not None:
        _check_audience(payload, gateway.audience)
    if not gateway.times_in_header or "exp" in payload:
        _check_times(payload, gateway, now, leeway)
    for name, expected in gateway.claims:
        if payload.get(name) != expected:
            raise errors.ClaimMalformed(name)
    return issuer, payload


def _is_signed_by(key: PublicKey, token: Unverified, gateway: Gateway) -> bool:
    signature = token.signature
    try:
        if gateway.algorithm == "ES256" and isinstance(key, EllipticCurvePublicKey):
            # RFC 7518 §3.4: two numbers of 32 octets each.
            if len(signature) != 2 * _COORDINATE:
                return False
            r, s = (
                int.from_bytes(each) for each in (signature[:_COORDINATE], signature[_COORDINATE:])
            )
            key.verify(encode_dss_signature(r, s), token.signing_input, ECDSA(SHA256()))
        elif gateway.algorithm == "RS256" and isinstance(key, RSAPublicKey):
            key.verify(signature, token.signing_input, PKCS1v15(), SHA256())
        else:
            return False
    except InvalidSignature:
        return False
    return True


def _check_audience(payload: Members, expected: str) -> None:
    # RFC 7519 §4.1.3: a string, or a list of strings.
    found = payload.get("aud")
    values: list[object] = found if isinstance(found, list) else [found]
    texts = [each for each in values if isinstance(each, str)]
    if len(texts) != len(values):
        raise errors.ClaimMalformed("aud")
    if expected not in texts:
        raise errors.AudienceMismatch(signed=", ".join(texts), found=expected)


def _check_times(members: Members, gateway: Gateway, now: float, leeway: float) -> None:
    expires_at = _time(members, "exp")
    if expires_at is None or (gateway.requires_issue_time and "iat" not in members):
        raise errors.ClaimMalformed("exp" if expires_at is None else "iat")
    if now - leeway >= expires_at:
        raise errors.Expired(signed=f"exp {expires_at}", found=f"now {now:.0f}")
    for name in ("iat", "nbf"):
        begins_at = _time(members, name)
        if begins_at is not None and now + leeway < begins_at:
            raise errors.NotYetValid(signed=f"{name} {begins_at}", found=f"now {now:.0f}")
    issued_at, longest = _time(members, "iat"), gateway.max_lifetime
    if longest is not None and issued_at is not None and expires_at - issued_at > longest:
        raise errors.LifetimeRefused(signed=f"{expires_at - issued_at} seconds")


def _time(members: Members, name: str) -> float | None:
    """Return a `NumericDate` (RFC 7519 §2); None if it is absent."""
    value = members.get(name)
    if value is None and name not in members:
        return None
    # In Python a bool is an int, and an int may be too large for a float or for a message. NaN is
    # not within any limits.
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise errors.ClaimMalformed(name)
    if not -LATEST <= value <= LATEST:
        raise errors.ClaimMalformed(name)
    return value


def _decoded(segment: bytes, *, padded: bool) -> bytes:
    if padded and segment.endswith(b"=") and len(segment) % 4 == 0:
        segment = segment.removesuffix(b"=").removesuffix(b"=")
    try:
        return from_base64url(segment)
    except ValueError:
        raise errors.TokenMalformed from None


def _json_object(raw: bytes) -> Members:
    try:
        return strict_json.parse_object(raw)
    except ValueError as error:
        raise errors.TokenMalformed from error
