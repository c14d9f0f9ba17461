"""Show the doctor that an answer came from behind the guard.

In: a verified request with `Doctor-Nonce`. Out: the same field in its answer. An edge that answers
by itself, or from a cache, cannot know a value that was made for this one request.
"""

import re

from starlette.types import Message, Scope, Send

NONCE = "Doctor-Nonce"
"""A field of requests and answers that the edge passes on: it has none of its reserved prefixes."""

_NAME = NONCE.lower().encode()
_VALUE = re.compile(rb"[A-Za-z0-9_-]{16,64}")


def echoing(scope: Scope, send: Send) -> Send:
    """Return a `send` that repeats the nonce of a verified HTTP request in its answer."""
    found = [value for name, value in scope["headers"] if name.lower() == _NAME]
    if scope["type"] != "http" or len(found) != 1 or not _VALUE.fullmatch(found[0]):
        return send

    async def send_with_nonce(message: Message) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message.get("headers", ()), (_NAME, found[0])]}
        await send(message)

    return send_with_nonce
