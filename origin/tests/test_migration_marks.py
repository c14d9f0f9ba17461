"""Marks that the guard cannot see hold for the requests of another gateway nevertheless.

Row Q10 of docs/attacks.md.
"""

from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest
from fastapi import APIRouter, Depends, FastAPI
from starlette.endpoints import HTTPEndpoint
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route, Router
from starlette.staticfiles import StaticFiles
from starlette.testclient import TestClient
from starlette.types import ASGIApp, Receive, Scope, Send

from fastgate import Caller, at_edge, guard, requires
from fastgate.compile.policy import CannotCompile
from tests.edge import Edge
from tests.gateway_samples import FakeGateway
from tests.serving import JwksServer

MARKS: list[dict[str, Any]] = [
    *({"access": "none"}, {"require_bound": True}, {"from": ["DE"]}),
    *({"require": {"role": "admin"}}, {"scopes": ["a"]}, {"sign_body": True}),
]


@pytest.fixture
def iap() -> Iterator[FakeGateway]:
    server = JwksServer()
    yield FakeGateway("google-iap", server)
    server.close()


class Wrapper:
    """An app that the guard cannot see through."""

    def __init__(self, inner: ASGIApp) -> None:
        self.inner = inner

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.inner(scope, receive, send)


def calls_something(find: Callable[[], ASGIApp]) -> ASGIApp:
    """Return an app that calls another one, which is in no closure."""

    async def call(scope: Scope, receive: Receive, send: Send) -> None:
        await APPS[find](scope, receive, send)

    APPS[find] = find()
    return call


APPS: dict[Callable[[], ASGIApp], ASGIApp] = {}


def new_endpoint() -> Callable[[Request], Awaitable[PlainTextResponse]]:
    """Return a function of its own, because marks are stored on functions."""

    async def endpoint(_request: Request) -> PlainTextResponse:
        return PlainTextResponse("in")

    return endpoint


def plain(*, prefix: str = "") -> FastAPI:
    app = FastAPI(openapi_url=None)
    app.get(f"{prefix}/u")(lambda: "in")
    return app


def marked_endpoint(mark: dict[str, Any]) -> FastAPI:
    app = FastAPI(openapi_url=None)
    app.get("/u")(at_edge(**mark)(lambda: "in"))
    return app


def marked_app(mark: dict[str, Any]) -> FastAPI:
    return at_edge(**mark)(plain())


def marked_below(mark: dict[str, Any]) -> FastAPI:
    return at_edge(below="/u", **mark)(plain())


def marked_router(mark: dict[str, Any]) -> FastAPI:
    app, router = FastAPI(openapi_url=None), at_edge(**mark)(APIRouter())
    router.get("/u")(lambda: "in")
    app.include_router(router)
    return app


def marked_plain_router(mark: dict[str, Any]) -> Router:
    return at_edge(**mark)(Router([Route("/u", new_endpoint())]))


def marked_extra(mark: dict[str, Any]) -> FastAPI:
    app = FastAPI(openapi_url=None)
    app.get("/u", openapi_extra={"x-fastgate": mark})(lambda: "in")
    return app


def marked_mount(mark: dict[str, Any]) -> Router:
    return Router([at_edge(**mark)(Mount("", Wrapper(plain())))])


INNER: list[Callable[[dict[str, Any]], ASGIApp]] = [
    *(marked_endpoint, marked_router, marked_extra),
    *(marked_app, marked_below, marked_plain_router, marked_mount),
]
FOR_ONE_ROUTE = {"sign_body": (marked_endpoint, marked_extra)}


def cases() -> Iterator[Any]:
    for mark in MARKS:
        (name,) = mark
        for inner in INNER:
            if inner in FOR_ONE_ROUTE.get(name, INNER):
                yield pytest.param(mark, inner, id=f"{name}-{inner.__name__}")


def get(app: FastAPI, iap: FakeGateway, path: str) -> int:
    """Return the status of a request of the gateway; 503 if the app does not start."""
    guard(app, gateways=[iap.gateway])
    status: int = TestClient(app).get(path, headers=dict(iap.fields())).status_code
    return status


@pytest.mark.parametrize(("mark", "inner"), list(cases()))
def test_a_mark_within_a_wrapper_stops_the_start(
    mark: dict[str, Any], inner: Callable[[dict[str, Any]], ASGIApp], iap: FakeGateway
) -> None:
    app = FastAPI(openapi_url=None)
    app.mount("/s", Wrapper(inner(mark)))
    assert get(app, iap, "/s/u") == 503
    with pytest.raises(CannotCompile, match="without effect"), TestClient(app):
        pass


@pytest.mark.parametrize(("mark", "inner"), list(cases()))
def test_a_mark_of_an_app_that_no_search_finds_is_read_with_the_request(
    mark: dict[str, Any], inner: Callable[[dict[str, Any]], ASGIApp], iap: FakeGateway
) -> None:
    app = FastAPI(openapi_url=None)
    app.mount("/s", calls_something(lambda: inner(mark)))
    app.mount("/t", calls_something(plain))
    assert get(app, iap, "/s/u") == 401
    assert TestClient(app).get("/t/u", headers=dict(iap.fields())).status_code == 200


@pytest.mark.parametrize("mark", MARKS, ids=str)
def test_the_default_of_a_router_has_its_marks(mark: dict[str, Any], iap: FakeGateway) -> None:
    app = FastAPI(openapi_url=None)
    router = APIRouter()
    router.get("/u")(at_edge(**mark)(lambda: "in"))
    router.get("/v")(lambda: "in")
    app.router.default = router
    assert get(app, iap, "/u") == 401
    assert TestClient(app).get("/v", headers=dict(iap.fields())).status_code == 200


