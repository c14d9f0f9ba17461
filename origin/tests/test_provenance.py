"""A route keeps what protects it when it is moved to another app or router."""

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import pytest
from fastapi import APIRouter, Depends, FastAPI, Security, params, routing
from fastapi.routing import APIRoute
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route, Router
from starlette.staticfiles import StaticFiles

from fastgate import at_edge, fastgate
from fastgate.compile.endpoints.documentation import declare_docs
from fastgate.compile.policy import CannotCompile, compile_routes

INCLUDES_BY_REFERENCE = hasattr(routing, "_IncludedRouter")
"""Older FastAPI copies the routes of an included router."""

STAFF = {"rule": "staff"}
closed = at_edge(access="authenticated", require=STAFF)
CLOSED = ("authenticated", STAFF)
ADMIN: params.Depends = Security(fastgate, scopes=["admin"])
FILES = Path(__file__).parent


def public() -> FastAPI:
    """Return an app that is public by default."""
    return at_edge(access="public")(FastAPI(openapi_url=None))


def requirements(app: object) -> dict[str, tuple[object, object]]:
    """Return what the edge requires of callers, by path."""
    routes = compile_routes(app)
    return {str(route["path"]): (route["access"], route.get("require")) for route in routes}


def endpoint() -> Callable[[Request], Any]:
    async def page(_: Request) -> PlainTextResponse:
        return PlainTextResponse("ran")

    return page


@closed
async def marked() -> None: ...


# Routes that are marked after their router was included.


@pytest.mark.parametrize("add", ["add_api_route", "add_route", "add_websocket_route"])
def test_a_late_mark_of_a_route_counts_or_is_refused(add: str) -> None:
    app, router = public(), APIRouter(prefix="/r")
    getattr(router, add)("/x", endpoint())
    app.include_router(router)
    if INCLUDES_BY_REFERENCE:
        closed(router.routes[0])
        assert [*requirements(app).values()] == [CLOSED]
    else:
        with pytest.raises(TypeError, match="mark a route before its router is included"):
            closed(router.routes[0])


def test_a_late_mark_of_a_route_within_an_included_router_counts_or_is_refused() -> None:
    app, outer, inner = public(), APIRouter(), APIRouter()
    inner.add_route("/x", endpoint())
    outer.include_router(inner)
    app.include_router(outer)
    if INCLUDES_BY_REFERENCE:
        closed(inner.routes[0])
        assert [*requirements(app).values()] == [CLOSED]
    else:
        for router in (inner, outer):
            with pytest.raises(TypeError, match="mark a route before its router is included"):
                closed(router.routes[0])


def test_an_endpoint_and_the_route_of_an_app_itself_may_be_marked_late() -> None:
    app, router, page = public(), APIRouter(), endpoint()
    router.add_route("/x", page)
    app.include_router(router)
    app.add_route("/y", endpoint())
    closed(page)
    closed(app.routes[-1])
    assert requirements(app) == {"/x": CLOSED, "/y": CLOSED}


# Routes that are taken from an app or router that is closed by dependencies.


def an_app(dependency: params.Depends) -> tuple[FastAPI, Any]:
    app = FastAPI(openapi_url=None, dependencies=[dependency])
    return app, app.router


def a_router(dependency: params.Depends) -> tuple[APIRouter, Any]:
    router = APIRouter(dependencies=[dependency])
    return router, router


def a_late_dependency(dependency: params.Depends) -> tuple[APIRouter, Any]:
    router = APIRouter()
    router.dependencies.append(dependency)
    return router, router


def extended(app: FastAPI, routes: list[Any]) -> None:
    app.router.routes.extend(routes)


def appended(app: FastAPI, routes: list[Any]) -> None:
    for route in routes:
        app.router.routes.append(route)


def mounted(app: FastAPI, routes: list[Any]) -> None:
    app.router.routes.append(Mount("/x", routes=routes))


