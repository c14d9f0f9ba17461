"""Find the MCP server behind an endpoint, and list what it offers.

Input: an endpoint of an app, and the app that serves it. Output: the server with its transport, and
its tools, resources and prompts. The packages `mcp` and `fastmcp` are recognized by the names of
their classes and never imported here. A server is asked for its lists, as a client would ask it,
outside of any request; apart from that no code of the app is run.
"""

import asyncio
import threading
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from fastgate.compile.cache import cached
from fastgate.declare.mcp_endpoint import mcp_endpoint_in
from fastgate.declare.static_access import attribute
from fastgate.declare.values.mcp import rule_in

_LISTS = {
    "list_tools": "tools",
    "list_resources": "resources",
    "list_resource_templates": "resources",
    "list_prompts": "prompts",
}
_LONGEST_LISTING = 20
"""For how many seconds a server may prepare its lists."""
_MOST_LAYERS = 8


@dataclass(frozen=True, slots=True)
class McpServer:
    """The MCP server that an endpoint serves."""

    server: object
    """An `MCPServer`, a `FastMCP`, or what handles the requests itself."""
    has_sessions: bool
    """Whether it may keep sessions, so that clients also send GET and DELETE."""

    @property
    def methods(self) -> tuple[str, ...]:
        """The methods that its clients use, sorted."""
        return ("DELETE", "GET", "POST") if self.has_sessions else ("POST",)


@dataclass(frozen=True, slots=True)
class Offered:
    """A tool, resource or prompt of a server."""

    kind: str
    """`tools`, `resources` or `prompts`."""
    name: str
    """The name, or the URI or its template."""
    meta: object
    auth: object = None
    """The checks that the package `fastmcp` runs itself."""
    tags: frozenset[str] = frozenset()


class Unlisted(ValueError):
    """What a server offers cannot be listed; the message says why."""


class Omitted(Unlisted):
    """A tool with a rule can be called although it is not listed."""


def mcp_server_of(endpoint: object, app: object, path: object) -> McpServer | None:
    """Return the MCP server that an endpoint serves; None if it is another endpoint.

    Args:
        endpoint: what a route runs.
        app: the app that has the route in its list.
        path: the path of the route in that app.

    """
    if (found := mcp_endpoint_in(endpoint)) is None:
        return None
    manager = attribute(found, "session_manager")
    state = attribute(attribute(app, "state"), "_state")
    if isinstance(state, Mapping) and "fastmcp_server" in state and state.get("path") == path:
        # `fastmcp` creates the manager when the app starts, and takes no GET without sessions.
        accepted = [
            getattr(each, "methods", None)
            for each in getattr(app, "routes", ())
            if getattr(each, "path", None) == path
        ]
        return McpServer(state["fastmcp_server"], has_sessions=not any(accepted))
    lowlevel = attribute(manager, "app")
    has_sessions = attribute(manager, "stateless") is not True
    return McpServer(_behind(lowlevel) or lowlevel, has_sessions=has_sessions)


def offered_by(server: object) -> tuple[Offered, ...]:
    """Return what a server offers; cached within `caching`.

    Raises:
        Unlisted: this cannot be found out.

    """
    found = cached(_listed, server)
    if isinstance(found, Unlisted):
        raise found
    return found


def _behind(lowlevel: object) -> object:
    """Return the object with the lists whose methods handle the requests of a server."""
    for name in ("_request_handlers", "request_handlers"):  # the second in versions before 2
        handlers = attribute(lowlevel, name)
        for handler in handlers.values() if isinstance(handlers, Mapping) else ():
            for each in (*_holders(getattr(handler, "handler", handler)),):
                if each is not lowlevel and _has_lists(each):
                    return each
    return None


def _holders(handler: object) -> Iterator[object]:
    functions = [handler]
    for cell in getattr(handler, "__closure__", None) or ():
        try:
            functions.append(cell.cell_contents)
        except ValueError:  # it is empty
            continue
    for function in functions:
        if (holder := getattr(function, "__self__", None)) is not None:
            yield holder


