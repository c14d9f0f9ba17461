"""Test, before an app starts, that the installed framework runs the comparison.

Input: the installed Starlette and FastAPI. Output: none; or `FrameworkNotUnderstood` if a kind
of route ran without a comparison, or did not run although the comparison succeeded. It dispatches a
small app of its own, in this process and without a network or a signature. The guard does not run.
"""

from importlib.metadata import version

from fastapi import APIRouter, FastAPI, Response, WebSocket
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.routing import Host, Mount, Route
from starlette.types import Message, Scope

from fastgate.claims import Transaction
from fastgate.errors import Refused
from fastgate.routes.check import Comparing, check_for


class FrameworkNotUnderstood(RuntimeError):
    """The installed framework dispatches in a way that this package does not support."""


async def understand_framework() -> None:
    """Dispatch every kind of route once as the judged route, and once as another route.

    Raises:
        FrameworkNotUnderstood: names the first kind with a wrong result.

    """
    ran: list[str] = []
    app = _app(ran)
    for kind, path, template in _KINDS:
        for judged, expected in ((template, [kind]), ("/another" + template, [])):
            ran.clear()
            try:
                await _dispatch(app, kind, path, judged)
            except Exception as error:
                raise _not_understood(kind) from error
            if ran != expected:
                raise _not_understood(kind)


_KINDS = (
    ("endpoint", "/plain/7", "/plain/{item:int}"),
    ("starlette", "/starlette/7", "/starlette/{item}"),
    ("websocket", "/socket/7", "/socket/{item}"),
    ("included endpoint", "/in/cluded/endpoint/7", "/in/cluded/endpoint/{item}"),
    ("included starlette", "/in/cluded/starlette/7", "/in/cluded/starlette/{item}"),
    ("included websocket", "/in/cluded/socket/7", "/in/cluded/socket/{item}"),
    ("mounted", "/mounted/a/7", "/mounted/{tenant}/{item}"),
    ("mounted app", "/app/7", "/app/{path:path}"),
    ("host", "/host/7", "/host/{item}"),
    ("host app", "/any", "/{path:path}"),
)


def _app(ran: list[str]) -> FastAPI:
    class Page:
        """An endpoint that records that it ran."""

        def __init__(self, kind: str) -> None:
            self._kind = kind

        async def endpoint(self) -> None:
            ran.append(self._kind)

        async def starlette(self, _request: Request) -> Response:
            ran.append(self._kind)
            return Response()

        async def websocket(self, websocket: WebSocket) -> None:
            ran.append(self._kind)
            await websocket.close()

        async def asgi(self, *_asgi: object) -> None:
            ran.append(self._kind)

    inner, outer = APIRouter(), APIRouter()
    inner.add_api_route("/endpoint/{item}", Page("included endpoint").endpoint)
    inner.add_route("/starlette/{item}", Page("included starlette").starlette)
    inner.add_api_websocket_route("/socket/{item}", Page("included websocket").websocket)
    outer.include_router(inner, prefix="/cluded")

    app = FastAPI(openapi_url=None)
    app.add_api_route("/plain/{item:int}", Page("endpoint").endpoint)
    app.add_route("/starlette/{item}", Page("starlette").starlette)
    app.add_api_websocket_route("/socket/{item}", Page("websocket").websocket)
    app.include_router(outer, prefix="/in")
    below = Starlette(routes=[Route("/{item}", Page("mounted").starlette)])
    app.mount("/mounted/{tenant}", below)
    app.mount("/app", Page("mounted app").asgi)
    by_host = Mount("/host", routes=[Route("/{item}", Page("host").starlette)])
    app.router.routes.append(Host("host", Starlette(routes=[by_host])))
    app.router.routes.append(Host("host-app", Page("host app").asgi))
    return app


async def _dispatch(app: FastAPI, kind: str, path: str, template: str) -> None:
    async def receive() -> Message:
        return {"type": "websocket.connect"} if "websocket" in kind else _EMPTY

    async def send(_message: Message) -> None:
        pass

    async def refuse(_fault: Refused, _scope: Scope, _send: object) -> None:
        pass

    scope: Scope = {
        "type": "websocket" if "websocket" in kind else "http",
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [(b"host", kind.replace(" ", "-").encode())],
        "subprotocols": [],
    }
    judged = Transaction("self-test", template, "GET", "self-test", path, None)
    with Comparing(check_for(scope, judged, refuse), scope):
        await app(scope, receive, send)


_EMPTY: Message = {"type": "http.request", "body": b"", "more_body": False}


def _not_understood(kind: str) -> FrameworkNotUnderstood:
    installed = ", ".join(f"{name} {version(name)}" for name in ("fastapi", "starlette"))
    return FrameworkNotUnderstood(
        f"this version of fastgate does not support {installed}: {kind} routes are not compared "
        "with the route that the edge judged. Install supported versions, or a newer fastgate."
    )
