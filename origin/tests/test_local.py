"""Local development: convenient on the developer's machine, and unusable elsewhere."""

import logging
import socket
from pathlib import Path
from typing import Any, Literal

import httpx
import pytest
from fastapi import FastAPI
from starlette.types import Message, Scope

from fastgate import AnyCaller, Caller, LocalCaller, Settings, guard
from fastgate.refusal_log import UNVERIFIED_PER_WINDOW
from fastgate.testing import AsCaller
from tests.edge import HEADER, Edge
from tests.serving import exchange, uvicorn_serving

pytestmark = pytest.mark.anyio

ADA = LocalCaller("ada", scopes=("orders:read",), client_id="shop", country="DE")
LOOPBACK = "http://127.0.0.1:7676"


def settings(**changes: object) -> Settings:
    members = {"edge": LOOPBACK, "audience": "orders", "local_caller": ADA, **changes}
    return Settings(**members)  # type: ignore[arg-type]


@pytest.fixture
def app() -> FastAPI:
    app, tenant = FastAPI(openapi_url=None), FastAPI(openapi_url=None)

    @app.get("/")
    async def welcome(caller: AnyCaller) -> str:
        return caller.subject if caller else "stranger"

    @tenant.get("/orders/{order_id:int}")
    async def read(order_id: int, caller: Caller) -> list[object]:
        return [
            order_id,
            caller.subject,
            sorted(caller.scopes),
            caller.client_id,
            caller.client.country,
        ]

    app.mount("/{tenant}", tenant)
    guard(app, settings())
    return app


async def status_and_body(app: FastAPI, path: str, **changes: object) -> tuple[int, bytes]:
    """Call the app as a server would; return status and body."""
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request"}

    async def send(message: Message) -> None:
        sent.append(message)

    scope: Scope = {
        "type": "http",
        "method": "GET",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"a=1",
        "headers": [(b"host", b"localhost:8000")],
        "client": ("127.0.0.1", 50_000),
        "server": ("127.0.0.1", 8000),
    }
    await app({**scope, **changes}, receive, send)
    return sent[0]["status"], b"".join(message.get("body", b"") for message in sent)


async def test_every_request_from_this_machine_has_the_local_caller(app: FastAPI) -> None:
    assert await status_and_body(app, "/acme/orders/7") == (
        200,
        b'[7,"ada",["orders:read"],"shop","DE"]',
    )
    assert await status_and_body(app, "/") == (200, b'"ada"')
    assert (await status_and_body(app, "/acme/nowhere"))[0] == 404


async def test_the_start_logs_a_warning(app: FastAPI, caplog: pytest.LogCaptureFixture) -> None:
    await status_and_body(app, "/")
    await status_and_body(app, "/")
    (said,) = [record for record in caplog.records if record.name == "fastgate"]
    assert said.levelno == logging.WARNING
    assert said.getMessage().startswith("LOCAL DEVELOPMENT: no caller is checked")


@pytest.mark.parametrize(
    "changes",
    [
        {"client": ("203.0.113.7", 50_000)},
        {"client": None},
        {"server": ("0.0.0.0", 8000)},
        {"server": ("192.168.1.5", 8000)},
        {"server": ("/run/app.sock", None)},  # with a client that came over a network
        {"server": ("app.sock", None), "client": None},
        {"headers": [(b"host", b"localhost"), (b"origin", b"https://evil.example")]},
        {"headers": [(b"host", b"localhost"), (b"origin", b"null")]},
        {"headers": [(b"host", b"localhost"), (b"origin", b"http://localhost.evil.example")]},
        {"headers": [(b"host", b"localhost"), (b"origin", b"http://[::1")]},
        {"headers": [(b"host", b"localhost"), (b"referer", b"https://evil.example/page")]},
        {"headers": [(b"host", b"localhost"), (b"sec-fetch-site", b"cross-site")]},
        {"headers": [(b"host", b"localhost"), (b"Sec-Fetch-Site", b"same-site")]},
        {"client": ("172.17.0.1", 50_000)},
        {"headers": [(b"host", b"api:8000")]},
        {"headers": [(b"host", b"evil.example")]},
        {"headers": [(b"host", b"127.0.0.1.evil.example:8000")]},
        {"headers": [(b"host", b"[::1]evil.example")]},
        {"headers": [(b"host", b"::1")]},
        {"headers": [(b"host", b"localhost:evil.example")]},
        {"headers": [(b"host", b"localhost"), (b"x-forwarded-for", b"127.0.0.1")]},
        {"headers": [(b"host", b"localhost"), (b"forwarded", b"for=127.0.0.1")]},
        {"headers": [(b"host", b"localhost"), (b"via", b"1.1 proxy")]},
        {"headers": [(b"host", b"localhost"), (b"x-real-ip", b"127.0.0.1")]},
        {"headers": [(b"host", b"localhost"), (b"CF-Connecting-IP", b"127.0.0.1")]},
        {"headers": [(b"host", b"localhost"), (b"cdn-loop", b"Fastly")]},
        {"headers": [(b"host", b"localhost"), (b"true-client-ip", b"127.0.0.1")]},
        {"headers": [(b"host", b"localhost"), (b"x-amzn-trace-id", b"Root=1")]},
        {"headers": []},
        {"headers": [(b"host", b"localhost"), (b"Host", b"localhost")]},
        {"http_version": "1.0"},
        {"http_version": "0.9"},
    ],
)
async def test_a_request_that_could_come_from_elsewhere_is_refused(
    app: FastAPI, changes: dict[str, object], caplog: pytest.LogCaptureFixture
) -> None:
    assert (await status_and_body(app, "/", **changes))[0] == 401
    assert caplog.messages[-1] == "refused: not-local"


