"""Refuse an endpoint whose body the edge has to sign or to judge, and did not.

Input: the endpoint that a router has chosen, its declarations, and the signed transaction. Output:
None, and it may run; or the refusal. `content` has compared a signed body before.
"""

from collections.abc import Mapping

from fastgate.claims import Transaction
from fastgate.declare.lookup import targets_of
from fastgate.declare.mcp_endpoint import has_unjudged_rules, mcp_endpoint_in
from fastgate.errors import ContentMismatch, Refused, RouteMismatch
from fastgate.mcp_message import is_response

UNJUDGED = "an MCP server whose messages the edge has to judge"
"""What was found in place of the judged route, for the log."""


def body_fault(
    judged: Transaction, declared: Mapping[str, object], view: object, content: bytes, template: str
) -> Refused | None:
    """Return why an endpoint may not run with this body; None if it may.

    Args:
        judged: the signed transaction.
        declared: what the endpoint declares.
        view: the route that was chosen.
        content: the compared body, if the edge signed it and judged no message in it.
        template: the template of the route, for the log.

    """
    if mcp_endpoint_in(getattr(view, "endpoint", None)) is not None:
        if judged.content_digest is None or not _is_judged(judged, content):
            return RouteMismatch(found=f"{template}, {UNJUDGED}")
    elif unjudged := unjudged_tools_fault(view, template):
        return unjudged
    elif declared and judged.content_digest is None and declared.get("sign_body"):
        return ContentMismatch()
    return None


def unjudged_tools_fault(view: object, template: str) -> Refused | None:
    """Return why what a router has chosen may not run: its tools have rules that nothing checks."""
    if any(map(has_unjudged_rules, targets_of(view))):
        return RouteMismatch(found=f"{template}, {UNJUDGED}")
    return None


def _is_judged(judged: Transaction, content: bytes) -> bool:
    if judged.mcp is not None:
        return True
    # What the edge admits without a message: the requests that have none, for sessions.
    return is_response(content) if judged.method == "POST" else not content
