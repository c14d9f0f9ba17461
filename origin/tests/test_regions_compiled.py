"""Regions and timeouts in the policy: what endpoints compile to, faults, and differences."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Annotated, Any

import pytest
from fastapi import APIRouter, Depends, FastAPI, Security, WebSocket
from pydantic import BaseModel
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.staticfiles import StaticFiles

from fastgate import Identity, at_edge, guard, requires
from fastgate.compile.drift import drift
from fastgate.compile.policy import compile_routes
from fastgate.requires import Requires
from tests.compiled_route import compiled, faults
from tests.edge import Edge

EU, US, BOTH = (requires(region=each) for each in ("eu", "us", ["us", "eu"]))


async def endpoint() -> None: ...


def app_with(*dependencies: Requires, **mark: Any) -> FastAPI:  # noqa: ANN401
    app = FastAPI(openapi_url=None)
    target = at_edge(**mark)(partial(endpoint)) if mark else endpoint
    app.get("/x", dependencies=[Depends(each) for each in dependencies])(target)
    return app


@pytest.mark.parametrize("access", ["public", "optional", "authenticated"])
def test_a_region_is_a_member_of_the_route_and_requires_no_caller(access: str) -> None:
    assert compiled(app_with(EU, access=access)) == {"access": access, "regions": ["eu"]}


def test_a_region_does_not_say_who_may_call() -> None:
    assert "does not declare who may call it" in faults(app_with(EU))


def test_a_region_is_no_security_scheme_of_the_schema() -> None:
    for dependency, expected in ((EU, None), (requires(role="a", region="eu"), [{"fastgate": []}])):
        operation = app_with(dependency, access="public").openapi()["paths"]["/x"]["get"]
        assert operation.get("security") == expected


def test_a_region_beside_a_caller_needs_no_declaration() -> None:
    expected = {"access": "authenticated", "scopes": ["a"], "regions": ["eu"]}
    assert compiled(app_with(requires(scope="a", region="eu"))) == expected
    assert compiled(app_with(EU, requires(scope="a"))) == expected


def test_scopes_around_a_region_require_a_caller() -> None:
    app = FastAPI(openapi_url=None)
    app.get("/x", dependencies=[Security(EU, scopes=["a"])])(endpoint)
    assert compiled(app) == {"access": "authenticated", "scopes": ["a"], "regions": ["eu"]}


@pytest.mark.parametrize(
    ("dependencies", "mark", "expected"),
    [
        ((BOTH,), {}, ["us", "eu"]),
        ((BOTH, EU), {}, ["eu"]),
        ((BOTH,), {"regions": ["eu", "ch"]}, ["eu"]),
        ((), {"regions": ["eu", "ch"]}, ["eu", "ch"]),
        ((EU,), {"regions": ("eu",)}, ["eu"]),
    ],
)
def test_the_route_has_the_regions_that_all_declarations_admit(
    dependencies: tuple[Requires, ...], mark: dict[str, Any], expected: list[str]
) -> None:
    assert [*compiled(app_with(*dependencies, access="public", **mark))["regions"]] == expected


@pytest.mark.parametrize(
    ("dependencies", "mark", "shown"),
    [
        ((EU, US), {}, "none in common: several lists of them"),
        ((EU,), {"regions": ["us", "ch"]}, '"eu" by requires(region=…), and "us", "ch" by at_edge'),
    ],
)
def test_regions_without_one_in_common_are_a_fault(
    dependencies: tuple[Requires, ...], mark: dict[str, Any], shown: str
) -> None:
    found = faults(app_with(*dependencies, access="public", **mark))
    assert "requires regions that have none in common" in found
    assert shown in found


def test_an_endpoint_cannot_leave_the_regions_of_its_router() -> None:
    router = at_edge(access="public", regions=["eu"])(APIRouter())
    router.get("/x", dependencies=[Depends(US)])(endpoint)
    app = FastAPI(openapi_url=None)
    app.include_router(router)
    assert "none in common" in faults(app)


def test_a_contradiction_to_the_router_is_not_called_a_dependency_that_is_not_run() -> None:
    router = APIRouter(dependencies=[Depends(EU)])
    router.get("/x", dependencies=[Depends(US)])(at_edge(access="public")(partial(endpoint)))
    app = FastAPI(openapi_url=None)
    app.include_router(router)
    found = faults(app)
    assert "none in common" in found
    assert "does not run" not in found


def test_the_nearest_declaration_of_regions_and_timeout_counts() -> None:
    router = at_edge(access="public", regions=["eu"], timeout=20)(APIRouter())
    router.get("/x")(at_edge(regions=["us"], timeout=5)(partial(endpoint)))
    router.get("/y")(partial(endpoint))
    app = FastAPI(openapi_url=None)
    app.include_router(router)
    found = {route["path"]: (route["regions"], route["timeout"]) for route in compile_routes(app)}
    assert found == {"/x": (["us"], 5), "/y": (["eu"], 20)}


def test_a_websocket_inherits_regions_and_no_timeout() -> None:
    app = at_edge(access="public", regions=["eu"], timeout=20)(FastAPI(openapi_url=None))

    @app.websocket("/socket")
    async def socket(websocket: WebSocket) -> None: ...

    found = compiled(app)
    assert found["regions"] == ["eu"]
    assert "timeout" not in found


def test_a_websocket_cannot_declare_a_timeout() -> None:
    app = FastAPI(openapi_url=None)

    @app.websocket("/socket")
    @at_edge(access="public", timeout=5)
    async def socket(websocket: WebSocket) -> None: ...

    assert "declares a timeout, but the edge passes the handshake" in faults(app)


def test_the_timeout_of_a_mount_with_websockets_is_that_of_its_requests() -> None:
    app = FastAPI(openapi_url=None)
    mark = at_edge(
        access="public", opaque=True, methods=["GET"], websocket=True, timeout=5, regions=["eu"]
    )
    app.mount("/below", mark(below_again()))
    found = {bool(each.get("websocket")): each for each in compile_routes(app)}
    assert [found[each].get("timeout") for each in (False, True)] == [5, None]
    assert found[True]["regions"] == found[False]["regions"] == ["eu"]


# Requirements that FastAPI does not run.


def test_a_region_is_not_lost_in_what_fastapi_does_not_run() -> None:
    app = FastAPI(openapi_url=None, dependencies=[Depends(EU)])
    below = Starlette(routes=[Route("/y", lambda _: PlainTextResponse())])
    app.mount("/below", at_edge(access="public")(below))
    found = faults(app)
    assert 'requires(the region ["eu"])' in found
    assert "at_edge(regions=['eu'])" in found
    app = FastAPI(openapi_url=None, dependencies=[Depends(EU)])
    app.mount("/below", at_edge(access="public", regions=["eu"])(below_again()))
    assert compiled(app)["regions"] == ["eu"]


def below_again() -> Starlette:
    return Starlette(routes=[Route("/y", lambda _: PlainTextResponse())])


@pytest.mark.parametrize("is_marked", [True, False])
def test_the_pages_of_an_app_are_not_in_its_region(edge: Edge, is_marked: bool) -> None:
    app = FastAPI(dependencies=[Depends(EU)])
    app.get("/x")(at_edge(access="public")(partial(endpoint)))
    if is_marked:
        at_edge(access="public")(app)
    guard(app, edge.settings(), docs=None if is_marked else "public")
    found = {str(route["path"]): route.get("regions") for route in compile_routes(app)}
    assert found["/x"] == ["eu"]
    assert found["/openapi.json"] is None


def lost_in_a_default() -> FastAPI:
    app = FastAPI(openapi_url=None)

    @app.get("/x")
    @at_edge(access="public")
    async def read(region: Any = EU) -> None: ...  # noqa: ANN401

    return app


def lost_in_a_model() -> FastAPI:
    class Order(BaseModel):
        region: Annotated[str | None, Depends(EU)] = None

    app = FastAPI(openapi_url=None)

    @app.post("/x")
    @at_edge(access="public")
    async def read(order: Order) -> None: ...

    return app


def lost_in_a_wrapper() -> FastAPI:
    import functools

    app = FastAPI(openapi_url=None)

    async def inner() -> None: ...

    @functools.wraps(inner)
    async def outer(caller: Annotated[Identity | None, Depends(EU)]) -> None: ...

    app.get("/x")(at_edge(access="optional")(outer))
    return app


def lost_in_an_override() -> FastAPI:
    app = app_with(EU, access="public")
    app.dependency_overrides[EU] = lambda: None
    return app


def lost_beside_another() -> FastAPI:
    app = FastAPI(openapi_url=None)

    @app.get("/x")
    @at_edge(access="public")
    async def read(it: Annotated[Identity | None, Depends(EU), Depends(endpoint)]) -> None: ...

    return app


@pytest.mark.parametrize(
    "make",
    [
        lost_in_a_default,
        lost_in_a_model,
        lost_in_a_wrapper,
        lost_in_an_override,
        lost_beside_another,
    ],
)
def test_a_region_that_is_lost_is_a_fault(make: Callable[[], FastAPI]) -> None:
    message = faults(make())
    assert "region" in message or "requires" in message, message


def decorated(function: Callable[[], Any]) -> Callable[[], Any]:
    async def call() -> None:
        await function()

    return call


@pytest.mark.parametrize(
    ("dependencies", "is_fault"), [((), True), ((EU,), False), ((BOTH,), False)]
)
def test_a_mark_that_is_not_read_is_no_fault_if_the_dependencies_require_as_much(
    dependencies: tuple[Requires, ...], is_fault: bool
) -> None:
    app = FastAPI(openapi_url=None)
    marked = at_edge(access="public", regions=["eu", "us"])(partial(endpoint))
    mark = at_edge(access="public")
    app.get("/x", dependencies=[Depends(each) for each in dependencies])(mark(decorated(marked)))
    if is_fault:
        assert "regions" in faults(app)
    else:
        assert "regions" in compiled(app)


@pytest.mark.parametrize(("regions", "is_fault"), [(["eu"], False), (["ch", "eu", "us"], True)])
def test_routes_that_are_served_elsewhere_keep_their_regions(
    regions: list[str], is_fault: bool
) -> None:
    inner = at_edge(access="public", regions=["eu", "us"])(FastAPI(openapi_url=None))
    inner.get("/x")(endpoint)
    app = at_edge(access="public", regions=regions)(FastAPI(openapi_url=None))
    app.include_router(inner.router)
    if is_fault:
        assert "these members have no effect: regions" in faults(app)
    else:
        assert compiled(app)["regions"] == regions


def test_a_path_within_an_endpoint_cannot_have_narrower_regions() -> None:
    app = FastAPI(openapi_url=None)
    mark = at_edge(access="public", methods=["GET"], regions=["eu", "us"])
    app.mount("/files", mark(StaticFiles(directory=".")))
    at_edge(below="/files/private", access="public", regions=["eu"])(app)
    found = faults(app)
    assert "/files/private" in found, found
    assert "regions" in found, found


def test_a_rewrite_to_an_endpoint_of_another_region_is_a_fault() -> None:
    app = FastAPI(openapi_url=None)
    app.get("/x", dependencies=[Depends(EU)])(at_edge(access="public")(partial(endpoint)))
    app.get("/y")(at_edge(access="public", rewrite={"template": "/x"})(partial(endpoint)))
    assert "regions" in faults(app)


# Differences.


def difference(
    app: Mapping[str, object], edge: Mapping[str, object], everything: bool = False
) -> list[str]:
    route = {"id": "x", "path": "/x", "methods": ["GET"], "access": "public"}
    return drift([{**route, **app}], [{**route, **edge}], everything=everything)


def test_drift_compares_regions_as_sets_and_timeouts() -> None:
    assert difference({"regions": ["eu", "us"]}, {"regions": ["us", "eu"]}) == []
    assert difference({"regions": ["eu"]}, {}) == [
        'GET /x: regions: the app has ["eu"], the edge has nothing'
    ]
    assert difference({"regions": ["eu"]}, {"regions": ["eu", "us"]}) == [
        'GET /x: regions: the app has ["eu"], the edge has ["eu", "us"]'
    ]
    assert difference({"timeout": 5}, {"timeout": 20}) == [
        "GET /x: timeout: the app has 5, the edge has 20"
    ]
    only_there = {"regions": ["eu"], "timeout": 20}
    assert difference({}, only_there) == []
    assert len(difference({}, only_there, everything=True)) == 2


def test_drift_compares_the_region_of_what_a_rewrite_runs() -> None:
    open_to_all: dict[str, object] = {"methods": ["GET"], "access": "public"}
    runs = {**open_to_all, "id": "x", "path": "/x", "regions": ["eu"]}
    short = {**open_to_all, "id": "y", "path": "/y", "rewrite": {"template": "/x"}}
    assert drift([runs, short], [runs, short]) == [
        'GET /y, which runs /x: regions: the app has ["eu"], the edge has nothing'
    ]
    assert drift([runs, {**short, "regions": ["eu"]}], [runs, {**short, "regions": ["eu"]}]) == []
