"""FastAPI dependencies that give an endpoint its verified caller.

Input: the `EdgeClaims` and the `RouteCheck` that the guard stored in the request's scope. Output:
an `Identity`, None for an anonymous caller, or a refusal. Such an endpoint also proves that FastAPI
runs the route whose rules the edge applied. It never reads a header or a token.
"""

# No `from __future__ import annotations`: FastAPI reads the annotations of `__call__` at run time.
from collections.abc import Sequence
from typing import Annotated, NoReturn, TypeAlias

from fastapi import Depends, HTTPException, Security, WebSocketException
from fastapi.openapi.models import HTTPBearer as BearerScheme
from fastapi.requests import HTTPConnection
from fastapi.security import SecurityScopes
from fastapi.security.base import SecurityBase

from fastgate import problem
from fastgate.claims import SCOPE_KEY, EdgeClaims
from fastgate.declare.lookup import declared_on_layers
from fastgate.declare.values.edge_cache import CACHE, is_for_all_admitted
from fastgate.edge_only import STANDS_ALONE
from fastgate.errors import (
    CallerRequired,
    EvidenceMissing,
    FastgateError,
    InsufficientScope,
    RouteMismatch,
)
from fastgate.gateways.evidence import GatewayCheck
from fastgate.identity import Identity, SharedIdentity
from fastgate.problem import Problem
from fastgate.refusal_log import log_of
from fastgate.request.observe import OBSERVED_KEY, ObservedCheck, let_pass
from fastgate.routes.check import CHECK_KEY, RouteCheck


class CallerRefused(HTTPException):
    """A refusal from inside the app: status, headers and text of a `Problem`.

    By default FastAPI responds with a minimal document. `guard` registers a handler for the full
    problem document, which is the same as for a refusal of the guard.
    """

    def __init__(self, refusal: Problem) -> None:
        super().__init__(int(refusal.status), refusal.title, headers=refusal.headers())
        self.problem = refusal


class FastgateScheme(SecurityBase):
    """The security scheme `fastgate`: in OpenAPI an HTTP bearer token, which the *edge* checks.

    As a dependency it returns the `Identity` of a known caller. It checks again that the caller
    holds every scope of the `Security(...)` chain.

    Raises:
        CallerRefused: 401 for an anonymous caller, or if the edge judged another route; 403 for a
            missing scope. On a WebSocket it is a `WebSocketException` with code 1008.

    """

    def __init__(self) -> None:
        self.model = BearerScheme(
            bearerFormat="JWT", description="Checked at the edge by Fastgate; sent by the client."
        )
        self.scheme_name = "fastgate"

    async def __call__(self, connection: HTTPConnection, required: SecurityScopes) -> Identity:
        """Return the caller, or refuse."""
        identity = known_caller(connection)
        if scopes := required.scopes:
            require_scopes(connection, identity, scopes)
        return identity


async def any_caller(connection: HTTPConnection) -> Identity | None:
    """Return the caller, or None for an anonymous one. Refuse a route that the edge did not judge.

    An endpoint that depends on this, and on no `Caller`, is open to every caller. For it `python -m
    fastgate policy` writes `"access": "optional"`: a caller with a valid token is known. If the
    edge stores the response for all callers, `EdgeCache(audience="public")`, it is always None.
    """
    return _identity(connection)


def known_caller(connection: HTTPConnection) -> Identity:
    """Return the caller; refuse an anonymous one.

    A response for all callers, `EdgeCache(audience="public")`, has a header without a caller, even
    if the edge has admitted only known ones. Whether it has done so, the header does not say. So
    such a request is refused as well, unless the endpoint itself has a mark with `cache=EdgeCache(
    audience="public", shared=True)`: its author has declared that the edge alone checks the caller.
    """
    identity = _identity(connection)
    if identity is None:
        identity = _one_of_all(connection)
    if identity is None:
        refuse(connection, CallerRequired(), problem.AUTHENTICATION_REQUIRED)
    return identity


