"""The operator learns why a request was refused; unverified clients cannot fill the log."""

import logging
import time

import httpx
import pytest
from fastapi import FastAPI

from fastgate import Caller, EdgeClaims, guard
from fastgate.claims import SCOPE_KEY
from fastgate.errors import HeaderMissing, RouteMismatch
from fastgate.refusal_log import UNVERIFIED_PER_WINDOW, WINDOW_SECONDS, RefusalLog
from tests.edge import HEADER, HOST, Edge, payload

pytestmark = pytest.mark.anyio


@pytest.fixture
def app(edge: Edge) -> FastAPI:
    app = FastAPI()

    @app.get("/orders/{order_id}")
    async def read_order(order_id: str, caller: Caller) -> str:
        return order_id

    guard(app, edge.settings())
    return app


def of(issuer: str) -> dict[str, object]:
    return {"iss": issuer, "req_wl": issuer}


async def facts(
    app: FastAPI, header: str | None, caplog: pytest.LogCaptureFixture, path: str = "/orders/7"
) -> dict[str, object]:
    """Send one request; return the facts in the log about its refusal."""
    caplog.clear()
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app, client=("10.0.0.9", 1)), base_url="http://testserver"
    ) as http:
        headers = {"X-Request-ID": "sent-along"} | ({} if header is None else {HEADER: header})
        response = await http.get(path, headers=headers)
    assert response.status_code in {401, 403}
    (record,) = caplog.records
    said = record.__dict__["fastgate"]
    assert isinstance(said, dict)
    return said


async def test_a_mismatch_names_the_signed_and_the_found_value(
    app: FastAPI, edge: Edge, caplog: pytest.LogCaptureFixture
) -> None:
    other_route = edge.mint(template="/orders/{id:int}").decode()
    assert await facts(app, other_route, caplog) == {
        "code": "route-mismatch",
        "method": "GET",
        "path": "/orders/7",
        "client": "10.0.0.9",
        "verified": True,
        "request_id": "01J9Z",
        "signed": "GET /orders/{id:int} (route read_order)",
        "found": "/orders/{order_id} (app.<locals>.read_order)",
    }


async def test_every_comparison_is_logged_with_both_values(
    app: FastAPI, edge: Edge, caplog: pytest.LogCaptureFixture
) -> None:
    now = int(time.time())
    changes: list[tuple[dict[str, object], str, str | None]] = [
        (of("https://other.example"), "https://other.example", "https://edge.example"),
        ({"aud": "billing"}, "billing", "orders"),
        ({"iat": 1, "exp": 31}, "exp 31", None),
        ({"iat": now, "exp": now + 600}, "600 seconds", None),
    ]
    for claims, signed, expected in changes:
        said = await facts(app, edge.sign(payload() | claims).decode(), caplog)
        assert (said["signed"], said["request_id"]) == (signed, "01J9Z")
        assert expected is None or said["found"] == expected
    for header, signed, found in [
        (edge.mint("/orders/8").decode(), "/orders/8", "/orders/7"),
        (edge.mint(method="POST").decode(), "POST", "GET"),
        (edge.mint(host="another.example").decode(), "another.example", HOST),
    ]:
        said = await facts(app, header, caplog)
        assert (said["signed"], said["found"]) == (signed, found)


async def test_the_log_explains_a_missing_final_slash(
    app: FastAPI, edge: Edge, caplog: pytest.LogCaptureFixture
) -> None:
    header = edge.sign(payload() | of("https://edge.example/")).decode()
    said = await facts(app, header, caplog)
    assert str(said["hint"]).endswith('write Settings(edge="https://edge.example/")')


async def test_the_log_explains_another_host(
    app: FastAPI, edge: Edge, caplog: pytest.LogCaptureFixture
) -> None:
    said = await facts(app, edge.mint(host="api.example.com").decode(), caplog)
    assert (said["code"], said["verified"]) == ("host-mismatch", True)
    assert 'Settings(backend_host="…")' in str(said["hint"])


