"""`purge` and `surrogate_keys`: the response fields, and where they cannot be used."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest
from fastapi import BackgroundTasks, Depends, FastAPI, HTTPException, Request, WebSocket
from starlette.middleware.base import BaseHTTPMiddleware, RequestResponseEndpoint
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.testclient import TestClient

from fastgate import Caller, guard, purge, surrogate_keys
from tests.edge import HEADER, Edge

pytestmark = pytest.mark.anyio

PURGE, TAGS = "fastgate-purge", "surrogate-key"


async def response_of(
    edge: Edge, app: FastAPI, path: str = "/x", *, template: str = "", observe: bool = False
) -> httpx.Response:
    guard(app, edge.settings(), observe=observe)
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="https://testserver") as http:
        return await http.get(path, headers=edge.headers(path, template or path))


def app_running(endpoint: Callable[..., Any]) -> FastAPI:
    app = FastAPI()
    app.get("/x")(endpoint)
    return app


async def test_keys_become_fields_of_the_response(edge: Edge) -> None:
    async def endpoint(caller: Caller) -> Response:
        surrogate_keys("orders", "orders:7")
        surrogate_keys("orders")
        await purge("orders:7")
        await purge("orders:8", "orders:7")
        return Response("done", headers={"x-mine": "1"})

    response = await response_of(edge, app_running(endpoint))
    assert response.headers[TAGS] == "orders orders:7"
    assert response.headers[PURGE] == "orders:7 orders:8"
    assert response.headers["x-mine"] == "1"


async def test_without_keys_there_are_no_fields(edge: Edge) -> None:
    async def endpoint() -> None: ...

    response = await response_of(edge, app_running(endpoint))
    assert response.status_code == 200
    assert not {PURGE, TAGS} & response.headers.keys()


async def test_fields_that_the_app_has_written_stay(edge: Edge) -> None:
    async def endpoint() -> Response:
        await purge("a")
        return Response(headers={PURGE: "b"})

    response = await response_of(edge, app_running(endpoint))
    assert response.headers.get_list(PURGE) == ["b", "a"]


async def test_endpoints_and_dependencies_without_async_name_keys(edge: Edge) -> None:
    def dependency() -> None:
        surrogate_keys("dependency")

    app = FastAPI()

    @app.get("/x", dependencies=[Depends(dependency)])
    def endpoint() -> None:
        purge("endpoint")

    response = await response_of(edge, app)
    assert (response.headers[TAGS], response.headers[PURGE]) == ("dependency", "endpoint")


async def test_tasks_and_middleware_of_the_app_name_keys(edge: Edge) -> None:
    async def named() -> None:
        await purge("task")

    async def endpoint() -> None:
        await asyncio.create_task(named())

    app = app_running(endpoint)

    async def middleware(request: Request, run: RequestResponseEndpoint) -> Response:
        response = await run(request)
        surrogate_keys("middleware")
        return response

    app.add_middleware(BaseHTTPMiddleware, dispatch=middleware)
    response = await response_of(edge, app)
    assert (response.headers[TAGS], response.headers[PURGE]) == ("middleware", "task")


async def test_errors_that_become_a_response_have_the_fields(edge: Edge) -> None:
    class Missing(Exception):
        pass

    async def endpoint() -> None:
        await purge("a")
        raise Missing

    app = app_running(endpoint)
    app.add_exception_handler(Missing, lambda *_: JSONResponse({}, 404))
    response = await response_of(edge, app)
    assert (response.status_code, response.headers[PURGE]) == (404, "a")


async def test_an_http_exception_has_the_fields(edge: Edge) -> None:
    async def endpoint() -> None:
        await purge("a")
        raise HTTPException(409)

    response = await response_of(edge, app_running(endpoint))
    assert (response.status_code, response.headers[PURGE]) == (409, "a")


async def test_an_unhandled_error_has_none(edge: Edge) -> None:
    async def endpoint() -> None:
        await purge("a")
        raise RuntimeError

    response = await response_of(edge, app_running(endpoint))
    assert response.status_code == 500
    assert PURGE not in response.headers


async def test_a_streamed_response_has_them_until_it_begins(edge: Edge) -> None:
    errors: list[str] = []

    async def endpoint() -> StreamingResponse:
        await purge("before")

        async def stream() -> AsyncIterator[str]:
            yield "a"
            try:
                await purge("late")
            except RuntimeError as error:
                errors.append(str(error))
            yield "b"

        return StreamingResponse(stream())

    response = await response_of(edge, app_running(endpoint))
    assert (response.text, response.headers[PURGE]) == ("ab", "before")
    assert len(errors) == 1
    assert "which has begun" in errors[0]
    assert "`fastgate purge`" in errors[0]


async def test_a_background_task_of_the_response_is_too_late(edge: Edge) -> None:
    errors: list[str] = []

    def late() -> None:
        try:
            surrogate_keys("late")
        except RuntimeError as error:
            errors.append(str(error))

    async def endpoint(tasks: BackgroundTasks) -> None:
        tasks.add_task(late)

    response = await response_of(edge, app_running(endpoint))
    assert TAGS not in response.headers
    assert len(errors) == 1


async def test_a_dependency_that_ends_after_the_response_is_too_late(edge: Edge) -> None:
    async def dependency() -> AsyncIterator[None]:
        await purge("early")
        yield

    app = FastAPI()

    @app.get("/x", dependencies=[Depends(dependency)])
    async def endpoint() -> None: ...

    assert (await response_of(edge, app)).headers[PURGE] == "early"


@pytest.mark.parametrize("name", [purge, surrogate_keys])
def test_outside_of_a_request_it_raises(name: Callable[..., object]) -> None:
    with pytest.raises(RuntimeError, match="there is none"):
        name("orders:7")


def test_outside_of_a_request_purge_names_the_command() -> None:
    with pytest.raises(RuntimeError, match="the command `fastgate purge`"):
        purge("orders:7", "orders:8")


async def test_after_the_request_it_raises(edge: Edge) -> None:
    async def endpoint() -> None:
        await purge("a")

    await response_of(edge, app_running(endpoint))
    with pytest.raises(RuntimeError, match="there is none"):
        purge("a")


def test_a_websocket_has_no_response(edge: Edge) -> None:
    app = FastAPI()

    @app.websocket("/socket")
    async def talk(socket: WebSocket, caller: Caller) -> None:
        await socket.accept()
        try:
            await purge("a")
        except RuntimeError as error:
            await socket.send_text(str(error))
        await socket.close()

    guard(app, edge.settings())
    headers = edge.headers("/socket", "/socket", websocket=True)
    with TestClient(app) as http, http.websocket_connect("/socket", headers=headers) as socket:
        assert "in a WebSocket" in socket.receive_text()


@pytest.mark.parametrize("key", ["", "a b", "a\tb", "a\n", "é", "x" * 257, "\x7f", " a"])
@pytest.mark.parametrize("name", [purge, surrogate_keys])
def test_a_malformed_key_is_refused(name: Callable[..., object], key: str) -> None:
    with pytest.raises(ValueError, match="is not a key: write 1 to 256 printable ASCII"):
        name("good", key)


@pytest.mark.parametrize("name", [purge, surrogate_keys])
def test_no_key_and_other_types_are_refused(name: Callable[..., object]) -> None:
    with pytest.raises(ValueError, match="names no key"):
        name()
    with pytest.raises(TypeError, match="7 is not a string"):
        name(7)


async def test_there_are_at_most_64_keys_of_each_kind(edge: Edge) -> None:
    keys = [f"{n:0>256}" for n in range(64)]
    errors: list[str] = []

    async def endpoint() -> None:
        purge(*keys)
        surrogate_keys(*keys)
        await purge(keys[0])
        for name in (purge, surrogate_keys):
            try:
                name("one-more")
            except ValueError as error:
                errors.append(str(error))

    response = await response_of(edge, app_running(endpoint))
    assert response.headers[PURGE].split(" ") == response.headers[TAGS].split(" ") == keys
    assert [error[:10] for error in errors] == ["65 keys in"] * 2


async def test_concurrent_requests_have_their_own_keys(edge: Edge) -> None:
    app = FastAPI()

    @app.get("/x/{n}")
    async def endpoint(n: int) -> None:
        await asyncio.sleep(0.001 * (n % 3))
        await purge(f"key:{n}")
        await asyncio.sleep(0.001 * (n % 5))

    guard(app, edge.settings())
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="https://testserver") as http:

        async def purged(n: int) -> str:
            headers = edge.headers(f"/x/{n}", "/x/{n}")
            return (await http.get(f"/x/{n}", headers=headers)).headers[PURGE]

        found = await asyncio.gather(*map(purged, range(20)))
    assert found == [f"key:{n}" for n in range(20)]


async def test_a_refusal_of_another_route_purges_nothing(edge: Edge) -> None:
    async def endpoint() -> None: ...

    app = app_running(endpoint)

    async def middleware(request: Request, run: RequestResponseEndpoint) -> Response:
        await purge("a")
        return await run(request)

    app.add_middleware(BaseHTTPMiddleware, dispatch=middleware)
    response = await response_of(edge, app, template="/other")
    assert response.status_code == 401
    assert PURGE not in response.headers


async def test_an_observed_app_names_keys(edge: Edge) -> None:
    async def endpoint() -> None:
        await purge("a")

    response = await response_of(edge, app_running(endpoint), observe=True)
    assert response.headers[PURGE] == "a"


async def test_a_refused_request_names_none(edge: Edge) -> None:
    async def endpoint() -> None:
        await purge("a")

    app = app_running(endpoint)
    guard(app, edge.settings())
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="https://testserver") as http:
        refused = await http.get("/x", headers={HEADER: "x"})
    assert refused.status_code == 401
    assert PURGE not in refused.headers


def test_every_printable_character_is_part_of_a_key() -> None:
    for code in range(0x21, 0x7F):
        with pytest.raises(RuntimeError):  # only because there is no request
            surrogate_keys(chr(code))
