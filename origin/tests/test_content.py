"""If a route requires it, the body is the one that the edge signed."""

from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import APIRouter, FastAPI, Request, WebSocket, routing
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.types import Message, Receive, Scope, Send

from fastgate import (
    AnyCaller,
    Caller,
    FastgateMiddleware,
    LocalCaller,
    Settings,
    at_edge,
    guard,
)
from fastgate.compile.drift import drift
from fastgate.compile.policy import compile_routes
from fastgate.content import content_digest, read_body
from fastgate.testing import AsCaller
from tests.edge import HEADER, HOST, HOST_FIELD, Edge, payload
from tests.serving import uvicorn_serving

pytestmark = pytest.mark.anyio

BODY = b'{"quantity": 1}'
BOUND = "/bound"


@at_edge(sign_body=True)
async def bound(request: Request, caller: Caller) -> str:
    return f"{caller.subject} {(await request.body()).decode()}"


async def plain(request: Request) -> PlainTextResponse:
    return PlainTextResponse(await request.body())


def unguarded() -> FastAPI:
    app, router = FastAPI(openapi_url=None), APIRouter(prefix="/v1")
    app.post(BOUND)(bound)
    router.post(BOUND)(bound)
    app.include_router(router)

    @app.post("/extra", openapi_extra={"x-fastgate": {"sign_body": True}})
    async def extra(request: Request, caller: Caller) -> str:
        return await bound(request, caller)

    @app.post("/free")
    async def free(request: Request, caller: AnyCaller) -> str:
        return (await request.body()).decode()

    @app.websocket("/socket")
    @at_edge(sign_body=True)
    async def socket(websocket: WebSocket, caller: Caller) -> None:
        await websocket.accept()
        await websocket.send_text(caller.subject)
        await websocket.close()

    return app


@pytest.fixture
def app(edge: Edge) -> FastAPI:
    app = unguarded()
    guard(app, edge.settings(max_signed_body=1000))
    return app


def minted(edge: Edge, digest: str | None, path: str = BOUND, template: str | None = None) -> str:
    claims = payload(path, template or path, method="POST")
    tctx = claims["tctx"]
    assert isinstance(tctx, dict)
    if digest is not None:
        tctx["content_digest"] = digest
    return edge.sign(claims).decode()


async def post(
    app: FastAPI, header: str, body: bytes | AsyncIterator[bytes] = BODY, path: str = BOUND
) -> httpx.Response:
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="https://testserver") as http:
        return await http.post(path, headers={HEADER: header}, content=body)


async def pieces(body: bytes) -> AsyncIterator[bytes]:
    for octet in body:
        yield bytes([octet])


async def test_the_signed_body_reaches_the_endpoint(app: FastAPI, edge: Edge) -> None:
    header = minted(edge, content_digest(BODY))
    assert (await post(app, header)).json() == f"ada {BODY.decode()}"
    assert (await post(app, header, pieces(BODY))).json() == f"ada {BODY.decode()}"
    assert (await post(app, minted(edge, content_digest(b"")), b"")).json() == "ada "


