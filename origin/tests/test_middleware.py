"""The guard: which requests reach an app, which do not, and what the client receives."""

import asyncio
import json
import logging
import time
from pathlib import Path

import httpx
import pytest
from fastapi import BackgroundTasks, FastAPI, Request, WebSocket
from fastapi.responses import PlainTextResponse
from fastapi.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from fastgate import EdgeClaims, FastgateMiddleware, Settings, at_edge, guard
from fastgate.keys.source import StaticKeys
from fastgate.routes.placement import Misplaced
from tests.edge import HEADER, HOST_FIELD, ISSUER, Edge
from tests.serving import JwksServer

pytestmark = pytest.mark.anyio

PATH, TEMPLATE = "/orders/7", "/orders/{order_id}"


class Origin:
    """An app that responds to every request with 200, and records the scopes that reach it."""

    def __init__(self) -> None:
        self.seen: list[Scope] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.seen.append(scope)
        if scope["type"] == "http":
            await PlainTextResponse("ran")(scope, receive, send)


def client(app: ASGIApp) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="https://testserver")


async def call(app: ASGIApp, scope: Scope) -> list[Message]:
    """Run `app` on a hand-made scope; return what it sent."""
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "websocket.connect"}

    async def send(message: Message) -> None:
        sent.append(message)

    await app(scope, receive, send)
    return sent


def scope_of(edge: Edge, **changes: object) -> Scope:
    scope: dict[str, object] = {
        "type": "http",
        "method": "GET",
        "path": PATH,
        "raw_path": PATH.encode(),
        "query_string": b"",
        "headers": [(b"fastgate-identity", edge.mint(PATH, TEMPLATE))],
        **changes,
    }
    if isinstance(headers := scope["headers"], list):
        scope["headers"] = [HOST_FIELD, *headers]
    return {name: value for name, value in scope.items() if value is not ...}


async def test_a_request_that_the_edge_judged_reaches_the_app_with_its_claims(edge: Edge) -> None:
    origin = Origin()
    async with client(FastgateMiddleware(origin, edge.settings())) as http:
        response = await http.get(PATH, headers=edge.headers(PATH, TEMPLATE))
    assert response.text == "ran"
    claims = origin.seen[0]["fastgate"]
    assert isinstance(claims, EdgeClaims)
    assert claims.subject == "ada"


async def test_the_app_receives_neither_the_header_nor_its_underscore_spelling(edge: Edge) -> None:
    origin = Origin()
    headers = [
        (b"fastgate-identity", edge.mint(PATH, TEMPLATE)),
        (b"fastgate_identity", b"twin"),
        (b"x-other", b"kept"),
    ]
    await call(FastgateMiddleware(origin, edge.settings()), scope_of(edge, headers=headers))
    assert origin.seen[0]["headers"] == [HOST_FIELD, (b"x-other", b"kept")]


async def test_the_doctors_nonce_is_repeated_for_verified_requests_alone(edge: Edge) -> None:
    nonce = {"Doctor-Nonce": "n" * 16}
    async with client(FastgateMiddleware(Origin(), edge.settings())) as http:
        verified = await http.get(PATH, headers={**edge.headers(PATH, TEMPLATE), **nonce})
    async with client(FastgateMiddleware(Origin(), edge.settings(), observe=True)) as http:
        unverified = await http.get(PATH, headers=nonce)
    assert [verified.text, unverified.text] == ["ran", "ran"]
    assert verified.headers.get("Doctor-Nonce") == "n" * 16
    assert "Doctor-Nonce" not in unverified.headers


async def test_a_request_directly_to_the_origin_is_refused(edge: Edge) -> None:
    origin = Origin()
    async with client(FastgateMiddleware(origin, edge.settings())) as http:
        response = await http.get(PATH)
    assert response.status_code == 401
    assert response.headers["content-type"] == "application/problem+json"
    assert response.headers["cache-control"] == "no-store"
    assert response.headers["www-authenticate"] == "Bearer"
    assert response.json() == {
        "type": "urn:fastgate:problem:not-from-the-edge",
        "title": "The request did not come through the gateway",
        "status": 401,
    }
    assert origin.seen == []


