"""A root path of the server or of the app: only the signed route runs."""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Literal
from urllib.parse import unquote

import httpx
import pytest
from fastapi import APIRouter, FastAPI, Request, WebSocket
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send
from websockets.exceptions import InvalidStatus

from fastgate import Caller, FastgateMiddleware, LocalCaller, at_edge, guard
from fastgate.claims import Transaction
from fastgate.compile.policy import CannotCompile, compile_routes
from fastgate.errors import Refused
from fastgate.routes.check import RouteCheck, check_for
from fastgate.routes.prefix import AGAIN, Base, Prefix
from fastgate.routes.root_path import arrival_of, prefix_of_late_app, signed_scope
from tests.edge import HEADER, HOST, Edge
from tests.serving import exchange, open_socket, uvicorn_serving


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
def test_the_servers_root_path_was_not_on_the_wire(
    edge: Edge, http: Literal["h11", "httptools"]
) -> None:
    with uvicorn_serving(shop(edge), http=http, root_path="/gw") as address:
        for path in ("/orders/7", "/orders/caf%C3%A9"):
            header = edge.mint(path, "/orders/{order_id}").decode()
            response = exchange(address, path, [(HEADER, header)])
            assert response.startswith("HTTP/1.1 200"), response
            assert "/gw/orders/" in response, "the app's own URLs have the prefix"
        for path, signed, template in [
            ("/orders/8", "/orders/7", "/orders/{order_id}"),
            ("/orders/7", "/orders/7", "/gw/orders/{order_id}"),
            ("/gw/orders/7", "/orders/7", "/orders/{order_id}"),
            ("/orders/%37", "/orders/7", "/orders/{order_id}"),
        ]:
            header = edge.mint(signed, template).decode()
            response = exchange(address, path, [(HEADER, header)])
            assert response.startswith("HTTP/1.1 401"), (path, signed)
        at = partial(open_socket, address, "/socket")
        own = edge.headers("/socket", "/socket", websocket=True)
        with at(additional_headers=own) as websocket:
            assert websocket.recv() == "ada"
        with pytest.raises(InvalidStatus):
            at(additional_headers=edge.headers("/socket", "/gw/socket", websocket=True))


@pytest.mark.parametrize("own", ["", "/gw"])
def test_a_local_caller_works_below_a_root_path(edge: Edge, own: str) -> None:
    app = FastAPI()
    app.root_path = own

    @app.get("/me")
    async def read_me(caller: Caller) -> str:
        return caller.subject

    local = {"edge": "http://127.0.0.1", "keys": None, "local_caller": LocalCaller("ada")}
    guard(app, edge.settings(**local))
    with uvicorn_serving(app, root_path="/gw") as (host, port):
        address = f"http://{host}:{port}"
        assert httpx.get(f"{address}/me", trust_env=False).json() == "ada"


def test_a_signed_prefix_stays(edge: Edge) -> None:
    app = shop(edge)
    app.root_path = "/gw"
    with uvicorn_serving(app) as (host, port), httpx.Client(trust_env=False) as http:
        url = f"http://{host}:{port}/gw/orders/7"
        good = {"Host": HOST, **edge.headers("/gw/orders/7", "/gw/orders/{order_id}")}
        assert http.get(url, headers=good).json() == "/gw/orders/7"


def test_forwarded_fields_affect_links_and_never_admission(edge: Edge) -> None:
    app = FastAPI()

    @app.get("/here")
    async def here(request: Request, caller: Caller) -> list[str]:
        assert request.client
        return [str(request.url_for("here")), request.client.host]

    guard(app, edge.settings())
    fields = [("X-Forwarded-Proto", "https"), ("X-Forwarded-For", "203.0.113.7")]
    header = (HEADER, edge.mint("/here", "/here").decode())
    with uvicorn_serving(app, forwarded_allow_ips="*") as address:
        response = exchange(address, "/here", [header, *fields])
        assert '["https://testserver/here","203.0.113.7"]' in response
        assert exchange(address, "/here", fields).startswith("HTTP/1.1 401")


