"""The caller of a request, as endpoints receive it.

Input: verified `EdgeClaims`. Output: an `Identity`, or None for an anonymous caller. It judges
nothing: its input has been verified. FastAPI and pydantic never create an `Identity`, because their
input is a request.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Self, TypeVar

from pydantic import JsonValue
from pydantic_core import CoreSchema

from fastgate.claims import EdgeClaims
from fastgate.edge_only import Handler, OnlyMade
from fastgate.forwarded import ForwardedClaims, groups_not_forwarded
from fastgate.requester import Confirmation, Requester

_Kind = TypeVar("_Kind")


@dataclass(frozen=True, slots=True)
class Client:
    """Where the client is, and how it is connected, according to the edge.

    All members but `country` are None unless a rule of the route uses them and they are known.
    """

    country: Annotated[str | None, OnlyMade()] = None
    """ISO 3166-1 alpha-2, upper case: the country from which the client connected to the edge."""
    subdivision: str | None = None
    """ISO 3166-2: `US-CA`."""
    continent: str | None = None
    """`AF`, `AN`, `AS`, `EU`, `NA`, `OC` or `SA`."""
    asn: int | None = None
    """The number of the autonomous system."""
    connection: str | None = None
    """`wired`, `wifi`, `mobile`, `dialup` or `satellite`."""
    proxy: str | None = None
    """`anonymous`, `aol`, `blackberry`, `corporate`, `edu`, `hosting`, `public` or
    `transparent`."""

    @classmethod
    def of(cls, requester: Requester) -> Self:
        """Return the client that the edge describes."""
        made = _Client()
        made.country = requester.country
        made.subdivision = requester.subdivision
        made.continent = requester.continent
        made.asn = requester.asn
        made.connection = requester.connection
        made.proxy = requester.proxy
        return _frozen(made, cls)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: object, handler: Handler) -> CoreSchema:
        """Allow a `Client` in a response, and refuse to read one from a request."""
        return OnlyMade(cls).__get_pydantic_core_schema__(source, handler)


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
    request_id: str
    """The id of this request in the logs of edge and origin."""
    token_expires_at: int | None = None
    """When the caller's own token expires: Unix time, seconds; None if the edge does not report it.
    Work that outlives the request should end by this time."""
    roles: frozenset[str] = frozenset()
    """The caller's roles, from the claims that `claims.roles` of the issuer names in the policy."""
    tenant: str | None = None
    """The tenant, from the claim that `claims.tenant` of the issuer names in the policy."""
    claims: Mapping[str, JsonValue] = field(default_factory=dict, hash=False)
    """The claims that `forward` in the policy or in the endpoint's `at_edge` names, with their JSON
    types. None is a claim that the caller's token lacks. Reading a claim that is not forwarded
    raises `NotForwarded`, a `KeyError`, also with `get`; `in` tells whether it is forwarded."""
    confirmation: Confirmation | None = None
    """The key or certificate to which the caller's token is bound; None if it is not bound."""
    authenticated_at: int | None = None
    """When the caller signed in (`auth_time`): Unix time, seconds; None if the token has none."""
    acr: str | None = None
    """How the caller signed in (OpenID Connect Core §2); None if the token has none."""
    session_id: str | None = None
    """The caller's session at the issuer (`sid`); None if the token has none."""
    client: Client = Client()
    """Where the client is, and how it is connected."""
    host: str = ""
    """The `Host` that the client used: a name or address, and the port if the client sent one."""
    route: str = ""
    """The id of the route in the edge's policy."""
    expires_at: int | None = None
    """When the edge's statement expires: Unix time, seconds, at most a minute after the request."""
    forwarded_groups: frozenset[str] | None = None
    """The caller's groups, or None if the route does not forward them. Use `groups`."""

    @property
    def groups(self) -> frozenset[str]:
        """The caller's groups, from the claims that `claims.groups` of the issuer names.

        Raises:
            NotForwarded: `forward` contains no `"groups"` for this route, or another gateway sent
                the request and reports none.

        """
        if self.forwarded_groups is None:
            claims = self.claims
            if isinstance(claims, ForwardedClaims):
                raise claims._groups_missing()
            raise groups_not_forwarded(self.route)
        return self.forwarded_groups

    @classmethod
    def of(cls, claims: EdgeClaims) -> Self | None:
        """Return the caller that `claims` name; None for an anonymous caller."""
        requester = claims.requester
        subject, issuer = claims.subject, requester.issuer
        if subject is None or issuer is None:
            return None
        transaction = claims.transaction
        made = _Identity()
        made.subject = subject
        made.issuer = issuer
        made.client_id = requester.client_id
        made.scopes = claims.scopes
        made.request_id = claims.request_id
        made.token_expires_at = requester.token_expires_at
        made.roles = requester.roles
        made.tenant = requester.tenant
        made.claims = ForwardedClaims(requester.claims, transaction.route)
        made.confirmation = requester.confirmation
        made.authenticated_at = requester.authenticated_at
        made.acr = requester.acr
        made.session_id = requester.session_id
        made.client = Client.of(requester)
        made.host = transaction.host
        made.route = transaction.route
        made.expires_at = claims.expires_at
        made.forwarded_groups = requester.groups
        return _frozen(made, cls)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: object, handler: Handler) -> CoreSchema:
        """Allow an `Identity` in a response, and refuse to read one from a request."""
        return OnlyMade(cls).__get_pydantic_core_schema__(source, handler)


# A frozen dataclass sets its fields by `object.__setattr__`, which takes three microseconds for an
# `Identity`. These classes have the same slots and set them directly. The object then changes its
# class, which Python allows only between classes with the same slots.


class _Client:
    __slots__ = Client.__slots__
    if TYPE_CHECKING:

        def __setattr__(self, name: str, value: object) -> None: ...


class _Identity:
    __slots__ = Identity.__slots__
    if TYPE_CHECKING:

        def __setattr__(self, name: str, value: object) -> None: ...


def _frozen(made: object, kind: type[_Kind]) -> _Kind:
    if kind is Identity or kind is Client:
        made.__class__ = kind
        return made  # type: ignore[return-value]
    return kind(*(getattr(made, name) for name in type(made).__slots__))  # type: ignore[attr-defined]
