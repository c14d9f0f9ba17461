"""Timers and fetches beside a request work on trio as on asyncio."""

from collections.abc import AsyncIterator

import anyio
import pytest
from fastapi import FastAPI, WebSocket
from starlette.responses import StreamingResponse
from starlette.types import Message

from fastgate import Caller, KeysUnavailable, Settings, background, guard
from fastgate.keys.source import EdgeKeys
from tests.edge import HEADER, HOST_FIELD, IDP, ISSUER, Edge, opening, payload
from tests.serving import JwksServer
from tests.test_keys import PATIENCE, Clock

pytestmark = pytest.mark.anyio


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    backend: str = request.param
    return backend


class Connection:
    """One connection to an app, in memory: the client waits until the response is over."""

    def __init__(self, app: FastAPI, kind: str, path: str, header: bytes) -> None:
        self.app, self.sent = app, list[Message]()
        self._kind, self._over, self._began = kind, anyio.Event(), False
        self._scope = {
            "type": kind,
            "method": "GET",
            "path": path,
            "raw_path": path.encode(),
            "query_string": b"",
            "headers": [HOST_FIELD, (HEADER.lower().encode(), header)],
        }

    async def run(self) -> list[Message]:
        """Return all that was sent."""
        with anyio.fail_after(PATIENCE):
            await self.app(self._scope, self._receive, self._send)
        return self.sent

    async def _receive(self) -> Message:
        if not self._began:
            self._began = True
            first = {"websocket": "websocket.connect", "http": "http.request"}
            return {"type": first[self._kind], "more_body": False, "body": b""}
        await self._over.wait()
        return {"type": f"{self._kind}.disconnect", "code": 1008}

    async def _send(self, message: Message) -> None:
        self.sent.append(message)
        last = message["type"] == "http.response.body" and not message.get("more_body")
        if last or message["type"] == "websocket.close":
            self._over.set()


def streaming(settings: Settings) -> FastAPI:
    app = FastAPI()

    @app.websocket("/echo")
    async def echo(websocket: WebSocket, caller: Caller) -> None:
        await websocket.accept()
        async for text in websocket.iter_text():
            await websocket.send_text(text)

    @app.websocket("/short")
    async def short(websocket: WebSocket, caller: Caller) -> None:
        await websocket.accept()
        await websocket.close(1000)

    async def silence() -> AsyncIterator[bytes]:
        yield b"data: 1\n\n"
        await anyio.sleep_forever()

    @app.get("/events")
    async def events(caller: Caller) -> StreamingResponse:
        return StreamingResponse(silence(), media_type="text/event-stream")

    guard(app, settings)
    return app


def header(edge: Edge, path: str, *, seconds_left: int) -> bytes:
    claims = payload(path, path)
    issued_at = claims["iat"]
    assert isinstance(issued_at, int)
    # The setting's leeway of five seconds is added.
    claims["rctx"] = {"iss": IDP, "token_exp": issued_at + seconds_left - 5}
    return edge.sign(claims if path == "/events" else opening(claims))


async def test_a_websocket_is_closed_when_the_token_expires(edge: Edge) -> None:
    app = streaming(edge.settings())
    sent = await Connection(app, "websocket", "/echo", header(edge, "/echo", seconds_left=0)).run()
    assert [message["type"] for message in sent] == ["websocket.accept", "websocket.close"]
    assert (sent[-1]["code"], sent[-1]["reason"]) == (1008, "token expired")


async def test_an_event_stream_ends_when_the_token_expires(edge: Edge) -> None:
    app = streaming(edge.settings())
    sent = await Connection(app, "http", "/events", header(edge, "/events", seconds_left=0)).run()
    assert sent[0]["status"] == 200
    assert not sent[-1]["more_body"]


async def test_a_connection_that_ends_before_the_token_cancels_the_timer(edge: Edge) -> None:
    app = streaming(edge.settings())
    sent = await Connection(
        app, "websocket", "/short", header(edge, "/short", seconds_left=3600)
    ).run()
    assert (sent[-1]["type"], sent[-1]["code"]) == ("websocket.close", 1000)


async def test_an_app_that_fetches_its_keys_starts_and_serves(
    edge: Edge, jwks_server: JwksServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = streaming(Settings(edge=ISSUER, audience="orders", jwks_url=jwks_server.url))
    waiting, sent = iter(["lifespan.startup", "lifespan.shutdown"]), list[Message]()

    async def receive() -> Message:
        return {"type": next(waiting)}

    async def send(message: Message) -> None:
        sent.append(message)

    await app({"type": "lifespan", "state": {}}, receive, send)
    assert sent[0]["type"] == "lifespan.startup.complete"
    for _ in range(2):
        signed = header(edge, "/short", seconds_left=3600)
        assert (await Connection(app, "websocket", "/short", signed).run())[-1]["code"] == 1000
    assert jwks_server.hits == 1


async def test_stale_keys_serve_while_fresh_ones_are_fetched(
    edge: Edge, jwks_server: JwksServer
) -> None:
    keys = EdgeKeys(jwks_server.url, clock=(clock := Clock()), timeout=PATIENCE)
    assert set(await keys.current()) == {edge.kid}
    jwks_server.publish((rotated := Edge()).jwks)
    clock.now += 300
    assert set(await keys.current()) == {edge.kid}
    assert set(await keys.refreshed()) == {rotated.kid}
    assert jwks_server.hits == 2


async def test_a_request_that_goes_away_does_not_take_the_fetch_with_it(
    edge: Edge, jwks_server: JwksServer
) -> None:
    keys = EdgeKeys(jwks_server.url, clock=Clock(), timeout=PATIENCE)
    with anyio.CancelScope() as impatient:
        impatient.cancel()
        await keys.current()
    assert impatient.cancelled_caught
    assert set(await keys.current()) == {edge.kid}
    assert jwks_server.hits == 1


async def test_an_unreachable_edge_means_no_keys() -> None:
    keys = EdgeKeys("http://127.0.0.1:1/jwks.json", clock=Clock(), timeout=PATIENCE)
    with pytest.raises(KeysUnavailable):
        await keys.current()


async def test_a_job_that_fails_ends_and_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    async def fails() -> None:
        raise ValueError("a fault of this package")

    job = background.start(fails)
    await job.wait()
    assert job.done
    assert caplog.messages == ["a background job failed"]