async def test_every_fault_gets_the_same_response_and_its_own_log_record(
    edge: Edge, caplog: pytest.LogCaptureFixture
) -> None:
    good = edge.mint(PATH, TEMPLATE)
    name = b"fastgate-identity"
    attempts = {
        "header-missing": [],
        "header-repeated": [(name, good), (name, good)],
        "header-too-long": [(name, good + b"x" * 9000)],
        "token-malformed": [(name, good + b", " + good)],
        "algorithm-refused": [(name, edge.sign({}, {**edge.jose_header(), "alg": "none"}))],
        "key-unknown": [(name, Edge().mint(PATH, TEMPLATE))],
        "signature-invalid": [(name, Edge().sign({}, edge.jose_header()))],
        "expired": [(name, edge.mint(PATH, TEMPLATE, now=time.time() - 40))],
        "method-mismatch": [(name, edge.mint(PATH, TEMPLATE, method="POST"))],
        "path-mismatch": [(name, edge.mint("/", "/"))],
        "query-mismatch": [(name, edge.mint(PATH, TEMPLATE, query=b"all=1"))],
        "host-mismatch": [(name, edge.mint(PATH, TEMPLATE, host="another.example"))],
    }
    origin = Origin()
    guarded = FastgateMiddleware(origin, edge.settings())
    responses = [
        await call(guarded, scope_of(edge, headers=headers)) for headers in attempts.values()
    ]
    assert all(response == responses[0] for response in responses)
    assert caplog.messages == [f"refused: {code}" for code in attempts]
    assert origin.seen == []


@pytest.mark.parametrize("forged_first", [True, False])
async def test_a_good_header_beside_a_forged_one_is_refused(edge: Edge, forged_first: bool) -> None:
    name = b"fastgate-identity"
    headers = [(name, b"forged"), (b"Fastgate-Identity", edge.mint(PATH, TEMPLATE))]
    scope = scope_of(edge, headers=headers if forged_first else headers[::-1])
    sent = await call(FastgateMiddleware(Origin(), edge.settings()), scope)
    assert sent[0]["status"] == 401


async def test_the_underscore_spelling_alone_is_not_read(edge: Edge) -> None:
    scope = scope_of(edge, headers=[(b"fastgate_identity", edge.mint(PATH, TEMPLATE))])
    sent = await call(FastgateMiddleware(Origin(), edge.settings()), scope)
    assert sent[0]["status"] == 401


@pytest.mark.parametrize(
    "change",
    [
        {"raw_path": ..., "path": "/orders/8"},
        {"raw_path": None, "path": "/orders/%37"},
        {"raw_path": "/orders/7"},
        {"raw_path": b""},
        {"raw_path": b"/orders/\xff"},
        {"path": "/admin"},
        {"raw_path": b"/orders/%37"},
    ],
)
async def test_the_routed_path_must_be_the_judged_path(
    edge: Edge, change: dict[str, object]
) -> None:
    sent = await call(FastgateMiddleware(Origin(), edge.settings()), scope_of(edge, **change))
    assert sent[0]["status"] == 401


@pytest.mark.parametrize("raw_path", [..., None])
async def test_a_server_without_raw_path_is_judged_by_the_decoded_path(
    edge: Edge, raw_path: object
) -> None:
    guarded = FastgateMiddleware(Origin(), edge.settings())
    for signed in ("/orders/7", "/orders/%37"):
        headers = [(b"fastgate-identity", edge.mint(signed, TEMPLATE))]
        sent = await call(guarded, scope_of(edge, raw_path=raw_path, headers=headers))
        assert sent[0]["status"] == 200
    headers = [(b"fastgate-identity", edge.mint("/orders/8", TEMPLATE))]
    sent = await call(guarded, scope_of(edge, raw_path=raw_path, headers=headers))
    assert sent[0]["status"] == 401


