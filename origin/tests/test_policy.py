"""An app compiles to the route table of its edge, or every reason against it is a fault."""

import json
import re
from collections.abc import Callable
from contextlib import nullcontext
from enum import StrEnum
from pathlib import Path
from typing import Annotated
from uuid import UUID

import pytest
from fastapi import APIRouter, Depends, FastAPI, Security, WebSocket
from fastapi import Path as PathParameter
from starlette.applications import Starlette
from starlette.endpoints import HTTPEndpoint
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Host, Route
from starlette.staticfiles import StaticFiles
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from fastgate import (
    AnyCaller,
    Caller,
    FastgateMiddleware,
    any_caller,
    at_edge,
    fastgate,
    guard,
)
from fastgate.__main__ import main
from fastgate.compile.policy import CannotCompile, compile_routes
from fastgate.testing import AsCaller
from tests.edge import HEADER, Edge, opening, payload

Reader = Annotated[Caller, Security(fastgate, scopes=["orders:read"])]
Compiled = dict[str, dict[str, object]]


def empty() -> FastAPI:
    return FastAPI(openapi_url=None)


def compiled(app: object) -> Compiled:
    return {str(route["path"]): route for route in compile_routes(app)}


def faults(app: object) -> list[str]:
    with pytest.raises(CannotCompile) as refused:
        compile_routes(app)
    return [f"{fault.endpoint.template}: {fault.what}" for fault in refused.value.faults]


async def read_me(caller: Caller) -> str:
    return caller.subject


async def welcome(caller: AnyCaller) -> str:
    return "welcome"


async def silent() -> None:
    pass


async def plain(_request: Request) -> PlainTextResponse:
    return PlainTextResponse("ran")


def test_an_endpoint_becomes_a_route_with_its_callers_and_scopes() -> None:
    app = empty()

    @app.put("/orders/{order_id:int}", operation_id="change_order")
    async def change(
        order_id: int, caller: Annotated[Caller, Security(fastgate, scopes=["orders:write"])]
    ) -> None: ...

    app.get("/me")(read_me)
    app.get("/")(welcome)
    assert compile_routes(app, "shop") == [
        {
            "id": "change_order",
            "path": "/orders/{order_id:int}",
            "methods": ["PUT"],
            "access": "authenticated",
            "origin": "shop",
            "scopes": ["orders:write"],
        },
        {
            "id": "get-me",
            "path": "/me",
            "methods": ["GET"],
            "access": "authenticated",
            "origin": "shop",
        },
        {"id": "get", "path": "/", "methods": ["GET"], "access": "optional", "origin": "shop"},
    ]


def test_scopes_of_app_router_route_and_nested_dependencies_add_up() -> None:
    def member(caller: Annotated[Caller, Security(fastgate, scopes=["d"])]) -> None: ...

    def nested(caller: Annotated[None, Security(member, scopes=["c"])]) -> None: ...

    async def endpoint(caller: Annotated[None, Security(nested, scopes=["b"])]) -> None: ...

    app = FastAPI(openapi_url=None, dependencies=[Security(fastgate, scopes=["a"])])
    router = APIRouter(dependencies=[Security(fastgate, scopes=["r"])])
    router.get("/deep", dependencies=[Security(fastgate, scopes=["e"])])(endpoint)
    app.include_router(router, dependencies=[Security(fastgate, scopes=["i"])])
    app.get("/flat")(silent)
    routes = compiled(app)
    assert set(routes["/deep"]["scopes"]) == set("airedcb")  # type: ignore[call-overload]
    assert routes["/flat"]["scopes"] == ["a"]


def test_every_inclusion_and_mount_is_a_route_of_its_own() -> None:
    app, router, shop = empty(), APIRouter(prefix="/orders"), empty()
    router.get("/{order_id}")(read_me)
    app.include_router(router, prefix="/v1")
    app.include_router(router, prefix="/v2")
    shop.get("/me")(read_me)
    shop.mount("/deep", Starlette(routes=[Route("/{leaf}", at_edge(access="public")(plain))]))
    app.mount("/{tenant}/shop", shop)
    assert [(route["id"], route["path"]) for route in compile_routes(app)] == [
        ("get-v1-orders--str", "/v1/orders/{order_id}"),
        ("get-v2-orders--str", "/v2/orders/{order_id}"),
        ("get--str-shop-me", "/{tenant}/shop/me"),
        ("get--str-shop-deep--str", "/{tenant}/shop/deep/{leaf}"),
    ]


