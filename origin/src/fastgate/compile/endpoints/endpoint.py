"""`Endpoint`: one thing that an app serves, with everything that decides who may call it.

Input: what `listing` reads of an app. Output: the data class that all checks of `compile` share.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

from fastgate.compile.callers.dependency_tree import Dependant
from fastgate.compile.callers.overrides import UncallableOverride, WeakeningOverride
from fastgate.compile.callers.requirements import Callers
from fastgate.compile.endpoints.inheritance import ListedDependency
from fastgate.compile.endpoints.locations import location_of
from fastgate.compile.mcp.servers import McpServer
from fastgate.declare.provenance import Source
from fastgate.declare.static_access import attribute


class Kind(Enum):
    """The kind of thing that a template belongs to."""

    HTTP = "endpoint"
    WEBSOCKET = "WebSocket endpoint"
    APP = "mounted app"
    """An ASGI app whose routes cannot be seen, such as static files."""
    MOUNT = "mount"
    """Not an endpoint: a mount takes everything below this prefix that no earlier route matches."""
    CYCLE = "mount of the app itself"
    """An app mounted within itself, directly or not: it would have an infinite number of routes."""
    UNKNOWN = "route"
    DECLARATION = "declaration"
    """Not an endpoint: a declaration for a path at which nothing is served."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One thing that an app serves."""

    kind: Kind
    template: str
    methods: tuple[str, ...] | None
    """Upper case, sorted; None if any method is accepted."""
    name: str
    source: object
    """The function, class or app that produces the response."""
    operation_id: str | None = None
    callers: Callers = field(default_factory=Callers)
    """The requirements of its dependencies on callers."""
    declared: Mapping[str, object] = field(default_factory=dict)
    """Members of the route document, from `at_edge` and `openapi_extra`."""
    inherited: Mapping[str, object] = field(default_factory=dict)
    """Members declared for more than this endpoint; the nearest declaration counts."""
    conflicting: tuple[str, ...] = ()
    """Members that a path (`below`) declares otherwise than a router, or than a mount on that path;
    neither of the two is nearer."""
    not_run: Callers = field(default_factory=Callers)
    """The requirements on callers of dependencies that its routers and apps have, but that FastAPI
    does not run for it: FastAPI runs them for its own routes only, and not for mounted apps."""
    parts: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    """For an endpoint that takes everything below a path: the declarations for paths within it, by
    full template. The endpoint has one route at the edge, and these paths have none."""
    path_types: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """How FastAPI reads each path parameter, in the endpoint and in its dependencies: `int`,
    `float`, `uuid`, `str`, or `other`."""
    hidden: tuple["Endpoint", ...] = ()
    """For an opaque app: its endpoints with declarations, which have no effect."""
    root_path: str = ""
    """For a mount: the `root_path` of its app, if that differs from the path of the mount."""
    targets: tuple[object, ...] = ()
    """The objects from which `declared` was read, including wrappers."""
    holders: tuple[object, ...] = ()
    """The apps that serve it, the outermost first."""
    route: object = None
    """The route or mount, as its author wrote it."""
    dependencies: tuple[object, ...] = ()
    """The functions that FastAPI runs before it. Declarations on them have no effect."""
    is_fallback: bool = False
    """Whether it takes the rest of an app, mounted or not, and declares its own callers."""
    declared_by_mounts: frozenset[str] = frozenset()
    """Members that it inherits from mounts around it, or from the apps that they mount."""
    unserved_sources: tuple[Source, ...] = ()
    """Marked apps and mounts that have its route in their lists, and do not serve it here."""
    listed: tuple[ListedDependency, ...] = ()
    """Dependencies of its routers and apps that FastAPI does not run for it."""
    routers: tuple[object, ...] = ()
    """The routers that included it, or whose route was copied."""
    tree: Dependant = None
    """The dependencies that are run before it, with overrides applied; None if it has none."""
    written: Dependant = None
    """The same without overrides."""
    weakened: tuple[WeakeningOverride, ...] = ()
    """Overrides of its dependencies that require less of callers than the originals."""
    uncallable: tuple[UncallableOverride, ...] = ()
    """Overrides of its dependencies that FastAPI cannot call."""
    mcp: McpServer | None = None
    """The MCP server that it serves, if it does."""

    def __str__(self) -> str:
        if is_mounted_library_object(self):
            mount = self.template.removesuffix("/{path:path}") or "/"
            return f"{self.name} ({self.template}, mounted at {mount})"
        return f"{self.name} ({self.template}, {location_of(self.source)})"


def is_mounted_library_object(endpoint: Endpoint) -> bool:
    """Whether an endpoint is an object of a class of Starlette, mounted: `StaticFiles(…)`.

    The file of its class is not the developer's, so a message names the mount instead.
    """
    module = attribute(type(endpoint.source), "__module__")
    return endpoint.kind is Kind.APP and isinstance(module, str) and module.startswith("starlette.")