@pytest.mark.parametrize(
    "host",
    [b"localhost", b"127.0.0.1:8000", b"[::1]:8000", b"LOCALHOST", b"shop.localhost:8000"],
)
async def test_this_machine_has_several_names(app: FastAPI, host: bytes) -> None:
    headers = [(b"host", host)]
    addresses = {"client": ("::1", 1), "server": ("::1", 8000)}
    assert (await status_and_body(app, "/", headers=headers, **addresses))[0] == 200


@pytest.mark.parametrize(
    "fields",
    [
        [(b"origin", b"http://localhost:3000")],
        [(b"origin", b"http://localhost:3000"), (b"sec-fetch-site", b"cross-site")],
        [(b"origin", b"https://shop.localhost")],
        [(b"origin", b"http://[::1]:3000")],
        [(b"referer", b"http://127.0.0.1:3000/page"), (b"sec-fetch-site", b"same-site")],
        [(b"sec-fetch-site", b"none")],
        [(b"sec-fetch-site", b"same-origin")],
    ],
)
async def test_pages_of_this_machine_may_send_requests(
    app: FastAPI, fields: list[tuple[bytes, bytes]]
) -> None:
    headers = [(b"host", b"127.0.0.1:8000"), *fields]
    assert (await status_and_body(app, "/", headers=headers))[0] == 200


async def test_a_unix_socket_is_on_this_machine(app: FastAPI) -> None:
    addresses = {"client": None, "server": ("/run/app.sock", None)}
    assert (await status_and_body(app, "/", **addresses))[0] == 200
    foreign = [(b"host", b"localhost"), (b"origin", b"https://evil.example")]
    assert (await status_and_body(app, "/", headers=foreign, **addresses))[0] == 401


async def test_a_container_is_local_if_its_network_and_name_are_configured() -> None:
    app = FastAPI()
    guard(app, settings(local_networks=("172.17.0.0/16",), local_hosts=("api",)))
    addresses = {"client": ("172.17.0.1", 50_000), "server": ("::ffff:172.17.0.2", 8000)}
    for host, status in [(b"localhost:8000", 404), (b"api:8000", 404), (b"evil.example", 401)]:
        headers = [(b"host", host)]
        assert (await status_and_body(app, "/", headers=headers, **addresses))[0] == status
    elsewhere = {**addresses, "client": ("172.18.0.1", 50_000)}
    assert (await status_and_body(app, "/", **elsewhere))[0] == 401


async def test_a_local_refusal_explains_what_to_change(
    app: FastAPI, caplog: pytest.LogCaptureFixture
) -> None:
    await status_and_body(app, "/", client=("172.17.0.1", 50_000))
    said = "not local: the client's address '172.17.0.1' is not in Settings.local_networks"
    assert said in caplog.messages
    for _ in range(2 * UNVERIFIED_PER_WINDOW):
        await status_and_body(app, "/", client=("172.17.0.1", 50_000))
    assert caplog.messages.count(said) == UNVERIFIED_PER_WINDOW


@pytest.mark.parametrize("http", ["h11", "httptools"])
def test_a_proxy_that_leaves_no_trace_but_its_version_is_refused(
    app: FastAPI, http: Literal["h11", "httptools"]
) -> None:
    # The request that nginx sends by `proxy_pass http://127.0.0.1:8000` without other directives.
    with uvicorn_serving(app, http=http) as address:
        for version, status in (("1.0", b"401"), ("1.1", b"200")):
            with socket.create_connection(address, timeout=30) as connection:
                fields = f"Host: {address[0]}:{address[1]}\r\nConnection: close"
                connection.sendall(f"GET / HTTP/{version}\r\n{fields}\r\n\r\n".encode())
                assert connection.recv(64).split(b" ")[1] == status


