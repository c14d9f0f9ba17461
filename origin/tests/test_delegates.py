"""A restriction on an app that another app calls has an effect, or is a fault."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest
from fastapi import APIRouter, Depends, FastAPI, Security
from fastapi.routing import APIRoute
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.routing import Mount, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from fastgate import FastgateMiddleware, at_edge, fastgate
from fastgate.compile.policy import CannotCompile, compile_routes
from fastgate.dependencies import any_caller
from tests.edge import Edge
from tests.test_declarations import Inner, in_a_closure, in_a_partial
from tests.test_enclosing import closed, get, opened, page_of, with_route


def secret_of(*dependencies: object) -> FastAPI:
    app = FastAPI(openapi_url=None)

    @app.get("/secret", dependencies=[*dependencies])  # type: ignore[list-item]
    async def secret() -> str:
        return "ran"

    return app


def secret_page() -> Starlette:
    return Starlette(routes=[Route("/secret", page_of(access="authenticated"))])


class Dispatches:
    """An app that chooses among routes by itself."""

    def __init__(self, app: Starlette) -> None:
        self.routes = list(app.routes)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None: ...


HIDING: dict[str, Callable[[Starlette], ASGIApp]] = {
    "attribute": Inner,
    "closure": in_a_closure,
    "partial": in_a_partial,
    "list of routes": Dispatches,
    "closure over a route": lambda app: in_a_closure(app.routes[-1]),
    "method of a route": lambda app: app.routes[-1].handle,
    "mount in a mount": lambda app: Mount("/y", app=app),
    "method of an app": lambda app: app.__call__,
}

OBJECTS = ("attribute", "list of routes", "mount in a mount")
"""Starlette calls these as ASGI apps if they are endpoints of a route, unlike functions."""

MADE: dict[str, Callable[[], Starlette]] = {
    "mark": secret_page,
    "dependency": lambda: secret_of(Security(fastgate)),
}


@pytest.mark.parametrize("hide", HIDING.values(), ids=HIDING.keys())
@pytest.mark.parametrize("made", MADE.values(), ids=MADE.keys())
def test_a_closing_mark_within_a_mounted_app_is_a_fault(
    made: Callable[[], Starlette], hide: Callable[[Starlette], ASGIApp]
) -> None:
    app = opened()
    app.mount("/x", get(hide(made())))
    with pytest.raises(CannotCompile, match=r"without effect: access on (secret|page) \(/x/"):
        compile_routes(app)


@pytest.mark.parametrize("hide", [lambda app: app, GZipMiddleware, *map(HIDING.get, OBJECTS)])
@pytest.mark.parametrize("made", MADE.values(), ids=MADE.keys())
def test_a_closing_mark_within_an_app_in_a_starlette_route_is_a_fault(
    made: Callable[[], Starlette], hide: Callable[[Starlette], ASGIApp]
) -> None:
    app = opened()
    with_route(app, Route("/x/{path:path}", get(hide(made()))))
    with pytest.raises(CannotCompile, match=r"without effect: access on (secret|page) \(/x/"):
        compile_routes(app)


def test_the_declaration_of_such_an_app_counts() -> None:
    app, inner = opened(), closed(Starlette(routes=[Route("/secret", page_of())]))
    with_route(app, Route("/x/{path:path}", get(inner)))
    assert [route["access"] for route in compile_routes(app)] == ["authenticated"]
    with_route(app, Route("/y/{path:path}", get(GZipMiddleware(inner))))
    with pytest.raises(CannotCompile, match=r"without effect: access on Starlette \("):
        compile_routes(app)


REQUIRED = [
    ({"access": "public"}, Security(fastgate), "access"),
    ({"access": "optional"}, Security(fastgate), "access"),
    ({"access": "public"}, Depends(any_caller), "access"),
    ({"access": "authenticated"}, Security(fastgate, scopes=["a"]), "scopes"),
    ({"access": "public"}, Security(fastgate, scopes=["a"]), "access, scopes"),
    ({"scopes": ["b"]}, Security(fastgate, scopes=["a"]), "scopes"),
    ({"access": "authenticated"}, Security(fastgate), ""),
    ({"access": "authenticated"}, Depends(any_caller), ""),
    ({"access": "optional"}, Depends(any_caller), ""),
    ({"scopes": ["a", "b"]}, Security(fastgate, scopes=["a"]), ""),
]


@pytest.mark.parametrize(("members", "dependency", "lost"), REQUIRED)
@pytest.mark.parametrize("opaque", [True, False])
def test_dependencies_within_a_hidden_app_must_be_declared_on_the_whole(
    members: dict[str, Any], dependency: object, lost: str, *, opaque: bool
) -> None:
    app, inner = FastAPI(openapi_url=None), secret_of(dependency)
    app.mount(
        "/x", at_edge(methods=["GET"], opaque=opaque, **members)(inner if opaque else Inner(inner))
    )
    if not lost:
        assert len(compile_routes(app)) == 1
        return
    with pytest.raises(
        CannotCompile, match=rf"without effect: {lost} on secret \(/x/secret"
    ) as error:
        compile_routes(app)
    assert len(error.value.faults) == 1
    assert f"at_edge({lost.split(', ')[0]}=…" in str(error.value)


@pytest.mark.parametrize("hide", [Inner, at_edge(opaque=True)])
def test_dependencies_that_starlette_routes_do_not_run_must_be_declared_on_the_whole(
    hide: Callable[[FastAPI], ASGIApp],
) -> None:
    inner = FastAPI(openapi_url=None, dependencies=[Security(fastgate, scopes=["a"])])
    inner.add_route("/secret", page_of())
    app = opened()
    app.mount("/x", get(hide(inner)))
    with pytest.raises(CannotCompile, match=r"without effect: access, scopes on page \(/x/secret"):
        compile_routes(app)


def test_a_caller_required_by_a_function_in_the_whole_must_be_declared() -> None:
    app = opened()
    app.mount("/x", get(secret_of(Security(fastgate)).routes[-1].app))  # type: ignore[attr-defined]
    with pytest.raises(CannotCompile, match=r"without effect: access on FastgateScheme"):
        compile_routes(app)


# Objects that a route runs besides its endpoint.


class HandsOn:
    """Middleware that passes requests on to another app, an argument."""

    def __init__(self, app: ASGIApp, other: ASGIApp) -> None:
        self.app, self.other = app, other

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.other(scope, receive, send)


class HandsOnItself(APIRoute):
    """A class of routes with a method that does the same."""

    other: ASGIApp

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.other(scope, receive, send)


def with_middleware(app: FastAPI, other: ASGIApp) -> None:
    with_route(app, Route("/x", page_of(), middleware=[Middleware(HandsOn, other=other)]))


def with_another_app(app: FastAPI, other: ASGIApp) -> None:
    app.get("/x")(page_of())
    app.routes[-1].app = other  # type: ignore[attr-defined]


def with_a_function_for_an_app(app: FastAPI, other: ASGIApp) -> None:
    with_another_app(app, in_a_closure(other))


def with_a_handle_of_its_own(app: FastAPI, other: ASGIApp) -> None:
    router = APIRouter(route_class=HandsOnItself)
    router.get("/x")(page_of())
    router.routes[-1].other = other  # type: ignore[attr-defined]
    app.router.routes += router.routes


def with_a_handle_of_its_class(app: FastAPI, other: ASGIApp) -> None:
    kind = type("Closed", (HandsOnItself,), {"other": other})
    router = APIRouter(route_class=kind)
    router.get("/x")(page_of())
    app.include_router(router)


def with_a_handle_of_the_route(app: FastAPI, other: ASGIApp) -> None:
    app.get("/x")(page_of())
    vars(app.routes[-1])["handle"] = in_a_closure(other)


BESIDE = [
    with_middleware,
    with_another_app,
    with_a_function_for_an_app,
    with_a_handle_of_its_own,
    with_a_handle_of_its_class,
    with_a_handle_of_the_route,
]


@pytest.mark.parametrize("call_it", BESIDE)
@pytest.mark.parametrize("made", MADE.values(), ids=MADE.keys())
def test_a_restriction_on_an_app_that_a_route_calls_is_a_fault(
    made: Callable[[], Starlette], call_it: Callable[[FastAPI, ASGIApp], None]
) -> None:
    app = opened()
    call_it(app, made())
    with pytest.raises(CannotCompile, match=r"without effect: access on (secret|page) \(/x"):
        compile_routes(app)


class Container:
    """A frequent argument of middleware: the whole app."""

    def __init__(self, app: ASGIApp) -> None:
        self.everything = {"app": app, "scheme": fastgate}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None: ...


@pytest.mark.parametrize("call_it", BESIDE)
def test_a_reference_to_the_serving_app_is_not_a_fault(
    call_it: Callable[[FastAPI, ASGIApp], None],
) -> None:
    app = opened()
    app.get("/closed")(closed(page_of()))
    call_it(app, Container(app))
    assert [route["access"] for route in compile_routes(app)] == ["authenticated", "public"]


@pytest.mark.parametrize("mounted", [True, False])
@pytest.mark.parametrize("made", MADE.values(), ids=MADE.keys())
def test_a_restriction_on_an_app_that_an_exception_handler_calls_is_a_fault(
    made: Callable[[], Starlette], *, mounted: bool
) -> None:
    app, other = opened(), made()

    def respond(request: Request, error: Exception) -> Any:  # noqa: ANN401
        return app if request.url.path == "/x" else other

    inner = FastAPI(openapi_url=None) if mounted else app
    inner.get("/x")(page_of())
    if mounted:
        app.mount("/m", inner)
    inner.add_exception_handler(418, respond)
    with pytest.raises(
        CannotCompile, match=r"without effect: access on .*\n.*return a response"
    ) as error:
        compile_routes(app)
    assert len(error.value.faults) == 1
    other.routes[:] = []
    compile_routes(app)


# Apps that are served in their own right.


class Client:
    """An app that calls another one in this process, as tools for agents do."""

    def __init__(self, app: ASGIApp) -> None:
        self.client = httpx.AsyncClient(transport=httpx.ASGITransport(app=app))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None: ...


def served() -> tuple[FastAPI, FastAPI]:
    api, root = secret_of(Security(fastgate, scopes=["orders"])), FastAPI(openapi_url=None)
    api.get("/health")(at_edge(access="public")(page_of()))
    api.get("/staff")(at_edge(access="authenticated", scopes=["staff"])(page_of()))
    root.mount("/api", api)
    return api, root


def test_a_wrapper_of_a_served_app_needs_only_its_own_declaration() -> None:
    api, root = served()
    root.mount("/tools", at_edge(access="authenticated", scopes=[], methods=["POST"])(Client(api)))
    assert [route["access"] for route in compile_routes(root)][-1] == "authenticated"


def test_a_wrapper_of_a_served_app_without_a_declaration_is_a_fault() -> None:
    api, root = served()
    root.mount("/tools", at_edge(methods=["POST"])(Client(api)))
    with pytest.raises(CannotCompile) as error:
        compile_routes(at_edge(access="public")(root))
    said = [str(fault) for fault in error.value.faults]
    assert ["access, scopes" in each and "/tools/staff" in each for each in said] == [False, True]
    assert all("itself: at_edge(access=…" in each for each in said)


PARTS_OF: dict[str, Callable[[FastAPI], ASGIApp]] = {
    "list of routes": Dispatches,
    "route": lambda app: Inner(app.routes[0]),
    "handle of a route": lambda app: in_a_closure(app.routes[0].handle),
    "app of a route": lambda app: in_a_closure(app.routes[0].app),  # type: ignore[attr-defined]
    "endpoint of a route": lambda app: Inner(app.routes[0].endpoint),  # type: ignore[attr-defined]
}


@pytest.mark.parametrize("part_of", PARTS_OF.values(), ids=PARTS_OF.keys())
def test_a_wrapper_of_routes_that_are_also_served_declares_its_own_callers(
    part_of: Callable[[FastAPI], ASGIApp],
) -> None:
    app = opened()
    app.get("/x")(closed(page_of()))
    app.mount("/pages", get(part_of(app)))
    with pytest.raises(CannotCompile, match=r"without effect: access on .*page") as error:
        compile_routes(app)
    assert len(error.value.faults) == 1
    app.routes.pop()
    app.mount("/pages", at_edge(access="public")(get(part_of(app))))
    assert [route["access"] for route in compile_routes(app)] == ["authenticated", "public"]


def test_a_guard_around_a_mounted_app_requires_no_caller(edge: Edge) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None: ...

    root = opened()
    root.mount("/x", get(Inner(FastgateMiddleware(app, edge.settings()))))
    assert [route["access"] for route in compile_routes(root)] == ["public"]


# An app that passes requests on to the app that serves it, or to its parts.


def api() -> FastAPI:
    app = opened()
    router = APIRouter(prefix="/items")
    router.post("/")(at_edge(access="authenticated", limits=["w"])(page_of()))
    app.include_router(router)
    app.state.router = router
    return app


TOOLS = at_edge(access="authenticated", limits=["m"], methods=["POST"])


@pytest.mark.parametrize("deep", [True, False])
def test_a_mounted_app_may_call_the_app_that_serves_it(*, deep: bool) -> None:
    app = api()
    app.get("/health")(page_of())
    tools = Starlette(routes=[Route("/tools", Client(app), methods=["POST"])])
    app.mount("/llm", Starlette(routes=[Mount("/x", app=tools)]) if deep else tools)
    assert [route["access"] for route in compile_routes(app)][-1] == "public"
    with_route(app, Route("/direct", Client(app), methods=["POST"]))
    assert compile_routes(app)[-1]["access"] == "public"


@pytest.mark.parametrize("deep", [True, False])
def test_a_declaration_of_the_mounted_app_holds_for_its_routes(*, deep: bool) -> None:
    root, app = FastAPI(openapi_url=None), api()
    root.mount("/api", app)
    tools = Starlette(routes=[Route("/tools", Client(app), methods=["POST"])])
    outer = Starlette(routes=[Mount("/x", app=tools)]) if deep else tools
    root.mount("/llm", at_edge(access="authenticated")(outer))
    with pytest.raises(
        CannotCompile, match=r"without effect: limits on page .*\n.*at_edge\(limits=…"
    ):
        compile_routes(root)
    at_edge(limits=["m"])(outer)
    assert compile_routes(root)[-1]["limits"] == ["m"]


def test_an_included_router_and_routes_in_another_app_count_as_served() -> None:
    app = api()
    app.mount("/tools", at_edge(access="authenticated", methods=["POST"])(Client(app.state.router)))
    with pytest.raises(
        CannotCompile, match=r"without effect: limits on page .*\n.*at_edge\(limits=…"
    ):
        compile_routes(app)
    app.routes.pop()
    app.mount("/tools", TOOLS(Client(app.state.router)))
    app.get("/health")(page_of())
    combined = FastAPI(openapi_url=None, routes=[*app.routes, Route("/mcp", TOOLS(Client(app)))])
    assert compile_routes(at_edge(access="optional")(combined))[-1]["limits"] == ["m"]


def test_a_whole_may_be_stricter_than_its_parts() -> None:
    app, inner = FastAPI(openapi_url=None), opened()
    inner.get("/health")(page_of())
    app.mount("/x", at_edge(access="authenticated", methods=["GET"])(Inner(inner)))
    router = closed(APIRouter())
    router.mount("/y", get(Inner(inner)))
    app.mount("/r", router)
    assert {route["access"] for route in compile_routes(app)} == {"authenticated"}


def test_scopes_of_a_part_must_be_declared_even_if_the_whole_requires_a_caller() -> None:
    app = opened()
    inner = FastAPI(openapi_url=None, dependencies=[Security(fastgate, scopes=["a"])])
    with_route(inner, Route("/x", page_of(access="authenticated")))
    whole = Inner(inner)
    app.mount("/m", at_edge(access="authenticated", methods=["GET"])(whole))
    with pytest.raises(CannotCompile, match=r"without effect: scopes on page \(/m/x"):
        compile_routes(app)
    at_edge(scopes=["a"])(whole)
    compile_routes(app)
