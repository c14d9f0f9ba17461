"""A declaration for many routes counts for each of them, or the app does not compile."""

import functools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import pytest
from fastapi import APIRouter, Depends, FastAPI, Security, WebSocket, routing
from fastapi.routing import APIRoute, APIWebSocketRoute
from starlette.applications import Starlette
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route, Router
from starlette.staticfiles import StaticFiles
from starlette.testclient import TestClient

from fastgate import (
    AnyCaller,
    Caller,
    FastgateMiddleware,
    Identity,
    any_caller,
    at_edge,
    fastgate,
    guard,
)
from fastgate.compile.endpoints.documentation import declare_docs
from fastgate.compile.policy import CannotCompile, compile_routes
from fastgate.declare.stored_marks import declared
from fastgate.testing import AsCaller
from tests.edge import Edge

INCLUDES_MOUNTS = hasattr(routing, "_IncludedRouter")
"""Older FastAPI ignores the mounts of an included router."""

STAFF = {"rule": "staff"}
closed = at_edge(access="authenticated", require=STAFF)
CLOSED = ("authenticated", STAFF)
FILES = Path(__file__).parent
needs_frontends = pytest.mark.skipif(
    not hasattr(FastAPI, "frontend"), reason="this FastAPI serves no frontends"
)


def public() -> FastAPI:
    """Return an app that is public by default."""
    return at_edge(access="public")(FastAPI(openapi_url=None))


def requirements(app: object) -> dict[str, tuple[object, object]]:
    """Return what the edge requires of callers, by path."""
    routes = compile_routes(app)
    return {str(route["path"]): (route["access"], route.get("require")) for route in routes}


async def silent() -> str:
    return "ran"


async def talk(websocket: WebSocket) -> None: ...


async def plain(_request: Request) -> PlainTextResponse:
    return PlainTextResponse("ran")


def router_of_both() -> APIRouter:
    router = APIRouter()
    router.get("/secret")(silent)
    router.websocket("/socket")(talk)
    return router


# A mark on a router, regardless of how its routes are reached.


def mounted(app: FastAPI) -> None:
    app.mount("/admin", closed(router_of_both()))


def mounted_deeper(app: FastAPI) -> None:
    app.mount("/admin", Router([Mount("/", app=closed(router_of_both()))]))


def mounted_around_an_inclusion(app: FastAPI) -> None:
    router, outer = router_of_both(), APIRouter()
    outer.include_router(closed(router), prefix="/admin")
    app.mount("/", outer)


def router_of_a_mounted_app(app: FastAPI) -> None:
    inner = FastAPI(openapi_url=None)
    inner.get("/secret")(silent)
    inner.websocket("/socket")(talk)
    closed(inner.router)
    app.mount("/admin", inner)


def router_of_the_app(app: FastAPI) -> None:
    app.get("/admin/secret")(silent)
    app.websocket("/admin/socket")(talk)
    closed(app.router)


def included(app: FastAPI) -> None:
    app.include_router(closed(router_of_both()), prefix="/admin")


@pytest.mark.parametrize(
    "add",
    [
        mounted,
        mounted_deeper,
        mounted_around_an_inclusion,
        router_of_a_mounted_app,
        router_of_the_app,
        included,
    ],
)
def test_a_routers_mark_holds_for_its_existing_routes(
    edge: Edge, as_caller: AsCaller, add: Callable[[FastAPI], None]
) -> None:
    app = public()
    add(app)
    assert requirements(app) == {"/admin/secret": CLOSED, "/admin/socket": CLOSED}
    guard(app, edge.settings(strict=True))
    assert as_caller(app, sub="ada").get("/admin/secret").text == '"ran"'


def test_the_mark_of_a_router_that_is_served_itself_holds() -> None:
    assert requirements(closed(router_of_both())) == {"/secret": CLOSED, "/socket": CLOSED}


def test_the_mark_of_a_starlette_apps_router_holds() -> None:
    app = at_edge(access="public")(Starlette(routes=[Route("/secret", plain)]))
    closed(app.router)
    assert requirements(app) == {"/secret": CLOSED}


def test_a_nearer_mark_than_the_mounted_routers_counts() -> None:
    app, outer, inner = public(), APIRouter(), at_edge(access="optional")(router_of_both())
    outer.include_router(inner, prefix="/inner")
    outer.get("/own")(at_edge(access="none")(silent_too))
    app.mount("/admin", outer)
    at_edge(access="authenticated")(app.routes[-1])
    assert requirements(app) == {
        "/admin/inner/secret": ("optional", None),
        "/admin/inner/socket": ("optional", None),
    }


async def silent_too() -> str:
    return "ran"


def test_a_routers_mark_and_a_path_conflict_regardless_of_the_order() -> None:
    app = public()
    app.get("/before")(silent)
    closed(app.router)
    app.get("/after")(silent)
    at_edge(below="/before", access="optional")(app)
    at_edge(below="/after", access="optional")(app)
    assert requirements(app) == {"/before": CLOSED, "/after": CLOSED}


@needs_frontends
def test_a_routers_mark_holds_for_its_existing_frontend() -> None:
    app, router = public(), APIRouter()
    router.frontend("/ui", directory=FILES)
    app.include_router(closed(router))
    assert requirements(app) == {"/ui": CLOSED, "/ui/{path:path}": CLOSED}


# A mark that is made after the router was included.


def read_by_the_compiler(app: FastAPI) -> None:
    compile_routes(app)


def read_by_openapi(app: FastAPI) -> None:
    app.openapi()


def read_by_a_request(app: FastAPI) -> None:
    TestClient(app).get("/staff/secret")


def read_by_nobody(app: FastAPI) -> None: ...


@pytest.mark.parametrize(
    "read", [read_by_the_compiler, read_by_openapi, read_by_a_request, read_by_nobody]
)
@pytest.mark.parametrize("nested", [False, True])
def test_a_routers_mark_counts_or_is_refused_once_it_is_included(
    edge: Edge, read: Callable[[FastAPI], None], nested: bool
) -> None:
    app, router = public(), router_of_both()
    if nested:
        holder = APIRouter()
        holder.include_router(router, prefix="/staff")
        app.include_router(holder)
    else:
        app.include_router(router, prefix="/staff")
    read(app)
    if not INCLUDES_MOUNTS:
        with pytest.raises(TypeError, match="before it is included"):
            closed(router)
        return
    closed(router)
    assert requirements(app) == {"/staff/secret": CLOSED, "/staff/socket": CLOSED}
    with TestClient(FastgateMiddleware(app, edge.settings(strict=True))):
        pass


def appended(router: APIRouter) -> None:
    closed(router)
    router.routes.append(APIRoute("/secret", silent))


def appended_socket(router: APIRouter) -> None:
    closed(router)
    router.routes.append(APIWebSocketRoute("/secret", talk))


def with_another_list(router: APIRouter) -> None:
    closed(router)
    router.dependencies = []
    router.get("/secret")(silent)


@pytest.mark.parametrize("add", [appended, appended_socket, with_another_list])
@pytest.mark.parametrize("nested", [False, True])
def test_a_route_that_inherits_nothing_from_its_router_is_a_fault(
    add: Callable[[APIRouter], None], nested: bool
) -> None:
    router = APIRouter()
    add(router)
    with pytest.raises((CannotCompile, TypeError), match=HANDS_NOTHING_ON):
        compile_with(router, nested=nested)