def test_endpoints_without_dependencies_are_declared_by_at_edge(tmp_path: Path) -> None:
    app = empty()

    @at_edge(access="authenticated", scopes=["pages:read"])
    class Page(HTTPEndpoint):
        async def get(self) -> None: ...

        async def delete(self) -> None: ...

    app.routes.append(Route("/page", Page))
    app.add_route("/health", at_edge(access="public")(plain))
    app.mount("/static", at_edge(access="public")(StaticFiles(directory=tmp_path)))
    app.mount("/raw", at_edge(access="public", methods=["GET", "POST"])(_Raw()))
    routes = compiled(app)
    assert routes["/page"]["methods"] == ["GET", "HEAD", "DELETE"]
    assert (routes["/page"]["access"], routes["/page"]["scopes"]) == (
        "authenticated",
        ["pages:read"],
    )
    assert routes["/health"]["methods"] == ["GET", "HEAD"]
    assert routes["/static/{path:path}"]["methods"] == ["GET", "HEAD"]
    assert routes["/raw/{path:path}"]["methods"] == ["GET", "POST"]


class _Raw:
    async def __call__(self, *_asgi: object) -> None: ...


def test_members_for_the_edge_only_are_copied_unchanged() -> None:
    app, accepts = empty(), {"max_body": 10}
    app.get("/a", openapi_extra={"x-fastgate": {"limits": ["orders"]}})(
        at_edge(accepts=accepts, limits=[], from_=["europe"])(_own(read_me))
    )
    (route,) = compile_routes(app)
    assert (route["limits"], route["accepts"], route["from"]) == (["orders"], accepts, ["europe"])


def test_a_websocket_is_a_get() -> None:
    app = empty()

    @app.websocket("/socket")
    async def talk(websocket: WebSocket, caller: Reader) -> None: ...

    (route,) = compile_routes(app)
    assert (route["methods"], route["scopes"]) == (["GET"], ["orders:read"])
    assert route["websocket"] is True


async def _talk(websocket: WebSocket, caller: Caller) -> None:
    await websocket.accept()
    await websocket.send_text("talked")


async def page() -> str:
    return "page"


def _graphql() -> FastAPI:
    app = empty()
    app.get("/graphql")(at_edge(access="public")(page))
    app.post("/graphql")(read_me)
    app.websocket("/graphql")(_talk)
    return app


def test_a_path_may_have_a_page_queries_and_a_websocket() -> None:
    routes = compile_routes(_graphql())
    assert [(r["methods"], r["access"], r.get("websocket")) for r in routes] == [
        (["GET"], "public", None),
        (["POST"], "authenticated", None),
        (["GET"], "authenticated", True),
    ]
    assert len({str(route["id"]) for route in routes}) == 3


@pytest.mark.parametrize("strict", [False, True])
def test_page_query_and_websocket_of_one_path_have_their_own_rules(
    edge: Edge, as_caller: AsCaller, *, strict: bool
) -> None:
    app = _graphql()
    guard(app, edge.settings(strict=strict))
    nobody, ada = as_caller(app), as_caller(app, sub="ada")
    assert (nobody.get("/graphql").json(), ada.post("/graphql").json()) == ("page", "ada")
    with ada.websocket_connect("/graphql") as socket:
        assert socket.receive_text() == "talked"
    with pytest.raises(WebSocketDisconnect), nobody.websocket_connect("/graphql"):
        pass


def test_in_a_strict_app_the_header_of_a_page_opens_no_websocket(edge: Edge) -> None:
    app = _graphql()
    guard(app, edge.settings(strict=True))
    page, _, socket = (str(route["id"]) for route in compile_routes(app))
    claims = payload("/graphql", "/graphql")
    with TestClient(app) as client:
        for judged, opened in ((page, False), (socket, True)):
            tctx = {**claims["tctx"], "route": judged}  # type: ignore[dict-item]
            headers = {HEADER: edge.sign({**claims, "tctx": tctx}).decode()}
            assert (client.get("/graphql", headers=headers).status_code == 200) is not opened
            # The id distinguishes the two as well.
            headers = {HEADER: edge.sign(opening({**claims, "tctx": tctx})).decode()}
            refused = nullcontext() if opened else pytest.raises(WebSocketDisconnect)
            with refused, client.websocket_connect("/graphql", headers=headers):
                pass


def test_a_websocket_may_overlap_another_route() -> None:
    app = empty()
    app.get("/sockets/a")(read_me)
    app.websocket("/sockets/{name}")(_talk)
    app.websocket("/late")(_talk)
    app.get("/{rest:path}")(welcome)
    assert len(compile_routes(app)) == 4


