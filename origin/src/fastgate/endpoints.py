"""List what an app serves: each endpoint with its full template and what it says of its callers.

In: a FastAPI or Starlette app, as it is about to run. Out: `Endpoint`s in the order in which the
app's router tries them. Nothing is judged here, and nothing is run.
"""

import inspect
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, TypeAlias

from starlette.endpoints import HTTPEndpoint
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles

from fastgate.declare import declared, declared_by
from fastgate.dependencies import FastgateScheme, any_caller
from fastgate.routing import View, app_below, effective_routes, handled_route, routed_app

Dependant: TypeAlias = Any
"""FastAPI's tree of dependencies, whose class is not for others to import."""

_HTTP_ENDPOINT_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


class Kind(Enum):
    """What stands behind a template."""

    HTTP = "endpoint"
    WEBSOCKET = "WebSocket endpoint"
    APP = "mounted app"
    """An ASGI app without routes of its own that can be seen: static files, for one."""
    BELOW = "mount"
    """No endpoint: from here on, everything below this prefix belongs to a mount."""
    UNKNOWN = "route"


@dataclass(frozen=True, slots=True)
class Callers:
    """What an endpoint's dependencies say of its callers."""

    known: bool = False
    """`Caller` or `Security(fastgate)` is among them."""
    anybody: bool = False
    """`AnyCaller` or `Depends(any_caller)` is among them."""
    scopes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One thing that an app serves."""

    kind: Kind
    template: str
    methods: tuple[str, ...] | None
    """Upper case, sorted; None if any method is let through."""
    name: str
    source: object
    """The function, class or app that answers."""
    operation_id: str | None = None
    callers: Callers = Callers()
    declared: Mapping[str, object] = field(default_factory=dict)
    """Members of the route document, from `at_edge` and `openapi_extra`."""

    def __str__(self) -> str:
        return f"{self.name} ({self.template}, {place_of(self.source)})"


def endpoints(app: object) -> Iterator[Endpoint]:
    """Walk `app`, its included routers and its mounted apps."""
    app = routed_app(app)
    if app is None:
        raise TypeError("neither a FastAPI nor a Starlette app")
    root_path = getattr(app, "root_path", "").rstrip("/")
    yield from _endpoints_of(app, root_path)


def _endpoints_of(app: object, prefix: str) -> Iterator[Endpoint]:
    for route, view in effective_routes(app):
        path = getattr(view, "path", None)
        template = prefix + path if isinstance(path, str) else prefix
        if isinstance(route, Mount):
            yield from _mounted(handled_route(route, view), template)
        elif isinstance(route, Route):
            yield _endpoint(Kind.HTTP, template, _methods(view), view)
        elif isinstance(route, WebSocketRoute):
            yield _endpoint(Kind.WEBSOCKET, template, ("GET",), view)
        else:
            name = type(route).__name__
            yield Endpoint(Kind.UNKNOWN, template, None, name, route)


def _mounted(mount: View, template: str) -> Iterator[Endpoint]:
    app = mount.app
    below = template + "/{path:path}"
    name = mount.name or type(app).__name__
    holder = app_below(mount)
    if holder is not None:
        yield from _endpoints_of(holder, template)
    else:
        members = declared(app)
        methods = ("GET", "HEAD") if isinstance(app, StaticFiles) else None
        yield Endpoint(Kind.APP, below, methods, name, app, declared=members)
    yield Endpoint(Kind.BELOW, below, None, name, app)


def _endpoint(kind: Kind, template: str, methods: tuple[str, ...] | None, view: View) -> Endpoint:
    return Endpoint(
        kind,
        template,
        methods,
        view.name,
        view.endpoint,
        getattr(view, "operation_id", None),
        _callers(getattr(view, "dependant", None)),
        declared_by(view),
    )


def _methods(route: View) -> tuple[str, ...] | None:
    if route.methods:
        return tuple(sorted(route.methods))
    if inspect.isclass(route.endpoint) and issubclass(route.endpoint, HTTPEndpoint):
        served = {name for name in _HTTP_ENDPOINT_METHODS if hasattr(route.endpoint, name.lower())}
        return tuple(sorted(served | ({"HEAD"} if "GET" in served else set())))
    return None


def _callers(dependant: Dependant) -> Callers:
    known = anybody = False
    scopes: dict[str, None] = {}
    for dependency in _flat(dependant):
        anybody |= dependency.call is any_caller
        if isinstance(dependency.call, FastgateScheme):
            known = True
            required: Iterable[str] = (
                *(dependency.parent_oauth_scopes or ()),
                *(dependency.own_oauth_scopes or ()),
            )
            scopes |= dict.fromkeys(required)
    return Callers(known, anybody, tuple(scopes))


def _flat(dependant: Dependant) -> Iterator[Dependant]:
    if dependant is not None:
        for dependency in dependant.dependencies:
            yield dependency
            yield from _flat(dependency)


def place_of(target: object) -> str:
    """Return `file:line` of a function or class, or of an object's class."""
    function = inspect.unwrap(target) if callable(target) else target
    while hasattr(function, "func"):  # functools.partial
        function = function.func
    code = getattr(function, "__code__", None)
    if code is not None:
        return f"{code.co_filename}:{code.co_firstlineno}"
    kind = function if inspect.isclass(function) else type(function)
    try:
        return f"{inspect.getsourcefile(kind)}:{inspect.getsourcelines(kind)[1]}"
    except (OSError, TypeError):
        return f"{kind.__module__}.{kind.__qualname__}"