@pytest.mark.parametrize(
    ("own", "root", "raw_path", "expected"),
    [
        ("", "", "/x", ["/x"]),
        ("", "/gw", "/x", ["/x"]),
        ("", "/gw", "/gwx", ["/gwx"]),
        ("", "/gw", "/gw/x", ["/x"]),
        ("", "/gw", "/gw/gw/x", ["/gw/x"]),
        ("", "/gw/", "/gw//x", ["/x"]),
        ("", "/gw", "/%67w/x", []),
        ("", "/g%77", "/g%77/x", ["/g%77/x"]),
        ("/gw", "", "/x", ["/x", "/gw/x"]),
        ("/gw", "/other", "/x", ["/x", "/gw/x"]),
        ("/gw", "", "/gwx", ["/gwx", "/gw/gwx"]),
        ("/gw", "", "/gw/x", ["/gw/x", "/x"]),
        ("/gw", "", "/gw/gw/x", ["/gw/gw/x"]),
        ("/caf\u00e9", "", "/x", ["/x"]),
        ("/caf\u00e9", "", "/caf%C3%A9/x", ["/caf%C3%A9/x"]),
    ],
)
def test_the_signed_path_is_the_apps_own_root_path_and_the_matched_path(
    own: str, root: str, raw_path: str, expected: list[str]
) -> None:
    app = FastAPI()
    app.root_path = own
    scope: Scope = {"root_path": root, "raw_path": raw_path.encode(), "path": unquote(raw_path)}
    before = dict(scope)
    assert arrival_of(scope, app).raw_paths == tuple(each.encode() for each in expected)
    assert scope == before
    without_raw = arrival_of({**scope, "raw_path": None}, app)
    assert set(map(unquote, expected)) <= set(without_raw.paths)


async def page() -> str:
    return "page"


async def admin() -> str:
    return "admin"


def two_pages(app: FastAPI) -> FastAPI:
    app.add_api_route("/public/admin", at_edge(access="public")(page))
    app.add_api_route("/admin", at_edge(access="authenticated")(admin))
    return app


def test_paths_below_the_servers_root_path_stay_where_they_are(edge: Edge) -> None:
    app = two_pages(FastAPI())
    guard(app, edge.settings(health_path="/health", ready_path="/ready"))
    app.add_api_route("/health", page)
    with uvicorn_serving(app, root_path="/public") as address:
        for path, expected in [("/public/admin", '"page"'), ("/admin", '"admin"')]:
            header = edge.mint(path, path).decode()
            assert exchange(address, path, [(HEADER, header)]).endswith(expected)
        # Health checks use the path that the app sees.
        assert exchange(address, "/health", []).startswith("HTTP/1.1 200")
        assert exchange(address, "/ready", []).startswith("HTTP/1.1 204")
        assert exchange(address, "/public/health", []).startswith("HTTP/1.1 401")


@pytest.mark.anyio
async def test_a_root_path_chosen_by_a_client_is_refused_and_explained(
    edge: Edge, caplog: pytest.LogCaptureFixture
) -> None:
    app = two_pages(FastAPI())
    guard(app, edge.settings())
    transport = httpx.ASGITransport(app, root_path="/public")  # as Daphne-Root-Path does
    async with httpx.AsyncClient(transport=transport, base_url="http://testserver") as http:
        response = await http.get(
            "/public/admin", headers=edge.headers("/public/admin", "/public/admin")
        )
    assert response.status_code == 401
    (facts,) = (vars(record)["fastgate"] for record in caplog.records if "fastgate" in vars(record))
    assert facts["code"] == "path-mismatch"
    assert 'root_path "/public" is not the app\'s own' in facts["hint"]


@pytest.mark.anyio
@pytest.mark.parametrize(("mount", "own"), [("/api", "/api/public"), ("", "/public")])
async def test_a_mounted_app_with_its_own_root_path_is_refused_and_reported(
    edge: Edge, mount: str, own: str
) -> None:
    app, below = FastAPI(openapi_url=None), two_pages(FastAPI(openapi_url=None))
    below.root_path = own
    app.mount(mount, below)
    with pytest.raises(CannotCompile, match="root_path"):
        compile_routes(app)
    guard(app, edge.settings())
    path = f"{mount}/public/admin"
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://testserver"
    ) as http:
        assert (await http.get(path, headers=edge.headers(path, path))).status_code == 401
    below.root_path = mount
    assert [route["path"] for route in compile_routes(app) if "admin" in str(route["path"])]


@pytest.mark.anyio
@pytest.mark.parametrize("field", ["X-Forwarded-Prefix", "X-Script-Name", "Daphne-Root-Path"])
async def test_behind_a_wrapper_no_field_moves_a_route(edge: Edge, field: str) -> None:
    app = two_pages(FastAPI())

    async def trusting(scope: Scope, receive: Receive, send: Send) -> None:
        prefix = dict(scope["headers"]).get(field.lower().encode(), b"").decode()
        await app({**scope, "root_path": prefix}, receive, send)

    transport = httpx.ASGITransport(FastgateMiddleware(trusting, edge.settings()))
    headers = {**edge.headers("/public/admin", "/public/admin"), field: "/public"}
    async with httpx.AsyncClient(transport=transport, base_url="http://testserver") as http:
        response = await http.get("/public/admin", headers=headers)
    if field == "X-Forwarded-Prefix":
        assert response.status_code == 401
    else:
        assert response.json() == "page", "the guard removes such a field"


