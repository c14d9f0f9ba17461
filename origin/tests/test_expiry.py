"""Connections that outlive the caller's token end with it; the test sets the time."""

import asyncio
import threading
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from typing import Literal

import anyio
import httpx
import pytest
from fastapi import FastAPI, WebSocket
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from websockets.exceptions import ConnectionClosed, InvalidStatus

from fastgate import Caller, FastgateMiddleware
from fastgate.errors import ClaimMalformed
from fastgate.requester import Requester
from fastgate.testing import AsCaller
from tests.edge import HEADER, HOST, HOST_FIELD, IDP, Edge, opening, payload
from tests.serving import open_socket, uvicorn_serving

LEEWAY, SECONDS = 5.0, 600
Http = Literal["h11", "httptools"]


class Timers:
    """All timers that the package sets; the test decides when they fire."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.seconds: list[float] = []
        self._set = threading.Semaphore(0)
        self._callbacks: list[tuple[asyncio.AbstractEventLoop, Callable[[], object]]] = []
        monkeypatch.setattr("fastgate.request.expiry.call_later", self._later)

    def _later(self, seconds: float, callback: Callable[[], object]) -> Callable[[], object]:
        loop = asyncio.get_running_loop()
        self.seconds.append(seconds)
        self._callbacks.append((loop, callback))
        self._set.release()
        return loop.call_later(3600, callback).cancel

    def fire(self) -> None:
        """Fire the last timer; wait until there is one."""
        assert self._set.acquire(timeout=30)
        loop, callback = self._callbacks[-1]
        loop.call_soon_threadsafe(callback)

    def end(self) -> None:
        """Fire the last timer at once, on its own loop."""
        self._callbacks[-1][1]()


class Clock:
    """Unix time, seconds; constant until the test changes it."""

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
        sent = header(edge, clock, path)
        with open_socket((host, port), path, additional_headers=sent) as websocket:
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


def test_a_websocket_without_an_expiry_or_by_setting_stays_open(
    edge: Edge, clock: Clock, timers: Timers, seen: list[object]
) -> None:
    for settings, rctx in [({}, {"token_exp": None}), ({"end_with_token": "none"}, {})]:
        app = streaming(edge, clock, seen, **settings)
        with uvicorn_serving(app) as (host, port):
            sent = header(edge, clock, "/echo", **rctx)
            with open_socket((host, port), "/echo", additional_headers=sent) as websocket:
                websocket.send("hello")
                assert websocket.recv(timeout=30) == "hello"
    assert timers.seconds == []


def test_a_websocket_that_the_app_refuses_is_refused(
    edge: Edge, clock: Clock, timers: Timers, seen: list[object]
) -> None:
    with uvicorn_serving(streaming(edge, clock, seen)) as (host, port):
        sent = header(edge, clock, "/denied")
        with pytest.raises(InvalidStatus) as refused:
            open_socket((host, port), "/denied", additional_headers=sent)
        assert refused.value.response.status_code == 403


@pytest.mark.parametrize("http", ["h11", "httptools"])
def test_an_event_stream_ends_when_the_token_expires(
    edge: Edge, clock: Clock, timers: Timers, seen: list[object], http: Http
) -> None:
    app = streaming(edge, clock, seen)
    with uvicorn_serving(app, http=http) as (host, port), httpx.Client(trust_env=False) as client:
        url = f"http://{host}:{port}/events"
        sent = {"Host": HOST, **header(edge, clock, "/events")}
        with client.stream("GET", url, headers=sent) as response:
            received = response.iter_bytes()
            assert next(received) == b"data: 1\n\n"
            timers.fire()
            assert list(received) == []
    assert seen == ["stopped"]


def test_a_download_continues_unless_everything_ends_with_the_token(
    edge: Edge, timers: Timers, seen: list[object]
) -> None:
    def downloaded(**settings: object) -> bytes:
        clock = Clock()
        app = streaming(edge, clock, seen, **settings)
        with uvicorn_serving(app) as (host, port), httpx.Client(trust_env=False) as client:
            url = f"http://{host}:{port}/download"
            sent = {"Host": HOST, **header(edge, clock, "/download")}
            return client.get(url, headers=sent).content

    assert downloaded() == b"part" * 3
    with pytest.raises(httpx.RemoteProtocolError, match=r"incomplete|without"):
        downloaded(end_with_token="all")
    assert timers.seconds == []


async def send_get(
    app: ASGIApp, path: str, fields: dict[str, str], spec_version: str, sent: list[Message]
) -> None:
    """Send a GET to an app, from a client that stays connected; add its messages to `sent`."""
    waiting: list[Message] = [{"type": "http.request", "body": b""}]

    async def receive() -> Message:
        if waiting:
            return waiting.pop()
        await anyio.sleep_forever()
        raise AssertionError

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": "GET",
        "path": path,
        "raw_path": path.encode(),
        "asgi": {"version": "3.0", "spec_version": spec_version},
        "query_string": b"",
        "headers": [
            HOST_FIELD,
            *((name.lower().encode(), value.encode()) for name, value in fields.items()),
        ],
    }
    await app(scope, receive, send)


@pytest.mark.parametrize("spec_version", ["2.1", "2.3", "2.4", "2.5"])
@pytest.mark.anyio
async def test_an_event_stream_learns_that_it_has_ended(
    edge: Edge, clock: Clock, timers: Timers, spec_version: str
) -> None:
    made: list[int] = []
    sent: list[Message] = []

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

    guarded = FastgateMiddleware(app, edge.settings(), now=clock)
    await send_get(guarded, "/numbers", header(edge, clock, "/numbers"), spec_version, sent)
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


def test_a_setting_other_than_the_three_is_refused(edge: Edge) -> None:
    with pytest.raises(ValueError, match="write one of sessions, all, none"):
        edge.settings(end_with_token=True)


def test_the_helpers_set_the_expiry_of_the_token(
    edge: Edge, clock: Clock, seen: list[object], as_caller: AsCaller
) -> None:
    ada = as_caller(streaming(edge, clock, seen), "ada", token_expires_at=2_000_000_000)
    with ada.websocket_connect("/echo") as websocket:
        websocket.send_text("hello")
        assert websocket.receive_text() == "hello"
    assert seen == [2_000_000_000]


class InATaskGroup(Response):
    """Sends while another task waits for the disconnect, as libraries for event streams do."""

    def __init__(self, content: AsyncIterator[bytes], media_type: str, fault: bool = False) -> None:
        super().__init__(media_type=media_type)
        self.content, self.fault = content, fault

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def stream() -> None:
            fields = [(b"content-type", str(self.media_type).encode())]
            await send({"type": "http.response.start", "status": 200, "headers": fields})
            async for chunk in self.content:
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
            await send({"type": "http.response.body", "body": b"", "more_body": False})
            group.cancel_scope.cancel()

        async with anyio.create_task_group() as group:
            group.start_soon(stream)
            while (await receive())["type"] != "http.disconnect":
                pass
            if self.fault:
                raise ValueError("a fault of its own")
            group.cancel_scope.cancel()


class Sends(InATaskGroup):
    """Only sends, in a task group, and learns of the end only by an error."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(StreamingResponse(self.content).stream_response, self.started(send))

    def started(self, send: Send) -> Send:
        async def with_type(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [(b"content-type", str(self.media_type).encode())]
            await send(message)

        return with_type


class Ended:
    """One response of an app that was ended with the token, and its outcome."""

    def __init__(self, edge: Edge, clock: Clock, timers: Timers, **settings: object) -> None:
        self.edge, self.clock, self.timers = edge, clock, timers
        self.settings = edge.settings(**settings)
        self.handled: list[Exception] = []
        self.sent: list[Message] = []
        self.made: list[int] = []

    async def run(
        self,
        response: Callable[..., Response],
        *,
        spec: str,
        around: bool,
        base: bool = False,
        media_type: str = "text/event-stream",
    ) -> "Ended":
        async def parts() -> AsyncIterator[bytes]:
            for number in range(1000):
                if number == 3:
                    self.clock.now += 2 * SECONDS
                    if media_type == "text/event-stream":
                        self.timers.end()
                self.made.append(number)
                yield b"data: %d\n\n" % number

        app = FastAPI()

        @app.get("/parts")
        async def read_parts(caller: Caller) -> Response:
            return response(parts(), media_type=media_type)

        @app.exception_handler(Exception)
        async def handle(_request: Request, error: Exception) -> Response:
            self.handled.append(error)
            return Response(status_code=500)

        if base:
            app.middleware("http")(passes_on)
        guarded: ASGIApp = app
        if around:
            guarded = FastgateMiddleware(app, self.settings, now=self.clock)
        else:
            app.add_middleware(FastgateMiddleware, settings=self.settings, now=self.clock)
        await send_get(guarded, "/parts", header(self.edge, self.clock, "/parts"), spec, self.sent)
        return self


async def passes_on(
    request: Request, call_next: Callable[[Request], Awaitable[Response]]
) -> Response:
    return await call_next(request)


@pytest.mark.parametrize("base", [False, True], ids=["", "BaseHTTPMiddleware"])
@pytest.mark.parametrize("around", [False, True], ids=["within", "around"])
@pytest.mark.parametrize(
    ("response", "spec"),
    [(StreamingResponse, "2.3"), (InATaskGroup, "2.3"), (InATaskGroup, "2.4")],
)
@pytest.mark.anyio
async def test_an_app_that_waits_for_the_disconnect_gets_it_and_no_error(
    edge: Edge,
    clock: Clock,
    timers: Timers,
    response: Callable[..., Response],
    spec: str,
    around: bool,
    base: bool,
) -> None:
    ended = await Ended(edge, clock, timers).run(response, spec=spec, around=around, base=base)
    assert ended.handled == []
    assert len(ended.made) < 100
    assert ended.sent[-1] == {"type": "http.response.body", "body": b"", "more_body": False}
    assert sum(message.get("more_body") is False for message in ended.sent) == 1


@pytest.mark.anyio
async def test_a_server_that_raises_on_disconnect_does_so_at_the_end(
    edge: Edge, clock: Clock, timers: Timers
) -> None:
    for around in (False, True):
        ended = await Ended(edge, clock, timers).run(StreamingResponse, spec="2.4", around=around)
        assert [type(error) for error in ended.handled] == [ClientDisconnect] * around
        assert ended.made == [0, 1, 2, 3]


@pytest.mark.anyio
async def test_an_exception_group_is_ours_if_all_its_errors_are(
    edge: Edge, clock: Clock, timers: Timers
) -> None:
    ended = await Ended(edge, clock, timers).run(Sends, spec="2.4", around=False)
    assert (ended.handled, ended.made) == ([], [0, 1, 2, 3])
    faulty = partial(InATaskGroup, fault=True)
    with pytest.raises(ExceptionGroup) as raised:
        await Ended(edge, clock, timers).run(faulty, spec="2.4", around=False)
    assert raised.group_contains(ValueError)


@pytest.mark.parametrize("response", [StreamingResponse, InATaskGroup])
@pytest.mark.anyio
async def test_a_download_that_ends_with_the_token_is_no_fault_and_looks_incomplete(
    edge: Edge, clock: Clock, timers: Timers, response: Callable[..., Response]
) -> None:
    ended = Ended(edge, clock, timers, end_with_token="all")
    await ended.run(response, spec="2.3", around=True, media_type="application/octet-stream")
    assert ended.handled == []
    assert len(ended.made) < 100
    assert all(message.get("more_body", True) for message in ended.sent)


@pytest.mark.anyio
async def test_a_diverted_request_is_recognized_by_its_receive(
    edge: Edge, clock: Clock, timers: Timers
) -> None:
    ran: list[str] = []

    async def private(_request: Request) -> Response:
        ran.append("private")
        return Response()

    other = Starlette(routes=[Route("/private", private)])

    class Diverting:
        def __init__(self, app: ASGIApp) -> None: ...

        async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
            fresh = {"type": "http", "method": "GET", "path": "/private", "headers": []}
            await other(fresh, receive, send)

    app = FastAPI(middleware=[Middleware(Diverting)])
    app.add_middleware(FastgateMiddleware, settings=edge.settings(), now=clock)
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://testserver"
    ) as http:
        response = await http.get("/events", headers=header(edge, clock, "/events"))
    assert (response.status_code, ran) == (401, [])
