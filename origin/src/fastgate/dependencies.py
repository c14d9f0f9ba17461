"""The dependencies of endpoints: the caller, with these scopes, on the route that was judged.

In: the `EdgeClaims` that the guard left in the scope. Out: an `Identity` (or None, where anonymous
callers are welcome), or a refusal. An endpoint that asks also proves that FastAPI runs the very
route whose rules the edge applied. It never reads a header or a token.
"""

# No `from __future__ import annotations`: FastAPI reads the annotations of `__call__` at run time.
from typing import Annotated, NoReturn, TypeAlias

from fastapi import Depends, HTTPException, Security, WebSocketException
from fastapi.openapi.models import HTTPBearer as BearerScheme
from fastapi.requests import HTTPConnection
from fastapi.security import SecurityScopes
from fastapi.security.base import SecurityBase

from fastgate import problem
from fastgate.claims import SCOPE_KEY, EdgeClaims
from fastgate.edge_only import STANDS_ALONE
from fastgate.errors import (
    CallerRequired,
    EvidenceMissing,
    FastgateError,
    InsufficientScope,
    RouteMismatch,
)
from fastgate.identity import Identity
from fastgate.problem import Problem
from fastgate.refusal_log import log_of
from fastgate.request.observe import ObservedCheck, is_observed, let_pass
from fastgate.routes.check import CHECK_KEY, RouteCheck


class CallerRefused(HTTPException):
    """A refusal from inside the app: status, headers and text of a `Problem`.

    FastAPI alone answers it with a minimal problem document. `guard` registers the full one, which
    looks exactly like a refusal of the guard.
    """

    def __init__(self, answer: Problem) -> None:
        super().__init__(int(answer.status), answer.title, headers=answer.headers())
        self.problem = answer


class FastgateScheme(SecurityBase):
    """The security scheme `fastgate`: in OpenAPI an HTTP bearer token, which the *edge* checks.

    As a dependency it returns the `Identity` of a known caller who holds every scope of the
    `Security(...)` chain, checked here once more.

    Raises:
        CallerRefused: 401 for an anonymous caller or another route than the edge judged, 403 for a
            missing scope. On a WebSocket a `WebSocketException` with code 1008 instead.

    """

    def __init__(self) -> None:
        self.model = BearerScheme(
            bearerFormat="JWT", description="Checked at the edge by Fastgate; sent by the client."
        )
        self.scheme_name = "fastgate"

    async def __call__(self, connection: HTTPConnection, required: SecurityScopes) -> Identity:
        """Return the caller, or refuse."""
        identity = _identity(connection)
        if identity is None:
            _refuse(connection, CallerRequired(), problem.AUTHENTICATION_REQUIRED)
        if not identity.scopes.issuperset(required.scopes):
            answer = problem.insufficient_scope(required.scopes)
            _refuse(connection, InsufficientScope(), answer)
        return identity


async def any_caller(connection: HTTPConnection) -> Identity | None:
    """Return the caller, or None for an anonymous one; refuse another route than the edge judged.

    An endpoint that depends on this, and on no `Caller`, is open to everybody: `python -m fastgate
    policy` writes `"access": "optional"`, and who sends a valid token is known.
    """
    return _identity(connection)


def _identity(connection: HTTPConnection) -> Identity | None:
    scope = connection.scope
    claims, check = scope.get(SCOPE_KEY), scope.get(CHECK_KEY)
    if is_observed(scope):
        return None  # it would have been refused, so its caller is not known
    if not isinstance(claims, EdgeClaims) or not isinstance(check, RouteCheck):
        _refuse(connection, EvidenceMissing(), problem.NOT_FROM_THE_EDGE)
    # The router's choice was compared on the way here, or this is no way that it knows.
    if not check.done:
        if isinstance(check, ObservedCheck):
            let_pass(RouteMismatch(), scope)
            return None
        _refuse(connection, RouteMismatch(), problem.NOT_FROM_THE_EDGE)
    return Identity.of(claims)


def _refuse(connection: HTTPConnection, error: FastgateError, answer: Problem) -> NoReturn:
    log_of(connection.scope).write(error, connection.scope)
    if connection.scope["type"] == "websocket":
        raise WebSocketException(code=1008) from error
    raise CallerRefused(answer) from error


fastgate = FastgateScheme()
"""For `Annotated[Caller, Security(fastgate, scopes=["orders:read"])]`."""

Caller: TypeAlias = Annotated[Identity, Security(fastgate), STANDS_ALONE]
"""A known caller: `async def read_me(caller: Caller)`. Anonymous callers get a 401.

It is the whole annotation: `Caller | None` is a `TypeError` where the route is written."""

AnyCaller: TypeAlias = Annotated[Identity | None, Depends(any_caller), STANDS_ALONE]
"""The caller that the edge let through; None if anonymous, on a route that is open to all."""
