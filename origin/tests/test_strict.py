"""An app that has forgotten to say who may call it does not start."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest
import uvicorn
from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message

from fastgate import Caller, FastgateMiddleware, any_caller, at_edge, guard
from fastgate.policy import CannotCompile
from tests.edge import HEADER, Edge

pytestmark = pytest.mark.anyio


async def forgotten() -> None: ...


async def health(_request: Request) -> Response:
    return Response()


async def read_me(caller: Caller) -> str:
    return caller.subject


def strict_app(edge: Edge) -> FastAPI:
    app = FastAPI(openapi_url=None)
    app.get("/me")(read_me)
    guard(app, edge.settings(strict=True))
    return app


async def start(app: ASGIApp) -> list[Message]:
    sent: list[Message] = []
    waiting = iter(["lifespan.startup", "lifespan.shutdown"])

    async def receive() -> Message:
        return {"type": next(waiting)}

    async def send(message: Message) -> None:
        sent.append(message)

    await app({"type": "lifespan", "state": {}}, receive, send)
    return sent


async def test_an_app_that_speaks_for_every_endpoint_starts(edge: Edge) -> None:
    app = strict_app(edge)
    app.add_route("/health", at_edge(access="none")(health))
    started = [message["type"] for message in await start(app)]
    assert started == ["lifespan.startup.complete", "lifespan.shutdown.complete"]


async def test_a_forgotten_endpoint_stops_the_start_with_its_name_and_file(edge: Edge) -> None:
    app = strict_app(edge)
    app.get("/forgotten")(forgotten)
    (failed,) = await start(app)
    assert failed["type"] == "lifespan.startup.failed"
    line = forgotten.__code__.co_firstlineno
    assert f"forgotten (/forgotten, {__file__}:{line})\n    says nothing" in failed["message"]


async def test_without_strict_it_starts(edge: Edge) -> None:
    app = FastAPI()
    guard(app, edge.settings())
    assert (await start(app))[0]["type"] == "lifespan.startup.complete"


async def test_an_override_of_who_is_calling_stops_the_start(edge: Edge) -> None:
    app = strict_app(edge)
    app.dependency_overrides[any_caller] = forgotten
    (failed,) = await start(app)
    assert "forgotten (every path, " in failed["message"]


async def ask(app: FastAPI, edge: Edge) -> None:
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="https://origin.example"
    ) as http:
        await http.get("/me", headers={HEADER: edge.mint("/me", "/me").decode()})


async def test_a_server_without_lifespan_gets_no_answer_out_of_it(edge: Edge) -> None:
    app = strict_app(edge)
    app.get("/forgotten")(forgotten)
    for _ in range(2):
        with pytest.raises(CannotCompile, match="says nothing"):
            await ask(app, edge)


async def test_an_endpoint_that_is_added_while_the_app_starts_is_found_later(edge: Edge) -> None:
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        app.get("/forgotten")(forgotten)
        yield

    app = FastAPI(openapi_url=None, lifespan=lifespan)
    guard(app, edge.settings(strict=True))
    assert (await start(app))[0]["type"] == "lifespan.startup.complete"
    with pytest.raises(CannotCompile, match="forgotten"):
        await ask(app, edge)


async def test_strict_needs_an_app_that_can_be_seen(edge: Edge) -> None:
    async def opaque(*_asgi: object) -> None: ...

    with pytest.raises(TypeError, match="can be seen"):
        await start(FastgateMiddleware(opaque, edge.settings(strict=True)))


def test_uvicorn_does_not_serve_it(edge: Edge) -> None:
    app = strict_app(edge)
    app.get("/forgotten")(forgotten)
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_config=None))
    with pytest.raises(SystemExit):
        server.run()
    assert not server.started
