"""The problem details (RFC 9457) of a refusal.

Input: one of the kinds. Output: status, headers and body, spelled as the edge spells the same
problem. Every fault of the header has the same response, byte for byte: only the log distinguishes
the causes. It never receives a token, a claim or an exception.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from http import HTTPStatus

MEDIA_TYPE = "application/problem+json"


@dataclass(frozen=True, slots=True)
class Problem:
    """One kind of refusal, as the client receives it."""

    status: HTTPStatus
    slug: str
    """The problem's type is `urn:fastgate:problem:<slug>`."""
    title: str
    field: tuple[str, str] | None = None
    """The header that the status requires. All others are the same for every problem."""
    detail: str | None = None
    """What to change, for a developer; no problem of a guarded app has one."""

    def body(self) -> bytes:
        """Return the JSON document: `type`, `title`, `status` and `detail` (RFC 9457 §3.1)."""
        kind = f"urn:fastgate:problem:{self.slug}"
        members = {"type": kind, "title": self.title, "status": int(self.status)}
        return json.dumps(
            members if self.detail is None else members | {"detail": self.detail}
        ).encode()

    def headers(self) -> dict[str, str]:
        """Return every header but Content-Length."""
        headers = {"Content-Type": MEDIA_TYPE, "Cache-Control": "no-store"}
        return headers if self.field is None else {**headers, self.field[0]: self.field[1]}

    def raw_headers(self) -> list[tuple[bytes, bytes]]:
        """Return every header, Content-Length included, as ASGI expects them."""
        headers = {**self.headers(), "Content-Length": str(len(self.body()))}
        return [
            (name.lower().encode("latin-1"), value.encode("latin-1"))
            for name, value in headers.items()
        ]


NOT_FROM_THE_EDGE = Problem(
    HTTPStatus.UNAUTHORIZED,
    "not-from-the-edge",
    "The request did not come through the gateway",
    # A 401 must name a scheme (RFC 9110 §11.6.1): the one that the gateway accepts.
    ("WWW-Authenticate", "Bearer"),
)

AUTHENTICATION_REQUIRED = Problem(
    HTTPStatus.UNAUTHORIZED,
    "authentication-required",
    "A bearer token is required",
    ("WWW-Authenticate", "Bearer"),
)

UNAVAILABLE = Problem(
    HTTPStatus.SERVICE_UNAVAILABLE,
    "unavailable",
    "The service is not available right now",
    ("Retry-After", "5"),
)


FORBIDDEN = Problem(HTTPStatus.FORBIDDEN, "forbidden", "The caller may not do this")

BOUND_TOKEN_REQUIRED = Problem(
    HTTPStatus.UNAUTHORIZED,
    "bound-token-required",
    "A token that is bound to a key is required",
    # RFC 9449 §7.1, with the algorithms of proofs that the edge accepts.
    ("WWW-Authenticate", 'DPoP error="invalid_token", algs="ES256 EdDSA"'),
)


def insufficient_authentication(acr: Iterable[str], max_age: int | None) -> Problem:
    """Return the 401 that says how the caller has to sign in (RFC 9470 §3)."""
    parameters = ['error="insufficient_user_authentication"']
    if values := " ".join(acr):
        parameters.append(f'acr_values="{values}"')
    if max_age is not None:
        parameters.append(f'max_age="{max_age}"')
    return Problem(
        HTTPStatus.UNAUTHORIZED,
        "insufficient-user-authentication",
        "Signing in again, or in a stronger way, is required",
        ("WWW-Authenticate", f"Bearer {', '.join(parameters)}"),
    )


def insufficient_scope(required: Iterable[str]) -> Problem:
    """Return the 403 that names the scopes the client needs (RFC 6750 §3.1)."""
    scopes = " ".join(required)
    return Problem(
        HTTPStatus.FORBIDDEN,
        "insufficient-scope",
        "The token does not have the required scope",
        ("WWW-Authenticate", f'Bearer error="insufficient_scope", scope="{scopes}"'),
    )


def scopes_not_reported(required: Iterable[str], gateway: str) -> Problem:
    """Return the 403 for an endpoint with scopes behind a gateway that reports none."""
    return replace(
        insufficient_scope(required),
        title=f"The gateway {gateway} reports no scopes, and this endpoint requires some",
    )