async def test_the_guards_own_responses_have_every_optional_asgi_member(edge: Edge) -> None:
    guarded = FastgateMiddleware(Origin(), edge.settings(ready_path="/ready"))
    sent = await call(guarded, scope_of(edge, path="/ready", raw_path=b"/ready", headers=[]))
    fields = [(b"fastgate-keys", edge.kid.encode()), (b"cache-control", b"no-store")]
    assert sent == [
        {"type": "http.response.start", "status": 204, "headers": fields},
        {"type": "http.response.body", "body": b""},
    ]


def test_on_an_unknown_event_loop_an_app_that_fetches_its_keys_does_not_start(edge: Edge) -> None:
    for settings, starts in (
        (Settings(edge=ISSUER, audience="orders"), False),
        (edge.settings(), True),
    ):
        app, sent = FastAPI(), list[Message]()
        guard(app, settings)

        async def receive() -> Message:
            return {"type": "lifespan.startup"}

        async def send(message: Message, sent: list[Message] = sent) -> None:
            sent.append(message)

        # The test drives the app without an event loop, so neither asyncio nor trio runs.
        running = app({"type": "lifespan", "state": {}}, receive, send)
        with pytest.raises(StopIteration if starts else Misplaced):
            running.send(None)
        expected = "lifespan.startup.complete" if starts else "lifespan.startup.failed"
        assert sent[0]["type"] == expected
        assert starts or "only on asyncio and trio" in sent[0]["message"]


async def test_claims_from_another_source_in_the_scope_are_overwritten(edge: Edge) -> None:
    origin = Origin()
    guarded = FastgateMiddleware(origin, edge.settings(health_path="/health"))
    forged = {"path": "/health", "raw_path": b"/health", "fastgate": "root", "headers": []}
    await call(guarded, scope_of(edge, **forged))
    assert origin.seen[0]["fastgate"] is None


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({}, 200),
        ({"method": "HEAD"}, 200),
        ({"query_string": b"full"}, 200),
        ({"method": "POST"}, 401),
        ({"path": "/health/", "raw_path": b"/health/"}, 401),
        ({"path": "/health", "raw_path": b"/he%61lth"}, 401),
        ({"path": "/me", "raw_path": b"/health"}, 401),
        ({"raw_path": ...}, 200),
        ({"path": "/health/", "raw_path": None}, 401),
    ],
)
async def test_the_health_exception_is_one_exact_path(
    edge: Edge, change: dict[str, object], status: int
) -> None:
    guarded = FastgateMiddleware(Origin(), edge.settings(health_path="/health"))
    base = {"path": "/health", "raw_path": b"/health", "headers": []}
    sent = await call(guarded, scope_of(edge, **{**base, **change}))
    assert sent[0]["status"] == status


async def test_a_health_check_does_not_pass_an_unverified_header_on(edge: Edge) -> None:
    origin = Origin()
    guarded = FastgateMiddleware(origin, edge.settings(health_path="/health"))
    await call(guarded, scope_of(edge, path="/health", raw_path=b"/health"))
    assert origin.seen[0]["headers"] == [HOST_FIELD]


async def test_a_lifespan_passes_and_an_unknown_kind_of_connection_does_not(edge: Edge) -> None:
    origin = Origin()
    guarded = FastgateMiddleware(origin, edge.settings())
    await call(guarded, {"type": "lifespan"})
    assert len(origin.seen) == 1
    with pytest.raises(NotImplementedError):
        await call(guarded, scope_of(edge, type="webtransport"))
    assert len(origin.seen) == 1


@pytest.mark.parametrize("strict", [False, True])
async def test_an_app_that_raises_on_a_lifespan_starts_as_it_would_without_a_guard(
    edge: Edge, strict: bool
) -> None:
    async def knows_requests_alone(scope: Scope, receive: Receive, send: Send) -> None:
        assert scope["type"] == "http", "no lifespan here"

    async def receive() -> Message:
        return {"type": "lifespan.startup"}

    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    guarded = FastgateMiddleware(knows_requests_alone, edge.settings(strict=strict))
    # For a strict app, the reason not to start is another one: no routes are visible.
    with pytest.raises(TypeError if strict else AssertionError):
        await guarded({"type": "lifespan"}, receive, send)
    assert [message["type"] for message in sent] == ["lifespan.startup.failed"] * strict


