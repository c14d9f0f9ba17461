"""Respond to readiness checks in place of the app.

Input: the source of the edge's keys and an ASGI `send`. Output: a response, 204 if there are keys
to verify with and 503 if there are none. The field `Fastgate-Keys` of the 204 names the edge's keys
that the app knows, so that `fastgate keys rotate` can ask. They are public.
"""

import re

from starlette.types import Scope, Send

from fastgate.errors import KeysUnavailable
from fastgate.keys.key_set import KeySet
from fastgate.keys.source import KeySource
from fastgate.responses import refuse

_PLAIN_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_MOST_IDS = 32


async def respond_readiness(keys: KeySource, scope: Scope, send: Send) -> None:
    """Respond 204 if the source has keys; refuse with 503 if it has none."""
    try:
        known = await keys.current()
    except KeysUnavailable as error:
        await refuse(error, scope, send)
        return
    headers = [(b"fastgate-keys", _ids(known).encode()), (b"cache-control", b"no-store")]
    await send({"type": "http.response.start", "status": 204, "headers": headers})
    await send({"type": "http.response.body", "body": b""})


def _ids(keys: KeySet) -> str:
    """Return the ids of the edge's keys. The `kid` of a MAC key is the edge's, a dot and ours."""
    ids = sorted({kid.partition(".")[0] for kid in keys})
    return ", ".join(filter(_PLAIN_ID.fullmatch, ids[:_MOST_IDS]))
