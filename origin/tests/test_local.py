"""Local development: convenient on one's own machine, and of no use anywhere else."""

import logging

import httpx
import pytest
from fastapi import FastAPI
from starlette.types import Message, Scope

from fastgate import AnyCaller, Caller, Settings, StandInCaller, guard
from tests.edge import HEADER, Edge
from tests.serving import exchange, uvicorn_serving

pytestmark = pytest.mark.anyio

ADA = StandInCaller("ada", scopes=("orders:read",), client_id="shop", country="DE")
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
        return [order_id, caller.subject, sorted(caller.scopes), caller.client_id, caller.country]

    app.mount("/{tenant}", tenant)
    guard(app, settings())
    return app


async def answered(app: FastAPI, path: str, **changes: object) -> tuple[int, bytes]:
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


async def test_every_request_of_this_machine_is_made_by_the_one_caller(app: FastAPI) -> None:
    assert await answered(app, "/acme/orders/7") == (200, b'[7,"ada",["orders:read"],"shop","DE"]')
    assert await answered(app, "/") == (200, b'"ada"')
    assert (await answered(app, "/acme/nowhere"))[0] == 404


async def test_it_says_so_loudly(app: FastAPI, caplog: pytest.LogCaptureFixture) -> None:
    await answered(app, "/")
    await answered(app, "/")
    (said,) = [record for record in caplog.records if record.name == "fastgate"]
    assert said.levelno == logging.WARNING
    assert said.getMessage().startswith("LOCAL DEVELOPMENT: nobody is checked")


@pytest.mark.parametrize(
    "changes",
    [
        {"client": ("203.0.113.7", 50_000)},
        {"client": None},
        {"server": ("0.0.0.0", 8000)},
        {"server": ("192.168.1.5", 8000)},
        {"server": ("/run/app.sock", None)},
        {"headers": [(b"host", b"evil.example")]},
        {"headers": [(b"host", b"127.0.0.1.evil.example:8000")]},
        {"headers": [(b"host", b"localhost"), (b"x-forwarded-for", b"127.0.0.1")]},
        {"headers": [(b"host", b"localhost"), (b"forwarded", b"for=127.0.0.1")]},
        {"headers": [(b"host", b"localhost"), (b"via", b"1.1 proxy")]},
        {"headers": [(b"host", b"localhost"), (b"x-real-ip", b"127.0.0.1")]},
    ],
)
async def test_what_could_come_from_elsewhere_is_refused(
    app: FastAPI, changes: dict[str, object], caplog: pytest.LogCaptureFixture
) -> None:
    assert (await answered(app, "/", **changes))[0] == 401
    assert caplog.messages[-1] == "refused: not-local"


@pytest.mark.parametrize("host", [b"localhost", b"127.0.0.1:8000", b"[::1]:8000", b"LOCALHOST"])
async def test_this_machine_has_several_names(app: FastAPI, host: bytes) -> None:
    headers = [(b"host", host)]
    addresses = {"client": ("::1", 1), "server": ("::1", 8000)}
    assert (await answered(app, "/", headers=headers, **addresses))[0] == 200


async def test_a_header_that_is_sent_is_verified_and_not_replaced(app: FastAPI, edge: Edge) -> None:
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://localhost"
    ) as http:
        answer = await http.get("/", headers={HEADER: edge.mint("/", "/").decode()})
    assert answer.status_code == 401


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
def test_it_does_not_start_beside_the_settings_of_production(changes: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="development"):
        settings(**changes)


@pytest.mark.parametrize("http", ["h11", "httptools"])
def test_it_works_under_a_real_server(app: FastAPI, http: object) -> None:
    with uvicorn_serving(app, http=http) as (host, port):  # type: ignore[arg-type]
        answer = exchange((host, port), "/acme/orders/%37?b=2", [])
        assert answer.startswith("HTTP/1.1 401"), "exchange names another host"
        local = httpx.get(f"http://{host}:{port}/acme/orders/%37?b=2", trust_env=False)
    assert local.json() == [7, "ada", ["orders:read"], "shop", "DE"]
