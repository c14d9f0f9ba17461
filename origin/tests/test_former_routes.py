"""A former template or id is accepted while app and edge are deployed in turn."""

import functools
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from fastapi import APIRouter, FastAPI, WebSocket
from starlette.applications import Starlette
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from fastgate import Caller, at_edge, guard
from fastgate.__main__ import main
from fastgate.compile.drift import drift, no_longer_needed
from fastgate.compile.former_routes import overlap_of
from fastgate.compile.policy import CannotCompile, RouteDocument, compile_routes
from fastgate.testing import AsCaller
from tests.edge import HEADER, HOST_FIELD, Edge, opening, payload

pytestmark = pytest.mark.anyio

ORDER, FORMER = "/orders/{order_id:int}", "/orders/{id}"


async def fetch(
    app: ASGIApp,
    edge: Edge,
    path: str,
    template: str,
    *,
    route: str = "any",
    method: str = "GET",
    signed_path: str | None = None,
) -> int:
    claims = payload(signed_path or path, template, method=method)
    assert isinstance(claims["tctx"], dict)
    claims["tctx"]["route"] = route
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="https://testserver") as http:
        header = {HEADER: edge.sign(claims).decode()}
        return (await http.request(method, path, headers=header)).status_code


def orders(edge: Edge, *, formerly: object = FORMER, **settings: object) -> FastAPI:
    """Return an app whose first endpoint has been changed; the second one has not."""
    app = FastAPI(openapi_url=None)

    @app.get(ORDER)
    async def read_order(order_id: int, caller: Caller) -> int:
        return order_id

    @app.delete(ORDER)
    async def delete_order(order_id: int, caller: Caller) -> int:
        return order_id

    if formerly is not None:
        at_edge(formerly=formerly)(read_order)
    guard(app, edge.settings(**settings))
    return app


async def test_the_former_template_is_accepted_if_it_is_declared(edge: Edge) -> None:
    app = orders(edge)
    for template in (ORDER, FORMER, "/orders/{any_name:str}"):
        assert await fetch(app, edge, "/orders/7", template) == 200, template
    for template in ("/orders/{id:float}", "/{path:path}", "/orders/7", "/orders/{id:path}"):
        assert await fetch(app, edge, "/orders/7", template) == 401, template
    assert await fetch(app, edge, "/orders/7", FORMER, method="DELETE") == 401
    assert await fetch(orders(edge, formerly=None), edge, "/orders/7", FORMER) == 401


async def test_only_the_path_that_the_edge_judged_is_accepted(edge: Edge) -> None:
    app = orders(edge)
    assert await fetch(app, edge, "/orders/7", FORMER, signed_path="/orders/8") == 401
    assert await fetch(app, edge, "/orders/7", FORMER, signed_path="/orders/%37") == 401


async def test_a_strict_app_accepts_the_former_id_with_the_former_template(edge: Edge) -> None:
    app = orders(edge, strict=True)
    now, before, other = "get-orders--int", "get-orders--str", "delete-orders--int"
    assert {str(route["id"]) for route in compile_routes(app)} == {now, other}
    assert await fetch(app, edge, "/orders/7", ORDER, route=now) == 200
    assert await fetch(app, edge, "/orders/7", FORMER, route=before) == 200
    for template in (ORDER, FORMER):
        for name in (other, "delete-orders--str", "any", ""):
            assert await fetch(app, edge, "/orders/7", template, route=name) == 401, (
                template,
                name,
            )
    without = orders(edge, formerly=None, strict=True)
    assert await fetch(without, edge, "/orders/7", FORMER, route=before) == 401


async def test_a_former_custom_id_must_be_named(edge: Edge) -> None:
    app = FastAPI(openapi_url=None)

    @app.get("/orders/{order_id}", operation_id="readOrder")
    @at_edge(formerly=["read_order", "fetch_order"])
    async def read_order(order_id: int, caller: Caller) -> int:
        return order_id

    guard(app, edge.settings(strict=True))
    for name in ("readorder", "read_order", "fetch_order"):
        assert await fetch(app, edge, "/orders/7", "/orders/{id}", route=name) == 200, name
    assert await fetch(app, edge, "/orders/7", "/orders/{id}", route="get-orders--str") == 401
    assert await fetch(app, edge, "/orders/7", "/{path:path}", route="read_order") == 401


async def plain(_request: Request) -> PlainTextResponse:
    return PlainTextResponse("ran")


