"""Attempts to bypass the comparison: custom classes, late changes, other scopes."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial

import httpx
import pytest
from fastapi import APIRouter, FastAPI, routing
from fastapi.routing import APIRoute
from starlette.applications import Starlette
from starlette.endpoints import HTTPEndpoint
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Host, Mount, Route, Router
from starlette.testclient import TestClient
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from fastgate import FastgateMiddleware, guard
from tests.edge import Edge
from tests.test_dispatch import Copies, MethodOverride, Rebuilds, asgi, endpoint, fetch
from tests.test_provenance import Copying

pytestmark = pytest.mark.anyio


# A `handle` other than that of Starlette's class.


class RunsAtOnce:
    """A mixin that is not a route itself."""

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.app(scope, receive, send)  # type: ignore[attr-defined]


class MixedIn(RunsAtOnce, Route):
    """A route with the `handle` of the mixin."""


class MixedInApi(RunsAtOnce, APIRoute):
    """The same of FastAPI's."""


class Silent(Route):
    """A class that does not notify its bases of subclasses."""

    def __init_subclass__(cls) -> None: ...


class OfSilent(Silent):
    """A class of which its bases were not notified."""

    handle = RunsAtOnce.handle


class SetLate(Route):
    """A class that gets its `handle` after its definition."""


SetLate.handle = RunsAtOnce.handle  # type: ignore[assignment, method-assign]


def set_on_the_object(path: str, run: Callable[..., object]) -> BaseRoute:
    route = Route(path, run)
    vars(route)["handle"] = route.app
    return route


KINDS: list[Callable[..., BaseRoute]] = [
    *(MixedIn, MixedInApi, OfSilent, SetLate),
    set_on_the_object,
]


@pytest.mark.parametrize("inside", [None, Copies])
@pytest.mark.parametrize("below", [False, True])
@pytest.mark.parametrize("kind", KINDS)
async def test_a_handle_from_any_source_is_compared_before_it_runs(
    edge: Edge,
    ran: list[str],
    kind: Callable[..., BaseRoute],
    below: bool,
    inside: type[Copies] | None,
) -> None:
    app = FastAPI(openapi_url=None)
    if inside is not None:
        app.add_middleware(inside)
    # Starlette passes the request to an endpoint, FastAPI nothing.
    run = (lambda: ran.append("run")) if kind is MixedInApi else endpoint(ran, "run")
    routes = [kind("/admin/{x}", run), Route("/public/{x}", endpoint(ran, "public"))]
    if below:
        app.mount("/api", Starlette(routes=routes))
    else:
        app.router.routes.extend(routes)
    guard(app, edge.settings())
    prefix = "/api" if below else ""
    refused = await fetch(app, edge, f"{prefix}/admin/7", f"{prefix}/public/{{x}}")
    assert (refused.status_code, ran) == (401, [])
    assert (await fetch(app, edge, f"{prefix}/admin/7", f"{prefix}/admin/{{x}}")).is_success
    assert ran == ["run"]


async def test_an_included_router_with_such_a_class_is_compared(
    edge: Edge, ran: list[str], app: FastAPI
) -> None:
    router = APIRouter(route_class=MixedInApi)
    router.add_api_route("/admin/{x}", lambda: ran.append("run"))
    app.include_router(router, prefix="/v1")
    assert (await fetch(app, edge, "/v1/admin/7", "/v1/public/{x}")).status_code == 401
    assert ran == []
    assert (await fetch(app, edge, "/v1/admin/7", "/v1/admin/{x}")).is_success


class Logs(Route):
    """A route that does something itself, and then what its base class does."""

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope["ran"] = True
        await super().handle(scope, receive, send)


class LogsToo(APIRoute):
    """The same for FastAPI's own."""

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        await super().handle(scope, receive, send)


