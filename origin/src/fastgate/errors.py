"""The causes of a refusal: one small class for each, each with a stable code.

In: nothing. Out: the names that the other modules raise and the log prints. A code is a kebab-case
slug for logs, metrics and tests; it never holds a part of the token. What a client sees is decided
in `problem`, and there every `Refused` looks the same.
"""

from typing import ClassVar


class FastgateError(Exception):
    """Anything that keeps a request out. `code` is stable across versions."""

    code: ClassVar[str]

    def __str__(self) -> str:
        return self.code


class KeysUnavailable(FastgateError):
    """No usable keys of the edge: none ever came, or the last good ones are too old. A 503."""

    code = "keys-unavailable"


class InsufficientScope(FastgateError):
    """The caller is known, but lacks a scope that the endpoint asks for. A 403."""

    code = "insufficient-scope"


class CallerRequired(FastgateError):
    """The edge let an anonymous caller through; the endpoint wants a known one. A 401."""

    code = "caller-required"


class JwksRefused(FastgateError):
    """What should have been a JWK Set is not one that can be used. `reason` is a slug."""

    code = "jwks-refused"

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Refused(FastgateError):
    """Something is wrong with `Fastgate-Identity`, or it is about another request. A 401.

    Args:
        about: what the subclass tells of itself.
        signed: what the edge signed, where the two were compared; for the log.
        found: what was found instead.

    """

    def __init__(self, *about: object, signed: str | None = None, found: str | None = None) -> None:
        super().__init__(*about)
        self.signed = signed
        self.found = found
        self.request_id: str | None = None
        """The edge's id of the request, where its signature was good."""


class HeaderMissing(Refused):
    """The request did not come through the edge."""

    code = "header-missing"


class HeaderRepeated(Refused):
    """The edge sends exactly one; another one was added on the way."""

    code = "header-repeated"


class HeaderTooLong(Refused):
    """Longer than 8 KiB, so not read at all."""

    code = "header-too-long"


class TokenMalformed(Refused):
    """Not a JWS in compact form: segments, base64url (RFC 7515 §2) or strict JSON objects."""

    code = "token-malformed"


class AlgorithmRefused(Refused):
    """`alg` is another algorithm than the key is for (RFC 8725 §3.1)."""

    code = "algorithm-refused"


class TypeRefused(Refused):
    """`typ` is anything but `txntoken+jwt` (RFC 8725 §3.11)."""

    code = "type-refused"


class CriticalRefused(Refused):
    """`crit` or `b64` is there: no extension is understood here, and an empty list is illegal."""

    code = "critical-refused"


class KeyUnknown(Refused):
    """`kid` is absent, not a string, or names no key that the edge publishes."""

    code = "key-unknown"


class SignatureInvalid(Refused):
    """The key that `kid` names did not sign this."""

    code = "signature-invalid"


class ClaimMalformed(Refused):
    """A claim is missing or has the wrong type. `claim` is its name in the contract."""

    code = "claim-malformed"

    def __init__(self, claim: str) -> None:
        super().__init__(claim)
        self.claim = claim


class IssuerMismatch(Refused):
    """Minted by another edge."""

    code = "issuer-mismatch"


class AudienceMismatch(Refused):
    """Minted by this edge for another origin."""

    code = "audience-mismatch"


class LifetimeRefused(Refused):
    """`exp - iat` is not within 1..60 seconds: no edge of ours minted it."""

    code = "lifetime-refused"


class Expired(Refused):
    """`exp` has passed, even with the leeway."""

    code = "expired"


class NotYetValid(Refused):
    """`iat` is still to come, even with the leeway: a clock is wrong."""

    code = "not-yet-valid"


class MethodMismatch(Refused):
    """The edge judged another method, or a GET that opens no WebSocket where this does, or not."""

    code = "method-mismatch"


class PathMismatch(Refused):
    """The edge judged another path, or a middleware has changed the path since."""

    code = "path-mismatch"


class QueryMismatch(Refused):
    """The edge judged another query string."""

    code = "query-mismatch"


class ContentMismatch(Refused):
    """Another body than the edge signed, one over the limit, or none signed where one must be."""

    code = "content-mismatch"


class RouteMismatch(Refused):
    """The edge judged the rules of one route; FastAPI is about to run another."""

    code = "route-mismatch"


class EvidenceMissing(Refused):
    """An endpoint asked for its caller, but no guard verified one: the app is not guarded."""

    code = "evidence-missing"


class NotLocal(Refused):
    """Local development is on, and this request may come from another machine."""

    code = "not-local"
