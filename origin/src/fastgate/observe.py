"""Switch over step by step: say what the guard would refuse, and let it pass.

In: the requests of an app that is not reached through the edge alone yet. Out: the same requests,
body and all, and a record `would be refused: CODE` for each that the guard would keep out. Nobody
is known in such a request. It protects nothing, so it says so at the start.
"""

from dataclasses import dataclass

from starlette.types import Message, Receive, Scope

from fastgate.claims import SCOPE_KEY
from fastgate.content import content_digest
from fastgate.errors import ContentMismatch, FastgateError, Refused
from fastgate.refusals import log_of
from fastgate.route import RouteCheck

OBSERVED_KEY = "fastgate.observed"
"""True in the scope of a request that the guard would have refused."""
WORD = "would be refused"


def let_pass(error: FastgateError, scope: Scope) -> None:
    """Note in the log and in the scope that this request would have been refused."""
    scope[OBSERVED_KEY] = True
    log_of(scope).write(error, scope, word=WORD)
    scope[SCOPE_KEY] = None


@dataclass(slots=True)
class ObservedCheck(RouteCheck):
    """A comparison that reports, and lets every route run."""

    scope: Scope | None = None

    def fault(self, template: str | None, *, signs_body: bool) -> Refused | None:
        """Compare; return None whatever comes out of it."""
        # Not `super()`: a dataclass with slots is another class than the one that stands here.
        fault = RouteCheck.fault(self, template, signs_body=signs_body)
        if fault is not None and self.scope is not None:
            let_pass(fault, self.scope)
        self.done, self.refused = True, False
        return None


async def observed_body(scope: Scope, receive: Receive, expected: str, limit: int) -> Receive:
    """Compare a body, up to `limit` bytes, with its signed digest; give the app all of it."""
    seen: list[Message] = []
    content = bytearray()
    while len(content) <= limit:
        message = await receive()
        seen.append(message)
        content += message.get("body", b"")
        if message["type"] != "http.request" or not message.get("more_body", False):
            break
    if len(content) > limit or content_digest(bytes(content)) != expected:
        let_pass(ContentMismatch(), scope)

    async def replayed() -> Message:
        return seen.pop(0) if seen else await receive()

    return replayed
