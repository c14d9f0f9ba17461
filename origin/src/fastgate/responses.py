"""Respond in place of the app: a problem for a request that the guard refuses.

Input: the cause of the refusal, and an ASGI `send`. Output: one response, and a record in the log.
A client receives the same 401 for every cause; `problem` defines its content.
"""

import logging

from starlette.types import Scope, Send

from fastgate import errors, problem
from fastgate.problem import Problem
from fastgate.refusal_log import log_of


async def refuse(error: errors.FastgateError, scope: Scope, send: Send) -> None:
    """Log the cause and respond: 503 without keys, 401 for every other cause."""
    if isinstance(error, errors.KeysUnavailable):
        log_of(scope).write(error, scope, level=logging.ERROR)
        await respond(problem.UNAVAILABLE, scope, send)
    else:
        log_of(scope).write(error, scope)
        await respond(problem.NOT_FROM_THE_EDGE, scope, send)


async def respond(refusal: Problem, scope: Scope, send: Send) -> None:
    """Respond to a request, or to the handshake of a WebSocket, with a problem."""
    prefix = ""
    if scope["type"] == "websocket":
        if "websocket.http.response" not in (scope.get("extensions") or {}):
            # The server turns a close before the accept into a 403 without a body.
            await send({"type": "websocket.close", "code": 1008, "reason": ""})
            return
        prefix = "websocket."
    start = {"status": int(refusal.status), "headers": refusal.raw_headers()}
    await send({"type": f"{prefix}http.response.start", **start})
    await send({"type": f"{prefix}http.response.body", "body": refusal.body()})