# WebSockets (docs/attacks.md, row G15).


def handshake(edge: Edge, **changes: object) -> Scope:
    own = [(b"fastgate-identity", edge.mint(PATH, TEMPLATE, websocket=True))]
    return scope_of(edge, type="websocket", method=..., **{"headers": own, **changes})


async def test_a_websocket_is_judged_by_its_handshake(edge: Edge) -> None:
    origin = Origin()
    assert await call(FastgateMiddleware(origin, edge.settings()), handshake(edge)) == []
    assert origin.seen[0]["fastgate"].subject == "ada"


async def test_a_header_for_a_get_opens_no_websocket_nor_the_reverse(
    edge: Edge, caplog: pytest.LogCaptureFixture
) -> None:
    app, opened = FastAPI(openapi_url=None), list[str]()

    @app.get(PATH)
    async def read() -> None:
        opened.append("read")

    @app.websocket(PATH)
    async def talk(websocket: WebSocket) -> None:
        opened.append("talk")
        await websocket.accept()

    guard(app, edge.settings())
    for scope in (scope_of, handshake):
        for websocket in (False, True):
            token = edge.mint(PATH, PATH, websocket=websocket)
            await call(app, scope(edge, headers=[(b"fastgate-identity", token)]))
    assert opened == ["read", "talk"]
    assert caplog.messages == ["refused: method-mismatch"] * 2
    signed = [record.fastgate["signed"] for record in caplog.records]  # type: ignore[attr-defined]
    assert signed == ["GET (WebSocket)", "GET"]


async def test_a_websocket_without_the_header_is_denied_with_a_problem_if_possible(
    edge: Edge,
) -> None:
    origin = Origin()
    guarded = FastgateMiddleware(origin, edge.settings())
    extensions: dict[str, object] = {"websocket.http.response": {}}
    start, body = await call(guarded, handshake(edge, headers=[], extensions=extensions))
    assert (start["type"], start["status"]) == ("websocket.http.response.start", 401)
    assert body["type"] == "websocket.http.response.body"
    assert json.loads(body["body"])["status"] == 401
    (close,) = await call(guarded, handshake(edge, headers=[], extensions=None))
    assert (close["type"], close["code"]) == ("websocket.close", 1008)
    assert origin.seen == []


# Keys (rows G10, G11 and G12).


def fetching(server: JwksServer) -> Settings:
    return Settings(edge=ISSUER, audience="orders", jwks_url=server.url)


async def test_without_keys_the_response_is_503_with_retry_after(
    edge: Edge, jwks_server: JwksServer, caplog: pytest.LogCaptureFixture
) -> None:
    jwks_server.body = b"<!doctype html>"
    origin = Origin()
    async with client(FastgateMiddleware(origin, fetching(jwks_server))) as http:
        response = await http.get(PATH, headers=edge.headers(PATH, TEMPLATE))
    assert response.status_code == 503
    assert response.json()["type"] == "urn:fastgate:problem:unavailable"
    assert int(response.headers["retry-after"]) > 0
    assert response.headers["content-type"] == "application/problem+json"
    assert response.headers["cache-control"] == "no-store"
    assert ("fastgate", logging.ERROR, "refused: keys-unavailable") in caplog.record_tuples
    assert origin.seen == []


async def test_the_origin_is_ready_when_it_has_keys_and_not_before(
    edge: Edge, jwks_server: JwksServer
) -> None:
    settings = Settings(
        edge=ISSUER, audience="orders", jwks_url=jwks_server.url, ready_path="/ready"
    )
    jwks_server.body = b""
    origin = Origin()
    async with client(FastgateMiddleware(origin, settings)) as http:
        assert (await http.get("/ready")).status_code == 503
        assert (await http.get("/ready")).status_code == 503
        assert jwks_server.hits == 1, "readiness checks do not decide how often keys are fetched"
    jwks_server.publish(edge.jwks)
    async with client(FastgateMiddleware(origin, settings)) as http:
        for method, path, status in [
            *(("GET", "/ready", 204), ("HEAD", "/ready", 204), ("POST", "/ready", 401)),
            *(("GET", "/ready/", 401), ("GET", "/read%79", 401), ("GET", PATH, 401)),
        ]:
            assert (await http.request(method, path)).status_code == status, (method, path)
    assert origin.seen == []