@pytest.mark.parametrize("body", [b"", BODY[:-1], BODY + b" ", b'{"quantity": 9}', b"\xff"])
async def test_another_body_gets_the_same_refusal_as_any_other_fault(
    app: FastAPI, edge: Edge, body: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    forged = await post(app, "forged")
    caplog.clear()
    refused = await post(app, minted(edge, content_digest(BODY)), body)
    assert (refused.status_code, refused.content) == (401, forged.content)
    assert refused.headers == forged.headers
    assert caplog.messages == ["refused: content-mismatch"]


async def test_a_body_is_compared_whenever_the_edge_signed_it(app: FastAPI, edge: Edge) -> None:
    header = minted(edge, content_digest(BODY), "/free")
    assert (await post(app, header, path="/free")).status_code == 200
    assert (await post(app, header, b"other", path="/free")).status_code == 401


@pytest.mark.parametrize(
    ("path", "status"),
    [(BOUND, 401), ("/v1/bound", 401), ("/extra", 401), ("/free", 200)],
)
async def test_an_endpoint_that_requires_a_signed_body_does_not_run_without_one(
    app: FastAPI, edge: Edge, path: str, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    assert (await post(app, minted(edge, None, path), path=path)).status_code == status
    assert caplog.messages == ["refused: content-mismatch"] * (status == 401)
    signed = minted(edge, content_digest(BODY), path)
    assert (await post(app, signed, path=path)).status_code == 200


@pytest.mark.parametrize("prefix", ["", "/v1"])
async def test_a_marked_route_object_runs_only_with_a_signed_body(
    edge: Edge, prefix: str, caplog: pytest.LogCaptureFixture
) -> None:
    if prefix and not hasattr(routing, "_IncludedRouter"):
        pytest.skip("older FastAPI cannot include a marked route object")
    app = FastAPI(openapi_url=None)
    raw = at_edge(sign_body=True)(Route("/raw", plain, methods=["POST"]))
    if prefix:
        app.include_router(APIRouter(routes=[raw]), prefix=prefix)
    else:
        app.routes.append(raw)
    guard(app, edge.settings())
    path = f"{prefix}/raw"
    assert (await post(app, minted(edge, None, path), path=path)).status_code == 401
    assert caplog.messages == ["refused: content-mismatch"]
    signed = minted(edge, content_digest(BODY), path)
    assert (await post(app, signed, path=path)).content == BODY


async def test_a_signed_body_is_required_if_the_guard_cannot_see_the_routes(edge: Edge) -> None:
    inner = unguarded()

    async def opaque(scope: Scope, receive: Receive, send: Send) -> None:
        await inner(scope, receive, send)

    guarded: object = FastgateMiddleware(opaque, edge.settings())
    assert (await post(guarded, minted(edge, None))).status_code == 401  # type: ignore[arg-type]
    signed = minted(edge, content_digest(BODY))
    assert (await post(guarded, signed)).status_code == 200  # type: ignore[arg-type]


async def fetch(
    app: FastAPI, header: str, messages: list[Message], *more: tuple[bytes, bytes]
) -> tuple[list[Message], list[Message]]:
    """Return the messages that the app sent, and those that it did not receive."""
    sent: list[Message] = []
    waiting = list(messages)

    async def receive() -> Message:
        return waiting.pop(0)

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": "POST",
        "path": BOUND,
        "raw_path": BOUND.encode(),
        "query_string": b"",
        "headers": [HOST_FIELD, (HEADER.lower().encode(), header.encode()), *more],
    }
    await app(scope, receive, send)
    return sent, waiting


def part(body: bytes, *, more: bool = True) -> Message:
    return {"type": "http.request", "body": body, "more_body": more}


async def test_no_more_is_read_than_the_limit_allows(
    app: FastAPI, edge: Edge, caplog: pytest.LogCaptureFixture
) -> None:
    body = b"x" * 1001
    header = minted(edge, content_digest(body))
    fits = minted(edge, content_digest(body[:-1]))
    assert (await fetch(app, fits, [part(body[:-1], more=False)]))[0][0]["status"] == 200
    sent, unread = await fetch(app, header, [part(body), part(b"", more=False)])
    assert (sent[0]["status"], len(unread)) == (401, 1)
    announced = (b"content-length", b"1001")
    sent, unread = await fetch(app, header, [part(body, more=False)], announced)
    assert (sent[0]["status"], len(unread)) == (401, 1), "refused before it was read"
    endless = (b"content-length", b"9" * 5000)
    sent, unread = await fetch(app, header, [part(body, more=False)], endless)
    assert (sent[0]["status"], len(unread)) == (401, 1)
    assert caplog.messages == ["refused: content-mismatch"] * 3


async def test_a_client_that_leaves_before_its_body_is_complete_gets_no_response(
    app: FastAPI, edge: Edge
) -> None:
    header = minted(edge, content_digest(BODY))
    sent, _ = await fetch(app, header, [part(BODY), {"type": "http.disconnect"}])
    assert sent == []


async def test_the_disconnect_is_reported_after_the_body(edge: Edge) -> None:
    told: list[Message] = []

    async def listening(scope: Scope, receive: Receive, send: Send) -> None:
        told.extend([await receive(), await receive()])

    guarded: object = FastgateMiddleware(listening, edge.settings())
    header = minted(edge, content_digest(BODY))
    disconnect = {"type": "http.disconnect"}
    await fetch(guarded, header, [part(BODY[:3]), part(BODY[3:], more=False), disconnect])  # type: ignore[arg-type]
    assert told == [part(BODY, more=False), disconnect]


@pytest.mark.parametrize("http", ["h11", "httptools"])
def test_signed_bodies_work_under_a_real_server(app: FastAPI, edge: Edge, http: object) -> None:
    headers = {"Host": HOST, HEADER: minted(edge, content_digest(BODY))}
    with uvicorn_serving(app, http=http) as (host, port):  # type: ignore[arg-type]
        url = f"http://{host}:{port}{BOUND}"
        for body, status in ((BODY, 200), (b"other", 401), (b"x" * 2000, 401)):
            response = httpx.post(url, content=body, headers=headers, trust_env=False)
            assert response.status_code == status


def test_the_helpers_sign_bodies_as_the_edge_does(as_caller: AsCaller) -> None:
    app = unguarded()
    guard(app, Settings(edge="https://api.example.com", audience="orders"))
    ada = as_caller(app, sub="ada")
    for path in (BOUND, "/v1/bound", "/extra"):
        assert ada.post(path, content=BODY).json() == f"ada {BODY.decode()}"
    assert ada.post("/free", content=BODY).json() == BODY.decode()
    with ada.websocket_connect("/socket") as websocket:
        assert websocket.receive_text() == "ada"


def test_local_development_signs_bodies_too() -> None:
    app = unguarded()
    local = LocalCaller("ada")
    edge = "http://127.0.0.1:7676"
    guard(app, Settings(edge=edge, audience="orders", local_caller=local, max_signed_body=1000))
    with uvicorn_serving(app) as (host, port):
        url = f"http://{host}:{port}{BOUND}"
        assert httpx.post(url, content=BODY, trust_env=False).json() == f"ada {BODY.decode()}"
        assert httpx.post(url, content=b"x" * 1001, trust_env=False).status_code == 401


def test_sign_body_is_compiled_and_compared_by_drift() -> None:
    app = unguarded()
    routes = compile_routes(app)
    signed = {str(route["path"]): route.get("sign_body") for route in routes}
    assert signed == {
        BOUND: True,
        "/v1/bound": True,
        "/extra": True,
        "/free": None,
        "/socket": True,
    }
    edge = [{name: route[name] for name in route if name != "sign_body"} for route in routes[:1]]
    (line,) = drift(routes[:1], edge)
    said = "sign_body: the app has true, the edge has nothing (refused until both agree)"
    assert line == f"POST /bound: {said}"


@pytest.mark.parametrize(
    ("sent", "limit", "whole"),
    [
        ([b"sig", b"ned"], 6, b"signed"),
        ([b"sig", b"ned"], 5, None),
        ([b"sig", b"ned", b" more"], 4, None),
        ([b""], 0, b""),
        ([b"sig", None], 100, None),
    ],
)
async def test_no_part_of_a_body_that_was_read_is_lost(
    sent: list[bytes | None], limit: int, whole: bytes | None
) -> None:
    arriving: list[Message] = [
        {"type": "http.disconnect"}
        if part is None
        else {"type": "http.request", "body": part, "more_body": at < len(sent) - 1}
        for at, part in enumerate(sent)
    ]

    async def receive() -> Message:
        return arriving.pop(0)

    body = await read_body({"type": "http", "headers": []}, receive, limit)
    assert (body.content, body.gone) == (whole, None in sent)
    again, more = b"", True
    while more:
        message = await body.receive()
        again += message.get("body", b"")
        more = message.get("more_body", False)
    assert again == b"".join(part for part in sent if part is not None)
    assert (message["type"] == "http.disconnect") == body.gone