async def test_a_request_may_choose_its_caller() -> None:
    app = FastAPI()

    @app.get("/")
    async def welcome(caller: AnyCaller) -> str:
        return caller.subject if caller else "stranger"

    bob = LocalCaller("bob")
    guard(app, settings(local_callers={"bob": bob}))
    for fields, subject in [
        ([], "ada"),
        ([(b"fastgate-local-caller", b"bob")], "bob"),
        ([(b"fastgate-local-caller", b"anonymous")], "stranger"),
        ([(b"authorization", b"bearer bob")], "bob"),
        ([(b"authorization", b"Bearer eyJ.e30.x")], "ada"),
    ]:
        headers = [(b"host", b"localhost"), *fields]
        assert await status_and_body(app, "/", headers=headers) == (200, f'"{subject}"'.encode())
    wrong = [(b"host", b"localhost"), (b"fastgate-local-caller", b"eve")]
    assert (await status_and_body(app, "/", headers=wrong))[0] == 401


async def test_a_request_that_chooses_no_caller_is_anonymous_without_a_default() -> None:
    app = FastAPI()

    @app.get("/")
    async def welcome(caller: AnyCaller) -> str:
        return caller.subject if caller else "stranger"

    guard(app, settings(local_caller=None, local_callers={"bob": LocalCaller("bob")}))
    assert await status_and_body(app, "/") == (200, b'"stranger"')


def test_an_app_in_local_mode_can_be_tested_as_any_caller(
    app: FastAPI, as_caller: AsCaller
) -> None:
    assert as_caller(app, sub="eve").get("/").json() == "eve"
    assert as_caller(app).get("/").json() == "stranger"


async def test_a_header_that_is_sent_is_verified_and_not_replaced(app: FastAPI, edge: Edge) -> None:
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://localhost"
    ) as http:
        response = await http.get("/", headers={HEADER: edge.mint("/", "/").decode()})
    assert response.status_code == 401


@pytest.mark.parametrize(
    "changes",
    [
        {"local_networks": ("0.0.0.0/0",)},
        {"local_networks": ("203.0.113.0/24",)},
        {"local_networks": ("::/0",)},
        {"local_networks": ("docker",)},
        {"local_callers": {"anonymous": ADA}},
        {"local_caller": None, "local_networks": ("10.0.0.0/8",)},
    ],
)
def test_wrong_local_settings_are_refused(changes: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="local_"):
        settings(**changes)


@pytest.mark.parametrize(
    "changes",
    [
        {"edge": "https://api.example.com"},
        {"edge": "http://127.0.0.1.evil.example"},
        {"edge": "api"},
        {"jwks_url": "https://api.example.com/jwks"},
        {"keys": {"keys": []}},
    ],
)
def test_local_callers_exclude_settings_of_production(changes: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="development"):
        settings(**changes)


def test_local_callers_work_on_a_unix_socket(app: FastAPI, tmp_path: Path) -> None:
    path = str(tmp_path / "app.sock")
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen()
    with (
        uvicorn_serving(app, listener=listener),
        httpx.Client(transport=httpx.HTTPTransport(uds=path)) as http,
    ):
        assert http.get("http://localhost/").json() == "ada"
        assert http.get("http://evil.example/").status_code == 401


@pytest.mark.parametrize("http", ["h11", "httptools"])
def test_signed_bodies_work_under_a_real_server(app: FastAPI, http: object) -> None:
    with uvicorn_serving(app, http=http) as (host, port):  # type: ignore[arg-type]
        response = exchange((host, port), "/acme/orders/%37?b=2", [])
        assert response.startswith("HTTP/1.1 401"), "exchange names another host"
        local = httpx.get(f"http://{host}:{port}/acme/orders/%37?b=2", trust_env=False)
    assert local.json() == [7, "ada", ["orders:read"], "shop", "DE"]


async def test_in_local_development_the_host_is_the_clients() -> None:
    """There is no backend that could override it, although the settings name one."""
    app = FastAPI(openapi_url=None)
    app.add_api_route("/", lambda: "served")
    guard(app, settings(backend_host="orders.internal"))
    assert (await status_and_body(app, "/"))[0] == 200


@pytest.mark.parametrize("bound", ["A" * 43, {"jkt": "A" * 43}, True])
def test_a_confirmation_of_another_type_is_an_error(bound: Any) -> None:  # noqa: ANN401
    with pytest.raises(ValueError, match=r"write confirmation=Confirmation\(jkt=…\)"):
        LocalCaller("ada", confirmation=bound)