def test_an_inner_router_that_inherits_nothing_is_a_fault() -> None:
    outer, inner = closed(APIRouter()), APIRouter()
    outer.dependencies = []
    inner.get("/secret")(silent)
    outer.include_router(inner)
    with pytest.raises((CannotCompile, TypeError), match=HANDS_NOTHING_ON):
        compile_with(outer)


HANDS_NOTHING_ON = r"declaration of its router.*\n?.*access"


def compile_with(router: APIRouter, *, nested: bool = False) -> None:
    app, holder = public(), APIRouter()
    holder.include_router(router)
    app.include_router(holder if nested else router)
    compile_routes(app)


# A path within a mounted app.


def inner_app() -> FastAPI:
    inner = FastAPI(openapi_url=None)
    inner.get("/admin/secret")(silent)
    inner.websocket("/admin/socket")(talk)
    inner.get("/administrators")(silent)
    return inner


def at_v1(app: FastAPI) -> str:
    app.mount("/v1", inner_app())
    return "/v1"


def at_a_parameter(app: FastAPI) -> str:
    app.mount("/{tenant_of_mine}", inner_app())
    return "/{tenant}"


def at_the_root(app: FastAPI) -> str:
    app.mount("/", inner_app())
    return ""


def at_two_mounts(app: FastAPI) -> str:
    app.mount("/v1", Starlette(routes=[Mount("/two", routes=[Mount("/", app=inner_app())])]))
    return "/v1/two"


def in_an_included_router(app: FastAPI) -> str:
    router = APIRouter()
    router.mount("/two", inner_app())
    app.include_router(router, prefix="/api")
    return "/api/two" if INCLUDES_MOUNTS else at_v1(app)


@pytest.mark.parametrize(
    "mount", [at_v1, at_a_parameter, at_the_root, at_two_mounts, in_an_included_router]
)
def test_a_path_holds_within_a_mounted_app(
    edge: Edge, as_caller: AsCaller, mount: Callable[[FastAPI], str]
) -> None:
    app = public()
    prefix = mount(app)
    app.router.routes.insert(0, Route(f"{prefix}/admin/health", plain))
    at_edge(below=f"{prefix}/admin", access="authenticated", require=STAFF)(app)
    found = requirements(app)
    kept = {path for path, what in found.items() if what == CLOSED}
    assert {path.rpartition("/admin/")[2] for path in kept} == {"health", "secret", "socket"}
    assert [what for what in found.values() if what != CLOSED] == [("public", None)]
    guard(app, edge.settings(strict=True))
    path = prefix.replace("{tenant}", "seven") + "/admin/secret"
    assert as_caller(app, sub="ada").get(path).text == '"ran"'


def test_a_public_endpoint_inherits_nothing_of_a_token() -> None:
    forward = [{"claim": "email"}]
    app = at_edge(forward=forward)(FastAPI(openapi_url=None))
    app.get("/terms")(at_edge(access="public")(functools.partial(silent)))
    app.get("/news")(at_edge(access="optional")(functools.partial(silent)))
    app.get("/own")(at_edge(access="public", forward=forward)(functools.partial(silent)))
    routes = {route["path"]: route.get("forward") for route in compile_routes(app)}
    assert routes == {"/terms": None, "/news": forward, "/own": forward}


def test_the_longest_path_counts() -> None:
    app = public()
    app.mount("/v1", inner_app())
    at_edge(below="/v1", access="optional")(app)
    at_edge(below="/v1/admin/secret", access="none")(app)
    assert requirements(app) == {
        "/v1/admin/socket": ("optional", None),
        "/v1/administrators": ("optional", None),
    }


@pytest.mark.parametrize("strict_one", ["outer path", "inner app", "inner path"])
def test_a_path_and_a_mounted_app_conflict(strict_one: str) -> None:
    app, inner = public(), inner_app()
    app.mount("/v1", inner)
    open_ones = at_edge(access="optional"), at_edge(below="/admin", access="optional")
    if strict_one == "inner app":
        closed(inner)
    elif strict_one == "inner path":
        at_edge(below="/admin", access="authenticated", require=STAFF)(inner)
    else:
        open_ones[0](inner)
        open_ones[1](inner)
    if strict_one == "outer path":
        at_edge(below="/v1/admin", access="authenticated", require=STAFF)(app)
    else:
        at_edge(below="/v1/admin", access="optional")(app)
    assert requirements(app)["/v1/admin/secret"] == CLOSED


def test_a_conflict_without_a_stricter_value_is_a_fault() -> None:
    app, inner = public(), at_edge(limits=["inner"])(inner_app())
    app.mount("/v1", inner)
    at_edge(below="/v1/admin", limits=["outer"])(app)
    with pytest.raises(CannotCompile, match="two values of limits"):
        compile_routes(app)


def test_a_path_within_a_mount_at_which_nothing_is_served_is_a_fault() -> None:
    app = public()
    app.mount("/v1", inner_app())
    at_edge(below="/v1/admni", access="authenticated")(app)
    with pytest.raises(CannotCompile, match=r"/v1/admni.*\n.*nothing is served"):
        compile_routes(app)


# A path within an app that is judged as a whole.


async def own_word() -> str:
    return "ran"


def everything(scope: object, receive: object, send: object) -> None: ...


def static_files(app: FastAPI, path: str) -> None:
    app.mount(path, StaticFiles(directory=FILES))


def an_opaque_app(app: FastAPI, path: str) -> None:
    app.mount(path, at_edge(opaque=True, methods=["GET"])(inner_app()))


def an_asgi_app(app: FastAPI, path: str) -> None:
    app.mount(path, at_edge(methods=["GET"], websocket=True)(copy_of(everything)))


def files_of_a_mounted_app(app: FastAPI, path: str) -> None:
    app.mount("/", Starlette(routes=[Mount(path, StaticFiles(directory=FILES))]))


def a_frontend(app: FastAPI, path: str) -> None:
    app.frontend(path or "/", directory=FILES)


def a_function(app: FastAPI, path: str) -> None:
    app.get(path + "/{rest:path}")(copy_of(silent))


def copy_of(function: Any) -> Any:  # noqa: ANN401
    return functools.partial(function)


UNITS = [
    static_files,
    an_opaque_app,
    an_asgi_app,
    files_of_a_mounted_app,
    pytest.param(a_frontend, marks=needs_frontends),
    a_function,
]
Add = Callable[[FastAPI, str], None]


@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.parametrize("path", ["/files", ""])
def test_a_path_within_an_app_judged_as_a_whole_cannot_be_closed(
    edge: Edge, unit: Add, path: str
) -> None:
    app = public()
    app.get(f"{path}/private/own")(silent)  # something has to be served there
    unit(app, path)
    at_edge(below=f"{path}/private", access="authenticated", require=STAFF)(app)
    with pytest.raises(CannotCompile, match=r"declares something else: access, require"):
        compile_routes(app)
    guard(app, edge.settings(strict=True))
    with pytest.raises(CannotCompile, match="declares something else"), TestClient(app):
        pass


