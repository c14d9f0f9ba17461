"""End to end over real sockets: uvicorn with both of its parsers, and the edge's published keys."""

from collections.abc import Iterator
from functools import partial
from typing import Literal

import pytest
from fastapi import FastAPI, WebSocket
from websockets.exceptions import InvalidStatus

from fastgate import Caller, Settings, guard
from tests.edge import HEADER, ISSUER, Edge
from tests.serving import JwksServer, exchange, open_socket, uvicorn_serving

Address = tuple[str, int]


@pytest.fixture(params=["h11", "httptools"])
def address(request: pytest.FixtureRequest, jwks_server: JwksServer) -> Iterator[Address]:
    app = FastAPI()

    @app.get("/orders/{order_id}")
    async def read_order(order_id: str, caller: Caller) -> str:
        return f"{order_id} for {caller.subject}"

    @app.websocket("/socket")
    async def socket(websocket: WebSocket, caller: Caller) -> None:
        await websocket.accept()
        await websocket.send_text(caller.subject)

    guard(app, Settings(edge=ISSUER, audience="orders", jwks_url=jwks_server.url))
    http: Literal["h11", "httptools"] = request.param
    with uvicorn_serving(app, http=http) as served:
        yield served


def status(response: str) -> int:
    return int(response.split(" ", 2)[1])


def test_the_signed_path_is_the_path_on_the_wire(address: Address, edge: Edge) -> None:
    for raw, decoded in [
        ("/orders/7", "7"),
        ("/orders/%37", "7"),
        ("/orders/caf%C3%A9", "caf\u00e9"),
        ("/orders/a%20b~!$&'()*+,;=:@", "a b~!$&'()*+,;=:@"),
    ]:
        header = edge.mint(raw, "/orders/{order_id}").decode()
        response = exchange(address, raw, [(HEADER, header)])
        assert status(response) == 200, raw
        assert f'"{decoded} for ada"' in response


def test_another_spelling_of_the_signed_path_is_refused(address: Address, edge: Edge) -> None:
    header = edge.mint("/orders/7", "/orders/{order_id}").decode()
    for raw in (
        "/orders/%37",
        "/orders/7/",
        "//orders/7",
        "/x/../orders/7",
        "/orders%2f7",
        "/orders/7?a=1",
        "http://testserver/orders/%37",
    ):
        assert status(exchange(address, raw, [(HEADER, header)])) in {400, 401}, raw


def test_the_signed_query_is_the_query_on_the_wire(address: Address, edge: Edge) -> None:
    header = edge.mint("/orders/7", "/orders/{order_id}", query=b"a=%31&a=2?").decode()
    assert status(exchange(address, "/orders/7?a=%31&a=2?", [(HEADER, header)])) == 200
    for query in ("", "?", "?a=1&a=2?", "?a=2?&a=%31", "?a=%31&a=2?&"):
        assert status(exchange(address, "/orders/7" + query, [(HEADER, header)])) == 401, query


def test_two_headers_are_refused_in_any_form(address: Address, edge: Edge) -> None:
    good = edge.mint().decode()
    for headers in (
        [],
        [(HEADER, good), (HEADER, good)],
        [(HEADER, good), (HEADER.upper(), "forged")],
        [(HEADER, "forged"), (HEADER.lower(), good)],
        [(HEADER, f"{good}, {good}")],
        [(HEADER, f"{good},forged")],
        [("Fastgate_Identity", good)],
        [(HEADER, "")],
    ):
        response = exchange(address, "/orders/7", headers)
        assert status(response) == 401, headers
        assert "application/problem+json" in response
    assert status(exchange(address, "/orders/7", [(HEADER, good)])) == 200


def test_a_header_as_large_as_it_may_be_still_arrives(address: Address, edge: Edge) -> None:
    largest = edge.mint(scope="s" * 5300)
    assert 7500 < len(largest) <= 8192
    assert status(exchange(address, "/orders/7", [(HEADER, largest.decode())])) == 200


def test_a_websocket_passes_with_the_header_and_not_without(address: Address, edge: Edge) -> None:
    at = partial(open_socket, address, "/socket")
    own = edge.headers("/socket", "/socket", websocket=True)
    with at(additional_headers=own) as websocket:
        assert websocket.recv() == "ada"
    for headers, expected in [
        ({}, 401),
        (edge.headers("/orders/7", "/orders/{order_id}", websocket=True), 401),
        (edge.headers("/socket", "/{other}", websocket=True), 401),
        (edge.headers("/socket", "/socket"), 401),
    ]:
        with pytest.raises(InvalidStatus) as denied:
            at(additional_headers=headers)
        assert denied.value.response.status_code == expected
