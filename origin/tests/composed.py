"""Build the app that a composition describes, with each mark written at its time."""

import functools
from collections.abc import Awaitable, Callable
from typing import Any

from fastapi import APIRouter, FastAPI, Security
from fastapi.routing import APIRoute, APIWebSocketRoute
from starlette.applications import Starlette
from starlette.endpoints import HTTPEndpoint
from starlette.middleware import Middleware
from starlette.requests import HTTPConnection, Request
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route, Router, WebSocketRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from fastgate import at_edge, fastgate
from tests.compositions import MOUNTING, Composition, Group, Leaf, Mark, Way


class Around:
    """Middleware that keeps its app as Starlette's does."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.app(scope, receive, send)


def built(composition: Composition) -> FastAPI:
    """Build the app. Errors of `at_edge` are raised."""
    return _Builder(composition.marks).app(composition.root)


class _Builder:
    def __init__(self, marks: tuple[Mark, ...]) -> None:
        self._marks = marks
        self._late: list[Callable[[], object]] = []

    def app(self, root: Group) -> FastAPI:
        app = self._made(root)
        assert isinstance(app, FastAPI)
        at_edge(access="public")(app)
        self._close_group(root, app, "first")
        self._fill(root, app)
        for write in self._late:
            write()
        return app

    def _close(self, name: str, place: str, target: Any, when: str = "first") -> None:  # noqa: ANN401
        """Write the marks that are due now, and keep those for the end."""
        for mark in self._marks:
            if (mark.on, mark.place) != (name, place):
                continue
            below = "/" + "/".join(mark.path) if place == "below" else None
            close = at_edge(below=below, access="authenticated", require={"rule": mark.value})
            if mark.when == when:
                close(target)
            elif mark.when == "late" and when == "first":
                self._late.append(functools.partial(close, target))

    def _close_group(self, group: Group, made: Any, when: str) -> None:  # noqa: ANN401
        for place in ("itself", "below"):
            self._close(group.name, place, made, when)
        self._close(group.name, "router", getattr(made, "router", made), when)

    def _depends(self, name: str, place: str = "dependencies") -> list[Any]:
        return [
            Security(fastgate, scopes=[mark.value])
            for mark in self._marks
            if (mark.on, mark.place) == (name, place)
        ]

    def _made(self, group: Group) -> Any:  # noqa: ANN401
        depends = self._depends(group.name)
        if group.kind == "router":
            return APIRouter(dependencies=depends)
        if group.kind == "fastapi":
            return FastAPI(openapi_url=None, dependencies=depends)
        if group.kind == "mount":
            return Mount(f"/{group.name}", routes=[])
        return Starlette() if group.kind == "starlette" else Router()

    def _fill(self, group: Group, made: Any) -> None:  # noqa: ANN401
        for part in group.parts:
            if isinstance(part, Leaf):
                self._add(part, made)
            else:
                self._attach_all(part, made)
        self._close_group(group, made, "filled")

    def _attach_all(self, group: Group, parent: Any) -> None:  # noqa: ANN401
        made = self._made(group)
        self._close_group(group, made, "first")
        for number, way in enumerate((*group.ways, None)):
            if number == group.filled:
                self._fill(group, made)
            if way is not None:
                self._attach(way, group, made, parent)

    def _attach(self, way: Way, group: Group, made: Any, parent: Any) -> None:  # noqa: ANN401
        path = f"/{way.name}" if way.name else ""
        if way.how == "append":
            parent.routes.append(made)
        elif way.how == "extend":
            parent.routes.extend(made.routes)
        elif way.how == "include":
            router = made.router if group.kind == "fastapi" else made
            depends = self._depends(way.name, "its dependencies")
            parent.include_router(router, prefix=path, dependencies=depends)
        elif way.how == "mount" and hasattr(parent, "mount"):
            parent.mount(path, made)
        elif way.how == "mount behind middleware":
            around = Around(made)
            self._close(way.name, "middleware", around)
            parent.routes.append(Mount(path, app=around))
        elif way.how == "mount its routes":
            parent.routes.append(Mount(path, routes=made.routes))
        elif way.how == "mount with middleware":
            parent.routes.append(Mount(path, app=made, middleware=[Middleware(Around)]))
        else:
            app = made.router if way.how == "mount its router" else made
            parent.routes.append(Mount(path, app=app))
        if way.how in MOUNTING:
            self._close(way.name, "route", parent.routes[-1])

    def _add(self, leaf: Leaf, parent: Any) -> None:  # noqa: ANN401
        of_starlette = leaf.added in ("add_route", "list of Route")
        endpoint, inside = _endpoint(leaf, of_starlette=of_starlette)
        self._close(leaf.name, "inside", inside)
        self._close(leaf.name, "endpoint", endpoint)
        _add_route(leaf, endpoint, parent, self._depends(leaf.name))
        self._close(leaf.name, "route", parent.routes[-1])
        if any((mark.on, mark.place) == (leaf.name, "above") for mark in self._marks):
            self._close(leaf.name, "above", _wrapped(endpoint))


def _add_route(leaf: Leaf, endpoint: Any, parent: Any, depends: list[Any]) -> None:  # noqa: ANN401
    path, socket = f"/{leaf.name}", leaf.style == "socket"
    if leaf.style == "raw":
        if leaf.added == "add_route":
            parent.mount(path, endpoint)
        else:
            parent.routes.append(Mount(path, app=endpoint))
    elif leaf.added == "decorator":
        decorator = parent.websocket if socket else parent.get
        decorator(path, dependencies=depends)(endpoint)
    elif leaf.added == "add_api_route":
        add = parent.add_api_websocket_route if socket else parent.add_api_route
        add(path, endpoint, dependencies=depends)
    elif leaf.added == "list of APIRoute":
        route: Any = APIWebSocketRoute if socket else APIRoute
        parent.routes.append(route(path, endpoint, dependencies=depends))
    elif socket:
        parent.routes.append(WebSocketRoute(path, endpoint))
    elif leaf.added == "add_route":
        parent.add_route(path, endpoint, methods=["GET"])
    else:
        parent.routes.append(Route(path, endpoint, methods=["GET"]))


def _endpoint(leaf: Leaf, *, of_starlette: bool) -> tuple[Any, Any]:
    """Return the served object, and the object within it, which may be the same."""
    function = _responding(leaf.name)
    if leaf.style == "partial":
        return functools.partial(function), function
    if leaf.style == "wrapped":
        return _wrapped(function), function
    if leaf.style == "method":

        class Service:
            async def respond(self, connection: HTTPConnection) -> PlainTextResponse:
                return await function(connection)

        return Service().respond, Service.respond
    if leaf.style == "class":

        class Endpoint(HTTPEndpoint):
            async def get(self, request: Request) -> PlainTextResponse:
                return await function(request)

        return Endpoint, Endpoint.get
    if leaf.style == "raw" or (leaf.style == "object" and of_starlette):

        class App:
            async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
                scope["ran"].append(leaf.name)
                if scope["type"] == "http":
                    await PlainTextResponse("")(scope, receive, send)

        app = App()
        return at_edge(methods=["GET"])(app) if leaf.style == "raw" else app, App.__call__

    class Called:
        async def __call__(self, connection: HTTPConnection) -> PlainTextResponse:
            return await function(connection)

    return (Called(), Called.__call__) if leaf.style == "object" else (function, function)


def _responding(name: str) -> Callable[[HTTPConnection], Awaitable[PlainTextResponse]]:
    async def respond(connection: HTTPConnection) -> PlainTextResponse:
        connection.scope["ran"].append(name)
        return PlainTextResponse("")

    return respond


def _wrapped(function: Any) -> Any:  # noqa: ANN401
    @functools.wraps(function)
    async def around(*args: object, **named: object) -> object:
        return await function(*args, **named)

    return around
