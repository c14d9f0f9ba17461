"""Answer in place of the app: a problem for a request that the guard does not let through.

In: why a request is refused, and an ASGI `send`. Out: one answer, and a record in the log. What a
client sees tells the causes of a 401 not apart; what it looks like is decided in `problem`.
"""

import logging
from collections.abc import Awaitable

from starlette.types import Message, Scope, Send

from fastgate import errors, problem
from fastgate.problem import Problem
from fastgate.refusal_log import log_of
from fastgate.routes.check import RouteCheck


async def refuse(error: errors.FastgateError, scope: Scope, send: Send) -> None:
    """Write the cause to the log, and answer: 503 without keys, 401 for all else."""
    if isinstance(error, errors.KeysUnavailable):
        log_of(scope).write(error, scope, level=logging.ERROR)
        await answer(problem.UNAVAILABLE, scope, send)
    else:
        log_of(scope).write(error, scope)
        await answer(problem.NOT_FROM_THE_EDGE, scope, send)


async def answer(what: Problem, scope: Scope, send: Send) -> None:
    """Answer a request, or a WebSocket's handshake, with a problem."""
    prefix = ""
    if scope["type"] == "websocket":
        if "websocket.http.response" not in (scope.get("extensions") or {}):
            # The server turns a close before the accept into a plain 403.
            await send({"type": "websocket.close", "code": 1008, "reason": ""})
            return
        prefix = "websocket."
    start = {"status": int(what.status), "headers": what.raw_headers()}
    await send({"type": f"{prefix}http.response.start", **start})
    await send({"type": f"{prefix}http.response.body", "body": what.body()})


def only_if_compared(check: RouteCheck, scope: Scope, send: Send) -> Send:
    """Let an answer out unless it comes from an endpoint that was not compared.

    No router known here runs one. This is for a router that dispatches in a way of its own.
    """
    before = scope.get("endpoint")  # what a router outside of the guard has named

    async def withhold() -> None:
        if not check.withheld:
            check.withheld = True
            await refuse(errors.RouteMismatch(), scope, send)

    def send_if_compared(message: Message) -> Awaitable[None]:
        at = scope.get("endpoint")
        passed = at is before or (check.passed and at is check.passed_at)
        if check.done or check.refused or passed:
            return send(message)
        return withhold()

    return send_if_compared