async def test_the_record_says_that_a_request_was_not_verified(
    app: FastAPI, edge: Edge, caplog: pytest.LogCaptureFixture
) -> None:
    said = await facts(app, None, caplog)
    assert (said["code"], said["verified"]) == ("header-missing", False)
    assert said["request_id"] == "sent-along"
    other_edge = Edge()
    said = await facts(app, other_edge.mint().decode(), caplog)
    assert (said["signed"], said["found"]) == (other_edge.kid, edge.kid)


async def test_neither_token_nor_subject_nor_query_is_logged(
    app: FastAPI, edge: Edge, caplog: pytest.LogCaptureFixture
) -> None:
    token = edge.mint(query=b"secret=1").decode()
    said = str(await facts(app, token, caplog, "/orders/7?secret=2"))
    assert "secret" not in said
    assert "ada" not in said
    assert token[-40:] not in said


async def test_a_long_path_is_truncated(app: FastAPI, caplog: pytest.LogCaptureFixture) -> None:
    said = await facts(app, None, caplog, "/" + "a" * 5000)
    assert len(str(said["path"])) < 300


async def test_a_refusal_by_an_endpoint_is_logged_as_well(
    app: FastAPI, edge: Edge, caplog: pytest.LogCaptureFixture
) -> None:
    header = edge.mint_anonymous("/orders/7", "/orders/{order_id}").decode()
    said = await facts(app, header, caplog)
    assert (said["code"], said["request_id"]) == ("caller-required", "01J9Z")


async def test_unverified_clients_cannot_fill_the_log(caplog: pytest.LogCaptureFixture) -> None:
    clock = [0.0]
    log = RefusalLog(lambda: clock[0])
    scope = {"type": "http", "method": "GET", "path": "/", "headers": []}
    for _ in range(1000):
        log.write(HeaderMissing(), scope)
    assert len(caplog.records) == UNVERIFIED_PER_WINDOW
    assert caplog.records[-1].__dict__["fastgate"]["left_out_for_seconds"] == WINDOW_SECONDS
    verified = RouteMismatch()
    verified.request_id = "01J9Z"
    for _ in range(100):
        log.write(verified, {**scope, SCOPE_KEY: EdgeClaims.parse(payload())})
    assert len(caplog.records) == UNVERIFIED_PER_WINDOW + 100
    clock[0] = WINDOW_SECONDS
    log.write(HeaderMissing(), scope)
    assert caplog.records[-1].__dict__["fastgate"]["left_out_before"] == 980
    assert caplog.records[-1].levelno == logging.WARNING


@pytest.mark.parametrize(
    ("changes", "sent_to", "code"),
    [
        ({"iat": 1, "exp": 31}, "/orders/7", "expired"),
        ({}, "/orders/8", "path-mismatch"),
        ({"aud": "billing"}, "/orders/7", "audience-mismatch"),
    ],
)
async def test_a_repeated_header_cannot_fill_the_log(
    app: FastAPI,
    edge: Edge,
    caplog: pytest.LogCaptureFixture,
    changes: dict[str, object],
    sent_to: str,
    code: str,
) -> None:
    header = edge.sign(payload() | changes).decode()
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://testserver"
    ) as http:
        for _ in range(2 * UNVERIFIED_PER_WINDOW):
            assert (await http.get(sent_to, headers={HEADER: header})).status_code == 401
    assert caplog.messages == [f"refused: {code}"] * UNVERIFIED_PER_WINDOW


async def test_a_guard_without_keys_cannot_be_made_to_fill_the_log(
    edge: Edge, caplog: pytest.LogCaptureFixture
) -> None:
    app = FastAPI()
    guard(app, edge.settings(keys=None, jwks_url="http://127.0.0.1:1/none"))
    caplog.set_level(logging.ERROR)
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://testserver"
    ) as http:
        for _ in range(2 * UNVERIFIED_PER_WINDOW):
            assert (await http.get("/", headers={HEADER: edge.mint().decode()})).status_code == 503
    said = [message for message in caplog.messages if message == "refused: keys-unavailable"]
    assert len(said) == UNVERIFIED_PER_WINDOW