def _has_lists(server: object) -> bool:
    return all(callable(getattr(type(server), name, None)) for name in _LISTS)


def _listed(server: object) -> tuple[Offered, ...] | Unlisted:
    if not _has_lists(server):
        return Unlisted("its author handles the requests without MCPServer or FastMCP")
    try:
        return tuple(_run(lambda: _ask(server)))
    except Unlisted as why:
        return why
    except Exception as error:
        return Unlisted(f"{type(error).__name__}: {error}")


async def _ask(server: object) -> list[Offered]:
    found = dict[tuple[str, str], list[Offered]]()
    providers = getattr(server, "providers", None)
    for method, kind in _LISTS.items():
        if providers is None:
            listed = await getattr(server, method)()
        else:
            listed = await _of_providers(server, providers, method)
        for each in listed:
            offered = _offered(kind, each)
            if offered not in (same := found.setdefault((kind, offered.name), [])):
                same.append(offered)
    # A mounted server omits what has `auth`, so ask that server as well.
    for source in providers or ():
        if (inner := _mounted_server(source)) is None:
            continue
        if hidden := [each.name for each in await _ask(inner) if each.auth]:
            raise Unlisted(
                f"a server that it mounts does not list what has auth=…: {', '.join(hidden)}; "
                "write meta=tool_rule(…) there instead of auth=…"
            )
    return [each for same in found.values() for each in same]


async def _of_providers(server: object, providers: Iterable[object], method: str) -> list[object]:
    """Return what a server of `fastmcp` lists, and what it omits because it has `auth`."""
    before = [each for source in providers for each in await getattr(source, method)()]
    listed = before
    for transform in getattr(server, "transforms", ()):
        listed = await getattr(transform, method)(listed)
    # Its middleware may add tools. This runs no function of it.
    by_server = await getattr(server, method)(run_middleware=False)
    # A transform may give a tool another name, and several may share one rule.
    left = _numbers_by_rule(listed) | _numbers_by_rule(by_server)
    omitted = _numbers_by_rule(before) - left
    for each in before:
        if id(rule_in(getattr(each, "meta", None))) in omitted:
            name = getattr(each, "name", None)
            raise Omitted(f'one of its transforms omits "{name}", or another with the same rule')
    return [*listed, *by_server]


def _numbers_by_rule(found: Iterable[object]) -> Counter[int]:
    """Return how many of these have each rule, by the id of the rule."""
    rules = (rule_in(getattr(each, "meta", None)) for each in found)
    return Counter(id(rule) for rule in rules if rule is not None)


def _mounted_server(provider: object) -> object:
    for _ in range(_MOST_LAYERS):
        if (inner := getattr(provider, "_inner", None)) is None:
            break
        provider = inner
    found = getattr(provider, "server", None)
    return found if _has_lists(found) and hasattr(found, "providers") else None


def _offered(kind: str, found: object) -> Offered:
    name: object = getattr(found, "name", "")
    if kind == "resources":
        name = getattr(found, "uri_template", None) or getattr(found, "uriTemplate", None)
        name = name or getattr(found, "uri", "")
    tags = getattr(found, "tags", None) or ()
    return Offered(
        kind,
        str(name),
        getattr(found, "meta", None),
        getattr(found, "auth", None),
        frozenset(map(str, tags)),
    )


def _run(ask: Callable[[], Awaitable[list[Offered]]]) -> list[Offered]:
    """Run a coroutine to its end in a thread of its own: this one may have an event loop."""
    results, errors = list[list[Offered]](), list[Exception]()

    async def listing() -> list[Offered]:
        return await ask()

    def run() -> None:
        try:
            results.append(asyncio.run(listing()))
        except Exception as error:
            errors.append(error)

    thread = threading.Thread(target=run, name="fastgate-mcp-lists", daemon=True)
    thread.start()
    thread.join(_LONGEST_LISTING)
    if errors:
        raise errors[0]
    if not results:
        raise TimeoutError(f"its lists take longer than {_LONGEST_LISTING} seconds")
    return results[0]
