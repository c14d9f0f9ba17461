"""The caller of a request, as endpoints receive it.

Input: verified `EdgeClaims`. Output: an `Identity`, or None for an anonymous caller. It judges
nothing: its input has been verified. FastAPI and pydantic never create an `Identity`, because their
input is a request.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Annotated, Self, TypeVar

from pydantic import JsonValue
from pydantic_core import CoreSchema

from fastgate.claims import EdgeClaims
from fastgate.edge_only import Handler, OnlyMade
from fastgate.forwarded import (
    ForwardedClaims,
    SharedClaims,
    groups_not_forwarded,
    not_shared,
)
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
        made = _client(requester.country, *requester[_AT_SUBDIVISION:])
        if cls is Client:
            return made  # type: ignore[return-value]
        return cls(*(getattr(made, name) for name in Client.__slots__))

    @classmethod
    def __get_pydantic_core_schema__(cls, source: object, handler: Handler) -> CoreSchema:
        """Allow a `Client` in a response, and refuse to read one from a request."""
        return OnlyMade(cls).__get_pydantic_core_schema__(source, handler)


@dataclass(frozen=True, slots=True)
class Identity:
    """A known caller. Use `(issuer, subject)` as the key of your own records, not `subject`.

    If the edge stores the response (`at_edge(cache=EdgeCache(…))`), it has only what the callers of
    the audience have in common, the scopes that the route requires, `request_id`, `host`, `route`,
    `expires_at` and `region`. Reading another member raises `NotShared`.
    """

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
    region: str | None = None
    """The region of the backend to which the edge sent the request; None if the origin has none."""
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
        """Return the caller that `claims` name; None for an anonymous caller.

        None, too, if the response is for all callers: the header does not say who this one is.
        """
        if claims.transaction.shared is not None:
            if claims.requester.issuer is None:
                return None
            return SharedIdentity.about(claims)  # type: ignore[return-value]
        # Unpacking a tuple is faster than reading its members by name.
        _, _, _, expires_at, request_id, subject, scopes, transaction, requester = claims
        # fmt: off
        (
            issuer, client_id, country, token_expires_at, confirmation, roles, groups, tenant,
            forwarded, authenticated_at, acr, session_id, region, *place,
        ) = requester
        # fmt: on
        if subject is None or issuer is None:
            return None
        made = _Identity()
        made.subject = subject
        made.issuer = issuer
        made.client_id = client_id
        made.scopes = scopes
        made.request_id = request_id
        made.token_expires_at = token_expires_at
        made.roles = roles
        made.tenant = tenant
        made.claims = ForwardedClaims(forwarded, transaction.route)
        made.confirmation = confirmation
        made.authenticated_at = authenticated_at
        made.acr = acr
        made.session_id = session_id
        made.client = _client(country, *place)
        made.host = transaction.host
        made.route = transaction.route
        made.expires_at = expires_at
        made.region = region
        made.forwarded_groups = groups
        return _frozen(made, cls)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: object, handler: Handler) -> CoreSchema:
        """Allow an `Identity` in a response, and refuse to read one from a request."""
        return OnlyMade(cls).__get_pydantic_core_schema__(source, handler)


class SharedIdentity(Identity):
    """One of the callers that share a response: only what they have in common is known."""

    __slots__ = ("_shared",)

    _shared: frozenset[str]

    @classmethod
    def about(cls, claims: EdgeClaims) -> "SharedIdentity":
        """Return what is known of the caller; its fields that are not shared stay empty."""
        transaction, requester = claims.transaction, claims.requester
        shared = transaction.shared or frozenset[str]()
        found: dict[str, object] = {
            "scopes": claims.scopes,
            "request_id": claims.request_id,
            "host": transaction.host,
            "route": transaction.route,
            "expires_at": claims.expires_at,
            "region": requester.region,
            "claims": SharedClaims(requester.claims, transaction.route, shared),
            "_shared": shared,
        }
        found |= {"issuer": requester.issuer} if shared else {}
        found |= {"subject": claims.subject} if "caller" in shared else {}
        found |= {"roles": requester.roles} if "roles" in shared else {}
        found |= {"tenant": requester.tenant} if "tenant" in shared else {}
        found |= {"forwarded_groups": requester.groups} if "groups" in shared else {}
        made = object.__new__(cls)
        for name, value in found.items():
            object.__setattr__(made, name, value)
        return made

    @property
    def groups(self) -> frozenset[str]:
        """The groups of the caller. Raises `NotShared` unless the audience has them in common."""
        if "groups" not in self._shared:
            raise not_shared(self.route, "groups", self._shared)
        return super().groups

    def __getattr__(self, name: str) -> object:
        """Refuse to read an empty field. Raises `NotShared`."""
        if name in Identity.__slots__:
            raise not_shared(self.route, name, self._shared)
        raise AttributeError(name)

    def __repr__(self) -> str:
        return f"<identity shared by {sorted(self._shared)} of the route {self.route!r}>"

    def __eq__(self, other: object) -> bool:
        return self is other

    def __hash__(self) -> int:
        return object.__hash__(self)

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: object) -> Self:
        return self


# Many callers have equal clients, which cannot be changed.
_client: Callable[..., Client] = lru_cache(maxsize=256, typed=True)(Client)
_AT_SUBDIVISION = Requester._fields.index("subdivision")
"""From here on, a `Requester` has the members of a `Client`, in the same order."""


# A frozen dataclass sets its fields by `object.__setattr__`, which takes three microseconds for an
# `Identity`. This class has the same slots and sets them directly. The object then changes its
# class, which Python allows only between classes with the same slots.


class _Identity:
    __slots__ = Identity.__slots__
    if TYPE_CHECKING:

        def __setattr__(self, name: str, value: object) -> None: ...


def _frozen(made: object, kind: type[_Kind]) -> _Kind:
    if kind is Identity:
        made.__class__ = kind
        return made  # type: ignore[return-value]
    return kind(*(getattr(made, name) for name in type(made).__slots__))  # type: ignore[attr-defined]