def hidden(app: ASGIApp) -> ASGIApp:
    """Return a function around an app: a guard cannot see what it calls."""

    async def wrapped(scope: Scope, receive: Receive, send: Send) -> None:
        await app(scope, receive, send)

    return wrapped


def below_gw() -> FastAPI:
    app = FastAPI()
    app.root_path = "/gw"
    for path in ("/orders", "/x", "/gw/x"):
        app.add_api_route(path, told(path))
    return app


def told(name: str) -> Callable[[], Awaitable[str]]:
    async def endpoint() -> str:
        return name

    return endpoint


async def result_of(app: ASGIApp, edge: Edge, path: str, root: str, signed: str) -> object:
    transport = httpx.ASGITransport(app, root_path=root)
    async with httpx.AsyncClient(transport=transport, base_url="http://testserver") as http:
        response = await http.get(path, headers=edge.headers(signed, signed))
    return response.json() if response.status_code == 200 else response.status_code


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("root", "path", "signed", "expected"),
    [
        ("", "/gw/orders", "/gw/orders", "/orders"),
        ("", "/orders", "/orders", "/orders"),
        ("", "/gw/gw/x", "/gw/gw/x", "/gw/x"),
        ("", "/gw/gw/x", "/gw/x", 401),
        ("/gw", "/gw/gw/x", "/gw/x", 401),
        ("/other", "/gw/x", "/gw/x", "/x"),
    ],
)
async def test_the_root_path_of_an_app_hidden_by_a_wrapper_counts(
    edge: Edge, root: str, path: str, signed: str, expected: object
) -> None:
    for app in (below_gw(), hidden(below_gw())):
        guarded = FastgateMiddleware(app, edge.settings())
        assert await result_of(guarded, edge, path, root, signed) == expected


@pytest.mark.anyio
async def test_a_request_that_only_a_visible_app_could_decide_is_refused_and_explained(
    edge: Edge, caplog: pytest.LogCaptureFixture
) -> None:
    app = below_gw()

    class Shown:
        def __init__(self) -> None:
            self.app = app

        async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
            await app(scope, receive, send)

    for wrapper, expected in ((hidden(app), 401), (Shown(), "/orders")):
        guarded = FastgateMiddleware(wrapper, edge.settings())
        assert await result_of(guarded, edge, "/gw/orders", "/gw", "/gw/orders") == expected
    (facts,) = (vars(record)["fastgate"] for record in caplog.records if "fastgate" in vars(record))
    assert "give the wrapper an attribute `app`" in facts["hint"]


@pytest.mark.anyio
async def test_a_hidden_apps_root_path_counts_below_its_mounts_too(edge: Edge) -> None:
    app = below_gw()
    app.mount("/m", FastAPI())
    app.routes[-1].app.add_api_route("/x", told("/m/x"))  # type: ignore[attr-defined]
    guarded = FastgateMiddleware(hidden(app), edge.settings())
    assert await result_of(guarded, edge, "/gw/m/x", "", "/gw/m/x") == "/m/x"
    assert await result_of(guarded, edge, "/gw/m/x", "", "/m/x") == 401


@pytest.mark.anyio
@pytest.mark.parametrize("fresh", [False, True])
async def test_a_router_that_is_not_the_hidden_apps_own_is_refused_and_logged(
    edge: Edge, fresh: bool, caplog: pytest.LogCaptureFixture
) -> None:
    app = below_gw()
    other = APIRouter()
    other.add_api_route("/gw/x", told("another"))

    class Diverting:
        def __init__(self, app: ASGIApp) -> None: ...

        async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
            if fresh:  # the owner of the router is unknown
                names = ("type", "method", "path", "headers", "query_string")
                await app.router({name: scope[name] for name in names}, receive, send)
            else:
                await other({**scope, "root_path": ""}, receive, send)

    app.add_middleware(Diverting)
    guarded = FastgateMiddleware(hidden(app), edge.settings())
    assert await result_of(guarded, edge, "/gw/x", "", "/gw/x") == 401
    (facts,) = (vars(record)["fastgate"] for record in caplog.records if "fastgate" in vars(record))
    assert facts["code"] == "route-mismatch"


