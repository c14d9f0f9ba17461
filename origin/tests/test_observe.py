"""An observing guard logs what it would refuse, and refuses nothing itself."""

import logging
from functools import partial

import httpx
import pytest
from fastapi import FastAPI, Request, WebSocket
from starlette.testclient import TestClient
from websockets import Subprotocol
from websockets.sync.client import connect

from fastgate import AnyCaller, Caller, FastgateMiddleware, LocalCaller, at_edge, guard
from fastgate.content import content_digest
from tests.edge import HEADER, HOST, Edge, payload
from tests.serving import open_socket, uvicorn_serving

pytestmark = pytest.mark.anyio


def unguarded() -> FastAPI:
    app = FastAPI()

    @app.get("/old")
    async def old(request: Request) -> str:
        return request.headers.get("authorization", "")

    @app.get("/orders/{order_id}")
    async def read_order(order_id: str, caller: AnyCaller) -> str:
        return caller.subject if caller else "stranger"

    @app.get("/me")
    async def read_me(caller: Caller) -> str:
        return caller.subject

    @app.post("/bound")
    @at_edge(sign_body=True)
    async def bound(request: Request) -> str:
        return (await request.body()).decode()

    @app.websocket("/socket")
    async def socket(websocket: WebSocket) -> None:
        await websocket.accept()
        await websocket.send_text("open")

    return app


@pytest.fixture
def app(edge: Edge) -> FastAPI:
    app = unguarded()
    guard(app, edge.settings(max_signed_body=100), observe=True)
    return app


def client(app: FastAPI) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://testserver")


async def test_requests_that_would_be_refused_pass_and_are_logged(
    app: FastAPI, edge: Edge, caplog: pytest.LogCaptureFixture
) -> None:
    async with client(app) as http:
        response = await http.get("/old", headers={"Authorization": "Basic b2xk"})
        assert response.json() == "Basic b2xk"
        for header, code in [
            ("forged", "token-malformed"),
            (Edge().mint("/old", "/old").decode(), "key-unknown"),
            (edge.mint("/other", "/old").decode(), "path-mismatch"),
            (edge.mint("/old", "/other").decode(), "route-mismatch"),
        ]:
            caplog.clear()
            assert (await http.get("/old", headers={HEADER: header})).status_code == 200
            assert caplog.messages == [f"would be refused: {code}"]
            assert caplog.records[0].__dict__["fastgate"]["code"] == code
        caplog.clear()
        good = edge.headers("/old", "/old")
        assert (await http.get("/old", headers=good)).status_code == 200
        assert caplog.messages == []


async def test_a_request_that_would_be_refused_has_no_known_caller(
    app: FastAPI, edge: Edge
) -> None:
    wrong = edge.headers("/orders/7", "/orders/{other:int}")
    async with client(app) as http:
        for headers in ({}, {HEADER: "forged"}, wrong):
            assert (await http.get("/orders/7", headers=headers)).json() == "stranger"
            assert (await http.get("/me", headers=headers)).status_code == 401
        good = edge.headers("/orders/7", "/orders/{order_id}")
        assert (await http.get("/orders/7", headers=good)).json() == "ada"


