"""Observe only: log what the guard would refuse, and let it pass.

Input: the requests of an app that can still be reached without the edge. Output: the same requests,
with their bodies, and a record `would be refused: CODE` for each request that the guard would have
refused. The caller of such a request is unknown. This protects nothing, and the log says so at the
start.
"""

from starlette.types import Receive, Scope

from fastgate.claims import SCOPE_KEY, Transaction
from fastgate.content import is_judged, read_body
from fastgate.errors import ContentMismatch, FastgateError, Refused
from fastgate.refusal_log import log_of
from fastgate.routes.check import RouteCheck
from fastgate.routes.framework import View

OBSERVED_KEY = "fastgate.observed"
"""This key is in the scope of a request that the guard would have refused, and in no other."""
OUTCOME = "would be refused"


def let_pass(error: FastgateError, scope: Scope) -> None:
    """Note in the log and in the scope that the guard would have refused this request."""
    scope[OBSERVED_KEY] = True
    log_of(scope).write(error, scope, outcome=OUTCOME)
    scope[SCOPE_KEY] = None


class ObservedCheck(RouteCheck):
    """A comparison that reports the first fault of a request, and lets every route run."""

    __slots__ = ()

    def fault(self, template: str | None, scope: Scope, view: View) -> None:
        """Compare the chosen route; let it run regardless of the outcome."""
        self.report(super().fault(template, scope, view), scope)
        self.done = True

    def fault_on_the_way(
        self, prefix: str | None, scope: Scope, *, can_compare: bool = True
    ) -> None:
        """Compare a mount; let it run regardless of the outcome."""
        self.report(super().fault_on_the_way(prefix, scope, can_compare=can_compare), scope)
        self.passed = True

    def fault_again(self, scope: Scope) -> None:
        """Report a route that cannot be compared; let it run."""
        self.report(super().fault_again(scope), scope)
        self.done = True

    def fault_within(self, scope: Scope, view: View = None) -> None:
        """Compare within an app that was judged as a whole; let it run."""
        self.report(super().fault_within(scope, view), scope)

    def report(self, fault: Refused | None, scope: Scope) -> None:
        """Report a fault, unless one was reported before; let the request pass."""
        if fault is not None and OBSERVED_KEY not in scope:
            let_pass(fault, scope)
            self.judged = None  # nothing is left to compare
        self.refused = False


async def observed_body(
    scope: Scope, receive: Receive, judged: Transaction, limit: int
) -> tuple[bytes, Receive]:
    """Compare a body of up to `limit` bytes with what was judged; pass all of it to the app."""
    body = await read_body(scope, receive, limit)
    if body.content is None or not is_judged(body.content, judged):
        let_pass(ContentMismatch(), scope)
    return body.content or b"", body.receive