def require_scopes(connection: HTTPConnection, identity: Identity, scopes: Sequence[str]) -> None:
    """Refuse a caller who lacks one of these scopes."""
    if not identity.scopes.issuperset(scopes):
        refuse(connection, InsufficientScope(), _missing_scopes(connection, scopes))


def knows_scopes(connection: HTTPConnection) -> bool:
    """Whether a scope that the caller lacks is known to be lacking.

    An assertion of another gateway may report no scopes. The header for a shared response has only
    those that the route requires of every caller.
    """
    claims = connection.scope.get(SCOPE_KEY)
    if isinstance(claims, EdgeClaims) and claims.transaction.shared is not None:
        return False
    check = connection.scope.get(CHECK_KEY)
    if not isinstance(check, GatewayCheck):
        return True
    return check.claims is not None and check.claims.asserted.scopes is not None


def _identity(connection: HTTPConnection) -> Identity | None:
    scope = connection.scope
    claims, check = scope.get(SCOPE_KEY), scope.get(CHECK_KEY)
    if OBSERVED_KEY in scope:
        return None  # the guard would have refused it, so its caller is not verified
    if isinstance(check, GatewayCheck):
        # Another gateway sent the request: its claims are on the check, and never in the scope.
        if check.claims is None or claims is not None or not check.done:
            refuse(connection, EvidenceMissing(), problem.NOT_FROM_THE_EDGE)
        return check.claims.identity()
    if not isinstance(claims, EdgeClaims) or not isinstance(check, RouteCheck):
        refuse(connection, EvidenceMissing(), problem.NOT_FROM_THE_EDGE)
    # The comparison has run before the endpoint, unless the dispatch was one that we do not know.
    if not check.done:
        if isinstance(check, ObservedCheck):
            let_pass(RouteMismatch(), scope)
            return None
        refuse(connection, RouteMismatch(), problem.NOT_FROM_THE_EDGE)
    return Identity.of(claims)


def _one_of_all(connection: HTTPConnection) -> Identity | None:
    """Return a caller about whom nothing is known, if the endpoint is declared for such callers."""
    claims = connection.scope.get(SCOPE_KEY)
    # It is None for requests without evidence, which `_identity` has judged.
    if not isinstance(claims, EdgeClaims) or claims.transaction.shared != frozenset():
        return None
    mark = declared_on_layers(connection.scope.get("endpoint"), mounted=False)
    return SharedIdentity.about(claims) if is_for_all_admitted(mark.get(CACHE)) else None


def _missing_scopes(connection: HTTPConnection, required: Sequence[str]) -> Problem:
    check = connection.scope.get(CHECK_KEY)
    if isinstance(check, GatewayCheck) and check.claims is not None:
        gateway = check.claims.gateway
        if not gateway.reports_scopes:
            return problem.scopes_not_reported(required, gateway.name)
    return problem.insufficient_scope(required)


def refuse(connection: HTTPConnection, error: FastgateError, refusal: Problem) -> NoReturn:
    """Log a refusal, and raise it for FastAPI: an HTTP response, or a close of a WebSocket."""
    log_of(connection.scope).write(error, connection.scope)
    if connection.scope["type"] == "websocket":
        raise WebSocketException(code=1008) from error
    raise CallerRefused(refusal) from error


fastgate = FastgateScheme()
"""For `Annotated[Caller, Security(fastgate, scopes=["orders:read"])]`."""

Caller: TypeAlias = Annotated[Identity, Security(fastgate), STANDS_ALONE]
"""A known caller: `async def read_me(caller: Caller)`. An anonymous caller gets a 401.

It must be the whole annotation: `Caller | None` is a `TypeError` where the route is defined."""

AnyCaller: TypeAlias = Annotated[Identity | None, Depends(any_caller), STANDS_ALONE]
"""The caller on a route that is open to every caller; None if the caller is anonymous."""
