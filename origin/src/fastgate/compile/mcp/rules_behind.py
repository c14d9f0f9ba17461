"""Find what an MCP server offers under a rule, starting at any of its objects.

Input: a server, or an object that receives messages for one. Output: the names of what has a rule
that requires something. None of the code is run.
"""

from collections.abc import Iterable, Iterator
from gc import get_referents
from types import FunctionType, MethodType

from fastgate.declare.mcp_endpoint import is_of_package, is_server, parts_of
from fastgate.declare.static_access import attribute, is_a
from fastgate.declare.values.mcp import rule_in

_CONTAINERS = (dict, list, tuple, set, frozenset)
_MOST_OBJECTS = 100_000


def ruled_behind(found: Iterable[object]) -> tuple[str, ...]:
    """Return what servers offer under a rule that requires something: names and URIs, sorted.

    Args:
        found: the servers, or objects that receive messages for them.

    """
    reached = _reached_from(found)
    return tuple(sorted({_name_of(each) for each in reached if rule_in(attribute(each, "meta"))}))


def servers_of(app: object) -> Iterator[object]:
    """Yield the MCP servers that an app connects with its transports when it starts.

    The transport of the package `fastmcp` refers to no server before that; the lifespan does.
    """
    router = attribute(app, "router") or app
    yield from filter(is_server, _reached_from([attribute(router, "lifespan_context")]))


def _reached_from(found: Iterable[object]) -> Iterator[object]:
    """Yield objects and what they refer to, by functions, containers and objects of MCP servers."""
    seen = {id(each): each for each in found if _is_followed(each)}
    left = [*seen.values()]
    for each in left:  # the list grows
        yield each
        is_function = is_a(each, FunctionType, MethodType)
        for part in parts_of(each) if is_function else get_referents(each):
            if id(part) not in seen and len(seen) < _MOST_OBJECTS and _is_followed(part):
                seen[id(part)] = part
                left.append(part)


def _name_of(offered: object) -> str:
    names = (attribute(offered, name) for name in ("uri_template", "uri", "name"))
    return next((str(name) for name in names if name), "")


def _is_followed(target: object) -> bool:
    return is_a(target, FunctionType, MethodType, *_CONTAINERS) or (
        not is_a(target, type) and any(map(is_of_package, type(target).__mro__))
    )
