"""The causes of a refusal: one small class for each, with a stable code.

Input: none. Output: the exceptions that the other modules raise and the log prints. A code is a
kebab-case slug for logs, metrics and tests. It never contains a part of the token. `problem`
decides what a client receives: the same response for every `Refused`.
"""

from collections.abc import Sequence
from typing import ClassVar


class FastgateError(Exception):
    """A reason to refuse a request. `code` is stable across versions."""

    code: ClassVar[str]

    def __str__(self) -> str:
        return self.code


class KeysUnavailable(FastgateError):
    """There are no usable keys of the edge or gateway: none, or they are too old. A 503."""

    code = "keys-unavailable"


class InsufficientScope(FastgateError):
    """The caller is known, but lacks a scope that the endpoint requires. A 403."""

    code = "insufficient-scope"


class TokenUnbound(FastgateError):
    """The endpoint requires a token that is bound to a key, and the caller's is not. A 401."""

    code = "token-unbound"


class ConditionUnmet(FastgateError):
    """The caller does not meet a condition of the endpoint. A 403."""

    code = "condition-unmet"


class ConditionUndecidable(FastgateError):
    """A condition reads what was not forwarded. A 403.

    For a claim or groups, the policy of the edge is not the one that the app compiles to. Another
    gateway may report no groups, and never reports roles.
    """

    code = "condition-undecidable"


class RegionUnmet(FastgateError):
    """The edge sent the request to a backend of another region than the endpoint requires. A 403.

    The policy of the edge is not the one that the app compiles to, or the origin has no regions.

    Args:
        signed: the region that the edge signed; None if the header names none.
        required: the regions in which the endpoint runs.

    """

    code = "region-unmet"

    def __init__(self, signed: str | None, required: Sequence[str]) -> None:
        super().__init__(signed, required)
        self.signed, self.required = signed, tuple(required)


class AuthenticationInsufficient(FastgateError):
    """The caller has not signed in as, or as recently as, the endpoint requires. A 401."""

    code = "authentication-insufficient"


class CallerRequired(FastgateError):
    """The caller is anonymous; the endpoint requires a known one. A 401."""

    code = "caller-required"


class JwksRefused(FastgateError):
    """The document is not a usable JWK Set. `reason` is a slug."""

    code = "jwks-refused"

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Refused(FastgateError):
    """`Fastgate-Identity` is invalid, or was signed for another request. A 401.

    The assertion of another gateway is refused for the same causes, with the same codes.

    Args:
        about: the arguments of the exception.
        signed: the value that the edge signed, if a comparison failed; for the log.
        found: the value that was found instead.

    """

    def __init__(self, *about: object, signed: str | None = None, found: str | None = None) -> None:
        super().__init__(*about)
        self.signed = signed
        self.found = found
        self.gateway: str | None = None
        """The gateway whose assertion was refused; None if it was the header of the edge."""
        self.request_id: str | None = None
        """The edge's id of the request, if its signature was valid."""


class HeaderMissing(Refused):
    """The request did not come through the edge: it has no header."""

    code = "header-missing"


class HeaderRepeated(Refused):
    """There is more than one header. The edge sends exactly one."""

    code = "header-repeated"


class HeaderTooLong(Refused):
    """The header is longer than 8 KiB, that of another gateway 16 KiB, so it is not parsed."""

    code = "header-too-long"


class TokenMalformed(Refused):
    """The header is not a compact JWS: three segments, base64url (RFC 7515 §2), strict JSON."""

    code = "token-malformed"


class AlgorithmRefused(Refused):
    """`alg` is not one of the accepted algorithms, or not that of the key (RFC 8725 §3.1).

    The edge signs by `EdDSA` or `HS256`; each other gateway has its own algorithm.
    """

    code = "algorithm-refused"


class VersionRefused(Refused):
    """`ver` is absent, or is not the number 2: another version of the contract."""

    code = "version-refused"


class TypeRefused(Refused):
    """`typ` is not `txntoken+jwt`; in an assertion, not `JWT` (RFC 8725 §3.11)."""

    code = "type-refused"


class CriticalRefused(Refused):
    """The header has `crit` or `b64`. No extension is supported, and an empty list is illegal."""

    code = "critical-refused"


class KeyUnknown(Refused):
    """`kid` is absent, not a string, or names no known key of the edge or gateway."""

    code = "key-unknown"


class SignatureInvalid(Refused):
    """The signature was not made with the key that `kid` names."""

    code = "signature-invalid"


class ClaimMalformed(Refused):
    """A claim is missing or has the wrong type. `claim` is its name in the header."""

    code = "claim-malformed"

    def __init__(self, claim: str) -> None:
        super().__init__(claim)
        self.claim = claim


class IssuerMismatch(Refused):
    """Another edge or issuer minted the header."""

    code = "issuer-mismatch"


class AudienceMismatch(Refused):
    """The header was minted for another origin or application."""

    code = "audience-mismatch"


class LifetimeRefused(Refused):
    """`exp - iat` is not within 1..60 seconds, or longer than the gateway signs for."""

    code = "lifetime-refused"


class Expired(Refused):
    """`exp` has passed, even with the leeway."""

    code = "expired"


class NotYetValid(Refused):
    """`iat` is in the future, even with the leeway: a clock is wrong."""

    code = "not-yet-valid"


class MethodMismatch(Refused):
    """The edge judged another method, or only one of the two requests opens a WebSocket."""

    code = "method-mismatch"


class PathMismatch(Refused):
    """The edge judged another path, or middleware has changed the path."""

    code = "path-mismatch"


class QueryMismatch(Refused):
    """The edge judged another query string."""

    code = "query-mismatch"


class HostMismatch(Refused):
    """The edge forwarded another `Host`, or the request has none or several."""

    code = "host-mismatch"


class RegionMismatch(Refused):
    """The edge sent the request to a backend of another region than the app's, or of none."""

    code = "region-mismatch"


class ContentMismatch(Refused):
    """The body differs from the signed or judged one, exceeds the limit, or is unsigned."""

    code = "content-mismatch"


class RouteMismatch(Refused):
    """The edge applied the rules of one route; FastAPI is about to run another."""

    code = "route-mismatch"


class EvidenceMissing(Refused):
    """An endpoint depends on its caller, but no guard verified one: the app is not guarded."""

    code = "evidence-missing"


class NotLocal(Refused):
    """Local development is on, and the request may come from another machine."""

    code = "not-local"


class EdgeNotConfigured(Refused):
    """The request has `Fastgate-Identity`, and the app has no settings of an edge."""

    code = "edge-not-configured"


class AssertionRepeated(Refused):
    """There is more than one assertion in the request: of one gateway, or of several."""

    code = "assertion-repeated"


class SignerMismatch(Refused):
    """`signer` or `client` of the assertion is another load balancer or client."""

    code = "signer-mismatch"


class RuleNotEnforced(Refused):
    """The endpoint declares rules that only the edge enforces; another gateway sent the request."""

    code = "rule-not-enforced"