def test_the_more_specific_of_two_overlapping_websockets_must_come_first() -> None:
    app = empty()
    app.websocket("/sockets/{name}")(_talk)
    app.websocket("/sockets/a")(_talk)
    (fault,) = faults(app)
    assert fault.startswith("/sockets/a: is more specific than _talk ")


def test_the_apps_root_path_is_part_of_every_path() -> None:
    app = empty()
    app.root_path = "/api"
    app.get("/me")(read_me)
    assert "/api/me" in compiled(app)


def test_middleware_around_the_app_does_not_hide_it(edge: Edge) -> None:
    app = empty()
    app.get("/me")(read_me)
    assert "/me" in compiled(FastgateMiddleware(app, edge.settings()))


def test_ids_are_valid_at_the_edge_and_unique() -> None:
    app = empty()
    app.get("/a", operation_id="Read It!")(read_me)
    app.get("/b" * 40)(read_me)
    app.post("/c")(read_me)
    app.put("/c")(read_me)
    ids = [str(route["id"]) for route in compile_routes(app)]
    assert len(set(ids)) == 4
    assert all(0 < len(name) <= 64 and name == name.lower() for name in ids)
    assert (ids[0], ids[2:]) == ("read-it", ["post-c", "put-c"])


def _ids(*paths: str) -> list[str]:
    return [str(route["id"]) for route in compile_routes(_ordered(*paths))]


def test_templates_that_differ_have_ids_that_differ() -> None:
    alike = [
        *("/", "/root", "/get", "/a", "/a/", "/A", "/a/b", "/a-b", "/a_b", "/a.b", "/é", "/e"),
        *("/x/int", "/x-int", "/x--int", "/x/{p:int}", "/x/{p:float}", "/x/{p}", "/x/str"),
        *("/y/{p}.csv", "/y/{p}", "/y/v{p}", "/y/{p:path}", "/y/{p}/", "/y/str/"),
    ]
    names = [name for path in alike for name in _ids(path)]
    assert len(set(names)) == len(alike), names


def test_an_id_consists_of_method_and_template() -> None:
    assert _ids("/orders/{order_id:int}/lines") == ["get-orders--int-lines"]


def test_an_id_does_not_depend_on_other_routes_or_parameter_names() -> None:
    alone = _ids("/orders/{order_id:int}")
    assert alone == _ids("/orders/{id:int}")
    app = empty()
    app.get("/mine")(read_me)
    app.get("/orders/{order_id:int}")(read_me)
    app.post("/orders/{order_id:int}")(read_me)
    app.websocket("/orders/{order_id:int}")(_talk)
    assert [str(route["id"]) for route in compile_routes(app)][1] == alone[0]


def test_a_repeated_operation_id_belongs_to_the_first_endpoint() -> None:
    app, router = empty(), APIRouter()
    router.get("/me", operation_id="me")(read_me)
    app.include_router(router)
    app.include_router(router, prefix="/v2")
    assert [route["id"] for route in compile_routes(app)] == ["me", "get-v2-me"]


# Faults.


def test_an_endpoint_without_declared_callers_is_reported_with_its_file() -> None:
    app = empty()
    app.get("/silent")(silent)
    with pytest.raises(CannotCompile) as refused:
        compile_routes(app)
    line = silent.__code__.co_firstlineno
    assert str(refused.value).startswith(
        f"silent (/silent, {__file__}:{line})\n    does not declare who"
    )


def test_the_pages_of_fastapi_must_also_be_declared() -> None:
    with pytest.raises(CannotCompile) as refused:
        compile_routes(FastAPI())
    (fault,) = refused.value.faults  # one call of guard declares them all
    assert fault.endpoint.template == "/openapi.json"
    assert fault.what == (
        "does not declare who may call it; nor do /docs, /docs/oauth2-redirect, /redoc"
    )
    assert "guard(app, settings, docs=" in fault.remedy


def test_the_fault_of_a_mount_of_files_names_the_mount(tmp_path: Path) -> None:
    app = empty()
    app.mount("/static", StaticFiles(directory=tmp_path))
    with pytest.raises(CannotCompile) as refused:
        compile_routes(app)
    text = str(refused.value)
    assert text.startswith("StaticFiles (/static/{path:path}, mounted at /static)\n    does not")
    assert 'at_edge(access="public")(StaticFiles(…))' in text


def test_the_remedy_for_an_endpoint_without_callers_names_every_access() -> None:
    app = empty()
    app.get("/health")(silent)
    with pytest.raises(CannotCompile) as refused:
        compile_routes(app)
    assert all(
        f'"{access}"' in str(refused.value) for access in ("public", "authenticated", "none")
    )


