"""What outlives the caller's token ends with it, over real sockets; the test says when that is."""

import asyncio
import threading
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import Literal

import anyio
import httpx
import pytest
from fastapi import FastAPI, WebSocket
from starlette.responses import StreamingResponse
from starlette.types import Message
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from fastgate import Caller, FastgateMiddleware
from fastgate.claims import Requester
from fastgate.errors import ClaimMalformed
from fastgate.testing import AsCaller
from tests.edge import HEADER, IDP, Edge, opening, payload
from tests.serving import uvicorn_serving

LEEWAY, SECONDS = 5.0, 600
Http = Literal["h11", "httptools"]


class Timers:
    """Every timer that the package sets; they fire when the test says so."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.seconds: list[float] = []
        self._set = threading.Semaphore(0)
        self._callbacks: list[tuple[asyncio.AbstractEventLoop, Callable[[], object]]] = []
        monkeypatch.setattr("fastgate.expiry.call_later", self._later)

    def _later(self, seconds: float, callback: Callable[[], object]) -> Callable[[], object]:
        loop = asyncio.get_running_loop()
        self.seconds.append(seconds)
        self._callbacks.append((loop, callback))
        self._set.release()
        return loop.call_later(3600, callback).cancel

    def fire(self) -> None:
        """Let the time of the last timer come; wait until there is one."""
        assert self._set.acquire(timeout=30)
        loop, callback = self._callbacks[-1]
        loop.call_soon_threadsafe(callback)

    def end(self) -> None:
        """Let the time of the last timer come at once, on its own loop."""
        self._callbacks[-1][1]()


class Clock:
    """Unix time, seconds, that stands still until the test moves it."""

    def __init__(self) -> None:
        self.now = time.time()

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def timers(monkeypatch: pytest.MonkeyPatch) -> Timers:
    return Timers(monkeypatch)


@pytest.fixture
def clock() -> Clock:
    return Clock()


def streaming(edge: Edge, clock: Clock, seen: list[object], **settings: object) -> FastAPI:
    app = FastAPI()

    @app.websocket("/echo")
    async def echo(websocket: WebSocket, caller: Caller) -> None:
        seen.append(caller.token_expires_at)
        await websocket.accept()
        async for text in websocket.iter_text():
            await websocket.send_text(text)

    @app.websocket("/news")
    async def news(websocket: WebSocket, caller: Caller) -> None:
        await websocket.accept()
        while True:
            await websocket.send_text("news")
            await anyio.sleep(0.001)

    @app.websocket("/denied")
    async def denied(websocket: WebSocket, caller: Caller) -> None:
        await websocket.close()

    async def one_then_silence() -> AsyncIterator[bytes]:
        try:
            yield b"data: 1\n\n"
            await anyio.sleep_forever()
        finally:
            seen.append("stopped")

    @app.get("/events")
    async def events(caller: Caller) -> StreamingResponse:
        return StreamingResponse(one_then_silence(), media_type="text/event-stream")

    async def parts() -> AsyncIterator[bytes]:
        for _ in range(3):
            yield b"part"
            clock.now += SECONDS

    @app.get("/download")
    async def download(caller: Caller) -> StreamingResponse:
        return StreamingResponse(parts(), media_type="application/octet-stream")

    app.add_middleware(FastgateMiddleware, settings=edge.settings(**settings), now=clock)
    return app


SOCKETS = ("/echo", "/news", "/denied")


def header(edge: Edge, clock: Clock, path: str, **rctx: object) -> dict[str, str]:
    claims = payload(path, path, now=clock.now)
    if path in SOCKETS:
        claims = opening(claims)
    known = {"iss": IDP, "token_exp": int(clock.now) + SECONDS}
    claims["rctx"] = {k: v for k, v in {**known, **rctx}.items() if v is not None}
    return {HEADER: edge.sign(claims).decode()}


@pytest.fixture
def seen() -> list[object]:
    return []


@pytest.mark.parametrize("path", ["/echo", "/news"])
@pytest.mark.parametrize("http", ["h11", "httptools"])
def test_a_websocket_is_closed_when_the_token_expires(
    edge: Edge, clock: Clock, timers: Timers, seen: list[object], http: Http, path: str
) -> None:
    app = streaming(edge, clock, seen)
    with uvicorn_serving(app, http=http) as (host, port):
        url = f"ws://{host}:{port}{path}"
        with connect(url, additional_headers=header(edge, clock, path)) as websocket:
            if path == "/echo":
                websocket.send("hello")
                assert websocket.recv(timeout=30) == "hello"
                assert seen == [int(clock.now) + SECONDS]
            else:
                assert websocket.recv(timeout=30) == "news"
            timers.fire()
            with pytest.raises(ConnectionClosed) as closed:
                deque(iter(partial(websocket.recv, timeout=30), None), maxlen=0)
            assert closed.value.rcvd
            assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (1008, "token expired")
    assert SECONDS <= timers.seconds[0] + 1 <= SECONDS + LEEWAY + 1


def test_a_websocket_without_a_tokens_end_or_by_setting_is_left_open(
    edge: Edge, clock: Clock, timers: Timers, seen: list[object]
) -> None:
    for settings, rctx in [({}, {"token_exp": None}), ({"end_with_token": "none"}, {})]:
        app = streaming(edge, clock, seen, **settings)
        with uvicorn_serving(app) as (host, port):
            url = f"ws://{host}:{port}/echo"
            sent = header(edge, clock, "/echo", **rctx)
            with connect(url, additional_headers=sent) as websocket:
                websocket.send("hello")
                assert websocket.recv(timeout=30) == "hello"
    assert timers.seconds == []


def test_a_websocket_that_the_app_refuses_is_refused(
    edge: Edge, clock: Clock, timers: Timers, seen: list[object]
) -> None:
    with uvicorn_serving(streaming(edge, clock, seen)) as (host, port):
        url = f"ws://{host}:{port}/denied"
        with pytest.raises(InvalidStatus) as refused:
            connect(url, additional_headers=header(edge, clock, "/denied"))
        assert refused.value.response.status_code == 403


@pytest.mark.parametrize("http", ["h11", "httptools"])
def test_an_event_stream_ends_when_the_token_expires(
    edge: Edge, clock: Clock, timers: Timers, seen: list[object], http: Http
) -> None:
    app = streaming(edge, clock, seen)
    with uvicorn_serving(app, http=http) as (host, port), httpx.Client(trust_env=False) as client:
        url = f"http://{host}:{port}/events"
        with client.stream("GET", url, headers=header(edge, clock, "/events")) as answer:
            received = answer.iter_bytes()
            assert next(received) == b"data: 1\n\n"
            timers.fire()
            assert list(received) == []
    assert seen == ["stopped"]


def test_a_download_goes_on_unless_everything_ends_with_the_token(
    edge: Edge, timers: Timers, seen: list[object]
) -> None:
    def downloaded(**settings: object) -> bytes:
        clock = Clock()
        app = streaming(edge, clock, seen, **settings)
        with uvicorn_serving(app) as (host, port), httpx.Client(trust_env=False) as client:
            url = f"http://{host}:{port}/download"
            return client.get(url, headers=header(edge, clock, "/download")).content

    assert downloaded() == b"part" * 3
    with pytest.raises(httpx.RemoteProtocolError, match=r"incomplete|without"):
        downloaded(end_with_token="all")
    assert timers.seconds == []


@pytest.mark.parametrize("spec_version", ["2.1", "2.3", "2.4", "2.5"])
@pytest.mark.anyio
async def test_an_event_stream_is_told_that_it_has_ended(
    edge: Edge, clock: Clock, timers: Timers, spec_version: str
) -> None:
    made: list[int] = []
    sent: list[Message] = []
    waiting: list[Message] = [{"type": "http.request", "body": b""}]

    async def numbers() -> AsyncIterator[bytes]:
        for number in range(1000):
            if number == 3:
                timers.end()
            made.append(number)
            yield b"data: %d\n\n" % number

    app = FastAPI()

    @app.get("/numbers")
    async def read_numbers(caller: Caller) -> StreamingResponse:
        return StreamingResponse(numbers(), media_type="text/event-stream")

    async def receive() -> Message:
        if waiting:
            return waiting.pop()
        await anyio.sleep_forever()
        raise AssertionError

    async def send(message: Message) -> None:
        sent.append(message)

    fields = header(edge, clock, "/numbers")
    scope = {
        "type": "http",
        "method": "GET",
        "path": "/numbers",
        "raw_path": b"/numbers",
        "asgi": {"version": "3.0", "spec_version": spec_version},
        "query_string": b"",
        "headers": [(name.lower().encode(), value.encode()) for name, value in fields.items()],
    }
    await FastgateMiddleware(app, edge.settings(), now=clock)(scope, receive, send)
    assert made == [0, 1, 2, 3]
    assert [message.get("more_body") for message in sent] == [None, True, True, True, False]


def test_the_end_of_the_token_is_read_strictly() -> None:
    good: dict[str, object] = {"iss": IDP, "token_exp": 1_900_000_000}
    assert Requester.parse(good).token_expires_at == 1_900_000_000
    assert Requester.parse({"iss": IDP}).token_expires_at is None
    several: list[object] = [None, "1900000000", 1.5, 1.0, True, 0, -1, 2**53, [], {}]
    for wrong in several:
        with pytest.raises(ClaimMalformed):
            Requester.parse({**good, "token_exp": wrong})
    with pytest.raises(ClaimMalformed):
        Requester.parse({"token_exp": 1_900_000_000})


def test_a_setting_that_is_none_of_the_three_is_refused(edge: Edge) -> None:
    with pytest.raises(ValueError, match="none of sessions, all, none"):
        edge.settings(end_with_token=True)


def test_the_helpers_know_the_tokens_end(
    edge: Edge, clock: Clock, seen: list[object], as_caller: AsCaller
) -> None:
    ada = as_caller(streaming(edge, clock, seen), "ada", token_expires_at=2_000_000_000)
    with ada.websocket_connect("/echo") as websocket:
        websocket.send_text("hello")
        assert websocket.receive_text() == "hello"
    assert seen == [2_000_000_000]
