"""Decide about a request that another guard has let through: a guard inside of another guard.

Input: what the inner guard accepts, and the scope and `RouteCheck` of the outer one.
Output: whether the request may pass, or a refusal. It verifies no header: the outer guard has
removed it.
"""

import logging
from typing import NamedTuple

from starlette.types import Scope, Send

from fastgate import problem
from fastgate.claims import SCOPE_KEY, EdgeClaims
from fastgate.request.observe import ObservedCheck
from fastgate.responses import respond
from fastgate.routes.check import RouteCheck

_log = logging.getLogger("fastgate")


class GuardedFor(NamedTuple):
    """What a guard accepts: `edge`, `audience` and `region` of its `Settings`."""

    edge: str
    audience: str
    region: str | None


def is_guarded_for(wanted: GuardedFor, check: RouteCheck, scope: Scope) -> bool:
    """Whether the outer guard verified this request for the same edge and audience.

    If the inner guard has a region, the request has to be for it as well. The outer guard must
    enforce. It may also have let the request through without a header: its operator has opened one
    path for health checks.
    """
    claims = scope.get(SCOPE_KEY)
    same = False
    if isinstance(claims, EdgeClaims):
        same = (claims.issuer, claims.audience) == (wanted.edge, wanted.audience)
        same = same and wanted.region in (None, claims.requester.region)
    return not isinstance(check, ObservedCheck) and (same or check.judged is None)


async def refuse_nested(wanted: GuardedFor, check: RouteCheck, scope: Scope, send: Send) -> None:
    """Refuse the request, and log which of the two guards has to change."""
    _log.error(
        "a guard inside of another guard, which %s %s and %s",
        "only observes, for"
        if isinstance(check, ObservedCheck)
        else "is for another edge, audience or region than",
        wanted.edge,
        wanted.audience,
    )
    await respond(problem.NOT_FROM_THE_EDGE, scope, send)
