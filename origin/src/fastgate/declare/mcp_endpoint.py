"""Recognize the endpoint of an MCP server, and find the rules of its tools.

Input: what a route runs. Output: the endpoint of the package `mcp` or `fastmcp` in it, if there is
one; and what its server offers under a rule of `tool_rule`. Both packages are recognized by the
names of their classes and never imported here; no code of the app is run.
"""

from collections.abc import Iterable, Iterator
from gc import get_referents
from types import FunctionType, MethodType

from fastgate.declare.static_access import attribute, is_a
from fastgate.declare.values.mcp import requires_anything, requires_anything_by_name, rule_in

_PACKAGES = ("mcp", "fastmcp", "mcp_types")
_ENDPOINT = "StreamableHTTPASGIApp"
_TRANSPORTS = (_ENDPOINT, "StreamableHTTPSessionManager", "SseServerTransport")
_SERVERS = ("MCPServer", "FastMCP", "Server")
_CONTAINERS = (dict, list, tuple, set, frozenset)
_MOST_LAYERS = 8
_MOST_OBJECTS = 100_000


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


def has_unjudged_rules(endpoint: object) -> bool:
    """Whether an endpoint serves tools with rules by a transport whose messages are not judged.

    The edge judges the messages of an endpoint as `mcp_endpoint_in` returns it, and no others. What
    is hidden from this function, the transports themselves refuse (`request.mcp_transports`).
    """
    if not requires_anything():
        return False
    if (transport := mcp_endpoint_in(endpoint)) is not None:
        return has_rules([transport])
    for _ in range(_MOST_LAYERS):
        if endpoint is None or is_a(endpoint, FunctionType, MethodType):
            break
        endpoint = attribute(endpoint, "app")
    if not is_a(endpoint, FunctionType, MethodType):
        return False
    found = [*_parts(endpoint)]
    found += [inner for each in found if is_a(each, FunctionType) for inner in _parts(each)]
    return any(map(is_transport, found)) and has_rules(found)


def has_rules(found: Iterable[object]) -> bool:
    """Whether servers may have something under a rule that requires something.

    Args:
        found: the servers, or objects that receive messages for them.

    """
    return requires_anything_by_name() or bool(ruled_behind(found))


def is_transport(target: object) -> bool:
    """Whether an object receives the messages of the clients of an MCP server."""
    return _is_any_of(target, _TRANSPORTS)


def is_of_events(target: object) -> bool:
    """Whether an object is a transport by server-sent events, which refers to no server."""
    return _is_any_of(target, ("SseServerTransport",))


def is_unconnected(target: object) -> bool:
    """Whether an object is an endpoint of `fastmcp` whose server is known when the app starts."""
    return _is_any_of(target, (_ENDPOINT,)) and attribute(target, "session_manager") is None


def is_server(target: object) -> bool:
    """Whether an object is an MCP server, which has tools."""
    return _is_any_of(target, _SERVERS)


def servers_of(app: object) -> Iterator[object]:
    """Yield the MCP servers that an app connects with its transports when it starts.

    The transport of the package `fastmcp` refers to no server before that; the lifespan does.
    """
    router = attribute(app, "router") or app
    yield from filter(is_server, _reached_from([attribute(router, "lifespan_context")]))


def ruled_behind(found: Iterable[object]) -> tuple[str, ...]:
    """Return what servers offer under a rule that requires something: names and URIs, sorted.

    Args:
        found: the servers, or objects that receive messages for them.

    """
    reached = _reached_from(found)
    return tuple(sorted({_name_of(each) for each in reached if rule_in(attribute(each, "meta"))}))


def _reached_from(found: Iterable[object]) -> Iterator[object]:
    """Yield objects and what they refer to, by functions, containers and objects of MCP servers."""
    seen = {id(each): each for each in found if _is_followed(each)}
    left = [*seen.values()]
    for each in left:  # the list grows
        yield each
        for part in _parts(each):
            if id(part) not in seen and len(seen) < _MOST_OBJECTS and _is_followed(part):
                seen[id(part)] = part
                left.append(part)


def _name_of(offered: object) -> str:
    names = (attribute(offered, name) for name in ("uri_template", "uri", "name"))
    return next((str(name) for name in names if name), "")


def _is_any_of(target: object, names: Iterable[str]) -> bool:
    return any(kind.__name__ in names for kind in type(target).__mro__ if _is_of_package(kind))


def _is_of_package(kind: type) -> bool:
    return kind.__module__.partition(".")[0] in _PACKAGES


def _is_followed(target: object) -> bool:
    return is_a(target, FunctionType, MethodType, *_CONTAINERS) or (
        not is_a(target, type) and any(map(_is_of_package, type(target).__mro__))
    )


def _parts(target: object) -> Iterator[object]:
    if is_a(target, FunctionType):
        for cell in attribute(target, "__closure__") or ():  # type: ignore[attr-defined]
            try:
                yield cell.cell_contents
            except ValueError:  # it is empty
                continue
    else:
        yield from get_referents(target)
