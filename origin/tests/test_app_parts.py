"""What belongs to a guarded app is known without reading all its routes, and never out of date."""

from collections.abc import Callable

import pytest
from fastapi import APIRouter, FastAPI
from starlette.applications import Starlette
from starlette.routing import Mount, Route, Router
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from fastgate import guard
from fastgate.routes.framework import effective_routes
from tests.edge import Edge
from tests.test_dispatch import ask, endpoint

pytestmark = pytest.mark.anyio


class Asking:
    """Middleware that asks other apps in this process, with a scope of its own."""

    def __init__(self, app: ASGIApp, asked: list[tuple[ASGIApp, str]]) -> None:
        self.app, self.asked = app, asked

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def nothing() -> Message:
            return {"type": "http.request"}

        async def drop(_message: Message) -> None: ...

        if scope["type"] == "http":
            for app, path in self.asked:
                fresh = {"type": "http", "method": "GET", "path": path, "headers": []}
                await app({**fresh, "query_string": b""}, nothing, drop)
        await self.app(scope, receive, send)


@pytest.fixture
def ran() -> list[str]:
    return []


@pytest.fixture
def asked() -> list[tuple[ASGIApp, str]]:
    return []


@pytest.fixture
def included() -> APIRouter:
    return APIRouter()


@pytest.fixture
def app(
    edge: Edge, ran: list[str], asked: list[tuple[ASGIApp, str]], included: APIRouter
) -> FastAPI:
    app = FastAPI(openapi_url=None)
    for name in ("pub", "old"):
        app.add_route(f"/{name}", endpoint(ran, name))
    included.add_route("/included", endpoint(ran, "included"))
    app.include_router(included)
    app.mount("/m", Router(routes=[Route("/mounted", endpoint(ran, "mounted"))]))
    app.add_middleware(Asking, asked=asked)
    guard(app, edge.settings())
    return app


async def test_the_routes_are_not_read_again_for_each_request_in_the_process(
    app: FastAPI,
    edge: Edge,
    ran: list[str],
    asked: list[tuple[ASGIApp, str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    times: list[object] = []
    read = effective_routes

    def counted(of: object) -> object:
        times.append(of)
        return read(of)

    monkeypatch.setattr("fastgate.routes.app_parts.effective_routes", counted)
    asked += [(Starlette(routes=[Route("/other", endpoint(ran, "other"))]), "/other")] * 2
    for _ in range(3):
        assert (await ask(app, edge, "/pub", "/pub")).status_code == 200
    assert ran == ["other", "other", "pub"] * 3
    assert len(times) == 2, "once the app and once what it mounts"
    app.add_route("/late", endpoint(ran, "late"))
    assert (await ask(app, edge, "/pub", "/pub")).status_code == 200
    assert len(times) == 4


def added(app: FastAPI, _included: APIRouter, route: Route) -> None:
    app.router.routes.append(route)


def replaced(app: FastAPI, _included: APIRouter, route: Route) -> None:
    app.router.routes[1] = route


def another_list(app: FastAPI, _included: APIRouter, route: Route) -> None:
    app.router.routes = [*app.router.routes[1:], route]


def added_to_the_included(app: FastAPI, included: APIRouter, route: Route) -> None:
    included.routes.append(route)
    app.include_router(included, prefix="/again")  # older FastAPI copies what is there


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
async def test_what_is_changed_while_the_app_runs_is_known(
    app: FastAPI,
    edge: Edge,
    ran: list[str],
    included: APIRouter,
    asked: list[tuple[ASGIApp, str]],
    change: Callable[[FastAPI, APIRouter, Route], None],
) -> None:
    route = Route("/late", endpoint(ran, "late"))
    foreign = Starlette(routes=[route])
    asked.append((foreign, "/late"))
    assert (await ask(app, edge, "/pub", "/pub")).status_code == 200
    assert ran == ["late", "pub"], "it is no part of the app yet"
    ran.clear()
    change(app, included, route)
    await ask(app, edge, "/mounted", "/mounted")
    assert ran == []


async def test_a_router_that_is_mounted_late_is_known(
    app: FastAPI, edge: Edge, ran: list[str], asked: list[tuple[ASGIApp, str]]
) -> None:
    for router in (Router(), Router()):
        assert (await ask(app, edge, "/pub", "/pub")).status_code == 200
        router.add_route("/x", endpoint(ran, "x"))
        app.mount("/late", router)
        asked[:] = [(router, "/x")]
        assert "x" not in ran
        await ask(app, edge, "/pub", "/pub")
        assert "x" not in ran
        asked.clear()


class RunsAtOnce(Route):
    """A route whose `handle` is not compared."""

    def __getattribute__(self, name: str, /) -> object:
        return object.__getattribute__(self, name)


async def test_a_route_that_is_replaced_by_an_equal_one_of_another_class_closes_its_router(
    app: FastAPI, edge: Edge, ran: list[str]
) -> None:
    assert (await ask(app, edge, "/old", "/old")).text == "old"
    old = app.router.routes[1]
    assert isinstance(old, Route)
    app.router.routes[1] = new = RunsAtOnce("/old", old.endpoint)
    assert new == old
    assert (await ask(app, edge, "/old", "/old")).status_code == 401
    assert ran == ["old"]
