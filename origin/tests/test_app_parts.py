"""The parts of a guarded app are known without reading all routes, and are never out of date."""

from collections.abc import Callable

import pytest
from fastapi import APIRouter, FastAPI
from starlette.applications import Starlette
from starlette.routing import Mount, Route, Router
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from fastgate import guard
from fastgate.routes.framework import effective_routes
from tests.edge import Edge
from tests.test_dispatch import endpoint, fetch

pytestmark = pytest.mark.anyio


class CallingOthers:
    """Middleware that calls other apps in this process, with a scope of its own."""

    def __init__(self, app: ASGIApp, calls: list[tuple[ASGIApp, str]]) -> None:
        self.app, self.calls = app, calls

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def nothing() -> Message:
            return {"type": "http.request"}

        async def drop(_message: Message) -> None: ...

        if scope["type"] == "http":
            for app, path in self.calls:
                fresh = {"type": "http", "method": "GET", "path": path, "headers": []}
                await app({**fresh, "query_string": b""}, nothing, drop)
        await self.app(scope, receive, send)


@pytest.fixture
def ran() -> list[str]:
    return []


@pytest.fixture
def calls() -> list[tuple[ASGIApp, str]]:
    return []


@pytest.fixture
def included() -> APIRouter:
    return APIRouter()


@pytest.fixture
def app(
    edge: Edge, ran: list[str], calls: list[tuple[ASGIApp, str]], included: APIRouter
) -> FastAPI:
    app = FastAPI(openapi_url=None)
    for name in ("pub", "old"):
        app.add_route(f"/{name}", endpoint(ran, name))
    included.add_route("/included", endpoint(ran, "included"))
    app.include_router(included)
    app.mount("/m", Router(routes=[Route("/mounted", endpoint(ran, "mounted"))]))
    app.add_middleware(CallingOthers, calls=calls)
    guard(app, edge.settings())
    return app


async def test_the_routes_are_not_read_again_for_each_request_in_the_process(
    app: FastAPI,
    edge: Edge,
    ran: list[str],
    calls: list[tuple[ASGIApp, str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    times: list[object] = []
    read = effective_routes

    def counted(of: object) -> object:
        times.append(of)
        return read(of)

    monkeypatch.setattr("fastgate.routes.app_parts.effective_routes", counted)
    calls += [(Starlette(routes=[Route("/other", endpoint(ran, "other"))]), "/other")] * 2
    for _ in range(3):
        assert (await fetch(app, edge, "/pub", "/pub")).status_code == 200
    assert ran == ["other", "other", "pub"] * 3
    assert len(times) == 2, "once for the app and once for the mounted one"
    app.add_route("/late", endpoint(ran, "late"))
    assert (await fetch(app, edge, "/pub", "/pub")).status_code == 200
    assert len(times) == 4


def added(app: FastAPI, _included: APIRouter, route: Route) -> None:
    app.router.routes.append(route)


def replaced(app: FastAPI, _included: APIRouter, route: Route) -> None:
    app.router.routes[1] = route


def another_list(app: FastAPI, _included: APIRouter, route: Route) -> None:
    app.router.routes = [*app.router.routes[1:], route]


def added_to_the_included(app: FastAPI, included: APIRouter, route: Route) -> None:
    included.routes.append(route)
    app.include_router(included, prefix="/again")  # older FastAPI copies the present routes


def included_late(app: FastAPI, _included: APIRouter, route: Route) -> None:
    app.include_router(APIRouter(routes=[route]), prefix="/r")


def added_to_the_mounted(app: FastAPI, _included: APIRouter, route: Route) -> None:
    (mount,) = (each for each in app.routes if isinstance(each, Mount))
    mount.routes.append(route)


def mounted_late(app: FastAPI, _included: APIRouter, route: Route) -> None:
    app.mount("/n", Starlette(routes=[route]))


def mounted_instead(app: FastAPI, _included: APIRouter, route: Route) -> None:
    (mount,) = (each for each in app.routes if isinstance(each, Mount))
    mount.app = mount._base_app = Starlette(routes=[route])


CHANGES: list[Callable[[FastAPI, APIRouter, Route], None]] = [
    added,
    replaced,
    another_list,
    added_to_the_included,
    included_late,
    added_to_the_mounted,
    mounted_late,
    mounted_instead,
]


@pytest.mark.parametrize("change", CHANGES)
async def test_changes_while_the_app_runs_are_known(
    app: FastAPI,
    edge: Edge,
    ran: list[str],
    included: APIRouter,
    calls: list[tuple[ASGIApp, str]],
    change: Callable[[FastAPI, APIRouter, Route], None],
) -> None:
    route = Route("/late", endpoint(ran, "late"))
    foreign = Starlette(routes=[route])
    calls.append((foreign, "/late"))
    assert (await fetch(app, edge, "/pub", "/pub")).status_code == 200
    assert ran == ["late", "pub"], "it is not part of the app yet"
    ran.clear()
    change(app, included, route)
    await fetch(app, edge, "/mounted", "/mounted")
    assert ran == []


async def test_a_router_that_is_mounted_later_is_known(
    app: FastAPI, edge: Edge, ran: list[str], calls: list[tuple[ASGIApp, str]]
) -> None:
    for router in (Router(), Router()):
        assert (await fetch(app, edge, "/pub", "/pub")).status_code == 200
        router.add_route("/x", endpoint(ran, "x"))
        app.mount("/late", router)
        calls[:] = [(router, "/x")]
        assert "x" not in ran
        await fetch(app, edge, "/pub", "/pub")
        assert "x" not in ran
        calls.clear()


class RunsAtOnce(Route):
    """A route whose `handle` is not compared."""

    def __getattribute__(self, name: str, /) -> object:
        return object.__getattribute__(self, name)


async def test_a_route_that_is_replaced_by_an_equal_one_of_another_class_closes_its_router(
    app: FastAPI, edge: Edge, ran: list[str]
) -> None:
    assert (await fetch(app, edge, "/old", "/old")).text == "old"
    old = app.router.routes[1]
    assert isinstance(old, Route)
    app.router.routes[1] = new = RunsAtOnce("/old", old.endpoint)
    assert new == old
    assert (await fetch(app, edge, "/old", "/old")).status_code == 401
    assert ran == ["old"]