@pytest.mark.parametrize("kind", [Route, APIRoute, Logs, LogsToo])
@pytest.mark.parametrize("where", ["app", "included", "mounted"])
async def test_a_method_that_a_route_of_any_class_lacks_gets_405(
    edge: Edge, ran: list[str], kind: type[Route], where: str
) -> None:
    app, path = FastAPI(openapi_url=None), "/a"
    route = kind("/a", endpoint(ran, "a"), methods=["GET", "PUT"])
    if where == "included":
        path = "/r/a"
        app.include_router(APIRouter(routes=[route]), prefix="/r")
    elif where == "mounted":
        path = "/r/a"
        app.mount("/r", Starlette(routes=[route]))
    else:
        app.router.routes.append(route)
    guard(app, edge.settings())
    template = path.replace("/a", "/{x}")
    response = await fetch(app, edge, path, template, "POST")
    assert (response.status_code, ran) == (405, [])
    assert {"GET", "PUT"} <= set(response.headers["Allow"].split(", "))
    assert (await fetch(app, edge, path, path, "POST")).status_code == 405
    assert (await fetch(app, edge, path, template, "PUT")).status_code == 401
    assert ran == []


async def test_a_class_with_its_own_attribute_access_is_refused(
    edge: Edge, ran: list[str], app: FastAPI
) -> None:
    class Hides(Route):
        def __getattribute__(self, name: str) -> object:
            return object.__getattribute__(self, name)

    app.router.routes.append(Hides("/hidden", endpoint(ran, "hidden")))
    assert (await fetch(app, edge, "/hidden", "/hidden")).status_code == 401
    app.router.routes.pop()
    router = APIRouter(routes=[Hides("/hidden", endpoint(ran, "hidden"))])
    app.include_router(router, prefix="/in")
    if hasattr(routing, "_IncludedRouter"):  # older FastAPI makes a plain route of it
        assert (await fetch(app, edge, "/in/hidden", "/in/hidden")).status_code == 401
        assert ran == []


def traced(kind: type[BaseRoute], monkeypatch: pytest.MonkeyPatch, seen: list[object]) -> None:
    """Replace `handle` as monitoring agents do (wrapt): by a descriptor that is not a function."""
    original = vars(kind)["handle"]

    class Bound:
        def __init__(self, route: BaseRoute, run: ASGIApp) -> None:
            self._route, self._run = route, run

        async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
            seen.append(self._route)
            await self._run(scope, receive, send)

    class Wrapper:
        def __get__(self, route: BaseRoute | None, owner: type | None = None) -> object:
            return self if route is None else Bound(route, original.__get__(route, owner))

        def __call__(self, *_asgi: object) -> None:
            raise AssertionError("an agent reads the route from the bound object")

    monkeypatch.setattr(kind, "handle", Wrapper())