def in_a_router(app: FastAPI, routes: list[Any]) -> None:
    app.mount("/x", Router(routes=routes))


@pytest.mark.parametrize("take", [extended, appended, mounted, in_a_router])
@pytest.mark.parametrize("dependency", [ADMIN, Depends(marked)], ids=["requiring", "marked"])
@pytest.mark.parametrize("made", [an_app, a_router, a_late_dependency])
def test_copied_routes_keep_the_dependencies_of_their_router(
    made: Callable[[params.Depends], tuple[Any, Any]],
    dependency: params.Depends,
    take: Callable[[FastAPI, list[Any]], None],
) -> None:
    app = public()
    holder, router = made(dependency)
    holder.add_route("/s", endpoint())
    router.add_websocket_route("/w", endpoint())
    holder.mount("/files", StaticFiles(directory=FILES))
    holder.mount("/sub", FastAPI())
    take(app, router.routes)
    with pytest.raises(CannotCompile) as refused:
        compile_routes(app)
    found = {fault.endpoint.template.removeprefix("/x") for fault in refused.value.faults}
    assert {"/s", "/w", "/files/{path:path}", "/sub/openapi.json"} <= found


def test_copied_routes_keep_the_dependencies_of_an_outer_router() -> None:
    app, outer, inner = public(), APIRouter(dependencies=[ADMIN]), APIRouter()
    inner.add_route("/s", endpoint())
    outer.include_router(inner)
    app.router.routes.extend(outer.routes)
    with pytest.raises(CannotCompile, match="scopes=\\['admin'\\]"):
        compile_routes(app)


def test_pages_keep_the_dependencies_of_their_app() -> None:
    app, sub = public(), FastAPI(dependencies=[ADMIN])
    app.router.routes.extend(sub.routes)
    with pytest.raises(CannotCompile) as refused:
        compile_routes(app)
    assert "/openapi.json" in {fault.endpoint.template for fault in refused.value.faults}


def test_a_moved_route_with_the_same_declaration_compiles() -> None:
    app, sub = public(), FastAPI(openapi_url=None, dependencies=[ADMIN])
    sub.add_route("/s", at_edge(access="authenticated", scopes=["admin"])(endpoint()))
    app.router.routes.extend(sub.routes)
    assert requirements(app) == {"/s": ("authenticated", None)}


def test_routes_of_a_router_without_requirements_need_no_declaration() -> None:
    async def session() -> None: ...

    app, router = public(), APIRouter(dependencies=[Depends(session)])
    router.add_route("/s", endpoint())
    router.mount("/files", StaticFiles(directory=FILES))
    app.router.routes.extend(router.routes)
    assert [*requirements(app).values()] == [("public", None)] * 2


# Routes that were put into the list of a marked router or app.


def test_a_route_in_the_list_of_a_marked_router_keeps_the_mark_elsewhere() -> None:
    async def silent() -> None: ...

    app, router = public(), closed(APIRouter())
    router.routes.append(Route("/s", endpoint()))
    router.routes += [Mount("/m", routes=[Route("/t", endpoint())])]
    router.routes.insert(0, APIRoute("/a", silent))
    app.router.routes.extend(router.routes)
    app.mount("/k", Router(routes=router.routes))
    paths = ("/a", "/s", "/m/t")
    assert requirements(app) == {prefix + path: CLOSED for prefix in ("", "/k") for path in paths}


@pytest.mark.parametrize("replaced", [list, reversed], ids=["copied", "reversed"])
def test_a_list_that_replaces_the_list_of_a_marked_app_or_router_notes_routes_too(
    replaced: Callable[[list[Any]], Any],
) -> None:
    app, sub, router = public(), closed(FastAPI(openapi_url=None)), closed(APIRouter())
    for each in (sub.router, router):
        each.routes = [*replaced(each.routes)]

    @sub.get("/x")
    async def x() -> None: ...

    router.routes.append(Route("/s", endpoint()))
    router.mount("/m", Router(routes=[Route("/t", endpoint())]))
    app.router.routes.extend([*sub.routes, *router.routes])
    with pytest.raises(CannotCompile, match="belongs to a marked FastAPI"):
        compile_routes(app)
    app.router.routes[:] = router.routes
    assert requirements(app) == {"/s": CLOSED, "/m/t": CLOSED}


