"""The dependency `requires(…)`: what an endpoint requires of its caller, checked in the app.

Input: conditions and keywords, as the app writes them; then the caller of a request, and the region
to which the edge sent it. Output: the `Identity`, or the refusal of the edge for the same cause.
`compile` reads the requirements for the policy, so that the edge checks them first.
"""

# No `from __future__ import annotations`: FastAPI reads the annotations of `__call__` at run time.
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NoReturn, Self

from fastapi.requests import HTTPConnection
from fastapi.security import SecurityScopes

from fastgate import problem, vocabulary
from fastgate.claims import SCOPE_KEY, EdgeClaims
from fastgate.conditions import Condition, Facts, Member, conjuncts
from fastgate.declare.recorded_calls import record_equal, record_requirement
from fastgate.dependencies import (
    FastgateScheme,
    any_caller,
    known_caller,
    knows_scopes,
    refuse,
    require_scopes,
)
from fastgate.edge_only import Handler, NeverRead
from fastgate.errors import (
    AuthenticationInsufficient,
    ConditionUndecidable,
    ConditionUnmet,
    RegionUnmet,
    TokenUnbound,
)
from fastgate.identity import Identity
from fastgate.request.observe import OBSERVED_KEY
from fastgate.requirement import Requirement, read_acr, read_max_age, read_regions

LONGEST_LEEWAY = 300
"""The greatest `leeway` of an issuer in the policy, in seconds."""
_WITHOUT_DEPENDS = NeverRead(
    "requires(…) is a dependency, and has no effect without Depends: write "
    "`caller: Annotated[Identity, Depends(requires(…))]`"
)


class Requires:
    """The dependency that `requires` returns. Equal requirements are one dependency."""

    requirement: Requirement

    def __init__(self, requirement: Requirement) -> None:
        super().__init__()
        vars(self)["requirement"] = requirement
        vars(self)["_hash"] = hash((Requires, requirement))

    def __init_subclass__(cls) -> None:
        """Refuse a subclass, which might not check what the compiler reads of it.

        Raises:
            TypeError: always, except for `_OfCallers`.

        """
        if (cls.__module__, cls.__qualname__) == (__name__, "_OfCallers"):
            return
        raise TypeError(
            "requires(…) has no subclasses: write a dependency that depends on it, "
            "caller: Annotated[Identity, Depends(requires(…))]"
        )

    def __get_pydantic_core_schema__(self, source: object, handler: Handler) -> NoReturn:
        """Refuse `Annotated[…, requires(…)]`, which pydantic would read as metadata of a type."""
        _WITHOUT_DEPENDS.__get_pydantic_core_schema__(source, handler)

    def __setattr__(self, name: str, value: object) -> None:
        """Refuse changes after the requirement is set."""
        if "requirement" in vars(self):
            raise AttributeError(f"{name}: a requirement cannot be changed")
        super().__setattr__(name, value)

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> NoReturn:
            """Refuse `dependencies=[requires(…)]`, of which FastAPI reads the `dependency`."""
            if name == "dependency":
                raise AttributeError(
                    f"requires(…) has no effect without Depends: write Depends({self!r})"
                )
            raise AttributeError(f"'Requires' object has no attribute {name!r}")

    def __eq__(self, other: object) -> bool:
        # FastAPI runs only one of equal dependencies.
        if not isinstance(other, Requires):
            return NotImplemented
        if is_equal := self.requirement == other.requirement:
            record_equal(self, other)
        return is_equal

    def __hash__(self) -> int:
        return int(vars(self)["_hash"])

    def __copy__(self) -> Self:
        return self  # it cannot be changed

    def __deepcopy__(self, known: object) -> Self:
        return self

    def __repr__(self) -> str:
        return repr(self.requirement)

    async def __call__(self, connection: HTTPConnection, required: SecurityScopes) -> Identity:
        """Return the caller, or refuse. The checks have the order of the edge's.

        If only a region is required, the caller may be anonymous, and None is returned.
        """
        identity: Identity | None
        if isinstance(self, _OfCallers) or required.scopes:
            identity = self._known_caller(connection, required.scopes)
        else:
            identity = await any_caller(connection)
        _require_region(connection, self.requirement.regions)
        return identity  # type: ignore[return-value]

    def _known_caller(self, connection: HTTPConnection, scopes: Sequence[str]) -> Identity:
        """Return a caller who meets all requirements, or refuse."""
        identity, wanted = known_caller(connection), self.requirement
        if wanted.bound and identity.confirmation is None:
            refuse(connection, TokenUnbound(), problem.BOUND_TOKEN_REQUIRED)
        require_scopes(connection, identity, (*scopes, *wanted.scopes))
        claims = connection.scope.get(SCOPE_KEY)
        # Other gateways tell no roles and no sign-in, and most tell no scopes, so nothing that
        # depends on them can be met. Their claims are those of the assertion, as it nests them. The
        # same holds for what is not shared.
        is_from_the_edge = isinstance(claims, EdgeClaims)
        facts = Facts(
            identity,
            connection.path_params,
            knows_roles=isinstance(claims, EdgeClaims) and _has_roles(claims),
            knows_scopes=knows_scopes(connection),
            knows_groups=not isinstance(claims, EdgeClaims) or claims.requester.groups is not None,
            nests_claims=not is_from_the_edge,
        )
        for condition in wanted.conditions:
            if (holds := condition.holds(facts)) is not True:
                error = ConditionUnmet() if holds is False else ConditionUndecidable()
                refuse(connection, error, problem.FORBIDDEN)
        issued_at = claims.issued_at if isinstance(claims, EdgeClaims) else 0
        if not _has_signed_in(wanted, identity, issued_at):
            needed = problem.insufficient_authentication(wanted.acr, wanted.max_age)
            refuse(connection, AuthenticationInsufficient(), needed)
        return identity

    # As a decorator it is called without `required`, and Python's error begins with this name. A
    # function that is not `async` could tell more, but FastAPI would not await its result.
    __call__.__qualname__ = (
        "requires(…) is not a decorator: write dependencies=[Depends(requires(…))], or "
        "`caller: Annotated[Identity, Depends(requires(…))]`. Requires.__call__"
    )


