"""Compare a message to an MCP server with the one that the edge judged.

Input: the body of a request, whose digest agrees, and its `tctx.mcp`. Output: whether the body has
this method and names this tool, resource or prompt. The body is parsed once, strictly. It decides
nothing about the caller, and does not know which endpoints are MCP servers.
"""

from collections.abc import Mapping

from fastgate.claims import McpMessage
from fastgate.strict_json import parse_object

_NAMED_BY = {
    "tools/call": "name",
    "prompts/get": "name",
    "resources/read": "uri",
    "resources/subscribe": "uri",
    "resources/unsubscribe": "uri",
}
"""The member of `params` that says what a message is about."""
_NOTHING: Mapping[str, object] = {}


def is_message(content: bytes, judged: McpMessage) -> bool:
    """Whether a body is the message that the edge judged: its method, and what it is about."""
    try:
        message = parse_object(content)
    except ValueError:
        return False
    params = message.get("params", _NOTHING)
    if message.get("method") != judged.method or not isinstance(params, dict):
        return False
    if judged.method in _NAMED_BY:
        return judged.name is not None and params.get(_NAMED_BY[judged.method]) == judged.name
    # Of the other methods, some have several names, and the edge signs one only if it is the only
    # one. A later version may judge further methods.
    return judged.name is None or judged.name in _other_names(params)


def message_in(content: bytes) -> dict[str, str] | None:
    """Return the `tctx.mcp` of a body; None if it is no message with a method."""
    try:
        message = parse_object(content)
    except ValueError:
        return None
    method, params = message.get("method"), message.get("params", _NOTHING)
    if not isinstance(method, str) or not method or not isinstance(params, dict):
        return None
    name = params.get(_NAMED_BY.get(method, ""))
    return {"method": method, **({"name": name} if isinstance(name, str) and name else {})}


def is_response(content: bytes) -> bool:
    """Whether a body is the response to a request of the server, which has no method."""
    try:
        message = parse_object(content)
    except ValueError:
        return False
    return "method" not in message and ("result" in message) != ("error" in message)


def _other_names(params: Mapping[str, object]) -> list[object]:
    found = [params.get("name"), params.get("uri")]
    if isinstance(reference := params.get("ref"), dict):
        found += [reference.get("name"), reference.get("uri")]
    for holder in (params, params.get("notifications")):
        listed = holder.get("resourceSubscriptions") if isinstance(holder, dict) else None
        found += listed if isinstance(listed, list) else []
    return found
