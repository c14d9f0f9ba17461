"""The contract with the edge, as Python types: what a verified `Fastgate-Identity` says.

In: the payload's JSON object, already authenticated by `verify`. Out: `EdgeClaims`. Strict about
every claim that it knows (a wrong type is refused, and so is `null`), blind to those it does not,
so that an edge may be updated first. It never looks at the clock, the request or a key.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from fastgate.errors import ClaimMalformed

SCOPE_KEY = "fastgate"
"""Where the door leaves the `EdgeClaims` of a request, in its ASGI scope."""

_COUNTRY = re.compile(r"[A-Z]{2}")
_CONTENT_DIGEST = re.compile(r"sha-256=:[A-Za-z0-9+/]{43}=:")
_SHA256_BASE64URL = re.compile(r"[A-Za-z0-9_-]{43}")


@dataclass(frozen=True, slots=True)
class Transaction:
    """`tctx`: the request that the edge judged, and the route whose rules it judged it by."""

    route: str
    """The route's id in the edge's policy."""
    template: str
    """That route's path template, in FastAPI's syntax."""
    method: str
    path: str
    """The canonical path; its UTF-8 bytes are the request's `raw_path`."""
    query: str | None
    """base64url of SHA-256 of the query string's bytes; None for an empty query."""
    content_digest: str | None = None
    """The body's `Content-Digest` (RFC 9530); None where the route does not ask for it."""

    @classmethod
    def parse(cls, tctx: Mapping[str, object]) -> Self:
        """Read `tctx`. Raises `ClaimMalformed`."""
        query = _text(tctx, "query", "tctx.") if "query" in tctx else None
        if query is not None and not _SHA256_BASE64URL.fullmatch(query):
            raise ClaimMalformed("tctx.query")
        content = _text(tctx, "content_digest", "tctx.") if "content_digest" in tctx else None
        if content is not None and not _CONTENT_DIGEST.fullmatch(content):
            raise ClaimMalformed("tctx.content_digest")
        return cls(
            route=_text(tctx, "route", "tctx."),
            template=_text(tctx, "template", "tctx."),
            method=_text(tctx, "method", "tctx."),
            path=_text(tctx, "path", "tctx."),
            query=query,
            content_digest=content,
        )


@dataclass(frozen=True, slots=True)
class Requester:
    """`rctx`: where the caller comes from. All None for an anonymous caller seen nowhere."""

    issuer: str | None
    """The issuer of the caller's own token; None for an anonymous caller."""
    client_id: str | None
    """The OAuth client, where the caller's token names one."""
    country: str | None
    """ISO 3166-1 alpha-2, upper case, where the edge saw the client."""

    @classmethod
    def parse(cls, rctx: Mapping[str, object]) -> Self:
        """Read `rctx`. Raises `ClaimMalformed`."""
        country = _text(rctx, "country", "rctx.") if "country" in rctx else None
        if country is not None and not _COUNTRY.fullmatch(country):
            raise ClaimMalformed("rctx.country")
        return cls(
            issuer=_text(rctx, "iss", "rctx.") if "iss" in rctx else None,
            client_id=_text(rctx, "client_id", "rctx.") if "client_id" in rctx else None,
            country=country,
        )


@dataclass(frozen=True, slots=True)
class EdgeClaims:
    """Everything the edge vouches for, about one request and its caller."""

    issuer: str
    """The edge that minted this."""
    audience: str
    """The one origin that it is for."""
    issued_at: int
    """Unix time, seconds."""
    expires_at: int
    """Unix time, seconds."""
    request_id: str
    """`txn`: the same as in `X-Request-ID` and in the edge's log line."""
    subject: str | None
    """The caller, unique within `requester.issuer`; None for an anonymous caller."""
    scopes: frozenset[str]
    transaction: Transaction
    requester: Requester

    @classmethod
    def parse(cls, payload: Mapping[str, object]) -> Self:
        """Read the whole payload.

        Raises:
            ClaimMalformed: a claim is missing, has the wrong type, or contradicts another: a
                subject without its issuer or the reverse, scopes that belong to nobody.

        """
        subject = _text(payload, "sub") if "sub" in payload else None
        requester = Requester.parse(_object(payload, "rctx") if "rctx" in payload else {})
        if (subject is None) != (requester.issuer is None):
            raise ClaimMalformed("rctx.iss")
        scopes = frozenset(_scopes(payload) if "scope" in payload else ())
        if scopes and subject is None:
            raise ClaimMalformed("scope")
        return cls(
            issuer=_text(payload, "iss"),
            audience=_text(payload, "aud"),
            issued_at=_seconds(payload, "iat"),
            expires_at=_seconds(payload, "exp"),
            request_id=_text(payload, "txn"),
            subject=subject,
            scopes=scopes,
            transaction=Transaction.parse(_object(payload, "tctx")),
            requester=requester,
        )


def _text(members: Mapping[str, object], name: str, within: str = "") -> str:
    value = members.get(name)
    if not isinstance(value, str) or not value:
        raise ClaimMalformed(within + name)
    return value


def _seconds(payload: Mapping[str, object], name: str) -> int:
    value = payload.get(name)
    # In Python a bool is an int; in the contract it is not.
    if not isinstance(value, int) or isinstance(value, bool):
        raise ClaimMalformed(name)
    return value


def _object(payload: Mapping[str, object], name: str) -> Mapping[str, object]:
    value = payload.get(name)
    if not isinstance(value, dict):
        raise ClaimMalformed(name)
    return value


def _scopes(payload: Mapping[str, object]) -> list[str]:
    # Separated by single spaces, never by tabs, never twice (RFC 6749 §3.3).
    scopes = _text(payload, "scope").split(" ")
    if not all(scope and scope.isprintable() for scope in scopes):
        raise ClaimMalformed("scope")
    return scopes