class _OfCallers(Requires, FastgateScheme):
    """One that requires a known caller. In OpenAPI it is a security scheme, a region is none."""


def requires(
    *conditions: Condition,
    role: str | None = None,
    group: str | None = None,
    scope: str | None = None,
    bound: bool = False,
    acr: Sequence[str] | None = None,
    max_age: int | None = None,
    region: str | Sequence[str] | None = None,
) -> Requires:
    """Return a dependency that requires something of the caller; all of it must be met.

    The compiler writes the same into the policy, with the claims and groups that the conditions
    read, so the edge refuses first. As a dependency it returns the `Identity` of a known caller:
    `Depends(requires(role="admin"))`. With `region` alone it requires no caller, and returns None
    for an anonymous one.

    Args:
        conditions: `role(…)`, `group(…)`, `scope(…)`, `claim(…)`, `any_of(…)`, `all_of(…)`,
            `not_(…)`.
        role: a role of the caller.
        group: a group of the caller.
        scope: a scope of the caller's token.
        bound: the token must be bound to a key or certificate (RFC 9449, RFC 8705).
        acr: the accepted values of `acr`, the preferred one first (RFC 9470).
        max_age: the greatest time since the sign-in, in seconds, 0 to 31622400. The edge adds the
            issuer's `leeway`, which the app does not know; the app adds the greatest possible one,
            300 seconds.
        region: the region of the origin in which the endpoint runs, or several. The edge sends its
            requests only to backends of these; the app refuses others with 403.

    Raises:
        TypeError: an argument has another type.
        ValueError: nothing is required, or a value is one that the policy does not accept.

    """
    listed = [*_conjuncts(conditions)]
    if role is not None:
        listed.append(vocabulary.role(role))
    if group is not None:
        listed.append(vocabulary.group(group))
    if scope is not None:
        listed.append(vocabulary.scope(scope))
    if type(bound) is not bool:
        raise TypeError(f"bound is True or False, not {bound!r}")
    # Equal conditions are one.
    scopes = {each: each.name for each in listed if isinstance(each, Member) and each.is_scope}
    others = (each for each in dict.fromkeys(listed) if each not in scopes)
    requirement = Requirement(
        tuple(others),
        tuple(scopes.values()),
        bound,
        read_acr(acr),
        read_max_age(max_age),
        read_regions(region),
    )
    if requirement == Requirement():
        raise ValueError(
            'requires() requires nothing: write requires(role="…"), or `caller: Caller` for every '
            "known caller"
        )
    dependency = (_OfCallers if requirement.is_of_callers else Requires)(requirement)
    record_requirement(dependency, requirement)
    return dependency


def _has_roles(claims: EdgeClaims) -> bool:
    """Whether the header has the caller's roles: if the response is shared, only if they are."""
    shared = claims.transaction.shared
    return shared is None or "roles" in shared


def _conjuncts(conditions: tuple[Condition, ...]) -> Iterator[Condition]:
    for each in conditions:
        if not isinstance(each, Condition):
            raise TypeError(f'requires takes conditions such as role("admin"), not {each!r}')
        yield from conjuncts(each)


def _require_region(connection: HTTPConnection, regions: Sequence[str]) -> None:
    """Refuse a request that the edge did not send to a backend of one of these regions."""
    if not regions or OBSERVED_KEY in connection.scope:  # the guard would have refused it
        return
    claims = connection.scope.get(SCOPE_KEY)
    # Other gateways tell no region.
    region = claims.requester.region if isinstance(claims, EdgeClaims) else None
    if region not in regions:
        refuse(connection, RegionUnmet(region, regions), problem.FORBIDDEN)


def _has_signed_in(wanted: Requirement, identity: Identity, issued_at: int) -> bool:
    """Whether the caller has signed in as required, when the edge judged the request.

    The edge has added the leeway of the issuer, which is not in the header. With the greatest
    possible one, the app refuses no caller whom the edge has admitted.
    """
    if wanted.acr and identity.acr not in wanted.acr:
        return False
    if wanted.max_age is None:
        return True
    signed_in = identity.authenticated_at
    if signed_in is None:
        return False
    return -LONGEST_LEEWAY <= issued_at - signed_in <= wanted.max_age + LONGEST_LEEWAY
