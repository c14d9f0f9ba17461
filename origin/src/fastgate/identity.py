"""The caller of a request, as endpoints receive it.

Input: verified `EdgeClaims`. Output: an `Identity`, or None for an anonymous caller. It judges
nothing: its input has been verified. FastAPI and pydantic never create an `Identity`, because their
input is a request.
"""

from dataclasses import dataclass
from typing import Annotated, Self

from pydantic_core import CoreSchema

from fastgate.claims import EdgeClaims
from fastgate.edge_only import Handler, OnlyMade


@dataclass(frozen=True, slots=True)
class Identity:
    """A known caller. Use `(issuer, subject)` as the key of your own records, not `subject`."""

    subject: Annotated[str, OnlyMade()]
    """The caller's id, unique within `issuer` and never reassigned (OpenID Connect Core §2)."""
    issuer: str
    """The identity provider that issued the subject."""
    client_id: str | None
    """The OAuth client that acts for the subject, if known."""
    scopes: frozenset[str]
    country: str | None
    """ISO 3166-1 alpha-2, upper case: the country from which the client connected to the edge."""
    request_id: str
    """The id of this request in the logs of edge and origin."""
    token_expires_at: int | None = None
    """When the caller's own token expires: Unix time, seconds; None if the edge does not report it.
    Work that outlives the request should end by this time."""

    @classmethod
    def of(cls, claims: EdgeClaims) -> Self | None:
        """Return the caller that `claims` name; None for an anonymous caller."""
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
        """Allow an `Identity` in a response, and refuse to read one from a request."""
        return OnlyMade(cls).__get_pydantic_core_schema__(source, handler)
