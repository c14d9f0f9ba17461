"""Recognize the endpoint of an MCP server, and what else belongs to one.

Input: what a route runs, or another object of an app. Output: the endpoint of the package `mcp` or
`fastmcp` in it, if there is one; and whether it is a server, or receives messages for one. Both
packages are recognized by the names of their classes and never imported here; no code of the app
is run.
"""

from collections.abc import Iterable, Iterator
from types import FunctionType, MethodType

from fastgate.declare.static_access import attribute, is_a
from fastgate.declare.values.mcp import requires_anything

PACKAGES = ("mcp", "fastmcp", "mcp_types")
"""The packages whose classes are recognized."""
_ENDPOINT = "StreamableHTTPASGIApp"
_OF_EVENTS = "SseServerTransport"
_TRANSPORTS = (_ENDPOINT, "StreamableHTTPSessionManager", _OF_EVENTS)
_SERVERS = ("MCPServer", "FastMCP", "Server")
_MOST_LAYERS = 8


def mcp_endpoint_in(endpoint: object) -> object | None:
    """Return the endpoint of an MCP server: the given object, or what it wraps; None without."""
    layers = _layers(endpoint)
    return next((each for each in layers if _is_any_of(each, (_ENDPOINT,))), None)


def has_unjudged_rules(endpoint: object) -> bool:
    """Whether an endpoint receives messages for an MCP server, and any tool has a rule.

    The edge judges the messages of an endpoint as `mcp_endpoint_in` returns it where it is a route
    of its own, and no others. What is hidden from this function, the functions that receive the
    messages refuse (`request.mcp_transports`).
    """
    if not requires_anything():
        return False
    layers = [*_layers(endpoint)]
    functions = [each for each in layers if is_a(each, FunctionType, MethodType)]
    found = [part for each in functions for part in parts_of(each)]
    found += [inner for each in found if is_a(each, FunctionType) for inner in parts_of(each)]
    return any(map(is_transport, (*layers, *found)))


def is_transport(target: object) -> bool:
    """Whether an object receives the messages of the clients of an MCP server."""
    return _is_any_of(target, _TRANSPORTS)


def is_server(target: object) -> bool:
    """Whether an object is an MCP server, which has tools."""
    return _is_any_of(target, _SERVERS)


def is_of_package(kind: type) -> bool:
    """Whether a class is one of the packages for MCP servers."""
    return kind.__module__.partition(".")[0] in PACKAGES


def parts_of(function: object) -> Iterator[object]:
    """Yield the variables in the closure of a function, or the object of a method."""
    if is_a(function, MethodType):
        yield from (attribute(function, "__self__"), attribute(function, "__func__"))
        return
    for cell in attribute(function, "__closure__") or ():  # type: ignore[attr-defined]
        try:
            yield cell.cell_contents
        except ValueError:  # it is empty
            continue


def _layers(endpoint: object) -> Iterator[object]:
    """Yield an endpoint and what it wraps by an attribute `app`, such as a check of tokens."""
    for _ in range(_MOST_LAYERS):
        if endpoint is None:
            return
        yield endpoint
        if is_a(endpoint, FunctionType, MethodType):
            return
        endpoint = attribute(endpoint, "app")


def _is_any_of(target: object, names: Iterable[str]) -> bool:
    return any(kind.__name__ in names for kind in type(target).__mro__ if is_of_package(kind))