async def test_an_agent_that_wraps_handle_by_a_descriptor_sees_the_route(
    edge: Edge, ran: list[str], app: FastAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[object] = []
    traced(Route, monkeypatch, seen)
    route = Route("/traced", endpoint(ran, "traced"))
    app.router.routes.append(route)
    assert (await fetch(app, edge, "/start", "/start")).status_code == 404
    seen.clear()  # the routes that the start itself has dispatched
    assert (await fetch(app, edge, "/traced", "/other")).status_code == 401
    assert (seen, ran) == ([], [])
    assert (await fetch(app, edge, "/traced", "/traced")).text == "traced"
    assert seen == [route]


# A router that dispatches in its own way.


async def test_a_router_that_dispatches_in_its_own_way_is_refused_before_it_does(
    edge: Edge, ran: list[str]
) -> None:
    class Dispatches:
        routes: list[BaseRoute]

        async def _first(self, scope: Scope, receive: Receive, send: Send) -> None:
            await self.routes[0].app(scope, receive, send)  # type: ignore[attr-defined]

    class ByHandle(Dispatches, APIRouter):
        async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
            await self._first(scope, receive, send)

    class ByApp(Dispatches, Router):
        async def app(self, scope: Scope, receive: Receive, send: Send) -> None:
            await self._first(scope, receive, send)

    class ByCall(Dispatches, Router):
        async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
            await self._first(scope, receive, send)

    route = Route("/admin", endpoint(ran, "admin"))
    for own in (ByApp(routes=[route]), ByCall(routes=[route])):
        for guarded in (FastgateMiddleware(own, edge.settings()), FastAPI(openapi_url=None)):
            if isinstance(guarded, FastAPI):
                guarded.mount("/below", own)
                guard(guarded, edge.settings())
            for path in ("/admin", "/below/admin"):
                for template in (path, "/below/public"):
                    assert not (await fetch(guarded, edge, path, template)).is_success
    app, included = FastAPI(openapi_url=None), ByHandle()
    included.add_route("/admin", endpoint(ran, "admin"))
    app.include_router(included)
    guard(app, edge.settings())
    if included in [getattr(each, "original_router", None) for each in app.routes]:
        assert (await fetch(app, edge, "/admin", "/public")).status_code == 401
        assert (await fetch(app, edge, "/admin", "/admin")).status_code == 401
    assert ran == []


async def test_the_default_of_a_router_whose_class_has_one_is_compared(
    edge: Edge, ran: list[str], app: FastAPI
) -> None:
    class OwnDefault(Router):
        async def default(self, scope: Scope, receive: Receive, send: Send) -> None: ...

    app.mount("/admin", OwnDefault(default=asgi(ran, "default")))
    assert (await fetch(app, edge, "/admin/7", "/admin/public/{x}")).status_code == 401
    assert ran == []
    assert (await fetch(app, edge, "/admin/7", "/admin/{path:path}")).text == "default"


async def test_a_router_that_is_served_without_an_app_responds_405_below_a_mount(
    edge: Edge, ran: list[str]
) -> None:
    below = Router(routes=[Route("/mine", endpoint(ran, "mine"), methods=["POST"])])
    guarded = FastgateMiddleware(Router(routes=[Mount("/api", below)]), edge.settings())
    response = await fetch(guarded, edge, "/api/mine", "/{rest:path}")
    assert (response.status_code, response.headers["Allow"], ran) == (405, "POST", [])


# Changes between the comparison and the endpoint.


class Orders(HTTPEndpoint):
    """An endpoint that chooses by the method."""

    ran: list[str] = []  # noqa: RUF012 -- emptied by the test

    async def post(self, _request: Request) -> Response:
        """Open to every caller."""
        self.ran.append("post")
        return PlainTextResponse("post")

    async def delete(self, _request: Request) -> Response:
        """Not open to every caller."""
        self.ran.append("delete")
        return PlainTextResponse("delete")


class OverridesAndRebuilds(Rebuilds):
    """Both at once."""

    def __init__(self, app: ASGIApp) -> None:
        super().__init__(MethodOverride(app))


class OwnMethod(Route):
    """Overrides the method in its own `handle`."""

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        await MethodOverride(super().handle)(scope, receive, send)


@pytest.mark.parametrize("override", [MethodOverride, OverridesAndRebuilds])
@pytest.mark.parametrize("where", ["route", "mount", "opaque mount", "handle"])
async def test_a_class_that_chooses_by_method_is_compared_when_it_runs(
    edge: Edge, app: FastAPI, where: str, override: Callable[..., ASGIApp]
) -> None:
    Orders.ran.clear()
    template = path = "/orders"
    middleware = [Middleware(override)]
    if where == "route":
        app.router.routes.append(Route("/orders", Orders, middleware=middleware))
    elif where == "handle":
        app.router.routes.append(OwnMethod("/orders", Orders))
    elif where == "mount":
        path = template = "/below/orders"
        route = Route("/orders", Orders, middleware=middleware)
        app.router.routes.append(Mount("/below", routes=[route]))
    else:
        path, template = "/below/orders", "/below/{path:path}"
        below = override(Starlette(routes=[Route("/orders", Orders)]))

        async def opaque(scope: Scope, receive: Receive, send: Send) -> None:
            await below(scope, receive, send)

        app.mount("/below", opaque)
    assert (await fetch(app, edge, path, template, "POST")).text == "post"
    headers = {"X-HTTP-Method-Override": "DELETE"}
    assert (await fetch(app, edge, path, template, "POST", **headers)).status_code == 401
    assert Orders.ran == ["post"]
    assert (await fetch(app, edge, path, template, "DELETE")).text == "delete"


class PrefixFromHeader(Copies):
    """Middleware that trusts a field about the prefix that a proxy has removed."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if prefix := dict(scope.get("headers", [])).get(b"x-forwarded-prefix"):
            scope["root_path"] = prefix.decode()
        await self.app(scope, receive, send)


@pytest.mark.parametrize("below", [False, True])
@pytest.mark.parametrize("inside", [None, Rebuilds])
async def test_a_root_path_that_middleware_reads_from_a_field_moves_no_route(
    edge: Edge, ran: list[str], below: bool, inside: type[Copies] | None
) -> None:
    routes = [Route(f"{path}/admin", endpoint(ran, path)) for path in ("/public", "")]
    middleware = [Middleware(PrefixFromHeader), *([Middleware(inside)] if inside else [])]
    app, prefix = FastAPI(openapi_url=None), ""
    if below:
        prefix = "/api"
        app.mount("/api", Starlette(routes=routes, middleware=middleware))
    else:
        app.router.routes.extend(routes)
        app.user_middleware.extend(middleware)
    guard(app, edge.settings())
    path = f"{prefix}/public/admin"
    if not (below and inside):  # below a mount, there is nothing to compare with
        assert (await fetch(app, edge, path, path)).text == "/public"
    ran.clear()
    headers = {"X-Forwarded-Prefix": f"{prefix}/public"}
    assert (await fetch(app, edge, path, path, **headers)).status_code == 401
    assert ran == []


# A guarded app runs nothing that a guard has not let in.


class Worker(Copies):
    """Middleware that passes each request to a task that was started earlier."""

    def __init__(self, app: ASGIApp) -> None:
        super().__init__(app)
        self.queue: asyncio.Queue[tuple[ASGIApp, Scope, Receive, Send, asyncio.Future[None]]]
        self.queue = asyncio.Queue()

    async def work(self) -> None:
        while True:
            app, scope, receive, send, done = await self.queue.get()
            await app(scope, receive, send)
            done.set_result(None)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        await self.queue.put((Rebuilds(self.app), scope, receive, send, done))
        await done


async def test_a_scope_that_a_worker_builds_itself_is_refused(edge: Edge, ran: list[str]) -> None:
    app = FastAPI(openapi_url=None)
    app.add_route("/admin", endpoint(ran, "admin"))
    worker = Worker(app.router)
    working = asyncio.create_task(worker.work())
    guarded = FastgateMiddleware(worker, edge.settings())
    for template in ("/public", "/admin"):
        assert (await fetch(guarded, edge, "/admin", template)).status_code == 401
    app.router.routes.clear()
    app.router.default = asgi(ran, "default")
    assert (await fetch(guarded, edge, "/admin", "/{path:path}")).status_code == 401
    assert ran == []
    working.cancel()


Answers = Callable[[Request], Awaitable[Response]]


def dispatches(app: ASGIApp, path: str, *, rebuilt: bool = False) -> Answers:
    """Return an endpoint that responds with the response of `app` at another path."""

    class Answer(Response):
        async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
            scope = {**scope, "path": path, "raw_path": path.encode()}
            await (Rebuilds(app) if rebuilt else app)(scope, receive, send)

    async def respond(_request: Request) -> Response:
        return Answer()

    return respond


@pytest.mark.parametrize("rebuilt", [False, True])
async def test_an_endpoint_cannot_enter_its_own_app_again(
    edge: Edge, ran: list[str], app: FastAPI, rebuilt: bool
) -> None:
    app.add_route("/admin", endpoint(ran, "admin"))
    app.add_route("/go", dispatches(app.router, "/admin", rebuilt=rebuilt))
    app.add_route("/app", dispatches(app, "/admin", rebuilt=rebuilt))
    for path in ("/go", "/app"):
        assert (await fetch(app, edge, path, path)).status_code == 401
    go = dispatches(app.router, "/admin", rebuilt=rebuilt)

    async def opaque(scope: Scope, receive: Receive, send: Send) -> None:
        await (await go(Request(scope)))(scope, receive, send)

    app.mount("/opaque", opaque)
    assert (await fetch(app, edge, "/opaque/x", "/opaque/{path:path}")).status_code == 401
    assert ran == []


async def test_an_endpoint_may_respond_with_another_app_and_call_others(
    edge: Edge, ran: list[str], app: FastAPI
) -> None:
    other = Starlette(routes=[Route("/inner", endpoint(ran, "inner"), methods=["GET", "POST"])])
    app.add_route("/go", dispatches(other, "/inner"))
    assert (await fetch(app, edge, "/go", "/go")).text == "inner"

    class Calls(HTTPEndpoint):
        async def get(self, _request: Request) -> Response:
            transport = httpx.ASGITransport(other)
            async with httpx.AsyncClient(transport=transport, base_url="http://testserver") as http:
                return PlainTextResponse((await http.post("/inner")).text)

    app.add_route("/calls", Calls)  # type: ignore[arg-type]
    assert (await fetch(app, edge, "/calls", "/calls")).text == "inner"


Calls = Callable[[], Awaitable[Response]]


def calls(app: ASGIApp, path: str) -> Calls:
    """Return a function that sends another app of this process a request of its own."""

    async def call() -> Response:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://testserver") as http:
            response = await http.post(path)
            return PlainTextResponse(response.text, response.status_code)

    return call


def calling(where: str, app: FastAPI, call: Calls) -> None:
    """Let middleware, or a mounted app that is judged as a whole, call another app."""
    if where == "middleware":

        @app.middleware("http")
        async def respond(_request: Request, _call_next: object) -> Response:
            return await call()

    elif where == "pure middleware":

        class Answers(Copies):
            async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
                if scope["type"] == "lifespan":
                    await self.app(scope, receive, send)
                else:
                    await (await call())(scope, receive, send)

        app.add_middleware(Answers)
    else:

        async def mounted(scope: Scope, receive: Receive, send: Send) -> None:
            await (await call())(scope, receive, send)

        app.mount("/x", mounted)


WHERE = {"middleware": "/x/y", "pure middleware": "/x/y", "mounted": "/x/{path:path}"}


@pytest.mark.parametrize("where", WHERE)
@pytest.mark.parametrize("kind", ["function", "class", "mounted", "default"])
async def test_an_app_of_this_process_may_be_called_outside_of_endpoints(
    edge: Edge, ran: list[str], where: str, kind: str
) -> None:
    class Inner(HTTPEndpoint):
        async def post(self, request: Request) -> Response:
            return await endpoint(ran, "inner")(request)

    route = Route(
        "/inner", endpoint(ran, "inner") if kind == "function" else Inner, methods=["POST"]
    )
    other = Starlette(routes=[] if kind == "default" else [route])
    if kind == "mounted":
        other = Starlette(routes=[Mount("/", app=other)])
    if kind == "default":
        other.router.default = asgi(ran, "inner")
    app = FastAPI(openapi_url=None)
    calling(where, app, calls(other, "/inner"))
    guard(app, edge.settings())
    response = await fetch(app, edge, "/x/y", WHERE[where])
    assert (response.status_code, response.text, ran) == (200, "inner", ["inner"])


@pytest.mark.parametrize("where", WHERE)
@pytest.mark.parametrize("how", ["app", "router", "mounted", "included", "route", "same routes"])
async def test_no_request_of_its_own_reaches_a_route_of_the_guarded_app_there(
    edge: Edge, ran: list[str], where: str, how: str
) -> None:
    app = FastAPI(openapi_url=None)
    admin = Route("/admin", endpoint(ran, "admin"), methods=["POST"])
    below, router = Starlette(routes=[admin]), APIRouter(routes=[admin])
    app.mount("/below", below)
    app.include_router(router, prefix="/included")
    own = Route("/admin", endpoint(ran, "admin"), methods=["POST"])
    app.router.routes.append(own)
    other: dict[str, ASGIApp] = {
        "app": app,
        "router": app.router,
        "mounted": below,
        "included": router,
        "route": own,
        "same routes": Router(routes=[own]),
    }
    calling(where, app, calls(other[how], "/admin"))
    guard(app, edge.settings())
    response = await fetch(app, edge, "/x/y", WHERE[where])
    assert (response.status_code, ran) == (401, [])


async def test_behind_a_mount_middleware_that_names_an_endpoint_cannot_respond(
    edge: Edge, ran: list[str], app: FastAPI
) -> None:
    class RunsItself(Copies):
        async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
            scope["endpoint"] = run = asgi(ran, "secret")
            await run(scope, receive, send)

    app.mount("/below", Starlette(middleware=[Middleware(RunsItself)]))
    response = await fetch(app, edge, "/below/admin", "/below/public")
    assert (response.status_code, "secret" in response.text) == (401, False)


# Middleware that passes a request to a router itself, which is not the next one.


class PassesTo:
    """Middleware that lets a router try first."""

    def __init__(self, app: ASGIApp, router: Router, *, only: bool) -> None:
        self.app, self.router, self.only = app, router, only

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        try:
            await self.router(scope, receive, send)
        except HTTPException:
            if self.only:
                raise
            await self.app(scope, receive, send)


@pytest.mark.parametrize("which", ["included", "mounted", "another"])
async def test_only_the_next_router_counts_as_the_apps_own(
    edge: Edge, ran: list[str], which: str
) -> None:
    routers = {"included": APIRouter(), "mounted": Router(), "another": Router()}
    for name, router in routers.items():
        router.add_route("/pub", endpoint(ran, name))
    app = FastAPI(openapi_url=None)
    app.add_route("/pub", endpoint(ran, "pub"))
    app.include_router(routers["included"], prefix="/r")  # type: ignore[arg-type]
    app.mount("/m", routers["mounted"])
    app.add_middleware(PassesTo, router=routers[which], only=True)
    guard(app, edge.settings())
    assert (await fetch(app, edge, "/pub", "/pub")).status_code == 401
    assert ran == []


async def test_below_a_mount_only_the_mounted_router_may_choose(edge: Edge, ran: list[str]) -> None:
    due, other = Router(), Router()
    for name, router in (("due", due), ("other", other)):
        router.add_route("/pub", endpoint(ran, name))
    for router, expected in ((due, 200), (other, 401)):
        app = FastAPI(openapi_url=None)
        app.mount("/m", PassesTo(due, router, only=True))
        guard(app, edge.settings())
        assert (await fetch(app, edge, "/m/pub", "/m/pub")).status_code == expected
    assert ran == ["due"]


async def test_a_router_without_a_matching_route_does_not_change_the_request(
    edge: Edge, ran: list[str]
) -> None:
    app = FastAPI(openapi_url=None)
    app.add_route("/pub", endpoint(ran, "pub"))
    app.add_middleware(PassesTo, router=Router(), only=False)
    guard(app, edge.settings())
    assert (await fetch(app, edge, "/pub", "/pub")).text == "pub"


# Routers, mounts, hosts and routes are ASGI apps, which middleware may call.


def entrances(sub: Starlette) -> dict[str, ASGIApp]:
    inner: Router = sub.router
    return {
        "app": sub,
        "router": inner,
        "its app": inner.app,
        "its stack": inner.middleware_stack,
        "a route": inner.routes[0],
        "its handle": partial(route_handle, inner.routes[0]),
        "a mount": Mount("", app=sub),
        "a host": Host("{host}", sub),
        "a router with middleware": Router(inner.routes, middleware=[Middleware(Copies)]),
        "its default": Router(default=inner).default,
    }


async def route_handle(route: BaseRoute, scope: Scope, receive: Receive, send: Send) -> None:
    _, child = route.matches(scope)
    await route.handle({**scope, **child}, receive, send)


async def dropped(_: Message) -> None: ...


class Diverts:
    """Middleware that calls something else, at once or after the app has found no route."""

    def __init__(self, app: ASGIApp, to: ASGIApp, *, late: bool) -> None:
        self.app, self.to, self.late = app, to, late

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        if self.late:
            await self.app(scope, receive, dropped)
        await self.to(scope, receive, send)


@pytest.mark.parametrize("at", ["the app", "the app, late", "its router", "below a mount"])
@pytest.mark.parametrize("entrance", entrances(Starlette(routes=[Route("/x", asgi([], ""))])))
async def test_middleware_cannot_enter_a_part_that_is_served_elsewhere(
    edge: Edge, ran: list[str], entrance: str, at: str
) -> None:
    inner = Starlette(routes=[Route("/x", endpoint(ran, "secret"))])
    diverted = partial(Diverts, to=entrances(inner)[entrance], late=at.endswith("late"))
    path = "/x"
    app = FastAPI(openapi_url=None)
    app.mount("/admin", inner)
    if at == "its router":
        app.router.middleware_stack = diverted(app.router.app)
    elif at == "below a mount":
        outer = Starlette(routes=[Route("/x", endpoint(ran, "public"))])
        app.mount("/api", diverted(outer))
        path = "/api/x"
    else:
        app.add_middleware(diverted)
    if not at.endswith("late"):
        app.add_route("/x", endpoint(ran, "public"))
    guard(app, edge.settings())
    assert (await fetch(app, edge, path, path)).status_code == 401
    assert ran == []


@pytest.mark.parametrize("entrance", ["app", "router", "its app", "its stack", "a route"])
async def test_middleware_may_enter_the_mounted_app_at_any_part(
    edge: Edge, ran: list[str], entrance: str
) -> None:
    inner = Starlette(routes=[Route("/x", endpoint(ran, "inner"))])
    app = FastAPI(openapi_url=None)
    app.mount("/api", Diverts(inner, to=entrances(inner)[entrance], late=False))
    guard(app, edge.settings())
    assert (await fetch(app, edge, "/api/x", "/api/x")).status_code == 200
    assert ran == ["inner"]


async def test_an_equal_route_is_not_the_next_one(edge: Edge, ran: list[str]) -> None:
    app, run = FastAPI(openapi_url=None), endpoint(ran, "ran")
    due = Route("/x", run)
    app.router.routes.append(due)
    app.add_middleware(Diverts, to=Route("/x", run), late=False)
    assert due == Route("/x", run)
    guard(app, edge.settings())
    assert (await fetch(app, edge, "/x", "/x")).status_code == 401
    assert ran == []


@pytest.mark.skipif(not hasattr(APIRouter, "handle"), reason="this FastAPI copies what it includes")
async def test_an_included_router_with_a_handle_that_was_set_on_it_runs_nothing(
    edge: Edge, ran: list[str]
) -> None:
    router, app = APIRouter(), FastAPI(openapi_url=None)
    router.add_route("/x", endpoint(ran, "due"))
    router.handle = asgi(ran, "its own")  # type: ignore[assignment, method-assign]
    app.include_router(router)
    guard(app, edge.settings())
    assert (await fetch(app, edge, "/x", "/x")).status_code == 401
    assert ran == []


async def test_a_mount_whose_handle_was_wrapped_leads_to_a_guarded_app_once(
    edge: Edge, ran: list[str]
) -> None:
    app, outer = FastAPI(openapi_url=None), Starlette()
    app.add_route("/x", endpoint(ran, "ran"))
    guard(app, edge.settings())
    mount = Mount("/gw", app=app)
    mount.handle = partial(wrapped, mount.handle)  # type: ignore[method-assign]
    outer.router.routes.append(mount)
    assert (await fetch(outer, edge, "/gw/x", "/gw/x")).status_code == 200
    assert ran == ["ran"]


async def wrapped(handle: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
    await handle(scope, receive, send)


def test_a_router_whose_routes_are_a_property_is_compared(edge: Edge) -> None:
    router = Copying()
    router.add_route("/x", lambda _: PlainTextResponse("in"))
    client = TestClient(FastgateMiddleware(router, edge.settings()))
    assert client.get("/x", headers=edge.headers("/x", "/x")).status_code == 200
    assert client.get("/x", headers=edge.headers("/x", "/y")).status_code == 401