def test_a_router_that_is_marked_twice_adds_by_the_same_methods() -> None:
    router = at_edge(limits=["q"])(closed(APIRouter()))
    assert not {"add_route", "mount", "host"} & vars(router).keys()
    deep = copy.deepcopy(router)
    deep.add_route("/s", closed(at_edge(limits=["q"])(endpoint())))
    assert not router.routes
    app = public()
    app.include_router(deep)
    assert requirements(app) == {"/s": CLOSED}


# Routes of custom classes, which older FastAPI copies like any others.


def test_routes_beside_one_of_a_custom_class_keep_the_requirements_of_their_router() -> None:
    class Own(Route):
        pass

    app, router = public(), APIRouter(dependencies=[ADMIN])
    router.routes.append(Own("/a", at_edge(access="public")(endpoint())))
    router.add_route("/b", endpoint())
    app.include_router(router)
    with pytest.raises(CannotCompile) as refused:
        compile_routes(app)
    assert "/b" in {fault.endpoint.template for fault in refused.value.faults}


# Pages of mounted apps that a marked dependency closes.


@pytest.mark.parametrize(
    "said", [{"access": "authenticated"}, {"require": STAFF}, {"scopes": ["a"]}]
)
def test_docs_do_not_open_pages_that_a_marked_dependency_closes(said: dict[str, Any]) -> None:
    @at_edge(**said)
    async def dependency() -> None: ...

    app, sub = public(), FastAPI(dependencies=[Depends(dependency)])
    app.mount("/m", sub)
    declare_docs(app, "public")
    with pytest.raises(CannotCompile) as refused:
        compile_routes(app)
    assert "/m/openapi.json" in {fault.endpoint.template for fault in refused.value.faults}
    declare_docs(sub, "public")  # the app's declaration for its own pages counts
    assert requirements(app)["/m/openapi.json"] == ("public", None)


def test_docs_open_pages_that_no_dependency_closes_further() -> None:
    @at_edge(access="public")
    async def dependency() -> None: ...

    app, sub = public(), FastAPI(dependencies=[Depends(dependency)])
    app.mount("/m", sub)
    declare_docs(app, "public")
    assert requirements(app)["/m/openapi.json"] == ("public", None)


# Objects that cannot be marked.


def test_a_mark_of_a_dependency_in_an_annotation_is_refused() -> None:
    async def value() -> int:
        return 1

    for dependency in (Annotated[int, Depends(value)], Depends(value), ADMIN):
        with pytest.raises(TypeError, match="mark the endpoint"):
            closed(dependency)
    assert closed(value) is value


# Methods of objects.


class Service:
    """An object whose methods are endpoints."""

    async def read(self) -> None: ...

    async def __call__(self) -> None: ...


def test_an_opening_mark_of_a_method_opens_no_copy_of_its_object() -> None:
    app, service = closed(FastAPI(openapi_url=None)), Service()
    at_edge(access="public")(service.read)
    copied = copy.copy(service)
    app.get("/a")(service.read)
    app.get("/b")(copied.read)
    assert requirements(app) == {"/a": ("public", None), "/b": CLOSED}
    again = copy.copy(service)
    closed(again.read)
    app.get("/c")(again.read)
    assert requirements(app)["/c"] == CLOSED
    assert requirements(app)["/a"] == ("public", None)


def test_a_mark_of_the_method_call_applies_to_its_object() -> None:
    app, service, other = public(), Service(), Service()
    closed(service.__call__)
    app.get("/x")(service)
    app.get("/y")(service.__call__)
    app.get("/z")(other)
    assert requirements(app) == {"/x": CLOSED, "/y": CLOSED, "/z": ("public", None)}