@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.parametrize(
    "members",
    [{"access": "public"}, {"access": "optional"}, {"scopes": []}],
)
def test_a_path_within_it_may_be_opened_or_declared_equally(
    unit: Add, members: dict[str, Any]
) -> None:
    app = at_edge(access="authenticated")(FastAPI(openapi_url=None))
    app.get("/files/private/own")(silent)
    unit(app, "/files")
    at_edge(below="/files/private", **members)(app)
    assert "/files/private/own" in requirements(app)


@pytest.mark.parametrize("name", ["limits", "scopes"])
def test_each_requirement_of_the_path_that_the_whole_lacks_is_reported(name: str) -> None:
    app = at_edge(access="authenticated")(FastAPI(openapi_url=None))
    app.get("/files/private/own")(silent)
    static_files(app, "/files")
    at_edge(below="/files/private", **{name: ["a"]})(app)
    with pytest.raises(CannotCompile, match=f"declares something else: {name}"):
        compile_routes(app)


def a_single_page_app(app: FastAPI) -> None:
    app.mount("/", at_edge(access="public")(StaticFiles(directory=FILES, html=True)))


def a_page_for_every_path(app: FastAPI) -> None:
    app.get("/{full_path:path}")(at_edge(access="public")(own_word))


def a_frontend_by_its_path(app: FastAPI) -> None:
    app.frontend("/", directory=FILES)
    at_edge(below="/{path:path}", access="public")(app)


@pytest.mark.parametrize(
    "rest",
    [
        a_single_page_app,
        a_page_for_every_path,
        pytest.param(a_frontend_by_its_path, marks=needs_frontends),
    ],
)
def test_a_fallback_that_declares_its_callers_is_not_a_fault(
    rest: Callable[[FastAPI], None],
) -> None:
    app = FastAPI(openapi_url=None)
    app.get("/api/orders")(silent)
    at_edge(below="/api", access="authenticated", require=STAFF)(app)
    rest(app)
    assert sorted(requirements(app).values(), key=str) == [CLOSED, ("public", None)]


@pytest.mark.parametrize(
    "rest",
    [
        a_single_page_app,
        a_page_for_every_path,
        pytest.param(a_frontend_by_its_path, marks=needs_frontends),
    ],
)
def test_a_fallback_of_a_mounted_app_is_not_a_fault(rest: Callable[[FastAPI], None]) -> None:
    app, inner = public(), FastAPI(openapi_url=None)
    inner.get("/staff/orders")(silent)
    rest(inner)
    app.mount("/v1", inner)
    at_edge(below="/v1/staff", access="authenticated", require=STAFF)(app)
    assert sorted(requirements(app).values(), key=str) == [CLOSED, ("public", None)]


def test_a_mounted_app_without_a_declaration_is_a_fault() -> None:
    app, inner = public(), FastAPI(openapi_url=None)
    inner.get("/staff/orders")(silent)
    inner.mount("/", StaticFiles(directory=FILES))
    app.mount("/v1", inner)
    app.mount("/v2", at_edge(access="public")(StaticFiles(directory=FILES)))
    for path in ("/v1/staff", "/v2/staff"):
        at_edge(below=path, access="authenticated", require=STAFF)(app)
    with pytest.raises(CannotCompile, match="declares something else") as error:
        compile_routes(app)
    said = [str(fault) for fault in error.value.faults if "declares something else" in str(fault)]
    assert ["(/v1/{path:path}" in each for each in said] == [True, False]


def test_an_earlier_mount_receives_the_path() -> None:
    app = public()
    app.mount("/files/private", StaticFiles(directory=FILES))
    app.mount("/files", StaticFiles(directory=FILES))
    at_edge(below="/files/private", access="authenticated", require=STAFF)(app)
    files = {"/files/private/{path:path}": CLOSED, "/files/{path:path}": ("public", None)}
    assert requirements(app) == files
    app.routes.reverse()
    with pytest.raises(CannotCompile, match="declares something else"):
        compile_routes(app)


# Dependencies that FastAPI runs only for its own routes.


def security(*scopes: str) -> Any:  # noqa: ANN401
    return Security(fastgate, scopes=scopes)


async def deep_caller(caller: Annotated[Identity, security("deep")]) -> None: ...


def a_starlette_route(router: Any) -> None:  # noqa: ANN401
    router.add_route("/x", copy_of(plain), methods=["GET"])


def a_starlette_socket(router: Any) -> None:  # noqa: ANN401
    getattr(router, "router", router).add_websocket_route("/x", copy_of(talk))


def a_mounted_app(router: Any) -> None:  # noqa: ANN401
    inner = FastAPI(openapi_url=None)
    inner.get("/x")(silent)
    router.mount("/m", inner)


def mounted_files(router: Any) -> None:  # noqa: ANN401
    router.mount("/m", StaticFiles(directory=FILES))


def secured_router(add: Callable[[Any], None], dependency: Any, access: str) -> FastAPI:  # noqa: ANN401
    app, router = at_edge(access=access)(FastAPI(openapi_url=None)), APIRouter()
    router.dependencies = [dependency]
    add(router)
    app.include_router(router, prefix="/admin")
    return app


def secured_inclusion(add: Callable[[Any], None], dependency: Any, access: str) -> FastAPI:  # noqa: ANN401
    app, outer, router = at_edge(access=access)(FastAPI(openapi_url=None)), APIRouter(), APIRouter()
    add(router)
    outer.include_router(router, dependencies=[dependency])
    app.include_router(outer, prefix="/admin")
    return app


def secured_app(add: Callable[[Any], None], dependency: Any, access: str) -> FastAPI:  # noqa: ANN401
    app = at_edge(access=access)(FastAPI(openapi_url=None, dependencies=[dependency]))
    add(app)
    return app


Secured = Callable[[Callable[[Any], None], Any, str], FastAPI]
BESIDE = [a_starlette_route, a_starlette_socket, a_mounted_app, mounted_files]


def is_left_out(add: Callable[[Any], None], secured: Secured) -> bool:
    mounts = add in (a_mounted_app, mounted_files)
    return mounts and secured is not secured_app and not INCLUDES_MOUNTS


@pytest.mark.parametrize("secured", [secured_router, secured_inclusion, secured_app])
@pytest.mark.parametrize("add", BESIDE)
@pytest.mark.parametrize(
    ("dependency", "required"),
    [
        (security("admin"), "'admin'"),
        (Depends(fastgate), "a known caller"),
        (Depends(deep_caller), "'deep'"),
    ],
)
def test_a_requirement_that_fastapi_does_not_run_must_also_be_declared(
    edge: Edge, secured: Secured, add: Callable[[Any], None], dependency: object, required: str
) -> None:
    if is_left_out(add, secured):
        pytest.skip("this FastAPI leaves mounts of included routers out")
    app = secured(add, dependency, "public")
    with pytest.raises(CannotCompile, match=f"depends on .*{required}"):
        compile_routes(app)
    guard(app, edge.settings(strict=True))
    with pytest.raises(CannotCompile, match="depends on"), TestClient(app):
        pass


@pytest.mark.parametrize("secured", [secured_router, secured_inclusion, secured_app])
@pytest.mark.parametrize("add", BESIDE)
def test_its_own_or_an_inherited_declaration_is_enough(
    secured: Secured, add: Callable[[Any], None]
) -> None:
    compile_routes(secured(add, Depends(fastgate), "authenticated"))
    compile_routes(secured(add, Depends(any_caller), "public"))
    with_scopes = secured(add, security("admin"), "authenticated")
    compile_routes(at_edge(scopes=["admin", "b"])(with_scopes))


