"""Respond to readiness checks in place of the app.

Input: the source of the edge's keys and an ASGI `send`. Output: a response, 204 if there are keys
to verify with and 503 if there are none.
"""

from starlette.types import Scope, Send

from fastgate.errors import KeysUnavailable
from fastgate.keys.source import KeySource
from fastgate.responses import refuse


async def respond_readiness(keys: KeySource, scope: Scope, send: Send) -> None:
    """Respond 204 if the source has keys; refuse with 503 if it has none."""
    try:
        await keys.current()
    except KeysUnavailable as error:
        await refuse(error, scope, send)
        return
    await send({"type": "http.response.start", "status": 204, "headers": []})
    await send({"type": "http.response.body", "body": b""})
