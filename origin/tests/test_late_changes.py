"""A guard reads an app as it is now: what changes after the first request counts for the second."""

import functools
from collections.abc import Callable
from typing import Annotated, Any

import pytest
from fastapi import APIRouter, Depends, FastAPI
from fastapi.routing import APIRoute
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from fastgate import AnyCaller, at_edge, guard
from tests.edge import Edge
from tests.test_dispatch import fetch

pytestmark = pytest.mark.anyio
TEMPLATE = "/orders/{order_id}"
PATH = "/orders/7"
RESTRICTIONS: list[dict[str, Any]] = [{"access": "none"}, {"sign_body": True}]
"""The members that the guard itself enforces for a request. Both refuse the edge's usual header."""


def function() -> Callable[..., Any]:
    async def read(order_id: str) -> str:
        return order_id

    return read


def marked_function() -> Callable[..., Any]:
    marked: Callable[..., Any] = at_edge(limits=["usual"])(function())
    return marked


def decorated_function() -> Callable[..., Any]:
    inner = function()

    @functools.wraps(inner)
    async def outer(order_id: str) -> str:
        result: str = await inner(order_id)
        return result

    return outer


def method() -> Callable[..., Any]:
    class Orders:
        async def read(self, order_id: str) -> str:
            return order_id

    return Orders().read


def callable_object() -> Callable[..., Any]:
    class Read:
        async def __call__(self, order_id: str) -> str:
            return order_id

    return Read()


ENDPOINTS = [function, marked_function, decorated_function, method, callable_object]


def on_the_endpoint(route: APIRoute, members: dict[str, Any]) -> None:
    at_edge(**members)(route.endpoint)


def on_what_it_wraps(route: APIRoute, members: dict[str, Any]) -> None:
    holder: Any = getattr(route.endpoint, "__func__", route.endpoint)
    vars(holder)["__wrapped__"] = at_edge(**members)(function())


def on_the_route(route: APIRoute, members: dict[str, Any]) -> None:
    at_edge(**members)(route)


def by_a_new_extra(route: APIRoute, members: dict[str, Any]) -> None:
    route.openapi_extra = {"x-fastgate": members}


def by_another_endpoint(route: APIRoute, members: dict[str, Any]) -> None:
    route.endpoint = at_edge(**members)(function())


CHANGES = [
    *(on_the_endpoint, on_what_it_wraps, on_the_route),
    *(by_a_new_extra, by_another_endpoint),
]


class Subclass(APIRoute):
    """A class of routes of the app's own."""


@pytest.mark.parametrize("kind", [APIRoute, Subclass])
@pytest.mark.parametrize("members", RESTRICTIONS, ids=lambda members: next(iter(members)))
@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("make", ENDPOINTS)
async def test_a_declaration_counts_from_the_next_request_on(
    edge: Edge,
    make: Callable[[], Callable[..., Any]],
    change: Callable[[APIRoute, dict[str, Any]], None],
    members: dict[str, Any],
    kind: type[APIRoute],
) -> None:
    app = FastAPI(openapi_url=None)
    app.router.add_api_route(TEMPLATE, make(), route_class_override=kind)
    guard(app, edge.settings())
    for _ in range(2):
        assert (await fetch(app, edge, PATH, TEMPLATE)).status_code == 200
    route = app.routes[-1]
    assert isinstance(route, APIRoute)
    change(route, members)
    assert (await fetch(app, edge, PATH, TEMPLATE)).status_code == 401


@pytest.mark.parametrize("members", RESTRICTIONS, ids=lambda members: next(iter(members)))
async def test_an_extra_that_changes_in_place_counts(edge: Edge, members: dict[str, Any]) -> None:
    extra: dict[str, Any] = {}
    app = FastAPI(openapi_url=None)
    app.get(TEMPLATE, openapi_extra=extra)(function())
    guard(app, edge.settings())
    assert (await fetch(app, edge, PATH, TEMPLATE)).status_code == 200
    route = app.routes[-1]
    assert isinstance(route, APIRoute)
    assert route.openapi_extra is not None
    route.openapi_extra["x-fastgate"] = members
    assert (await fetch(app, edge, PATH, TEMPLATE)).status_code == 401


@pytest.mark.parametrize("members", RESTRICTIONS, ids=lambda members: next(iter(members)))
async def test_a_declaration_on_a_starlette_route_counts(
    edge: Edge, members: dict[str, Any]
) -> None:
    async def page(_request: object) -> PlainTextResponse:
        return PlainTextResponse("page")

    app = FastAPI(openapi_url=None)
    app.router.routes.append(Route(TEMPLATE, page))
    guard(app, edge.settings())
    assert (await fetch(app, edge, PATH, TEMPLATE)).status_code == 200
    at_edge(**members)(page)
    assert (await fetch(app, edge, PATH, TEMPLATE)).status_code == 401


