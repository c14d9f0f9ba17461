"""A root path of the server or of the app: what was signed runs, and nothing else."""

from typing import Literal
from urllib.parse import unquote

import httpx
import pytest
from fastapi import FastAPI, Request, WebSocket
from starlette.types import Scope
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from fastgate import Caller, StandInCaller, guard
from fastgate.root_path import root_path_at
from fastgate.route import PREFIX_KEY, Prefix
from tests.edge import HEADER, Edge
from tests.serving import exchange, uvicorn_serving


def shop(edge: Edge) -> FastAPI:
    app = FastAPI()

    @app.get("/orders/{order_id}", name="order")
    async def read_order(order_id: str, request: Request, caller: Caller) -> str:
        return request.url_for("order", order_id=order_id).path

    @app.get("/gw/orders/{order_id}")
    async def another(order_id: str, caller: Caller) -> str:
        return "another"

    @app.websocket("/socket")
    async def socket(websocket: WebSocket, caller: Caller) -> None:
        await websocket.accept()
        await websocket.send_text(caller.subject)

    guard(app, edge.settings())
    return app


@pytest.mark.parametrize("http", ["h11", "httptools"])
def test_the_servers_root_path_is_not_what_was_on_the_wire(
    edge: Edge, http: Literal["h11", "httptools"]
) -> None:
    with uvicorn_serving(shop(edge), http=http, root_path="/gw") as address:
        for path in ("/orders/7", "/orders/caf%C3%A9"):
            header = edge.mint(path, "/orders/{order_id}").decode()
            answer = exchange(address, path, [(HEADER, header)])
            assert answer.startswith("HTTP/1.1 200"), answer
            assert "/gw/orders/" in answer, "the app's own URLs have the prefix"
        for path, signed, template in [
            ("/orders/8", "/orders/7", "/orders/{order_id}"),
            ("/orders/7", "/orders/7", "/gw/orders/{order_id}"),
            ("/gw/orders/7", "/orders/7", "/orders/{order_id}"),
            ("/orders/%37", "/orders/7", "/orders/{order_id}"),
        ]:
            header = edge.mint(signed, template).decode()
            answer = exchange(address, path, [(HEADER, header)])
            assert answer.startswith("HTTP/1.1 401"), (path, signed)
        url = f"ws://{address[0]}:{address[1]}/socket"
        with connect(
            url, additional_headers=edge.headers("/socket", "/socket", websocket=True)
        ) as websocket:
            assert websocket.recv() == "ada"
        with pytest.raises(InvalidStatus):
            connect(url, additional_headers=edge.headers("/socket", "/gw/socket", websocket=True))


@pytest.mark.parametrize("own", ["", "/gw"])
def test_a_local_caller_works_below_a_root_path(edge: Edge, own: str) -> None:
    app = FastAPI()
    app.root_path = own

    @app.get("/me")
    async def read_me(caller: Caller) -> str:
        return caller.subject

    local = {"edge": "http://127.0.0.1", "keys": None, "local_caller": StandInCaller("ada")}
    guard(app, edge.settings(**local))
    with uvicorn_serving(app, root_path="/gw") as (host, port):
        address = f"http://{host}:{port}"
        assert httpx.get(f"{address}/me", trust_env=False).json() == "ada"


def test_a_signed_prefix_stays(edge: Edge) -> None:
    app = shop(edge)
    app.root_path = "/gw"
    with uvicorn_serving(app) as (host, port), httpx.Client(trust_env=False) as http:
        url = f"http://{host}:{port}/gw/orders/7"
        good = edge.headers("/gw/orders/7", "/gw/orders/{order_id}")
        assert http.get(url, headers=good).json() == "/gw/orders/7"


def test_forwarded_fields_are_believed_for_links_and_never_for_passage(edge: Edge) -> None:
    app = FastAPI()

    @app.get("/here")
    async def here(request: Request, caller: Caller) -> list[str]:
        assert request.client
        return [str(request.url_for("here")), request.client.host]

    guard(app, edge.settings())
    fields = [("X-Forwarded-Proto", "https"), ("X-Forwarded-For", "203.0.113.7")]
    header = (HEADER, edge.mint("/here", "/here").decode())
    with uvicorn_serving(app, forwarded_allow_ips="*") as address:
        answer = exchange(address, "/here", [header, *fields])
        assert '["https://origin.example/here","203.0.113.7"]' in answer
        assert exchange(address, "/here", fields).startswith("HTTP/1.1 401")


@pytest.mark.parametrize(
    ("root", "raw_path", "expected"),
    [
        ("", "/x", ()),
        # Perhaps a proxy has taken it off.
        ("/gw", "/x", (b"/gw/x",)),
        ("/gw", "/gwx", (b"/gw/gwx",)),
        # Perhaps the server has put it in front.
        ("/gw", "/gw", ()),
        ("/gw", "/gw/x", (b"/x",)),
        ("/gw", "/gw/gw/x", (b"/gw/x",)),
        ("/gw/", "/gw//x", (b"/x",)),
        ("/gw", "/%67w/x", ()),
        ("/g%77", "/g%77/x", ()),
        ("/caf\u00e9", "/x", ()),
    ],
)
def test_only_a_whole_root_path_is_one(
    root: str, raw_path: str, expected: tuple[bytes, ...]
) -> None:
    raw = raw_path.encode()
    scope: Scope = {"root_path": root, "raw_path": raw, "path": unquote(raw_path)}
    assert root_path_at(scope, None).other_paths(raw) == expected
    scope[PREFIX_KEY] = Prefix("", "")
    assert root_path_at(scope, None).other_paths(raw) == (), "below a mount it is the mount's own"
