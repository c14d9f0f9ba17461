"""Find tools with rules that are served without them.

Input: everything that an app serves. Output: a fault for each endpoint that receives the messages
of an MCP server in a way that the edge does not judge: by an opaque app, by server-sent events, or
by a function of the app's author. None of the code is run.
"""

from collections.abc import Iterator, Sequence
from functools import partial
from types import FunctionType
from typing import NamedTuple

from starlette.routing import BaseRoute

from fastgate.compile.callers.bytecode import names_in
from fastgate.compile.callers.object_graph import Graph, references_of
from fastgate.compile.callers.used_values import objects_used_by
from fastgate.compile.endpoints.endpoint import Endpoint
from fastgate.compile.ineffective.comparison import layers_of
from fastgate.compile.ineffective.delegates import ServedObjects
from fastgate.compile.mcp.rules_behind import ruled_behind, servers_of
from fastgate.declare.lookup import layers, targets_of
from fastgate.declare.mcp_endpoint import is_server, is_transport
from fastgate.declare.static_access import attribute, is_a
from fastgate.declare.values.mcp import requires_anything
from fastgate.routes.framework import effective_routes

_SERVES = frozenset(
    (
        *("connect_sse", "handle_post_message", "create_initialization_options"),
        *("streamable_http_app", "sse_app", "http_app"),
    )
)
"""Attributes of MCP servers and their transports by which a function serves one."""
_MANAGES = frozenset(("session_manager", "handle_request"))
"""Attributes by which a function serves one if it uses both."""
_MOST_NAMES = 3
"""How many names a fault lists."""


class Unjudged(NamedTuple):
    """An endpoint that serves tools without their rules."""

    endpoint: Endpoint
    what: str
    remedy: str


def unjudged_tools(
    everything: Sequence[Endpoint], served: Sequence[Endpoint]
) -> Iterator[Unjudged]:
    """Yield each endpoint that serves tools without the rules that `tool_rule` gives them.

    Args:
        everything: what the app serves, including mounts.
        served: the endpoints that have a route at the edge.

    """
    if not requires_anything():
        return
    roots = [(each, _layers(each)) for each in served if each.mcp is None]
    judged = {id(each.source) for each in everything if each.mcp is not None}
    begin = (layer for _, found in roots for layer in found)
    graph = Graph(begin, partial(_within, ServedObjects(everything)), partial(_referenced, judged))
    objects = [(key, each) for key, each in graph.objects.items() if key not in judged]
    serving = graph.reached_from([key for key, each in objects if _serves(each)])
    of_servers = [
        (each, graph.reached_from([key]).keys())
        for key, each in objects
        if is_server(each) or is_transport(each)
    ]
    for endpoint, begins in roots:
        keys = {*map(id, begins)}
        if serving.keys().isdisjoint(keys):
            continue
        if found := [each for each, reaching in of_servers if not reaching.isdisjoint(keys)]:
            yield _fault(endpoint, ruled_behind(found))


def _fault(endpoint: Endpoint, names: Sequence[str]) -> Unjudged:
    listed = ", ".join(f'"{name}"' for name in names[:_MOST_NAMES])
    if len(names) > _MOST_NAMES:
        listed += f" and {len(names) - _MOST_NAMES} more"
    return Unjudged(
        endpoint,
        "serves an MCP server whose messages the edge does not judge, and tools of this app have "
        f"rules{f': {listed}' if names else ''}. The edge judges server.streamable_http_app(), or "
        "http_app() of fastmcp, if its routes are visible",
        "mount that app, app.mount(…, at_edge(access=…)(server.streamable_http_app())), without "
        "opaque; or remove the rules, tool_rule(…), and require on this endpoint what its tools "
        "need",
    )


def _layers(endpoint: Endpoint) -> list[object]:
    found = [*layers_of(endpoint)]
    for dependency in endpoint.dependencies:
        found += layers(dependency, mounted=False)
    return found


def _within(listed: ServedObjects, part: object) -> Iterator[object]:
    """Return what an app or a route runs that is not served in its own right, and its servers."""
    if listed.has(part):
        return
    if is_a(part, BaseRoute):
        yield from targets_of(part)
    else:
        yield from (route for route, _ in effective_routes(part))
        yield from servers_of(part)


def _referenced(judged: set[int], target: object) -> Iterator[object]:
    """Return what an object refers to: also what its code names, if that is of an MCP server."""
    if id(target) in judged or is_server(target) or is_transport(target):
        return
    yield from references_of(target)
    if is_a(target, FunctionType):
        module = attribute(target, "__module__")
        for each in objects_used_by(target):
            is_near = is_a(each, FunctionType) and attribute(each, "__module__") == module
            if is_near or is_server(each) or is_transport(each):
                yield each


def _serves(target: object) -> bool:
    if is_a(target, FunctionType):
        names = names_in(attribute(target, "__code__"))  # type: ignore[arg-type]
        return not _SERVES.isdisjoint(names) or names >= _MANAGES
    return is_transport(target)