def test_the_endpoint_or_mount_declares_it_itself() -> None:
    app = at_edge(access="public")(FastAPI(openapi_url=None, dependencies=[security("a")]))
    app.add_route("/x", at_edge(access="public")(copy_of(plain)), methods=["GET"])
    app.mount("/m", at_edge(access="optional")(inner_app()))
    app.get("/own")(silent)
    assert requirements(app)["/x"] == ("public", None)
    assert requirements(app)["/m/admin/secret"] == ("optional", None)
    assert requirements(app)["/own"] == ("authenticated", None)


def late_before_the_inclusion(app: FastAPI) -> None:
    router = APIRouter()
    router.get("/f")(silent)
    router.dependencies.append(security("a"))
    app.include_router(router)


def late_after_the_inclusion(app: FastAPI) -> None:
    router, outer = APIRouter(), APIRouter()
    router.get("/f")(silent)
    outer.include_router(router)
    app.include_router(outer)
    router.dependencies.append(security("a"))


def late_of_an_outer_router(app: FastAPI) -> None:
    router, outer = APIRouter(), APIRouter()
    router.websocket("/f")(talk)
    app.include_router(outer)
    outer.include_router(router)
    app.include_router(outer, prefix="/more")
    outer.dependencies.append(security("a"))


def late_of_the_app(app: FastAPI) -> None:
    app.get("/f")(silent)
    app.router.dependencies.append(security("a"))


def late_of_a_mounted_router(app: FastAPI) -> None:
    router = APIRouter()
    router.get("/f")(read_me)
    app.mount("/m", router)
    router.dependencies.append(security("a"))


def put_into_the_list(app: FastAPI) -> None:
    router = APIRouter(dependencies=[security("a")])
    router.routes.append(APIRoute("/f", silent))
    app.include_router(router)


@pytest.mark.parametrize(
    "add",
    [
        late_before_the_inclusion,
        late_after_the_inclusion,
        late_of_an_outer_router,
        late_of_the_app,
        late_of_a_mounted_router,
        put_into_the_list,
    ],
)
def test_a_dependency_that_is_added_too_late_does_not_run(add: Callable[[FastAPI], None]) -> None:
    app = public()
    add(app)
    with pytest.raises(CannotCompile, match=SCOPES_LEFT_OUT):
        compile_routes(app)


def test_a_dependency_without_new_requirements_may_be_added_late() -> None:
    app, router = public(), APIRouter(dependencies=[security("a")])
    router.get("/f")(silent)
    router.get("/g", dependencies=[security("b")])(silent)
    app.include_router(router)
    router.dependencies += [Depends(fastgate), Depends(any_caller), Depends(silent)]
    assert {str(it["path"]): it["scopes"] for it in compile_routes(app)} == {
        "/f": ["a"],
        "/g": ["a", "b"],
    }


SCOPES_LEFT_OUT = r"depends on Security\(fastgate, scopes=\['a'\]\)"


def test_requiring_a_known_caller_does_not_require_scopes() -> None:
    app = FastAPI(openapi_url=None, dependencies=[security("a")])
    app.add_route("/x", at_edge(access="authenticated")(copy_of(plain)), methods=["GET"])
    app.router.add_websocket_route("/w", at_edge(access="authenticated")(copy_of(talk)))
    app.mount("/m", at_edge(access="authenticated")(inner_app()))
    app.mount("/f", at_edge(access="authenticated")(StaticFiles(directory=FILES)))
    with pytest.raises(CannotCompile, match=SCOPES_LEFT_OUT) as error:
        compile_routes(app)
    found = "".join(map(str, error.value.faults))
    assert all(f"({path}" in found for path in ("/x,", "/w,", "/m/", "/f/"))


@pytest.mark.parametrize("scopes", [[], ["a"], ["b"]])
def test_scopes_declared_there_replace_the_required_ones(scopes: list[str]) -> None:
    app = FastAPI(openapi_url=None, dependencies=[security("a")])
    mark = at_edge(access="authenticated", scopes=scopes)
    app.add_route("/x", mark(copy_of(plain)), methods=["GET"])
    app.mount("/m", mark(inner_app()))
    app.mount("/f", mark(StaticFiles(directory=FILES)))
    assert all(route.get("scopes", []) == scopes for route in compile_routes(app))


@pytest.mark.skipif(not INCLUDES_MOUNTS, reason="no mounts in routers")
def test_scopes_of_a_closed_router_must_be_declared_on_starlette_routes_and_mounts() -> None:
    app, router = FastAPI(openapi_url=None), APIRouter(dependencies=[security("a")])
    router.add_route("/s", at_edge(access="authenticated")(copy_of(plain)), methods=["GET"])
    router.mount("/st", at_edge(access="authenticated")(StaticFiles(directory=FILES)))
    app.include_router(router)
    with pytest.raises(CannotCompile, match=SCOPES_LEFT_OUT) as error:
        compile_routes(app)
    assert len(error.value.faults) == 2


def marked(**members: Any) -> Any:  # noqa: ANN401
    async def dependency() -> None: ...

    return Depends(at_edge(**members)(dependency))


def a_frontend_below(router: Any) -> None:  # noqa: ANN401
    router.frontend("/ui", directory=FILES)


MARKABLE = [*BESIDE, pytest.param(a_frontend_below, marks=needs_frontends)]


@pytest.mark.parametrize("secured", [secured_router, secured_inclusion, secured_app])
@pytest.mark.parametrize("add", MARKABLE)
def test_the_mark_of_such_a_dependency_must_be_declared_there(
    secured: Secured, add: Callable[[Any], None]
) -> None:
    if is_left_out(add, secured):
        pytest.skip("this FastAPI leaves mounts of included routers out")
    dependency = marked(access="authenticated", require=STAFF)
    with pytest.raises(CannotCompile, match="without effect: access, require on marked"):
        compile_routes(secured(add, dependency, "public"))
    with pytest.raises(CannotCompile, match="without effect: require on marked"):
        compile_routes(secured(add, dependency, "authenticated"))
    compile_routes(at_edge(require=STAFF)(secured(add, dependency, "authenticated")))


def test_a_mount_or_starlette_route_below_it_declares_the_same_itself() -> None:
    dependency = marked(access="authenticated", require=STAFF, limits=["a"])
    app = FastAPI(openapi_url=None, dependencies=[dependency])
    app.add_route("/x", at_edge(access="public", limits=["b"])(copy_of(plain)), methods=["GET"])
    app.mount("/m", at_edge(access="optional", limits=["b"])(inner_app()))
    assert requirements(app)["/x"] == ("public", None)
    assert requirements(app)["/m/admin/secret"] == ("optional", None)
    app.mount("/files", at_edge(access="authenticated", limits=["b"])(StaticFiles(directory=FILES)))
    with pytest.raises(CannotCompile, match="without effect: require on marked") as error:
        compile_routes(app)
    assert len(error.value.faults) == 1


def test_an_endpoint_of_a_mounted_app_that_requires_less_than_its_parent_is_a_fault() -> None:
    app, inner = FastAPI(openapi_url=None, dependencies=[Depends(fastgate)]), inner_app()
    inner.get("/caller")(read_me)
    app.mount("/m", at_edge(limits=["a"])(inner))
    inner.routes[:] = inner.routes[-1:]
    assert requirements(app) == {"/m/caller": ("authenticated", None)}
    inner.get("/anybody")(welcome)
    with pytest.raises(CannotCompile, match=r"welcome \(/m/anybody"):
        compile_routes(app)