def nested_mount(mark: dict[str, Any]) -> FastAPI:
    app = FastAPI(openapi_url=None)
    app.mount("/s", Mount("/t", routes=[Route("/u", at_edge(**mark)(new_endpoint()))]))
    return app


def one_method(mark: dict[str, Any]) -> FastAPI:
    class Endpoint(HTTPEndpoint):
        @at_edge(**mark)
        async def get(self, _request: Request) -> PlainTextResponse:
            return PlainTextResponse("in")

    app = FastAPI(openapi_url=None)
    app.add_route("/s/t/u", Endpoint)  # type: ignore[arg-type]
    return app


def below_a_decorator(mark: dict[str, Any]) -> FastAPI:
    def decorated(function: Callable[[], str]) -> Callable[[], str]:
        def wrapper() -> str:
            return function()

        return wrapper

    app = FastAPI(openapi_url=None)
    app.get("/s/t/u")(decorated(at_edge(**mark)(lambda: "in")))
    return app


def opaque(mark: dict[str, Any]) -> FastAPI:
    app = FastAPI(openapi_url=None)
    app.mount("/s/t", at_edge(opaque=True, access="public", methods=["GET"])(marked_endpoint(mark)))
    return app


def below_without_endpoint(mark: dict[str, Any]) -> FastAPI:
    app = at_edge(below="/s/t/u", **mark)(FastAPI(openapi_url=None))
    app.mount("/s", Wrapper(plain(prefix="/t")))
    return app


@pytest.mark.parametrize("mark", [each for each in MARKS if "sign_body" not in each], ids=str)
@pytest.mark.parametrize(
    "build", [nested_mount, one_method, below_a_decorator, opaque, below_without_endpoint]
)
def test_a_mark_without_effect_stops_the_start(
    mark: dict[str, Any], build: Callable[[dict[str, Any]], FastAPI], iap: FakeGateway
) -> None:
    assert get(build(mark), iap, "/s/t/u") == 503


@pytest.mark.parametrize("mark", MARKS, ids=str)
def test_a_mark_on_one_method_is_read_with_the_request(
    mark: dict[str, Any], iap: FakeGateway
) -> None:
    class Endpoint(HTTPEndpoint):
        @at_edge(**mark)
        async def get(self, _request: Request) -> PlainTextResponse:
            return PlainTextResponse("in")

        async def post(self, _request: Request) -> PlainTextResponse:
            return PlainTextResponse("in")

    app = FastAPI(openapi_url=None)
    inner = Router()
    app.mount("/s", calls_something(lambda: inner))
    guard(app, gateways=[iap.gateway])
    fields = dict(iap.fields())
    with TestClient(app) as client:
        app.add_route("/late", Endpoint)  # type: ignore[arg-type]
        inner.routes.append(Route("/u", Endpoint))
        for path in ("/s/u", "/late"):
            assert client.get(path, headers=fields).status_code == 401, path
            assert client.head(path, headers=fields).status_code == 401, path
            assert client.post(path, headers=fields).status_code == 200, path


def test_a_requirement_that_is_not_run_stops_the_start(iap: FakeGateway) -> None:
    app = FastAPI(dependencies=[Depends(requires(role="admin"))])
    app.mount("/s", plain())
    assert get(app, iap, "/s/u") == 503


@pytest.mark.parametrize("edge_too", [False, True])
def test_an_app_without_declarations_starts(
    iap: FakeGateway, edge: Edge, *, edge_too: bool
) -> None:
    app = FastAPI()
    app.get("/u")(lambda: "in")
    app.mount("/wrapped", Wrapper(plain()))
    app.mount("/nested", Mount("/t", routes=[Route("/u", new_endpoint())]))
    app.mount("/static", StaticFiles(directory="."))
    app.router.default = plain(prefix="/default")

    @app.get("/me")
    async def read_me(caller: Caller) -> str:
        return caller.subject

    app.add_api_route("/admin", new_endpoint(), dependencies=[Depends(requires(role="admin"))])
    guard(app, edge.settings() if edge_too else None, gateways=[iap.gateway])
    with TestClient(app) as client:
        for path in ("/u", "/me", "/wrapped/u", "/nested/t/u", "/default/u", "/docs"):
            assert client.get(path, headers=dict(iap.fields())).status_code == 200, path
        assert client.get("/admin", headers=dict(iap.fields())).status_code == 403


def test_marks_that_admit_no_fewer_callers_are_no_faults(iap: FakeGateway) -> None:
    app = FastAPI(openapi_url=None)
    app.mount("/s", Wrapper(marked_endpoint({"access": "public", "limits": ["a"]})))
    assert get(app, iap, "/s/u") == 200


def named(function: Callable[[], object]) -> Callable[[], object]:
    def names() -> object:
        return [function.__name__, (lambda: function.__qualname__)(), function.__doc__]

    return names


def named_and_called(function: Callable[[], object]) -> Callable[[], object]:
    def calls() -> object:
        return function.__name__, function()

    return calls


@pytest.mark.parametrize(("refer", "status"), [(named, 200), (named_and_called, 503)])
@pytest.mark.parametrize("is_served", [False, True])
def test_a_marked_function_that_is_only_named_is_not_called(
    refer: Callable[..., Any], status: int, iap: FakeGateway, *, is_served: bool
) -> None:
    marked = at_edge(scopes=["a"])(lambda: "in")
    app = FastAPI(openapi_url=None)
    app.get("/u")(refer(marked))
    if is_served:
        app.get("/marked")(marked)
    assert get(app, iap, "/u") == status
