"""Conflicting declarations: the stricter one counts, or the app does not compile."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import pytest
from fastapi import APIRouter, FastAPI, Security, WebSocket, routing
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route, WebSocketRoute
from starlette.staticfiles import StaticFiles

from fastgate import Settings, at_edge, guard
from fastgate.compile.policy import CannotCompile, compile_routes
from fastgate.dependencies import any_caller
from fastgate.identity import Identity
from tests.edge import AUDIENCE, ISSUER, Edge

Requirements = dict[str, tuple[object, object]]
STAFF = {"rule": "staff"}
INCLUDES_BY_REFERENCE = hasattr(routing, "_IncludedRouter")


def empty() -> FastAPI:
    return FastAPI(openapi_url=None)


def requirements(app: FastAPI) -> Requirements:
    """Return access and `require` by path."""
    return {str(r["path"]): (r["access"], r.get("require")) for r in compile_routes(app)}


def faults(app: FastAPI) -> str:
    with pytest.raises(CannotCompile) as found:
        compile_routes(app)
    return str(found.value)


async def plain(_request: Request) -> PlainTextResponse:
    return PlainTextResponse("plain")


async def socket(ws: WebSocket) -> None:
    await ws.close()


async def one() -> int:
    return 1


async def two() -> int:
    return 2


def staff_only() -> APIRouter:
    return at_edge(access="authenticated", require=STAFF)(APIRouter(prefix="/admin"))


@pytest.mark.skipif(not INCLUDES_BY_REFERENCE, reason="older FastAPI copies routes")
@pytest.mark.parametrize("nested", [False, True])
def test_starlette_routes_and_mounts_inherit_from_their_router(
    tmp_path: Path, nested: bool
) -> None:
    app = at_edge(access="public")(empty())
    marked = staff_only()
    router = APIRouter() if nested else marked
    if nested:
        marked.include_router(router, prefix="/in")
    router.add_api_route("/api", one)
    router.add_route("/raw", plain, methods=["GET"])
    router.add_websocket_route("/socket", socket)
    router.mount("/files", StaticFiles(directory=tmp_path))
    router.mount("/app", APIRouter(routes=[routing.APIRoute("/x", two)]))
    app.include_router(marked)
    app.add_route("/open", plain, methods=["GET"])
    found = requirements(app)
    assert found.pop("/open") == ("public", None)
    assert len(found) == 5
    assert set(map(repr, found.values())) == {repr(("authenticated", STAFF))}


@pytest.mark.skipif(not INCLUDES_BY_REFERENCE, reason="older FastAPI copies routes")
def test_a_router_that_is_included_twice_has_two_marks() -> None:
    app, router = empty(), APIRouter()
    router.add_route("/raw", plain, methods=["GET"])
    for prefix, access in (("/a", "public"), ("/b", "authenticated")):
        outer = at_edge(access=access)(APIRouter(prefix=prefix))
        outer.include_router(router)
        app.include_router(outer)
    assert [r["access"] for r in compile_routes(app)] == ["public", "authenticated"]


def with_marked_routes() -> APIRouter:
    closed = at_edge(access="authenticated", require=STAFF)
    raw = closed(Route("/raw", plain, methods=["GET"]))
    return APIRouter(routes=[raw, closed(WebSocketRoute("/socket", socket))])


@pytest.mark.skipif(not INCLUDES_BY_REFERENCE, reason="older FastAPI copies routes")
def test_a_marked_starlette_route_keeps_its_mark_when_included() -> None:
    app, outer = at_edge(access="public")(empty()), APIRouter()
    outer.include_router(with_marked_routes(), prefix="/in")
    app.include_router(outer, prefix="/v1")
    app.include_router(outer, prefix="/v2")
    paths = ("/v1/in/raw", "/v1/in/socket", "/v2/in/raw", "/v2/in/socket")
    assert requirements(app) == dict.fromkeys(paths, ("authenticated", STAFF))


@pytest.mark.skipif(INCLUDES_BY_REFERENCE, reason="newer FastAPI keeps the marks")
def test_a_marked_route_is_not_copied_without_its_mark() -> None:
    app, router = at_edge(access="public")(empty()), APIRouter()
    for holder in (app, router, APIRouter()):
        with pytest.raises(TypeError, match=r"/raw.*declare access, require on its endpoint"):
            holder.include_router(with_marked_routes(), prefix="/in")
    router.add_api_route("/api", one)
    at_edge(access="authenticated")(router.routes[0])
    with pytest.raises(TypeError, match=r"/api.*declare access on its endpoint"):
        app.include_router(router=router)
    assert requirements(app) == {}


@pytest.mark.skipif(INCLUDES_BY_REFERENCE, reason="newer FastAPI reports the routers of a route")
def test_a_marked_router_refuses_a_route_that_inherits_nothing() -> None:
    router = staff_only()
    with pytest.raises(TypeError, match=r"/raw\).*declare access, require on its endpoint"):
        router.add_route("/raw", plain)
    with pytest.raises(TypeError, match="declare access, require"):
        router.add_websocket_route("/socket", socket)
    inner = APIRouter()
    inner.add_route("/raw", plain)
    with pytest.raises(TypeError, match="declare access, require"):
        router.include_router(inner)

    async def own(request: Request) -> PlainTextResponse:
        return await plain(request)

    router.add_route("/own", at_edge(access="authenticated", require=STAFF)(own))
    app = at_edge(access="public")(empty())
    app.include_router(router)
    assert requirements(app) == {"/own": ("authenticated", STAFF)}


@pytest.mark.parametrize("path", ["/orders", "/orders/admin", "/orders/admin/x"])
@pytest.mark.parametrize("access", ["public", "optional", "authenticated"])
def test_the_stricter_of_a_path_and_a_router_counts(path: str, access: str) -> None:
    app = empty()
    router = at_edge(access=access)(APIRouter(prefix="/orders"))
    router.add_api_route("/admin/x", one)
    app.include_router(router)
    at_edge(below=path, access="optional")(app)
    stricter = "authenticated" if access == "authenticated" else "optional"
    assert requirements(app) == {"/orders/admin/x": (stricter, None)}


def test_other_members_of_a_path_and_a_router_must_be_equal() -> None:
    app = empty()
    router = at_edge(scopes=["a", "b"], require=STAFF, limits=["slow"])(APIRouter(prefix="/orders"))
    router.add_api_route("/x", one)
    app.include_router(router)
    at_edge(below="/orders", scopes=["c", "a"], require=STAFF)(app)
    (route,) = compile_routes(app)
    assert sorted(route["scopes"]) == ["a", "b", "c"]  # type: ignore[call-overload]
    app = empty()
    app.include_router(router)
    at_edge(below="/orders", require={"rule": "other"}, limits=["fast"])(app)
    said = faults(app)
    assert "inherits two values of require" in said
    assert "inherits two values of limits" in said
    decided = at_edge(require=STAFF, limits=["fast"])(_own())
    app = empty()
    router = at_edge(require=STAFF, limits=["slow"])(APIRouter(prefix="/orders"))
    router.add_api_route("/x", decided)
    app.include_router(router)
    at_edge(below="/orders", limits=["none"])(app)
    assert compile_routes(app)[0]["limits"] == ["fast"]


def test_a_late_mark_of_an_outer_router_does_not_open_an_inner_one() -> None:
    app, outer = empty(), APIRouter(prefix="/o")
    inner = at_edge(access="authenticated")(APIRouter())
    inner.add_api_route("/a", one)
    outer.include_router(inner)
    if INCLUDES_BY_REFERENCE:
        with pytest.raises(TypeError, match="before it includes routers"):
            at_edge(access="public")(outer)
        return
    at_edge(access="public")(outer)
    app.include_router(outer)
    assert requirements(app) == {"/o/a": ("authenticated", None)}


def test_a_later_mark_of_a_router_holds_for_its_existing_routes() -> None:
    app, router = empty(), APIRouter()
    router.add_api_route("/a", one)
    at_edge(access="authenticated")(at_edge(group="x")(router))
    router.add_api_route("/b", two)
    app.include_router(router)
    assert requirements(app) == {"/a": ("authenticated", None), "/b": ("authenticated", None)}
    assert {route["group"] for route in compile_routes(app)} == {"x"}


def _by_parameter(app: FastAPI) -> None:
    @app.get("/x")
    async def read(
        caller: Annotated[Identity | None, Security(any_caller, scopes=["admin"])],
    ) -> None: ...


def _by_route(app: FastAPI) -> None:
    app.get("/x", dependencies=[Security(any_caller, scopes=["admin"])])(one)


def _by_another(app: FastAPI) -> None:
    def someone(caller: Annotated[Identity | None, Security(any_caller)]) -> Identity | None:
        return caller

    @app.get("/x")
    async def read(
        caller: Annotated[Identity | None, Security(someone, scopes=["admin"])],
    ) -> None: ...


@pytest.mark.parametrize("build", [_by_parameter, _by_route, _by_another])
def test_scopes_that_are_not_checked_are_a_fault(build: Callable[[FastAPI], None]) -> None:
    app = empty()
    build(app)
    assert "Security(fastgate, scopes=['admin'])" in faults(app)


def settings(edge: Edge) -> Settings:
    return Settings(edge=ISSUER, audience=AUDIENCE, keys=edge.jwks)


def test_public_docs_apply_only_to_fastapis_own_pages(edge: Edge) -> None:
    for app in (empty(), FastAPI(docs_url=None)):
        app.add_route("/docs", plain, methods=["GET"])
        app.add_route("/openapi.json", plain, methods=["GET"])
        at_edge(access="authenticated", require=STAFF)(app)
        guard(app, settings(edge), docs="public")
        routes = compile_routes_without_overlap(app)
        assert routes["/docs"] == ("authenticated", STAFF)


def compile_routes_without_overlap(app: FastAPI) -> Requirements:
    if app.openapi_url is not None:  # FastAPI's own page is registered first
        app.router.routes.pop()
    return requirements(app)


@pytest.mark.parametrize(
    "mark", [at_edge(access="authenticated"), at_edge(require=STAFF)], ids=["access", "require"]
)
@pytest.mark.parametrize("said_of", ["the app", "the mount"])
def test_public_docs_do_not_apply_to_a_mounted_app_that_declares_its_callers(
    edge: Edge, mark: Callable[[object], object], said_of: str
) -> None:
    app, inner, other = FastAPI(), FastAPI(), FastAPI()
    app.mount("/admin", inner)
    app.mount("/other", other)
    mark(inner if said_of == "the app" else app.router.routes[-2])
    at_edge(access="authenticated")(app)
    guard(app, settings(edge), docs="public")
    found = {path: access for path, (access, _) in requirements(app).items()}
    assert (found["/docs"], found["/other/docs"]) == ("public", "public")
    assert found["/admin/docs"] == found["/admin/openapi.json"] == "authenticated"


def test_an_id_of_two_routes_is_a_fault() -> None:
    app = empty()
    app.add_api_route("/x", at_edge(access="public", id="get-orders")(_own()))
    app.add_api_route("/orders", at_edge(access="authenticated")(_own()))
    assert 'has the same id "get-orders" as own (/x' in faults(app)


def _own() -> Callable[..., object]:
    async def own() -> None: ...

    return own


@pytest.mark.parametrize("inner", [at_edge(access="authenticated"), at_edge(scopes=["a"])])
def test_a_rewrite_to_a_stricter_endpoint_is_a_fault(
    inner: Callable[[object], object],
) -> None:
    def app_with(outer: Callable[[object], object]) -> FastAPI:
        app = empty()
        named, known = at_edge(rewrite={"template": "/o/{id}"})(_own()), _own()
        outer(named)
        inner(known)
        app.get("/v1/o/{id}")(named)
        app.get("/o/{key}")(known)
        return app

    assert len(compile_routes(app_with(inner))) == 2
    assert "is rewritten to own (/o/{key}" in faults(app_with(at_edge(access="public")))