async def test_a_request_without_a_header_causes_no_fetch_of_keys(jwks_server: JwksServer) -> None:
    async with client(FastgateMiddleware(Origin(), fetching(jwks_server))) as http:
        await http.get(PATH)
    assert jwks_server.hits == 0


async def test_invented_kids_cause_only_one_additional_fetch(
    edge: Edge, jwks_server: JwksServer
) -> None:
    async with client(FastgateMiddleware(Origin(), fetching(jwks_server))) as http:
        assert (await http.get(PATH, headers=edge.headers(PATH, TEMPLATE))).is_success
        forged = [Edge().headers(PATH, TEMPLATE) for _ in range(20)]
        responses = await asyncio.gather(*(http.get(PATH, headers=header) for header in forged))
    assert {response.status_code for response in responses} == {401}
    assert jwks_server.hits == 2


async def test_no_request_fails_while_the_edge_rotates_its_key(
    edge: Edge, jwks_server: JwksServer
) -> None:
    old, new = edge, Edge()
    async with client(FastgateMiddleware(Origin(), fetching(jwks_server))) as http:

        async def succeeds(signer: Edge) -> bool:
            return (await http.get(PATH, headers=signer.headers(PATH, TEMPLATE))).is_success

        assert await succeeds(old)
        jwks_server.publish(old.jwks, new.jwks)
        assert await succeeds(old)
        assert await succeeds(new)
        assert await succeeds(old), "a header of the old key is still on its way"


# A whole FastAPI app (rows G15 and G16).


@pytest.fixture
def app(edge: Edge, tmp_path: Path) -> FastAPI:
    (tmp_path / "logo.txt").write_text("a logo")
    app, mounted = FastAPI(), FastAPI()
    app.state.written = []

    @mounted.get("/inside")
    async def inside() -> str:
        return "inside"

    @app.get("/later")
    async def later(tasks: BackgroundTasks, request: Request) -> str:
        tasks.add_task(lambda: app.state.written.append(request.scope["fastgate"].subject))
        return "soon"

    @app.get("/broken")
    async def broken() -> None:
        raise KeyError("broken")

    @app.exception_handler(KeyError)
    async def explain(request: Request, _error: Exception) -> PlainTextResponse:
        return PlainTextResponse(f"sorry, {request.scope['fastgate'].subject}", 500)

    @app.websocket("/socket")
    async def socket(websocket: WebSocket) -> None:
        await websocket.accept()

    app.mount("/mounted", mounted)
    app.mount("/static", StaticFiles(directory=tmp_path))
    guard(app, edge.settings())
    return app


@pytest.mark.parametrize(
    "path",
    [
        *("/later", "/broken", "/mounted/inside", "/static/logo.txt", "/nowhere"),
        *("/docs", "/redoc", "/openapi.json"),
    ],
)
async def test_no_path_of_an_app_bypasses_the_guard(app: FastAPI, edge: Edge, path: str) -> None:
    template = "/static/{path:path}" if path.startswith("/static") else path
    async with client(app) as http:
        refused = await http.get(path)
        response = await http.get(path, headers=edge.headers(path, template))
    assert refused.status_code == 401
    assert refused.json()["type"] == "urn:fastgate:problem:not-from-the-edge"
    assert response.status_code in {200, 404, 500}
    assert app.state.written == (["ada"] if path == "/later" else [])
    if path == "/broken":
        assert response.text == "sorry, ada"


async def test_a_forgotten_override_does_not_bypass_the_guard(app: FastAPI) -> None:
    app.debug = True
    app.dependency_overrides.clear()
    app.dependency_overrides[guard] = lambda: None
    async with client(app) as http:
        assert (await http.get("/later", headers={HEADER: "x"})).status_code == 401


