"""The caller of a request, as endpoints see it.

In: verified `EdgeClaims`. Out: an `Identity`, or None for an anonymous caller. It never judges:
whatever it is given has been verified. FastAPI and pydantic make none: what they have is a request.
"""

from dataclasses import dataclass
from typing import Annotated, Self

from pydantic_core import CoreSchema

from fastgate.claims import EdgeClaims
from fastgate.edge_only import Handler, OnlyMade


@dataclass(frozen=True, slots=True)
class Identity:
    """A known caller. `(issuer, subject)` is what to key one's own records by, not `subject`."""

    subject: Annotated[str, OnlyMade()]
    """Unique within `issuer`, never reassigned there (OpenID Connect Core §2)."""
    issuer: str
    """The identity provider that vouches for the subject."""
    client_id: str | None
    """The OAuth client that acts for the subject, where known."""
    scopes: frozenset[str]
    country: str | None
    """ISO 3166-1 alpha-2, upper case, where the edge saw the client."""
    request_id: str
    """The id of this request in the logs of edge and origin."""
    token_expires_at: int | None = None
    """When the caller's own token expires: Unix time, seconds; None where the edge does not tell.
    What goes on for longer than a request should not go on for longer than this."""

    @classmethod
    def of(cls, claims: EdgeClaims) -> Self | None:
        """Return the caller that `claims` name; None if they name none."""
        requester = claims.requester
        subject, issuer = claims.subject, requester.issuer
        if subject is None or issuer is None:
            return None
        return cls(
            subject,
            issuer,
            requester.client_id,
            claims.scopes,
            requester.country,
            claims.request_id,
            requester.token_expires_at,
        )

    @classmethod
    def __get_pydantic_core_schema__(cls, source: object, handler: Handler) -> CoreSchema:
        """Let an `Identity` be part of a response, and of nothing that is read from a request."""
        return OnlyMade(cls).__get_pydantic_core_schema__(source, handler)