def test_a_mark_without_scopes_removes_no_inherited_scopes_of_a_copy() -> None:
    for mark in (at_edge(access="authenticated", scopes=[]), at_edge(scopes=[])):
        service = Service()
        mark(service.read)
        app: FastAPI = at_edge(access="authenticated", scopes=["a"])(FastAPI(openapi_url=None))
        app.get("/a")(service.read)
        app.get("/b")(copy.copy(service).read)
        scopes = {route["path"]: route["scopes"] for route in compile_routes(app)}
        assert scopes == {"/a": [], "/b": ["a"]}


def test_a_mark_without_scopes_still_requires_a_known_caller_of_a_copy() -> None:
    app, service = public(), Service()
    at_edge(scopes=[])(service.read)
    app.get("/b")(copy.copy(service).read)
    assert requirements(app) == {"/b": ("authenticated", None)}


# Routers whose lists are replaced, or are not lists.


def set_anew(router: APIRouter) -> None:
    router.add_route("/x", endpoint())
    router.dependencies = [*router.dependencies, ADMIN]


def as_a_tuple(router: APIRouter) -> None:
    router.dependencies = (ADMIN,)  # type: ignore[assignment]
    router.add_route("/x", endpoint())


def set_anew_of_a_marked_router(router: APIRouter) -> None:
    at_edge(access="public")(router)
    router.routes.append(Route("/x", endpoint()))
    router.dependencies = [*router.dependencies, ADMIN]


@pytest.mark.parametrize("serve", [set_anew, as_a_tuple, set_anew_of_a_marked_router])
def test_dependencies_of_a_router_are_read_from_its_present_list(
    serve: Callable[[APIRouter], None],
) -> None:
    app, router = public(), APIRouter()
    serve(router)
    app.router.routes.extend(router.routes)
    with pytest.raises(CannotCompile, match=r"depends on Security\(fastgate, scopes=\['admin'\]\)"):
        compile_routes(app)
    router.dependencies = []
    assert requirements(app) == {"/x": ("public", None)}


def test_dependencies_of_a_copied_router_are_read_from_the_copy() -> None:
    app, router = public(), APIRouter(dependencies=[ADMIN])
    router.add_route("/x", endpoint())
    alone, copied = copy.deepcopy(router.routes[0]), copy.deepcopy(router)
    router.dependencies = []
    app.router.routes.append(alone)
    assert requirements(app) == {"/x": ("public", None)}
    app.router.routes[:] = copied.routes
    with pytest.raises(CannotCompile, match="depends on Security"):
        compile_routes(app)


class Copying(APIRouter):
    """A router whose list of routes is a new copy for each access."""

    @property
    def routes(self) -> Any:  # noqa: ANN401
        return self.__dict__.setdefault("_kept", [])

    @routes.setter
    def routes(self, routes: Any) -> None:  # noqa: ANN401
        self.__dict__["_kept"] = list(routes)


def test_a_router_whose_list_is_a_property_may_be_marked() -> None:
    app, router = public(), closed(Copying())
    router.add_api_route("/a", marked)
    if INCLUDES_BY_REFERENCE:
        router.add_route("/b", endpoint())
    app.include_router(router)
    expected = ["/a", "/b"] if INCLUDES_BY_REFERENCE else ["/a"]
    assert requirements(app) == dict.fromkeys(expected, CLOSED)


class Needing(Router):
    """A router whose attribute `dependencies` is something else."""

    def __init__(self) -> None:
        super().__init__()
        self.dependencies = ["database", "cache"]


def test_dependencies_of_another_type_do_not_count() -> None:
    app, router = public(), Needing()
    router.add_route("/x", endpoint())
    app.mount("/m", router)
    app.router.routes.append(router.routes[0])
    assert requirements(app) == {"/m/x": ("public", None), "/x": ("public", None)}