async def read_me(caller: Caller) -> None: ...


async def welcome(caller: AnyCaller) -> None: ...


# Routes that are in the list of another router or app than the one that they were added to.


def added_to(router: APIRouter) -> APIRouter:
    router.get("/a")(silent)
    router.mount("/files", StaticFiles(directory=FILES))
    router.mount("/m", inner_app())
    if INCLUDES_MOUNTS:  # older FastAPI accepts no such route unless it declares the same
        router.add_route("/b", copy_of(plain), methods=["GET"])
        router.add_websocket_route("/c", copy_of(talk))
    return router


def marked_late(router: APIRouter) -> APIRouter:
    router.get("/a")(silent)
    return closed(router)


def in_its_list(app: FastAPI, router: APIRouter) -> None:
    app.router.routes.extend(router.routes)


def in_a_mounted_router(app: FastAPI, router: APIRouter) -> None:
    app.mount("/mounted", APIRouter(routes=router.routes))


def in_a_mounted_app(app: FastAPI, router: APIRouter) -> None:
    app.mount("/mounted", FastAPI(openapi_url=None, routes=router.routes))


def in_a_list_of_an_included_router(app: FastAPI, router: APIRouter) -> None:
    app.include_router(APIRouter(routes=router.routes))


def in_a_router_of_an_included_one(app: FastAPI, router: APIRouter) -> None:
    outer = APIRouter(prefix="/outer")
    outer.include_router(APIRouter(routes=router.routes), prefix="/inner")
    app.include_router(outer)


@pytest.mark.parametrize(
    "router", [lambda: added_to(closed(APIRouter())), lambda: marked_late(APIRouter())]
)
@pytest.mark.parametrize(
    "put",
    [
        in_its_list,
        in_a_mounted_router,
        in_a_mounted_app,
        in_a_list_of_an_included_router,
        in_a_router_of_an_included_one,
    ],
)
def test_routes_keep_the_mark_of_the_router_that_they_were_added_to(
    put: Callable[[FastAPI, APIRouter], None], router: Callable[[], APIRouter]
) -> None:
    app = public()
    put(app, router())
    app.get("/open")(silent)
    found = requirements(app)
    assert found.pop("/open") == ("public", None)
    assert {*map(str, found.values())} == {str(CLOSED)}


# FastAPI's own pages of an app that is mounted at a closed place.


def by_its_path(app: FastAPI) -> None:
    app.mount("/admin", FastAPI())
    at_edge(below="/admin", access="authenticated", require=STAFF)(app)


def by_a_longer_path(app: FastAPI) -> None:
    app.mount("/x", Starlette(routes=[Mount("/admin", app=FastAPI())]))
    at_edge(below="/x/admin", access="authenticated", require=STAFF)(app)


def by_a_path_of_what_is_mounted(app: FastAPI) -> None:
    middle = FastAPI(openapi_url=None)
    by_its_path(middle)
    app.mount("/x", middle)


def by_its_router(app: FastAPI) -> None:
    router = closed(APIRouter())
    router.mount("/admin", FastAPI())
    app.include_router(router, prefix="/x")


def by_a_mounted_router(app: FastAPI) -> None:
    router = closed(APIRouter())
    router.mount("/admin", FastAPI())
    app.mount("/x", router)


def by_what_asks_something_of_callers(app: FastAPI) -> None:
    app.mount("/admin", FastAPI())
    at_edge(below="/admin", scopes=["staff"], require=STAFF)(app)


@pytest.mark.parametrize(
    "close",
    [
        by_its_path,
        by_a_longer_path,
        by_a_path_of_what_is_mounted,
        pytest.param(
            by_its_router,
            marks=pytest.mark.skipif(not INCLUDES_MOUNTS, reason="no mounts in routers"),
        ),
        by_a_mounted_router,
        by_what_asks_something_of_callers,
    ],
)
@pytest.mark.parametrize("docs", ["public", "optional", "authenticated", "none"])
@pytest.mark.parametrize("later", [True, False])
def test_pages_that_a_declaration_closes_stay_closed(
    edge: Edge, close: Callable[[FastAPI], None], docs: str, *, later: bool
) -> None:
    app = FastAPI()
    if not later:
        close(app)
    guard(app, edge.settings(strict=True), docs=docs)
    if later:
        close(app)
    with TestClient(app):
        pass
    found = requirements(app)
    pages = {path: what for path, what in found.items() if "/admin" in path}
    # `docs=` never applies to pages of an app that declares its callers.
    assert len(pages) == (0 if docs == "none" and close is not by_a_mounted_router else 4)
    assert all(what == CLOSED for what in pages.values())
    own = {path: what for path, what in found.items() if path not in pages}
    assert set(own) == (
        set() if docs == "none" else {"/openapi.json", "/docs", "/docs/oauth2-redirect", "/redoc"}
    )
    assert all(what == (docs, None) for what in own.values())


# Pages of an app that is closed by its own dependencies, or by those around it.


def by_its_dependencies(app: FastAPI, dependency: Any) -> None:  # noqa: ANN401
    inner = FastAPI(dependencies=[dependency])
    inner.get("/x")(silent)
    app.mount("/adm", inner)


def by_a_middle_apps_dependencies(app: FastAPI, dependency: Any) -> None:  # noqa: ANN401
    middle = FastAPI(openapi_url=None, dependencies=[dependency])
    middle.mount("/adm", FastAPI())
    app.mount("/m", middle)


def by_a_mounted_routers_dependencies(app: FastAPI, dependency: Any) -> None:  # noqa: ANN401
    router = APIRouter(dependencies=[dependency])
    router.mount("/adm", FastAPI())
    app.mount("/m", router)


def by_its_routers_dependencies(app: FastAPI, dependency: Any) -> None:  # noqa: ANN401
    router = APIRouter(dependencies=[dependency])
    router.mount("/adm", FastAPI())
    app.include_router(router)


by_included = pytest.param(
    by_its_routers_dependencies,
    marks=pytest.mark.skipif(not INCLUDES_MOUNTS, reason="no mounts in routers"),
)
BY_DEPENDENCIES = [
    *(by_its_dependencies, by_a_middle_apps_dependencies, by_a_mounted_routers_dependencies),
    by_included,
]


@pytest.mark.parametrize("close", BY_DEPENDENCIES)
@pytest.mark.parametrize("dependency", [security("admin"), Depends(fastgate), Depends(deep_caller)])
@pytest.mark.parametrize("docs", ["public", "optional"])
def test_docs_opens_no_pages_that_dependencies_close(
    close: Callable[[FastAPI, Any], None],
    dependency: object,
    docs: str,
) -> None:
    app = public()
    close(app, dependency)
    declare_docs(app, docs)
    with pytest.raises(CannotCompile, match=r"\(/(m/)?adm/openapi.json"):
        compile_routes(app)
    opened = public()
    close(opened, Depends(any_caller))
    declare_docs(opened, docs)
    found = {path: access for path, (access, _) in requirements(opened).items()}
    assert {access for path, access in found.items() if "openapi" in path} == {docs}