def test_pages_are_marked_like_any_other_endpoint() -> None:
    app = FastAPI(redoc_url=None)
    for route in app.routes:
        assert isinstance(route, Route)
        at_edge(access="public")(route.endpoint)
    assert compiled(app)["/docs"]["access"] == "public"
    assert faults(FastAPI(redoc_url=None)), "another app's pages are not meant"


def test_any_caller_on_the_app_opens_endpoints_that_require_no_caller() -> None:
    app = FastAPI(openapi_url=None, dependencies=[Depends(any_caller)])
    app.get("/silent")(silent)
    app.get("/me")(read_me)
    routes = compiled(app)
    assert routes["/silent"]["access"] == "optional"
    assert routes["/me"]["access"] == "authenticated"


def _ordered(*paths: str) -> FastAPI:
    app = empty()
    for path in paths:
        app.get(path)(read_me)
    return app


@pytest.mark.parametrize(
    "paths",
    [
        ("/users/{user}", "/users/me"),
        ("/{p:path}", "/users"),
        ("/{a}/b", "/a/{b}"),
        ("/{x}", "/{x:int}"),
        ("/{p:path}/a", "/{p:path}/{x}/a"),
    ],
)
def test_an_order_of_routes_that_the_edge_would_not_keep_is_refused(paths: tuple[str, str]) -> None:
    (fault,) = faults(_ordered(*paths))
    assert fault.startswith(f"{paths[1]}: is more specific than read_me ({paths[0]}, ")
    assert len(compile_routes(_ordered(*reversed(paths)))) == 2


def test_two_routes_for_the_same_requests_are_refused() -> None:
    (fault,) = faults(_ordered("/{a}", "/{b}"))
    assert fault.startswith("/{b}: is never reached: read_me (/{a}, ")


def test_routes_with_different_methods_may_have_any_order() -> None:
    app = empty()
    app.get("/users/{user}")(read_me)
    app.post("/users/me")(read_me)
    app.put("/users/{other}")(read_me)
    assert len(compile_routes(app)) == 3


def test_a_route_after_a_mount_is_never_reached() -> None:
    app, shop = empty(), empty()
    shop.get("/me")(read_me)
    app.mount("/shop", shop)
    app.post("/shop/cart")(read_me)
    (fault,) = faults(app)
    assert fault.startswith("/shop/cart: is never reached: the mount FastAPI (/shop/")


OWN = {"claim": {"name": "own", "contains_path": "order"}}
FOREIGN = {"all": [{"role": "a"}, {"not": {"any": [{"role": "b"}, OWN]}}]}


class Size(StrEnum):
    """A kind of string that FastAPI does not convert."""

    SMALL = "small"


def _approving(path: str, read_as: object, **members: object) -> FastAPI:
    app = empty()

    async def approve(order: read_as, caller: Caller) -> None:  # type: ignore[valid-type]
        pass

    app.post(path)(at_edge(below=None, **members)(approve))
    return app


@pytest.mark.parametrize(
    ("path", "read_as", "remedy"),
    [
        ("/orders/{order}", int, 'write "{order:int}" in place of "{order}" in its path'),
        ("/orders/{order:str}", int, 'write "{order:int}" in place of "{order:str}" in its path'),
        (
            "/v{order}",
            Annotated[int, PathParameter(ge=1)],
            'write "{order:int}" in place of "{order}"',
        ),
        ("/orders/{order}", UUID, 'write "{order:uuid}" in place of "{order}"'),
        ("/orders/{order}", float, 'write "{order:float}" in place of "{order}"'),
        ("/orders/{order}", str, 'write "{order:str}" in place of "{order}"'),
        ("/orders/{order}", Size, '"{order:str}" if it is a plain string'),
        ("/orders/{order:path}", str, 'write "{order:str}" if it is one segment'),
    ],
)
@pytest.mark.parametrize("member", ["require", "shadow", "issuers"])
def test_a_negated_comparison_of_text_is_refused_with_what_to_write(
    path: str, read_as: object, remedy: str, member: str
) -> None:
    comparison: object = {"require": FOREIGN}
    members = {"require": FOREIGN, "shadow": comparison, "issuers": {"main": comparison}}
    with pytest.raises(CannotCompile) as refused:
        compile_routes(_approving(path, read_as, **{member: members[member]}))
    (fault,) = refused.value.faults
    assert fault.what.startswith('compares the path parameter order as text under "not"')
    assert remedy in fault.remedy