@pytest.mark.parametrize("members", RESTRICTIONS, ids=lambda members: next(iter(members)))
async def test_a_declaration_counts_in_all_apps_that_share_a_router(
    edge: Edge, members: dict[str, Any]
) -> None:
    router, read = APIRouter(), function()
    router.get(TEMPLATE)(read)
    apps = {prefix: FastAPI(openapi_url=None) for prefix in ("/one", "/two")}
    for prefix, app in apps.items():
        app.include_router(router, prefix=prefix)
        guard(app, edge.settings())
    for prefix, app in apps.items():
        assert (await fetch(app, edge, prefix + PATH, prefix + TEMPLATE)).status_code == 200
        other = "/two" if prefix == "/one" else "/one"
        assert (await fetch(app, edge, prefix + PATH, other + TEMPLATE)).status_code == 401
    at_edge(**members)(read)
    for prefix, app in apps.items():
        assert (await fetch(app, edge, prefix + PATH, prefix + TEMPLATE)).status_code == 401


@pytest.mark.parametrize("members", RESTRICTIONS, ids=lambda members: next(iter(members)))
async def test_an_app_that_is_mounted_twice_is_compared_below_each_path(
    edge: Edge, members: dict[str, Any]
) -> None:
    app, below, read = FastAPI(openapi_url=None), FastAPI(openapi_url=None), function()
    below.get(TEMPLATE)(read)
    mounts = ("/one", "/two")
    for path in mounts:
        app.mount(path, below)
    guard(app, edge.settings())
    for _ in range(2):
        for path, other in (mounts, mounts[::-1]):
            assert (await fetch(app, edge, path + PATH, path + TEMPLATE)).status_code == 200
            assert (await fetch(app, edge, path + PATH, other + TEMPLATE)).status_code == 401
    at_edge(**members)(read)
    for path in mounts:
        assert (await fetch(app, edge, path + PATH, path + TEMPLATE)).status_code == 401


async def test_a_route_that_is_put_first_is_compared_with_its_own_template(edge: Edge) -> None:
    app = FastAPI(openapi_url=None)
    app.get(TEMPLATE)(function())
    guard(app, edge.settings())
    assert (await fetch(app, edge, PATH, TEMPLATE)).status_code == 200
    first = "/{kind}/{order_id}"
    app.get(first)(function())
    app.router.routes.insert(0, app.router.routes.pop())
    assert (await fetch(app, edge, PATH, TEMPLATE)).status_code == 401
    assert (await fetch(app, edge, PATH, first)).status_code == 200


async def test_a_route_whose_handle_cannot_be_compared_stops_the_whole_app(edge: Edge) -> None:
    class Alone(Route):
        __getattribute__ = object.__getattribute__

    app = FastAPI(openapi_url=None)
    app.get(TEMPLATE)(function())
    guard(app, edge.settings())
    assert (await fetch(app, edge, PATH, TEMPLATE)).status_code == 200
    app.router.routes.append(Alone("/alone", function()))
    assert (await fetch(app, edge, PATH, TEMPLATE)).status_code == 401
    app.router.routes.pop()
    assert (await fetch(app, edge, PATH, TEMPLATE)).status_code == 200
    if hasattr(app.router, "handle"):  # not in older FastAPI
        vars(app.router)["handle"] = app.router.handle
        assert (await fetch(app, edge, PATH, TEMPLATE)).status_code == 401


async def test_an_override_of_a_dependency_changes_no_comparison(edge: Edge) -> None:
    def name() -> str:
        return "real"

    app = FastAPI(openapi_url=None)

    @app.get(TEMPLATE)
    async def read(order_id: str, caller: AnyCaller, name: Annotated[str, Depends(name)]) -> str:
        assert caller is not None
        return f"{name} {caller.subject}"

    guard(app, edge.settings())
    assert (await fetch(app, edge, PATH, TEMPLATE)).json() == "real ada"
    app.dependency_overrides[name] = lambda: "other"
    assert (await fetch(app, edge, PATH, TEMPLATE)).json() == "other ada"
    assert (await fetch(app, edge, PATH, "/orders/{order_id}/lines")).status_code == 401
    at_edge(access="none")(read)
    assert (await fetch(app, edge, PATH, TEMPLATE)).status_code == 401


async def test_a_root_path_that_is_set_late_is_part_of_the_signed_path(edge: Edge) -> None:
    app = FastAPI(openapi_url=None)
    app.get(TEMPLATE)(function())
    guard(app, edge.settings())
    assert (await fetch(app, edge, PATH, TEMPLATE)).status_code == 200
    app.root_path = "/api"
    rooted = "/api" + PATH
    assert (await fetch(app, edge, rooted, "/api" + TEMPLATE)).status_code == 200
    assert (await fetch(app, edge, rooted, TEMPLATE)).status_code == 401