# The same without a server: the paths that the edge may have signed.


def rooted(own: str) -> FastAPI:
    app = FastAPI()
    app.root_path = own  # its argument is deprecated; the server's option sets it in the same way
    return app


@pytest.mark.parametrize("own", ["/api", "/x", "/zeta"])
def test_a_path_is_signed_with_the_apps_own_root_path_or_without(own: str) -> None:
    app = rooted(own)
    scope = {"type": "http", "path": "/x/y", "raw_path": b"/x/y", "root_path": ""}
    arrival = arrival_of(scope, app)
    below = "/y" if own == "/x" else "/x/y"
    with_own, raw = own + below, (own + below).encode()
    if own == "/x":  # exactly the path that has arrived
        assert (arrival.paths, arrival.raw_paths) == (("/y", "/x/y"), (b"/x/y", b"/y"))
        assert arrival.prefix("/y").template == ""
    else:
        assert (arrival.paths, arrival.raw_paths) == ((below, with_own), (b"/x/y", raw))
        assert signed_scope(scope, arrival) == {**scope, "path": with_own, "raw_path": raw}
    assert arrival.prefix(below).template == ""
    assert arrival.prefix(with_own).template == own
    assert arrival.prefix(None).template == ""
    told = {name: value for name, value in scope.items() if name != "raw_path"}
    without = arrival_of(told, app)
    assert (without.paths, without.raw_paths) == ((below, with_own), None)
    assert signed_scope(told, without) == {**told, "path": with_own}


@pytest.mark.parametrize("raw_path", [b"/a", b"/c", b"/b/", b"/%63", b"/b\xff", "/b", b""])
def test_a_spelling_of_another_path_does_not_count(raw_path: object) -> None:
    for app in (FastAPI(), rooted("/api"), None):
        scope = {"type": "http", "path": "/b", "raw_path": raw_path, "root_path": ""}
        arrival = arrival_of(scope, app)
        assert arrival.raw_paths == ()
        assert signed_scope(scope, arrival) is scope
    arrival = arrival_of({"type": "http", "path": "/b", "raw_path": b"/%62"}, FastAPI())
    assert arrival.raw_paths == (b"/%62",)


def test_only_the_exact_path_is_signed_for_a_request() -> None:
    arrival = arrival_of({"type": "http", "path": "/x", "root_path": ""}, rooted("/api"))
    for path, expected in [("/x", True), ("/api/x", True), ("/api", False), ("/api/", False)]:
        assert arrival.is_for(path) is expected, path
    for path in ("/api/w", "/api/y", "/w", "/y", "/x/", "/api/x/", "/apix", ""):
        assert not arrival.is_for(path), path


def test_the_root_path_of_an_app_behind_middleware_counts() -> None:
    scope = {"type": "http", "path": "/x", "root_path": ""}
    assert arrival_of(scope, CORSMiddleware(rooted("/api"))).paths == ("/x", "/api/x")
    assert arrival_of(scope, CORSMiddleware(FastAPI())).paths == ("/x",)


async def no_refusal(error: Refused, scope: Scope, send: Send) -> None: ...


def unseen(signed: str | None) -> RouteCheck:
    """Return the check of a request for `/x` whose guard could not see the app."""
    judged = signed and Transaction("x", signed, "GET", HOST, signed, None)
    scope = {"type": "http", "method": "GET", "path": "/x", "root_path": ""}
    prefix = Prefix("", "", "/x", base=Base("", None))
    return check_for(scope, judged or None, no_refusal, prefix=prefix)


def test_an_app_that_is_found_late_has_its_own_root_path() -> None:
    app = rooted("/api")
    scope = {"type": "http", "method": "GET", "path": "/x", "root_path": "/api", "app": app}
    for signed, template in ((None, ""), ("/x", ""), ("/api/x", "/api")):
        at = unseen(signed)
        found = prefix_of_late_app(at, app.router, scope)
        assert (found.template, found is at.prefix) == (template, True), signed
    for signed in ("/api/w", "/api/y", "/y"):
        assert prefix_of_late_app(unseen(signed), app.router, scope) is AGAIN, signed


def test_only_the_apps_own_router_reveals_it() -> None:
    app = FastAPI(openapi_url=None)
    other = APIRouter()
    assert app.router == other, "Starlette compares routes by their values"
    scope = {"type": "http", "method": "GET", "path": "/x", "root_path": "", "app": app}
    assert prefix_of_late_app(unseen("/x"), other, scope) is AGAIN
    assert prefix_of_late_app(unseen("/x"), app.router, scope) is not AGAIN