def test_docs_applies_to_the_apps_own_pages_despite_its_dependencies() -> None:
    app = FastAPI(dependencies=[security("admin")], docs_url=None, redoc_url=None)
    app.get("/x")(silent)
    for docs in ("public", "authenticated"):
        declare_docs(app, docs)
        assert {path: access for path, (access, _) in requirements(app).items()} == {
            "/openapi.json": docs,
            "/x": "authenticated",
        }


def test_docs_as_strict_as_dependencies_applies_to_mounted_pages_too() -> None:
    app = FastAPI(openapi_url=None)
    by_its_dependencies(app, Depends(fastgate))
    declare_docs(app, "authenticated")
    assert set(requirements(app).values()) == {("authenticated", None)}
    declare_docs(app, "none")
    assert set(requirements(app)) == {"/adm/x"}


def test_a_mounted_apps_own_declaration_opens_its_pages() -> None:
    app, inner = FastAPI(openapi_url=None), FastAPI(docs_url=None, redoc_url=None)
    inner.router.dependencies.append(security("admin"))
    app.mount("/adm", declared_open(inner))
    declare_docs(app, "optional")
    assert requirements(app) == {"/adm/openapi.json": ("public", None)}


def declared_open(app: FastAPI) -> FastAPI:
    declare_docs(app, "public")
    return app


def test_a_path_closes_the_apps_own_pages_but_opens_none() -> None:
    app = FastAPI(docs_url="/open/docs", openapi_url="/closed/openapi.json", redoc_url=None)
    at_edge(below="/open", access="public")(app)
    at_edge(below="/closed", access="authenticated")(app)
    declare_docs(app, "optional")
    assert requirements(app) == {
        "/closed/openapi.json": ("authenticated", None),
        "/open/docs": ("optional", None),
        "/docs/oauth2-redirect": ("optional", None),
    }


def test_a_page_that_is_marked_itself_stays_closed() -> None:
    app = FastAPI(docs_url=None, redoc_url=None)
    declare_docs(app, "public")
    at_edge(access="authenticated")(app.routes[0])
    assert requirements(app) == {"/openapi.json": ("authenticated", None)}
    app = FastAPI(docs_url=None, redoc_url=None)
    at_edge(access="public")(app.routes[0])
    declare_docs(app, "authenticated")
    assert requirements(app) == {"/openapi.json": ("authenticated", None)}


def test_the_docs_of_a_guarded_mounted_app_apply_to_its_own_pages() -> None:
    app, inner = FastAPI(docs_url=None, redoc_url=None), FastAPI(docs_url=None, redoc_url=None)
    app.mount("/open", at_edge(access="authenticated")(inner))
    app.mount("/closed", inner)
    declare_docs(inner, "public")
    declare_docs(app, "optional")
    at_edge(below="/closed", access="authenticated")(app)
    assert {path: access for path, (access, _) in requirements(app).items()} == {
        "/openapi.json": "optional",
        "/open/openapi.json": "public",
        "/closed/openapi.json": "authenticated",
    }


def test_the_mark_of_the_app_itself_applies_to_its_endpoints() -> None:
    app = at_edge(access="authenticated")(FastAPI(docs_url=None, redoc_url=None))
    declare_docs(app, "public")
    assert requirements(app) == {"/openapi.json": ("public", None)}


# A path of a router that is served itself, or by an app.


def at_its_router(app: Starlette | Router) -> None:
    at_edge(below="/admin", access="authenticated", require=STAFF)(getattr(app, "router", app))


@pytest.mark.parametrize("kind", [Starlette, Router])
@pytest.mark.parametrize("mounted", [True, False])
def test_a_path_of_the_router_that_an_app_runs_holds(
    kind: type[Starlette | Router], *, mounted: bool
) -> None:
    inner = kind(routes=[Route("/admin/x", copy_of(plain), methods=["GET"])])
    at_its_router(inner)
    app: Any = inner
    if mounted:
        app = public()
        app.mount("/m", inner)
    assert list(requirements(app).values()) == [CLOSED]


def test_a_path_of_the_router_is_nearer_than_one_of_its_app() -> None:
    app = Starlette(routes=[Route("/admin/x", copy_of(plain), methods=["GET"])])
    at_edge(below="/admin", access="public", group="a")(app)
    at_its_router(app)
    (route,) = compile_routes(app)
    assert (route["access"], route["require"], route["group"]) == (*CLOSED, "a")


def test_a_path_cannot_be_declared_on_other_objects() -> None:
    class Other:
        routes: list[object] = []  # noqa: RUF012

    for target in (Mount("/m", app=inner_app()), Other(), APIRouter()):
        with pytest.raises(TypeError, match="works on a FastAPI or Starlette app"):
            at_edge(below="/admin", access="authenticated")(target)


# Requirements on a caller, below an open declaration.


def of_a_path(app: FastAPI, **asked_of: Any) -> None:  # noqa: ANN401
    app.get("/x")(silent)
    at_edge(below="/x", **asked_of)(app)


def of_a_longer_path(app: FastAPI, **asked_of: Any) -> None:  # noqa: ANN401
    app.get("/o/x")(silent)
    at_edge(below="/o", access="public")(app)
    at_edge(below="/o/x", **asked_of)(app)


def of_a_router(app: FastAPI, **asked_of: Any) -> None:  # noqa: ANN401
    router = at_edge(**asked_of)(APIRouter())
    router.get("/x")(silent)
    app.include_router(router)


def of_a_router_in_an_open_path(app: FastAPI, **asked_of: Any) -> None:  # noqa: ANN401
    of_a_router(app, **asked_of)
    at_edge(below="/x", access="public")(app)


def of_a_path_in_an_open_router(app: FastAPI, **asked_of: Any) -> None:  # noqa: ANN401
    of_a_router(app, access="optional")
    at_edge(below="/x", **asked_of)(app)


def of_a_mounted_app(app: FastAPI, **asked_of: Any) -> None:  # noqa: ANN401
    inner = at_edge(**asked_of)(FastAPI(openapi_url=None))
    inner.get("/x")(silent)
    app.mount("/m", inner)


def of_a_mounted_app_in_an_open_path(app: FastAPI, **asked_of: Any) -> None:  # noqa: ANN401
    of_a_mounted_app(app, **asked_of)
    at_edge(below="/m/x", access="optional")(app)


SAID_OF_MORE: list[Callable[..., None]] = [
    of_a_path,
    of_a_longer_path,
    of_a_router,
    of_a_router_in_an_open_path,
    of_a_path_in_an_open_router,
    of_a_mounted_app,
    of_a_mounted_app_in_an_open_path,
]


@pytest.mark.parametrize("say", SAID_OF_MORE)
@pytest.mark.parametrize(
    "asked_of", [{"require": STAFF}, {"scopes": ["a"]}, {"issuers": ["i"]}, {"require_bound": True}]
)
def test_a_requirement_implies_a_known_caller(
    say: Callable[..., None], asked_of: dict[str, Any]
) -> None:
    app = public()
    say(app, **asked_of)
    (route,) = compile_routes(app)
    assert {name: route[name] for name in ("access", *asked_of)} == {
        "access": "authenticated",
        **asked_of,
    }