async def test_replaced_keys_apply_from_the_next_request(edge: Edge) -> None:
    guarded = FastgateMiddleware(Origin(), edge.settings())
    async with client(guarded) as http:
        headers = edge.headers(PATH, TEMPLATE)
        assert (await http.get(PATH, headers=headers)).status_code == 200
        guarded.keys = StaticKeys({})
        assert guarded.keys is guarded.startup.keys
        assert (await http.get(PATH, headers=headers)).status_code != 200


# The host.


@pytest.mark.parametrize(
    ("hosts", "status"),
    [
        ([HOST_FIELD], 200),
        ([(b"Host", HOST_FIELD[1])], 200),
        ([], 401),
        ([HOST_FIELD, HOST_FIELD], 401),
        ([HOST_FIELD, (b"Host", b"another.example")], 401),
        ([(b"host", b"another.example"), HOST_FIELD], 401),
        ([(b"x-forwarded-host", HOST_FIELD[1])], 401),
    ],
)
@pytest.mark.parametrize("kind", ["http", "websocket"])
async def test_a_request_has_exactly_one_host(
    edge: Edge,
    caplog: pytest.LogCaptureFixture,
    kind: str,
    hosts: list[tuple[bytes, bytes]],
    status: int,
) -> None:
    origin, scope = Origin(), scope_of(edge) if kind == "http" else handshake(edge)
    scope["headers"] = [*hosts, *scope["headers"][1:]]
    await call(FastgateMiddleware(origin, edge.settings()), scope)
    assert len(origin.seen) == (status == 200)
    assert caplog.messages == ["refused: host-mismatch"] * (status == 401)


async def test_the_host_is_the_signed_one_except_in_a_handshake(
    edge: Edge, caplog: pytest.LogCaptureFixture
) -> None:
    origin = Origin()
    for scope in (scope_of(edge), handshake(edge)):
        scope["headers"] = [(b"host", b"another.example"), *scope["headers"][1:]]
        await call(FastgateMiddleware(origin, edge.settings()), scope)
    assert [scope["type"] for scope in origin.seen] == ["websocket"]
    assert caplog.messages == ["refused: host-mismatch"]


async def test_behind_a_backend_host_the_request_has_that_host(
    edge: Edge, caplog: pytest.LogCaptureFixture
) -> None:
    origin = Origin()
    guarded = FastgateMiddleware(origin, edge.settings(backend_host="orders.internal"))
    await call(guarded, scope_of(edge))
    assert (origin.seen, caplog.messages) == ([], ["refused: host-mismatch"])
    scope = scope_of(edge)
    scope["headers"][0] = (b"host", b"orders.internal")
    await call(guarded, scope)
    assert origin.seen[0]["fastgate"].transaction.host == HOST_FIELD[1].decode()


async def test_middleware_cannot_change_the_host_for_a_host_route(edge: Edge) -> None:
    admin = FastAPI()

    @admin.get(PATH)
    @at_edge(access="public")
    async def read_admin() -> str:
        return "admin"

    app = FastAPI()
    app.host("admin.test", admin)

    @app.get(PATH)
    @at_edge(access="public")
    async def read() -> str:
        return "orders"

    class Override:
        """Takes the host from a header of the client, as some proxies do."""

        def __init__(self, app: ASGIApp, *, in_place: bool) -> None:
            self.app, self.in_place = app, in_place

        async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] == "http" and dict(scope["headers"]).get(b"x-host"):
                fields = [(b"host", b"admin.test"), *scope["headers"][1:]]
                if self.in_place:
                    scope["headers"][:] = fields
                else:
                    scope["headers"] = fields
            await self.app(scope, receive, send)

    for in_place in (False, True):
        app.add_middleware(Override, in_place=in_place)
    guard(app, edge.settings())
    async with client(app) as http:
        headers = edge.headers(PATH, PATH)
        assert (await http.get(PATH, headers=headers)).json() == "orders"
        refused = await http.get(PATH, headers={**headers, "x-host": "1"})
    assert (refused.status_code, "admin" in refused.text) == (401, False)