@pytest.mark.parametrize("path", ["/orders/{order:str}", "/orders/{order:path}"])
@pytest.mark.parametrize(
    "rules",
    [
        {"foreign": FOREIGN},
        {"foreign": {"not": {"rule": "own"}}, "own": OWN},
        {"foreign": {"all": [{"rule": "foreign"}, {"any": [FOREIGN]}]}},
    ],
)
def test_a_named_rule_is_followed_if_the_policy_is_known(
    path: str, rules: dict[str, object]
) -> None:
    app = _approving(path, int, require={"rule": "foreign"})
    with pytest.raises(CannotCompile, match=r"the path parameter order as text under \"not\""):
        compile_routes(app, rules=rules)
    with pytest.raises(CannotCompile, match=r'write "{order:int}" in place of'):
        compile_routes(_approving(path, int, require={"not": {"rule": "own"}}), rules={"own": OWN})
    assert len(compile_routes(app, rules={"foreign": {"not": {"not": OWN}}})) == 1
    assert len(compile_routes(app)) == 1


def test_a_dependency_that_converts_a_path_parameter_counts_as_well() -> None:
    async def load(order: int) -> int:
        return order

    async def approve(order: str, loaded: Annotated[int, Depends(load)], caller: Caller) -> None:
        pass

    app = empty()
    app.post("/orders/{order:str}")(at_edge(require=FOREIGN)(approve))
    (fault,) = faults(app)
    assert "the endpoint reads it as int" in fault


@pytest.mark.parametrize(
    ("path", "read_as", "require"),
    [
        ("/orders/{order:int}", int, FOREIGN),
        ("/orders/{order:uuid}", UUID, FOREIGN),
        ("/orders/{order:str}", str, FOREIGN),
        ("/orders/{order:str}", Size, FOREIGN),
        ("/orders/{order}", int, OWN),
        ("/orders/{order}", int, {"not": {"not": OWN}}),
        ("/orders/{order}", int, {"not": {"role": "b"}}),
    ],
)
def test_a_comparison_that_no_other_spelling_passes_compiles(
    path: str, read_as: object, require: object
) -> None:
    assert compiled(_approving(path, read_as, require=require))[path]["require"] == require


def _single_page_app(tmp_path: Path) -> FastAPI:
    (tmp_path / "index.html").write_text("the page")
    app, api = empty(), empty()
    api.get("/me")(read_me)
    app.mount("/api", api)
    app.mount("/", at_edge(access="public")(StaticFiles(directory=tmp_path, html=True)))
    return app


def test_files_for_all_paths_that_no_earlier_mount_receives_compile(
    tmp_path: Path, edge: Edge, as_caller: AsCaller
) -> None:
    app = _single_page_app(tmp_path)
    assert [(route["path"], route["access"]) for route in compile_routes(app)] == [
        ("/api/me", "authenticated"),
        ("/{path:path}", "public"),
    ]
    guard(app, edge.settings())
    nobody, ada = as_caller(app), as_caller(app, sub="ada")
    assert nobody.get("/").text == nobody.get("/index.html").text == "the page"
    assert (nobody.get("/api/me").status_code, ada.get("/api/me").json()) == (401, "ada")
    assert ada.get("/api/unknown").json() == {"detail": "Not Found"}
    assert ada.head("/api/me").status_code == 405


@pytest.mark.skipif(not hasattr(FastAPI, "frontend"), reason="this FastAPI has no frontends")
def test_a_frontend_compiles_and_is_compared(
    tmp_path: Path, edge: Edge, as_caller: AsCaller
) -> None:
    (tmp_path / "index.html").write_text("the page")
    (tmp_path / "app.js").write_text("the script")
    app = empty()
    app.frontend("/", directory=tmp_path, fallback="index.html")
    app.frontend("/docs", directory=tmp_path)
    app.get("/me")(read_me)
    assert faults(app) == [
        f"{path}: does not declare who may call it"
        for path in ("/docs", "/docs/{path:path}", "/{path:path}")
    ]
    at_edge(below="/docs", access="authenticated")(app)
    at_edge(below="/{path:path}", access="public")(app)
    assert [(r["path"], r["methods"], r["access"]) for r in compile_routes(app)] == [
        ("/me", ["GET"], "authenticated"),
        ("/docs", ["GET", "HEAD"], "authenticated"),
        ("/docs/{path:path}", ["GET", "HEAD"], "authenticated"),
        ("/{path:path}", ["GET", "HEAD"], "public"),
    ]
    guard(app, edge.settings(strict=True))
    nobody = as_caller(app)
    assert nobody.get("/").text == "the page"
    assert nobody.get("/app.js").text == nobody.get("/docs/app.js").text == "the script"
    assert nobody.get("/a/b", headers={"accept": "text/html"}).text == "the page"
    assert nobody.get("/docs").url.path == "/docs/"
    claims = {HEADER: edge.mint("/app.js", "/docs/{path:path}").decode()}
    assert nobody.get("/app.js", headers=claims).status_code == 401