def test_a_nearer_open_access_counts_despite_outer_requirements() -> None:
    app = at_edge(require=STAFF)(FastAPI(openapi_url=None))
    of_a_router(app, require=STAFF)
    app.get("/x/open")(silent)
    inner = at_edge(access="public")(FastAPI(openapi_url=None))
    inner.get("/x")(silent)
    app.mount("/m", inner)
    at_edge(below="/x", access="optional", require_bound=False)(app)
    assert requirements(app) == {
        "/x": CLOSED,
        "/x/open": ("optional", None),
        "/m/x": ("public", None),
    }


@pytest.mark.parametrize("say", SAID_OF_MORE)
@pytest.mark.parametrize("outer", [{}, {"access": "optional"}, {"access": "authenticated"}])
@pytest.mark.parametrize("endpoint", [silent, welcome])
@pytest.mark.parametrize(
    "asked_of", [{"require": STAFF}, {"scopes": ["a"]}, {"issuers": {"i": {}}}]
)
def test_no_requirement_on_callers_is_dropped_for_any_caller(
    say: Callable[..., None],
    outer: dict[str, Any],
    endpoint: Callable[..., object],
    asked_of: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(globals(), "silent", endpoint)
    app = at_edge(**outer)(FastAPI(openapi_url=None))
    say(app, **asked_of)
    (route,) = compile_routes(app)
    assert {name: route[name] for name in ("access", *asked_of)} == {
        "access": "authenticated",
        **asked_of,
    }


def test_requirements_of_the_app_hold_for_endpoints_with_any_caller() -> None:
    app = at_edge(require=STAFF)(FastAPI(openapi_url=None))
    app.get("/x")(welcome)
    app.get("/y")(silent)
    app.get("/own")(at_edge(require_bound=True)(of_anybody()))
    assert requirements(app) == {"/x": CLOSED, "/y": CLOSED, "/own": CLOSED}


def of_anybody() -> Callable[..., object]:
    async def own(caller: AnyCaller) -> None: ...

    return own


@pytest.mark.parametrize(
    "asked_of", [{"require": STAFF}, {"scopes": ["a"]}, {"require_bound": True}]
)
def test_a_requirement_on_an_endpoint_implies_a_known_caller(asked_of: dict[str, Any]) -> None:
    app = public()
    app.get("/x")(at_edge(**asked_of)(of_anybody()))
    app.add_route("/y", at_edge(**asked_of)(functools.partial(plain)), methods=["GET"])
    app.mount("/files", at_edge(**asked_of)(StaticFiles(directory=FILES)))
    routes = compile_routes(app)
    assert [route["access"] for route in routes] == ["authenticated"] * 3
    hidden = at_edge(access="none")(FastAPI(openapi_url=None))
    hidden.get("/x")(at_edge(**asked_of)(of_anybody()))
    assert compile_routes(hidden) == []


# Several declarations of the same object.


def twice(*marks: dict[str, Any]) -> Callable[[Any], Any]:
    """Return functions that make several declarations of one object, one after the other."""

    def say(target: Any) -> Any:  # noqa: ANN401
        for mark in marks:
            target = at_edge(**mark)(target)
        return target

    return say


def an_app(say: Callable[[Any], Any]) -> object:
    app = say(FastAPI(openapi_url=None))
    app.get("/x")(silent)
    return app


def a_router_that_is_included(say: Callable[[Any], Any]) -> object:
    app, router = FastAPI(openapi_url=None), say(APIRouter())
    router.get("/x")(silent)
    app.include_router(router)
    return app


def a_router_that_is_mounted(say: Callable[[Any], Any]) -> object:
    app, router = FastAPI(openapi_url=None), APIRouter()
    router.get("/x")(silent)
    app.mount("/m", say(router))
    return app


def the_router_of_an_app(say: Callable[[Any], Any]) -> object:
    app = FastAPI(openapi_url=None)
    app.get("/x")(silent)
    say(app.router)
    return app


def a_path(say: Callable[[Any], Any]) -> object:
    app = FastAPI(openapi_url=None)
    app.get("/x/{item}")(silent)
    return say(app)


def a_route(say: Callable[[Any], Any]) -> object:
    app = FastAPI(openapi_url=None)
    app.get("/x")(silent)
    say(app.routes[0])
    return app


def files(say: Callable[[Any], Any]) -> object:
    app = FastAPI(openapi_url=None)
    app.mount("/x", say(StaticFiles(directory=FILES)))
    return app


def an_endpoint(say: Callable[[Any], Any]) -> object:
    app = FastAPI(openapi_url=None)
    app.get("/x")(say(functools.partial(silent)))
    return app


def an_endpoint_behind_a_proxy(say: Callable[[Any], Any]) -> object:
    class Proxy:
        def __init__(self, wrapped: object) -> None:
            self.__dict__["__wrapped__"] = wrapped

        def __setattr__(self, name: str, value: object) -> None:
            setattr(self.__dict__["__wrapped__"], name, value)

        async def __call__(self) -> str:
            return "ran"

    app = FastAPI(openapi_url=None)
    app.get("/x")(say(Proxy(functools.partial(silent))))
    return app


OPENS, REQUIRES = {"access": "public"}, {"require": STAFF}


OF_ONE = [
    *(an_app, a_router_that_is_included, a_router_that_is_mounted, the_router_of_an_app),
    *(a_route, files, an_endpoint, an_endpoint_behind_a_proxy),
]
CONTRARY: list[tuple[dict[str, Any], dict[str, Any]]] = [
    (OPENS, REQUIRES),
    (OPENS, {"scopes": []}),
    (OPENS, {"access": "authenticated"}),
    ({"limits": ["a"]}, {"limits": ["b"]}),
    (REQUIRES, {"require": {"rule": "any"}}),
    ({"require": {"level": 1}}, {"require": {"level": True}}),
]


def refused(*marks: dict[str, Any]) -> Callable[[Any], Any]:
    """Return functions that make the first of several declarations, and must fail at the last."""

    def say(target: Any) -> Any:  # noqa: ANN401
        target = twice(*marks[:-1])(target)
        before = declared(target)
        with pytest.raises(ValueError, match="Write two functions, routers or apps"):
            at_edge(**marks[-1])(target)
        assert declared(target) == before
        return target

    return say


@pytest.mark.parametrize("build", OF_ONE)
@pytest.mark.parametrize("marks", [*CONTRARY, *(pair[::-1] for pair in CONTRARY)])
def test_two_different_marks_of_one_object_are_refused(
    build: Callable[..., object], marks: tuple[dict[str, Any], ...]
) -> None:
    build(refused(*marks))


@pytest.mark.parametrize("build", OF_ONE)
def test_a_second_mark_may_repeat_and_add_members(build: Callable[..., object]) -> None:
    app = build(twice(REQUIRES, {"limits": ["a"]}, {"limits": ("a",), **REQUIRES}, {"group": "x"}))
    said = {(json.dumps(r["limits"]), r["group"]) for r in compile_routes(app)}
    assert said == {('["a"]', "x")}
    assert [*requirements(app).values()] == [CLOSED]


@pytest.mark.parametrize("marks", [*CONTRARY, *(pair[::-1] for pair in CONTRARY)])
def test_two_different_marks_of_one_path_are_refused(marks: tuple[dict[str, Any], ...]) -> None:
    app = a_path(lambda target: at_edge(below="/x/{one}", **marks[0])(target))
    with pytest.raises(ValueError, match="write all members in one"):
        at_edge(below="/x/{of_another_name}", **marks[1])(app)
    at_edge(below="/x/{another}", **marks[0])(app)


def test_an_object_that_is_served_twice_has_one_mark() -> None:
    app = FastAPI(openapi_url=None)
    with pytest.raises(ValueError, match="access='authenticated', and now with access='public'"):

        @app.get("/x")
        @at_edge(access="public")
        @app.post("/x")
        @at_edge(access="authenticated")
        async def both() -> None: ...


@pytest.mark.parametrize("marks", [(OPENS, REQUIRES), (REQUIRES, OPENS)])
def test_the_stricter_of_an_object_and_its_wrapper_counts(
    marks: tuple[dict[str, Any], ...],
) -> None:
    inside, outside = marks
    app = public()
    for path, around in (("/wrapped", GZipMiddleware), ("/mount", None)):
        inner = at_edge(**inside)(FastAPI(openapi_url=None))
        inner.get("/x")(silent)
        if around is None:
            app.router.routes.append(at_edge(**outside)(Mount(path, app=inner)))
        else:
            app.mount(path, at_edge(**outside)(around(inner)))

    async def own() -> str:
        return "ran"

    @functools.wraps(at_edge(**inside)(own))
    async def wrapper() -> str:
        return await own()

    vars(wrapper).pop("__fastgate__")
    app.get("/x")(at_edge(**outside)(wrapper))
    extra = {"x-fastgate": outside}
    app.get("/y", openapi_extra=extra)(at_edge(**inside)(functools.partial(silent)))
    assert [*requirements(app).values()] == [CLOSED] * 4


# Routes that are served without the marked app, router or mount that they belong to.


def marked_app() -> FastAPI:
    inner = closed(FastAPI(openapi_url=None))
    inner.get("/x")(silent)
    return inner


def marked_starlette() -> Starlette:
    return closed(Starlette(routes=[Route("/x", copy_of(plain), methods=["GET"])]))


def by_its_router_alone(app: FastAPI) -> None:
    app.include_router(marked_app().router, prefix="/adm")


def by_a_router_around_it(app: FastAPI) -> None:
    outer = APIRouter()
    outer.include_router(marked_app().router)
    app.include_router(outer, prefix="/adm")


def by_a_router_in_it(app: FastAPI) -> None:
    inner, router = closed(FastAPI(openapi_url=None)), APIRouter()
    router.get("/x")(silent)
    inner.include_router(router)
    app.include_router(inner.router, prefix="/adm")


def by_its_list(app: FastAPI) -> None:
    app.router.routes.extend(marked_app().routes)


def by_its_list_in_a_router(app: FastAPI) -> None:
    inner, router, outer = closed(FastAPI(openapi_url=None)), APIRouter(), APIRouter()
    router.get("/x")(silent)
    inner.include_router(router)
    outer.routes.extend(inner.routes)
    app.include_router(outer)


def by_mounting_its_router(app: FastAPI) -> None:
    app.mount("/adm", marked_app().router)


def by_mounting_its_routes(app: FastAPI) -> None:
    app.router.routes.append(Mount("/adm", routes=marked_app().routes))


def by_mounting_a_starlette_router(app: FastAPI) -> None:
    app.mount("/adm", marked_starlette().router)


def by_a_later_route(app: FastAPI) -> None:
    inner = closed(Starlette())
    inner.add_route("/x", copy_of(plain), methods=["GET"])
    app.router.routes += inner.routes


def by_a_route_that_is_set(app: FastAPI) -> None:
    inner = closed(Starlette())
    inner.router.routes[:] = [Route("/x", copy_of(plain), methods=["GET"])]
    app.router.routes.append(inner.routes[0])


def by_its_mount(app: FastAPI) -> None:
    inner = closed(Starlette())
    inner.mount("/m", Starlette(routes=[Route("/x", copy_of(plain), methods=["GET"])]))
    app.router.routes.extend(inner.routes)


def by_a_starlette_routers_list(app: FastAPI) -> None:
    app.router.routes.extend(closed(Router([Route("/x", copy_of(plain), methods=["GET"])])).routes)


def by_a_mounts_list(app: FastAPI) -> None:
    mount = closed(Mount("/m", routes=[Route("/x", copy_of(plain), methods=["GET"])]))
    app.router.routes.extend(mount.routes)


def by_its_paths(app: FastAPI) -> None:
    inner = FastAPI(openapi_url=None)
    inner.get("/x/y")(silent)
    at_edge(below="/x", access="authenticated", require=STAFF)(inner)
    app.include_router(inner.router, prefix="/adm")


def as_well_as_its_mount(app: FastAPI) -> None:
    inner = marked_app()
    app.mount("/adm", inner)
    app.include_router(inner.router, prefix="/v2")


@pytest.mark.parametrize(
    "take",
    [
        by_its_router_alone,
        by_a_router_around_it,
        by_a_router_in_it,
        by_its_list,
        by_its_list_in_a_router,
        by_mounting_its_router,
        by_mounting_its_routes,
        by_mounting_a_starlette_router,
        by_a_later_route,
        by_a_route_that_is_set,
        by_its_mount,
        by_a_starlette_routers_list,
        by_a_mounts_list,
        by_its_paths,
        as_well_as_its_mount,
    ],
)
def test_routes_served_without_their_marked_app_are_a_fault(
    edge: Edge, take: Callable[[FastAPI], None]
) -> None:
    app = public()
    take(app)
    with pytest.raises(CannotCompile, match=r"belongs to a marked \w+.*: access, require") as it:
        compile_routes(app)
    assert len(it.value.faults) == 1
    guard(app, edge.settings(strict=True))
    with pytest.raises(CannotCompile, match="belongs to a marked"), TestClient(app):
        pass


def test_a_mark_made_after_the_routes_were_taken_is_a_fault() -> None:
    app, inner = public(), FastAPI(openapi_url=None)
    inner.get("/x")(silent)
    app.include_router(inner.router)
    if INCLUDES_MOUNTS:
        closed(inner)
        with pytest.raises(CannotCompile, match="belongs to a marked FastAPI"):
            compile_routes(app)
    else:
        with pytest.raises(TypeError, match="mark an app before its router is included"):
            closed(inner)


def test_routes_of_a_marked_app_compile_if_their_new_app_is_as_strict() -> None:
    app = closed(FastAPI(openapi_url=None))
    app.include_router(marked_app().router, prefix="/a")
    app.mount("/b", marked_app())
    app.mount("/c", marked_app().router)
    app.router.routes.append(closed(Mount("/d", routes=marked_app().routes)))
    twice = Router([Route("/x", copy_of(plain), methods=["GET"])])
    app.router.routes.append(at_edge(limits=["a"])(Mount("/e", app=twice)))
    app.router.routes.append(Mount("/f", app=twice))
    opened = public()
    opened.get("/x")(silent)
    app.include_router(opened.router, prefix="/g")
    assert all(what == CLOSED for what in requirements(app).values())


def test_an_endpoint_with_the_same_declaration_may_be_taken_from_a_marked_app() -> None:
    app, inner = public(), at_edge(access="authenticated")(FastAPI(openapi_url=None))
    inner.get("/caller")(read_me)
    inner.get("/open")(at_edge(access="public")(copy_of(silent)))
    app.include_router(inner.router)
    assert requirements(app) == {"/caller": ("authenticated", None), "/open": ("public", None)}