async def changed(request: Request) -> PlainTextResponse:
    return await plain(request)


async def any_app(scope: Scope, receive: Receive, send: Send) -> None:
    await PlainTextResponse("ran")(scope, receive, send)


def included() -> ASGIApp:
    app, router = FastAPI(openapi_url=None), APIRouter(prefix="/{shop}")
    router.get("/items/{item:int}")(at_edge(formerly="/v1/items/{item}", access="public")(changed))
    app.include_router(router)
    return app


def mounted() -> ASGIApp:
    shop = FastAPI(openapi_url=None)

    shop.add_route("/items/{item}", at_edge(formerly="/v1/items/{item}", access="public")(changed))
    shop.add_route("/other/{item}", at_edge(access="public")(plain))
    return FastAPI(openapi_url=None, routes=[Mount("/{shop}", app=GZipMiddleware(shop))])


def mounted_whole() -> ASGIApp:
    marked = at_edge(formerly="/v1/items/{item}", access="public", methods=["GET"])
    return Starlette(routes=[Mount("/v1", app=marked(Whole()))])


class Whole:
    """An app of an unknown framework."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await any_app(scope, receive, send)


@pytest.mark.parametrize("build", [included, mounted, mounted_whole])
@pytest.mark.parametrize("strict", [True, False])
async def test_prefixes_of_routers_and_mounts_may_have_changed(
    edge: Edge, build: Callable[[], FastAPI], strict: bool
) -> None:
    app = build()
    (now,) = (route for route in compile_routes(app) if "other" not in str(route["path"]))
    guard(app, edge.settings(strict=strict))
    sent = ("/v1/items/7", str(now["path"]))
    assert await fetch(app, edge, *sent, route=str(now["id"])) == 200
    before = "get-v1-items--str"
    assert await fetch(app, edge, "/v1/items/7", "/v1/items/{id}", route=before) == 200
    assert await fetch(app, edge, "/v1/items/7", "/v1/{any}/{id}", route=before) == 401
    assert await fetch(app, edge, "/v1/other/7", "/v1/items/{id}", route=before) in (
        # One app receives all paths below its mount; in the others, their router chooses.
        (200,) if build is mounted_whole else (401, 404)
    )


async def test_former_templates_are_accepted_in_a_mounted_app(
    edge: Edge,
) -> None:
    for strict in (True, False):
        outer = FastAPI(openapi_url=None)
        outer.mount("/gw", orders(edge, strict=strict))
        before = "get-orders--str"
        assert await fetch(outer, edge, "/gw/orders/7", "/gw/orders/{id}", route=before) == 200
        assert await fetch(outer, edge, "/gw/orders/7", "/orders/{id}", route="other") == 401


async def test_the_root_path_of_an_app_is_part_of_its_former_template(edge: Edge) -> None:
    for formerly, expected in (("/api/orders/{id}", 200), (FORMER, 401)):
        app = FastAPI(openapi_url=None)
        app.root_path = "/api"

        @app.get(ORDER)
        @at_edge(formerly=formerly)
        async def read_order(order_id: int, caller: Caller) -> int:
            return order_id

        guard(app, edge.settings())
        template = "/api/orders/{id}"
        assert await fetch(app, edge, "/api/orders/7", template) == expected
        behind_a_proxy = await fetch(app, edge, "/orders/7", template, signed_path="/api/orders/7")
        assert behind_a_proxy == expected


async def test_a_websocket_is_accepted_by_its_former_template(edge: Edge) -> None:
    for strict in (True, False):
        app, opened = FastAPI(openapi_url=None), list[str]()

        @app.websocket("/rooms/{name:int}")
        @at_edge(formerly="/rooms/{name}")
        async def talk(websocket: WebSocket, name: int, caller: Caller) -> None:
            opened.append(caller.subject)  # noqa: B023
            await websocket.accept()

        guard(app, edge.settings(strict=strict))
        for template, route, expected in (
            ("/rooms/{any}", "websocket-rooms--str", ["ada"]),
            ("/rooms/{any:float}", "websocket-rooms--str", []),
            ("/{any:path}", "websocket-rooms--int", []),
        ):
            opened.clear()
            await shake_hands(app, edge, "/rooms/7", template, route)
            assert opened == expected, (template, strict)


async def shake_hands(app: ASGIApp, edge: Edge, path: str, template: str, route: str) -> None:
    claims = payload(path, template)
    assert isinstance(claims["tctx"], dict)
    claims["tctx"]["route"] = route

    async def receive() -> Message:
        return {"type": "websocket.connect"}

    async def send(_message: Message) -> None: ...

    headers = [HOST_FIELD, (HEADER.lower().encode(), edge.sign(opening(claims)))]
    scope = {"type": "websocket", "path": path, "raw_path": path.encode(), "query_string": b""}
    await app({**scope, "headers": headers}, receive, send)


def test_the_helpers_use_only_the_present_template(edge: Edge, as_caller: AsCaller) -> None:
    assert as_caller(orders(edge, strict=True), sub="ada").get("/orders/7").status_code == 200


# Declarations that are refused when they are made, or when the app is compiled.


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (
            None,
            "it must be the endpoint's former template or id, or a list of them: formerly=\"/",
        ),
        ([], "is \\[\\]; it must be the endpoint's former template"),
        ("", "former template or id"),
        ({"template": FORMER}, "former template or id"),
        ([FORMER, 7], "former template or id"),
        ("/orders/{id:uint}", 'there is no convertor "uint"'),
        ("/orders/{a}-{b}", "two parameters share a segment"),
        ("orders/{id}", 'with a leading slash: formerly="/orders/{id}"'),
    ],
)
def test_nonsense_is_refused_where_it_is_written(value: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        at_edge(formerly=value)


def test_formerly_is_declared_on_one_endpoint_only(edge: Edge) -> None:
    app = orders(edge, formerly=None)
    with pytest.raises(ValueError, match="declare formerly on each endpoint"):
        at_edge(formerly=FORMER)(APIRouter())
    with pytest.raises(ValueError, match="declare formerly on each endpoint"):
        at_edge(below="/orders", formerly=FORMER)(app)
    at_edge(formerly=FORMER)(app)
    assert overlap_of(app).accepted == {}
    with pytest.raises(CannotCompile, match='inherits "formerly", which belongs to a single route'):
        compile_routes(app)


@pytest.mark.parametrize(
    ("formerly", "message"),
    [
        ("/orders/{id:int}", "which is its present template"),
        ("/v1/orders/{id}", "no request matches both that and /orders/{order_id:int}"),
        ("/shared/{id}", "no request matches both"),
        ("/orders/{rest:path}", "but rest .* has that template now"),
        ("get-orders--int", "which is the id of the route now"),
        ("delete-orders--int", "which is the id of another route"),
    ],
)
async def test_a_declaration_that_means_another_route_is_a_fault_and_is_not_accepted(
    edge: Edge, formerly: str, message: str, caplog: pytest.LogCaptureFixture
) -> None:
    app = orders(edge, formerly=formerly)

    @app.get("/orders/{rest:path}")
    @at_edge(access="public")
    async def rest() -> None: ...

    with pytest.raises(CannotCompile, match=message):
        compile_routes(app)
    expected = 200 if formerly == "/orders/{id:int}" else 401
    template = formerly if formerly.startswith("/") else FORMER
    assert await fetch(app, edge, "/orders/7", template) == expected
    assert [line.partition(":")[0] for line in caplog.messages if "declares" in line] == [
        "not accepted"
    ]


async def test_a_websocket_cannot_have_the_present_template_of_a_get(edge: Edge) -> None:
    # The header of an opening handshake says GET, too.
    app, opened = FastAPI(openapi_url=None), list[str]()

    @app.get("/rooms/{name}")
    @at_edge(access="public")
    async def show() -> None: ...

    @app.websocket("/rooms/{name:int}")
    @at_edge(formerly="/rooms/{name}", access="authenticated")
    async def talk(websocket: WebSocket, name: int) -> None:
        opened.append("opened")

    guard(app, edge.settings())
    await shake_hands(app, edge, "/rooms/7", "/rooms/{name}", "any")
    assert opened == []
    with pytest.raises(CannotCompile, match=r"but show .* has that template now"):
        compile_routes(app)


def test_a_function_behind_two_prefixes_names_both_former_templates() -> None:
    app, router = FastAPI(openapi_url=None), APIRouter()

    @router.get("/items/{item:int}")
    @at_edge(access="public", formerly=["/v1/items/{item}", "/v2/items/{item}"])
    async def read_item() -> None: ...

    app.include_router(router, prefix="/v1")
    app.include_router(router, prefix="/v2")
    found = overlap_of(app)
    assert found.misleading == []
    assert {key: set(value.templates) for key, value in found.accepted.items()} == {
        ("GET", "/v1/items/{:int}"): {"/v1/items/{:str}"},
        ("GET", "/v2/items/{:int}"): {"/v2/items/{:str}"},
    }


def test_formerly_does_not_change_the_compiled_policy(edge: Edge) -> None:
    assert compile_routes(orders(edge)) == compile_routes(orders(edge, formerly=None))
    files = at_edge(access="public", formerly="/f/{p:path}")(StaticFiles(directory="."))
    hidden = at_edge(access="none")(functools.partial(plain))
    app = Starlette(routes=[Mount("/{f}", app=files), Route("/", hidden)])
    (route,) = compile_routes(app)
    assert route == {
        "id": "get--str--path",
        "path": "/{f}/{path:path}",
        "methods": ["GET", "HEAD"],
        "access": "public",
    }


# The report of drift.


def test_drift_reports_what_is_accepted_and_what_can_be_removed(edge: Edge) -> None:
    before, after = FastAPI(openapi_url=None), orders(edge)

    async def read(caller: Caller) -> None: ...

    before.get(FORMER)(read)
    before.delete(FORMER)(read)
    former = overlap_of(after).at_edge
    theirs = compile_routes(before)
    assert drift(compile_routes(after), theirs, former=former) == [
        "GET /orders/{order_id:int}: only the app serves it",
        "DELETE /orders/{order_id:int}: only the app serves it",
        "GET /orders/{id}: only the edge has it (accepted during the overlap)",
        "DELETE /orders/{id}: only the edge has it (refused until both agree)",
    ]
    renamed = [{**route, "id": f"former-{route['id']}"} for route in theirs]
    assert (
        "only the edge has it (refused" in drift(compile_routes(after), renamed, former=former)[2]
    )
    lenient = drift(compile_routes(after), renamed, former=former, ids=False)
    assert "only the edge has it (accepted" in lenient[2]
    assert no_longer_needed(compile_routes(after), theirs, former) == []
    both = compile_routes(after)
    assert drift(both, both, former=former) == []
    assert no_longer_needed(both, both, former) == [
        "GET /orders/{order_id:int}: the edge has the present route; "
        "at_edge(formerly=…) can be removed"
    ]


def test_drift_reports_which_requests_another_route_receives(edge: Edge) -> None:
    app = orders(edge)

    @app.get("/{rest:path}")
    @at_edge(access="public")
    async def rest() -> None: ...

    theirs: list[RouteDocument] = [{"id": "get-orders--str", "path": FORMER, "methods": ["GET"]}]
    lines = drift(compile_routes(app), theirs, former=overlap_of(app).at_edge)
    assert (
        "GET /orders/{id}: only the edge has it (accepted during the overlap; requests to "
        "/{rest:path} are refused until both agree)"
    ) in lines


def test_drift_accepts_a_former_id_and_knows_the_prefix_of_the_edge() -> None:
    app = FastAPI(openapi_url=None)

    @app.get(ORDER)
    @at_edge(access="public", formerly=[FORMER, "read-order"])
    async def read_order() -> None: ...

    at_edge(prefix="/gw")(app)
    (now,) = compile_routes(app)
    former = overlap_of(app).at_edge
    assert drift([now], [{**now, "id": "read-order"}], former=former) == [
        'GET /gw/orders/{order_id:int}: id: the app has "get-orders--int", the edge has '
        '"read-order" (accepted during the overlap)'
    ]
    outer = {**now, "path": "/gw/orders/{id}", "id": "get-orders--str"}
    assert drift([now], [outer], former=former) == [
        "GET /gw/orders/{order_id:int}: only the app serves it",
        "GET /gw/orders/{id}: only the edge has it (accepted during the overlap)",
    ]


def test_the_command_prints_removable_declarations_and_counts_no_difference(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "overlapping.py").write_text(
        "from fastapi import FastAPI\n"
        "from fastgate import at_edge\n"
        "app = FastAPI(openapi_url=None)\n"
        '@app.get("/orders/{id:int}")\n'
        '@at_edge(access="public", formerly="/orders/{id}")\n'
        "async def read_order(): ...\n"
    )
    named = ["overlapping:app", "--app-dir", str(tmp_path)]
    assert main(["policy", *named]) == 0
    (tmp_path / "policy.json").write_text(capsys.readouterr().out)
    assert main(["drift", *named, str(tmp_path / "policy.json")]) == 0
    first, last = capsys.readouterr().out.splitlines()
    assert first.endswith("at_edge(formerly=…) can be removed")
    assert last.endswith("no difference")
