"""Observe only: log what the guard would refuse, and let it pass.

In: the requests of an app that is not reached through the edge alone yet. Out: the same requests,
body and all, and a record `would be refused: CODE` for each that the guard would keep out. Nobody
is known in such a request. It protects nothing, so it says so at the start.
"""

from starlette.types import Receive, Scope

from fastgate.claims import SCOPE_KEY
from fastgate.content import content_digest, read_body
from fastgate.errors import ContentMismatch, FastgateError, Refused
from fastgate.refusal_log import log_of
from fastgate.routes.check import RouteCheck
from fastgate.routes.framework import View

OBSERVED_KEY = "fastgate.observed"
"""True in the scope of a request that the guard would have refused."""
WORD = "would be refused"


def let_pass(error: FastgateError, scope: Scope) -> None:
    """Note in the log and in the scope that this request would have been refused."""
    scope[OBSERVED_KEY] = True
    log_of(scope).write(error, scope, word=WORD)
    scope[SCOPE_KEY] = None


def is_observed(scope: Scope) -> bool:
    """Whether this request would have been refused."""
    return scope.get(OBSERVED_KEY) is True


class ObservedCheck(RouteCheck):
    """A comparison that reports, once for each request, and lets every route run."""

    __slots__ = ()

    def fault(self, template: str | None, scope: Scope, view: View) -> None:
        """Compare what a router has chosen; let it run whatever comes out of it."""
        self._report(super().fault(template, scope, view), scope)
        self.done = True

    def fault_on_the_way(
        self, prefix: str | None, scope: Scope, *, can_compare: bool = True
    ) -> None:
        """Compare a mount; lead on whatever comes out of it."""
        self._report(super().fault_on_the_way(prefix, scope, can_compare=can_compare), scope)
        self.passed = True

    def fault_again(self, scope: Scope) -> None:
        """Report what cannot be compared; let it run."""
        self._report(super().fault_again(scope), scope)
        self.done = True

    def fault_within(self, scope: Scope) -> None:
        """Compare what an app dispatches that was judged as a whole; let it run."""
        self._report(super().fault_within(scope), scope)

    def _report(self, fault: Refused | None, scope: Scope) -> None:
        if fault is not None and not is_observed(scope):
            let_pass(fault, scope)
            self.judged = None  # there is nothing left to compare
        self.refused = False


async def observed_body(scope: Scope, receive: Receive, expected: str, limit: int) -> Receive:
    """Compare a body, up to `limit` bytes, with its signed digest; give the app all of it."""
    body = await read_body(scope, receive, limit)
    if body.content is None or content_digest(body.content) != expected:
        let_pass(ContentMismatch(), scope)
    return body.receive