@pytest.mark.skipif(not hasattr(FastAPI, "frontend"), reason="this FastAPI has no frontends")
def test_a_frontend_of_a_router_inherits_from_it(tmp_path: Path) -> None:
    app, router = empty(), at_edge(access="public")(APIRouter())
    router.frontend("/", directory=tmp_path)
    app.include_router(router, prefix="/ui")
    assert list(compiled(app)) == ["/ui", "/ui/{path:path}"]


def test_a_page_for_every_other_path_compiles_behind_a_mount_of_its_files(tmp_path: Path) -> None:
    app = empty()
    app.mount("/assets", at_edge(access="public")(StaticFiles(directory=tmp_path)))
    app.get("/{full_path:path}")(welcome)
    assert list(compiled(app)) == ["/assets/{path:path}", "/{full_path:path}"]


def test_a_mount_may_overlap_a_parameter_that_matches_its_name(tmp_path: Path) -> None:
    app = empty()
    app.mount("/static", at_edge(access="public")(StaticFiles(directory=tmp_path)))
    app.get("/{tenant}/orders")(read_me)
    assert list(compiled(app)) == ["/static/{path:path}", "/{tenant}/orders"]


def _serve_methods(app: FastAPI) -> None:
    app.add_api_route("/x", read_me, methods=["GET", "TRACE"])


def _serve_anything(app: FastAPI) -> None:
    app.mount("/raw", at_edge(access="public")(_Raw()))


def _serve_by_host(app: FastAPI) -> None:
    app.routes.append(Host("api.example.com", app=empty()))


def _contradict(app: FastAPI) -> None:
    app.get("/x")(at_edge(access="public")(_own(read_me)))


def _say_it_twice(app: FastAPI) -> None:
    app.get("/x")(at_edge(scopes=["other"])(_own(read_me)))


def _rename(app: FastAPI) -> None:
    app.get("/x")(at_edge(path="/y")(_own(read_me)))


def _backtrack(app: FastAPI) -> None:
    app.get("/{a}-{b}")(read_me)


def _misspell(app: FastAPI) -> None:
    app.get("/x", openapi_extra={"x-fastgate": {"acess": "public"}})(read_me)


def _declare_nowhere(app: FastAPI) -> None:
    app.get("/auth/me")(read_me)
    at_edge(below="/aut", limits=["a"])(app)


def _bind_every_body(app: FastAPI) -> None:
    app.get("/x")(read_me)
    at_edge(sign_body=True)(app)


def _own(function: Callable[..., object]) -> Callable[..., object]:
    async def own(caller: Caller) -> None: ...

    return own


@pytest.mark.parametrize(
    ("build", "what"),
    [
        (_serve_methods, "serves TRACE"),
        (_serve_anything, "accepts any method"),
        (_serve_by_host, "no path template"),
        (_contradict, "declares something else"),
        (_say_it_twice, "declares something else"),
        (_rename, "declares a path"),
        (_backtrack, "two parameters share a segment"),
        (_misspell, 'has no member "acess"; did you mean "access"?'),
        (_declare_nowhere, "nothing is served"),
        (_bind_every_body, 'inherits "sign_body"'),
    ],
)
def test_declarations_that_the_edge_cannot_enforce_are_refused(
    build: Callable[[FastAPI], None], what: str
) -> None:
    app = empty()
    build(app)
    (fault,) = faults(app)
    assert what in fault


@pytest.mark.parametrize("path", ["/\ud800", "/a/{b}/\udfff", "/a/{b:\ud800}"])
@pytest.mark.parametrize("mounted", [False, True])
def test_half_a_surrogate_pair_in_a_path_is_a_fault_of_its_endpoint(
    path: str, *, mounted: bool
) -> None:
    app, served = empty(), empty()
    served.get("/" if mounted else path)(welcome)
    if mounted:
        app.mount(path, served)
    with pytest.raises(CannotCompile, match="it contains half a surrogate pair") as refused:
        compile_routes(app if mounted else served)
    text = str(refused.value).encode().decode()  # it can be printed
    assert re.match(r"welcome \(/.*\\ud[8f]", text), text


def test_half_a_surrogate_pair_in_a_scope_is_a_fault_of_its_endpoint() -> None:
    app = empty()
    app.get("/orders", dependencies=[Security(fastgate, scopes=["a", "a\ud800"])])(silent)
    told = r"silent \(/orders, .*\n.*requires the scope 'a\\ud800'"
    with pytest.raises(CannotCompile, match=told):
        compile_routes(app)


