"""Recognize the endpoint of an MCP server.

Input: what a route runs. Output: the endpoint of the package `mcp` or `fastmcp` in it, if there is
one. Both are recognized by the name of a class and never imported here; no code of the app is run.
"""

from types import FunctionType

from fastgate.declare.static_access import attribute

_PACKAGES = ("mcp", "fastmcp")
_ENDPOINT = "StreamableHTTPASGIApp"
_MOST_LAYERS = 8


def mcp_endpoint_in(endpoint: object) -> object | None:
    """Return the endpoint of an MCP server: the given object, or what it wraps; None without."""
    for _ in range(_MOST_LAYERS):
        kind = type(endpoint)
        if endpoint is None or kind is FunctionType:
            return None
        if kind.__name__ == _ENDPOINT and kind.__module__.partition(".")[0] in _PACKAGES:
            return endpoint
        endpoint = attribute(endpoint, "app")  # a middleware that asks for a token
    return None