@pytest.mark.parametrize("sent", [b"signed", b"another", b"", b"longer" * 100])
def test_the_app_gets_the_whole_body_regardless_of_the_comparison(
    app: FastAPI, edge: Edge, sent: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    claims = payload("/bound", "/bound", method="POST")
    tctx = claims["tctx"]
    assert isinstance(tctx, dict)
    tctx["content_digest"] = content_digest(b"signed")
    with uvicorn_serving(app) as (host, port), httpx.Client(trust_env=False) as http:
        headers = {"Host": HOST, HEADER: edge.sign(claims).decode()}
        response = http.post(f"http://{host}:{port}/bound", content=sent, headers=headers)
    assert response.json() == sent.decode()
    told = "would be refused: content-mismatch" in caplog.messages
    assert told == (sent != b"signed")


async def test_routes_added_while_the_app_runs_are_observed_as_well(
    app: FastAPI, edge: Edge, caplog: pytest.LogCaptureFixture
) -> None:
    async def late(caller: AnyCaller) -> str:
        return caller.subject if caller else "stranger"

    async with client(app) as http:
        await http.get("/old")
        below = FastAPI(openapi_url=None)
        app.get("/late")(late)
        below.get("/{item}")(late)
        app.mount("/below", below)
        for path, template, other in [
            ("/late", "/late", "/old"),
            ("/below/7", "/below/{item}", "/old"),
            ("/below/7", "/below/{item}", "/below/{item:int}"),
        ]:
            caplog.clear()
            assert (await http.get(path, headers=edge.headers(path, other))).json() == "stranger"
            assert caplog.messages == ["would be refused: route-mismatch"]
            caplog.clear()
            assert (await http.get(path, headers=edge.headers(path, template))).json() == "ada"
            assert caplog.messages == []


async def test_a_guard_within_an_observing_one_refuses_everything(
    edge: Edge, caplog: pytest.LogCaptureFixture
) -> None:
    below, outer = unguarded(), FastAPI()
    guard(below, edge.settings())
    outer.mount("/below", below)
    guard(outer, edge.settings(), observe=True)
    async with client(outer) as http:
        for headers in ({}, edge.headers("/below/old", "/below/old")):
            assert (await http.get("/below/old", headers=headers)).status_code == 401
    assert "which only observes" in caplog.text


async def test_an_observing_guard_within_another_refuses_nothing(edge: Edge) -> None:
    below, outer = unguarded(), FastAPI()
    guard(below, edge.settings(audience="billing"), observe=True)
    outer.mount("/below", below)
    guard(outer, edge.settings())
    async with client(outer) as http:
        good = edge.headers("/below/old", "/below/old")
        assert (await http.get("/below/old", headers=good)).status_code == 200
        assert (await http.get("/below/old")).status_code == 401, "the other one does"


def test_an_app_whose_start_would_fail_starts_and_logs_why(
    edge: Edge, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("fastgate.routes.dispatch._template", lambda *_: None)
    app = unguarded()
    guard(app, edge.settings(), observe=True)
    with TestClient(app) as running:
        assert running.get("/old").status_code == 200
    assert (
        "without observe=True the app would not start: fastgate: this version of fastgate"
        in caplog.text
    )


async def test_a_subprotocol_that_the_edge_reports_is_accepted(edge: Edge) -> None:
    app = unguarded()
    guard(app, edge.settings(), observe=True)
    with uvicorn_serving(app) as (host, port):
        at = partial(open_socket, (host, port), "/socket")
        own = edge.headers("/socket", "/socket", websocket=True)
        said = {**own, "Fastgate-Subprotocol": "bearer"}
        with at(additional_headers=said, subprotocols=[Subprotocol("bearer")]) as socket:
            assert socket.subprotocol == "bearer"
        with at(additional_headers={"Fastgate-Subprotocol": "bearer"}) as socket:
            assert socket.subprotocol is None


def test_websockets_pass_as_well(app: FastAPI) -> None:
    with uvicorn_serving(app) as (host, port), connect(f"ws://{host}:{port}/socket") as websocket:
        assert websocket.recv() == "open"


async def test_without_keys_everything_passes_and_is_not_ready(edge: Edge) -> None:
    app = unguarded()
    settings = edge.settings(keys=None, jwks_url="http://127.0.0.1:1/", ready_path="/ready")
    guard(app, settings, observe=True)
    async with client(app) as http:
        assert (await http.get("/old", headers=edge.headers("/old", "/old"))).status_code == 200
        assert (await http.get("/ready")).status_code == 503


async def test_the_start_logs_that_the_guard_protects_nothing(
    app: FastAPI, caplog: pytest.LogCaptureFixture
) -> None:
    async with client(app) as http:
        await http.get("/old")
    said = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert [record.getMessage() for record in said] == [
        "OBSERVING ONLY: the guard refuses nothing; every request reaches the app"
    ]


def test_a_strict_app_cannot_be_observed(edge: Edge) -> None:
    with pytest.raises(ValueError, match="strict"):
        guard(FastAPI(), edge.settings(strict=True), observe=True)
    with pytest.raises(ValueError, match="strict"):
        FastgateMiddleware(FastAPI(), edge.settings(strict=True), observe=True)
    local = {"edge": "http://127.0.0.1", "keys": None, "local_caller": LocalCaller("ada")}
    with pytest.raises(ValueError, match="local"):
        guard(FastAPI(), edge.settings(**local), observe=True)


@pytest.mark.parametrize("text", ["false", "0", "", "true", 1, None])
def test_observe_must_not_be_a_string(edge: Edge, text: bool) -> None:
    with pytest.raises(ValueError, match=r'observe=os\.environ\.get\("…"\) == "1"'):
        guard(FastAPI(), edge.settings(), observe=text)
    with pytest.raises(ValueError, match=r"observe: is .*; write True or False"):
        FastgateMiddleware(FastAPI(), edge.settings(), observe=text)