@pytest.mark.parametrize(
    "name",
    ["X-Fastgate", "x_fastgate", "x-fast-gate", "X-FASTGATE", "xfastgate", "fastgate", "x-fasgate"],
)
def test_a_near_spelling_of_x_fastgate_is_refused(name: str) -> None:
    app = at_edge(access="public")(empty())
    app.get("/x", openapi_extra={name: {"access": "authenticated"}})(_silent())
    (fault,) = faults(app)
    assert f'openapi_extra has "{name}", which has no effect; write "x-fastgate"' in fault


@pytest.mark.parametrize(
    ("extra", "what"),
    [
        (None, "x-fastgate is None; it must be an object"),
        ("authenticated", "x-fastgate is 'authenticated'; it must be an object"),
        (["a"], "it must be an object"),
        ({1: "a"}, "it must be an object"),
        (
            {"access": "public", "require": {"rule": "a"}},
            "which allows every caller, but require req",
        ),
    ],
)
def test_an_x_fastgate_that_is_not_a_declaration_is_refused(extra: object, what: str) -> None:
    app = at_edge(access="public")(empty())
    router = APIRouter()
    router.get("/x", openapi_extra={"x-fastgate": extra})(_silent())
    app.include_router(router)
    (fault,) = faults(app)
    assert what in fault


def test_other_members_of_openapi_extra_are_ignored() -> None:
    app = at_edge(access="public")(empty())
    others = {
        "x-fastly": {},
        "x-gateway": 1,
        "x-fastapi": None,
        "externalDocs": {"url": "https://a"},
    }
    app.get("/x", openapi_extra=others)(_silent())
    assert [route["access"] for route in compile_routes(app)] == ["public"]


def _silent() -> Callable[..., object]:
    async def silent() -> None: ...

    return silent


# The command.


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "shop.py").write_text(
        "from fastapi import FastAPI\n"
        "from fastgate import Caller\n"
        "app = FastAPI(openapi_url=None)\n"
        "def create(): return app\n"
        '@app.get("/me")\n'
        "async def read_me(caller: Caller): ...\n"
    )
    monkeypatch.delitem(__import__("sys").modules, "shop", raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


def test_the_command_prints_one_line_for_each_route(
    shop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["policy", "shop:app", "--app-dir", str(shop)]) == 0
    printed = capsys.readouterr().out
    assert '\n    {"id": "get-me", "path": "/me", "methods": ["GET"], ' in printed
    assert [route["id"] for route in json.loads(printed)["routes"]] == ["get-me"]


def test_the_command_completes_a_base_and_keeps_its_content(
    shop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    base = shop / "base.json"
    base.write_text('{"edge": {"hosts": ["ü"]}, "routes": [{"id": "other", "origin": "b"}]}')
    arguments = ["policy", "shop:app", "--app-dir", str(shop), "--base", str(base)]
    assert main([*arguments, "--origin", "a"]) == 0
    policy = json.loads(capsys.readouterr().out)
    assert policy["edge"] == {"hosts": ["ü"]}
    assert [(r["id"], r["origin"]) for r in policy["routes"]] == [("other", "b"), ("get-me", "a")]


def test_the_commands_read_the_rules_of_base_and_policy(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "foreign_orders.py").write_text(
        "from fastapi import FastAPI\n"
        "from fastgate import at_edge\n"
        "app = FastAPI(openapi_url=None)\n"
        '@app.post("/orders/{order:str}")\n'
        '@at_edge(access="authenticated", require={"rule": "foreign"})\n'
        "def approve(order: int): ...\n"
    )
    policy = tmp_path / "policy.json"
    policy.write_text(json.dumps({"rules": {"foreign": FOREIGN}, "routes": []}))
    app = ["foreign_orders:app", "--app-dir", str(tmp_path)]
    assert main(["policy", *app, "--base", str(policy)]) == 1
    assert "the path parameter order as text" in capsys.readouterr().out
    assert main(["drift", *app, str(policy)]) == 1
    assert "the path parameter order as text" in capsys.readouterr().out
    assert main(["policy", *app]) == 0


@pytest.mark.parametrize("options", [[], ["--origin", "a"]])
def test_the_output_is_a_base_like_any_other(
    shop: Path, options: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    base = shop / "base.json"
    base.write_text(
        '{"routes": [{"id": "other", "path": "/b", "methods": ["GET"], "origin": "b"}]}'
    )
    arguments = ["policy", "shop:app", "--app-dir", str(shop), "--base", str(base), *options]
    printed = []
    for _ in range(2):
        assert main(arguments) == 0
        printed.append(capsys.readouterr().out)
        base.write_text(printed[-1])
    assert printed[0] == printed[1]
    assert [route["id"] for route in json.loads(printed[1])["routes"]] == ["other", "get-me"]


def test_responses_of_the_edge_stay_in_the_base_and_are_no_drift(
    shop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    base = shop / "base.json"
    own = [
        {"id": "robots", "path": "/robots.txt", "methods": ["GET"], "respond": {"file": "robots"}},
        {"id": "moved", "path": "/me", "methods": ["GET"], "respond": {"redirect": "/"}},
    ]
    base.write_text(json.dumps({"routes": own}))
    app = ["shop:app", "--app-dir", str(shop)]
    assert main(["policy", *app, "--base", str(base)]) == 0
    printed = capsys.readouterr().out
    routes = json.loads(printed)["routes"]
    assert routes[:2] == own  # the edge refuses two routes for the same requests
    assert [route["id"] for route in routes] == ["robots", "moved", "get-me"]
    base.write_text(printed)
    assert main(["drift", *app, str(base)]) == 0
    assert "no difference" in capsys.readouterr().out
    base.write_text(json.dumps({"routes": own}))
    assert main(["drift", *app, str(base)]) == 1
    assert "/me: only the app serves it" in capsys.readouterr().out


def test_output_of_an_app_on_import_is_not_part_of_the_policy(
    shop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with (shop / "shop.py").open("a") as source:
        source.write('print("hello")\n')
    assert main(["policy", "shop:app", "--app-dir", str(shop)]) == 0
    said = capsys.readouterr()
    assert json.loads(said.out)["routes"]
    assert "hello" in said.err


@pytest.mark.parametrize(
    "arguments",
    [
        ["shop:create"],
        ["shop:create", "--factory"],
        ["shop:Maker.make"],
        ["shop:maker", "--factory"],
    ],
)
def test_an_app_factory_is_called(
    shop: Path, arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with (shop / "shop.py").open("a") as source:
        source.write(
            "class Maker:\n"
            "    @staticmethod\n"
            "    def make(debug=False): return app\n"
            "    def __call__(self): return app\n"
            "maker = Maker()\n"
        )
    assert main(["policy", *arguments, "--app-dir", str(shop)]) == 0
    assert [r["id"] for r in json.loads(capsys.readouterr().out)["routes"]] == ["get-me"]


def test_the_command_prints_every_fault_and_fails(
    shop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with (shop / "shop.py").open("a") as source:
        source.write('@app.get("/silent")\nasync def silent(): ...\n')
    assert main(["policy", "shop:app", "--app-dir", str(shop)]) == 1
    said = capsys.readouterr()
    assert f"silent (/silent, {shop}/shop.py:7)" in said.out
    assert said.err == "shop:app: 1 fault\n"


@pytest.mark.parametrize("name", ["nothing:app", "shop:nothing", "shop:FastAPI.title", "shop:main"])
def test_a_wrong_call_has_its_own_exit_code(
    shop: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["policy", name, "--app-dir", str(shop)]) == 2
    assert capsys.readouterr().err


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("@app.get('/x')\ndef read(caller: Caller | None): ...", "Write `caller: AnyCaller`"),
        ("guard(app, Settings(edge='api.example.com', audience='shop'))", "has no scheme; write"),
        ("at_edge(access='all')", "access"),
        (
            "app.get('/x', dependencies=[requires(role='a')])(lambda: 1)",
            "write Depends(requires(role='a'))",
        ),
        (
            "import fastapi\napp.get('/x', dependencies=[fastapi.Depends(role('a'))])(print)",
            "write Depends(requires(role('a')))",
        ),
    ],
)
def test_an_error_of_this_package_is_one_line(
    code: str,
    message: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delitem(__import__("sys").modules, "wrong", raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    file = tmp_path / "wrong.py"
    file.write_text(
        f"from fastapi import FastAPI\nfrom fastgate import *\napp = FastAPI()\n{code}\n"
    )
    assert main(["policy", "wrong:app", "--app-dir", str(tmp_path)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert re.match(re.escape(str(file)) + ":[45]: ", line)
    assert message in line


def test_an_error_of_the_app_keeps_its_traceback(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(__import__("sys").modules, "wrong", raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "wrong.py").write_text("int('x')\n")
    assert main(["policy", "wrong:app", "--app-dir", str(tmp_path)]) == 1
    assert capsys.readouterr().err == (
        "Traceback (most recent call last):\n"
        f'  File "{tmp_path}/wrong.py", line 1, in <module>\n'
        "    int('x')\n"
        "ValueError: invalid literal for int() with base 10: 'x'\n"
    )
