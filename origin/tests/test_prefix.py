"""What stands in front of a template: mounts, and a `root_path` that something else sets."""

import pytest
from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.routing import Mount, Route, Router
from starlette.types import ASGIApp, Receive, Scope, Send

from fastgate import FastgateMiddleware, guard
from fastgate.claims import Transaction
from fastgate.errors import PathMismatch, Refused
from fastgate.route import UNKNOWN, Accepted, Names, Prefix, RouteCheck, check_for
from tests.edge import Edge
from tests.test_dispatch import Copies, asgi, ask, endpoint, shake_hands

pytestmark = pytest.mark.anyio


async def nothing(scope: Scope, receive: Receive, send: Send) -> None: ...


@pytest.mark.parametrize("root_path", ["/m", "/a/n", "/b/m", "/z/m", "", "/a/m/"])
def test_below_a_mount_the_template_is_known_only_if_the_mount_took_just_its_path_off(
    root_path: str,
) -> None:
    mount = Mount("/m", app=nothing)
    for before in ("/a", "/z"):
        prefix = Prefix("/front", before, "/m/x")
        below = prefix.below(mount, {"root_path": root_path})
        taken = root_path == before + "/m"
        assert below.template == ("/front/m" if taken else UNKNOWN), before
        assert below.root_path == root_path
    led = Prefix("/front", "/a", "/m/x").below(mount, {"root_path": "/a/m"})
    assert (led.rest, led.mount) == ("/x", mount)


def test_a_mount_with_a_parameter_takes_text_off() -> None:
    mount = Mount("/{tenant}", app=nothing)
    below = Prefix("", "", "/acme/x").below(mount, {"root_path": "/acme"})
    assert (below.template, below.rest) == ("/{tenant}", "/x")
    for root_path in ("/other", "acme", "/acme/y"):
        below = Prefix("", "", "/acme/x").below(mount, {"root_path": root_path})
        assert below.template == UNKNOWN, root_path


@pytest.mark.parametrize("root_path", ["", "/a", "/api/", "/api/x", "/b", "/z"])
def test_a_template_is_in_front_of_a_router_only_at_its_own_root_path(root_path: str) -> None:
    prefix = Prefix("/api", "/api")
    assert prefix.above({"root_path": "/api"}) == "/api"
    assert prefix.above({"root_path": root_path}) is None
    assert Prefix("/front", "").above({}) == "/front"


# What is left of the path for a router, moved by a root path of another maker.


class Moves(Copies):
    """Sets a root path, so that the router behind it matches another part of the path."""

    def __init__(self, app: ASGIApp, root_path: str) -> None:
        super().__init__(app)
        self.root_path = root_path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.app({**scope, "root_path": self.root_path}, receive, send)


@pytest.mark.parametrize("path", ["/a/z", "/z/a"])
async def test_what_a_parameter_gets_is_not_moved_in_front_of_the_app(
    edge: Edge, ran: list[str], path: str
) -> None:
    for root_path, expected in ((path[:2], 401), ("/elsewhere", 200), ("", 200)):
        app = FastAPI(openapi_url=None)
        app.add_route("/{rest:path}", endpoint(ran, root_path))
        app.add_middleware(Moves, root_path=root_path)
        guard(app, edge.settings())
        assert (await ask(app, edge, path, "/{rest:path}")).status_code == expected, root_path
    assert ran == ["/elsewhere", ""]


@pytest.mark.parametrize("root_path", ["", "/a", "/api/z", "/z"])
async def test_nor_within_a_mounted_router(edge: Edge, ran: list[str], root_path: str) -> None:
    inner = Router(routes=[Route("/{rest:path}", endpoint(ran, "ran"))])
    app = FastAPI(openapi_url=None)
    app.mount("/api", inner)
    guard(app, edge.settings())
    assert (await ask(app, edge, "/api/z/x", "/api/{rest:path}")).status_code == 200
    inner.middleware_stack = Moves(inner.app, root_path)
    assert (await ask(app, edge, "/api/z/x", "/api/{rest:path}")).status_code == 401
    assert ran == ["ran"]


# The check of one request.


def transaction(template: str = "/x", route: str = "x") -> Transaction:
    return Transaction(method="GET", path="/x", query=None, route=route, template=template)


async def no_refusal(error: Refused, scope: Scope, send: Send) -> None: ...


def check(judged: Transaction | None, names: Names | None = None) -> RouteCheck:
    scope = {"type": "http", "method": "GET", "path": "/m/x", "root_path": ""}
    return check_for(scope, judged, no_refusal, names or Names())


@pytest.mark.parametrize("path", ["/m/w", "/m/y", "", "/m/x/", "/m"])
def test_a_path_that_was_changed_is_another_one(path: str) -> None:
    scope = {"type": "http", "method": "GET", "path": path}
    assert isinstance(check(transaction()).fault("/x", scope, None), PathMismatch)


def test_only_a_route_for_all_paths_stands_for_what_a_mount_below_it_does_not_have() -> None:
    for template, mount, expected in [
        ("/{rest:path}", "/api", True),
        ("/{rest:path}", "/a", True),
        ("/b/{rest:path}", "/b/api", True),
        ("/b/{rest:path}", "/a", False),
        ("/b/{rest:path}", "/b", False),
        ("/b/{rest:path}", "/bapi", False),
        ("/b/{rest:path}", "", False),
        ("/b/{rest:path}", "/", False),
        ("/{rest:path}", "", False),
        ("/{rest}", "/api", False),
        ("/api", "/api", False),
    ]:
        found = check(transaction(template)).is_for_all_of(mount)
        assert found is expected, (template, mount)
    assert not check(transaction("/{rest:path}")).is_for_all_of(None)
    assert not check(None).is_for_all_of("/api")


def test_a_former_template_is_one_of_the_same_method_and_below_the_same_mount() -> None:
    former = {
        ("GET", "/api/new"): Accepted(frozenset({"/api/old"}), frozenset({"old"})),
        ("POST", "/api/new"): Accepted(frozenset({"/api/posted"})),
        ("GET", "/other/new"): Accepted(frozenset({"/other/old"})),
    }
    names = Names(former=former)
    assert names.accepted("GET", "/api/new", "") == former["GET", "/api/new"]
    assert names.accepted("PUT", "/api/new", "") == Accepted()
    assert names.accepted("GET", "/front/api/new", "/front") == former["GET", "/api/new"]
    assert names.was("/api/old", former["GET", "/api/new"], "")
    assert names.was("/front/api/old", former["GET", "/api/new"], "/front")
    assert not names.was("/api/old", former["GET", "/api/new"], "/front")
    assert not names.was("/api/old", Accepted(), "")
    for judged, method, mount, expected in [
        ("/api/old", "GET", "/api", True),
        ("/api/old", "POST", "/api", False),
        ("/api/old", "HEAD", "/api", False),
        ("/api/old", "".join(["G", "E", "T"]), "/other", False),
        ("/api/posted", "GET", "/api", False),
        ("/api/posted", "POST", "/api", True),
        ("/other/old", "GET", "/api", False),
        ("/api/new", "GET", "/api", False),
    ]:
        assert names.was_below(judged, method, mount, "") is expected, (judged, method, mount)


async def test_middleware_that_names_an_endpoint_of_its_own_gets_no_answer_out(
    edge: Edge, ran: list[str]
) -> None:
    class RunsItself(Copies):
        async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
            scope["endpoint"] = run = asgi(ran, "secret")
            await run(scope, receive, send)

    guarded = FastgateMiddleware(RunsItself(FastAPI()), edge.settings())
    answered = await ask(guarded, edge, "/x", "/x")
    assert (answered.status_code, "secret" in answered.text) == (401, False)


async def test_the_default_of_a_router_is_compared_for_a_handshake_too(
    edge: Edge, ran: list[str]
) -> None:
    async def default(scope: Scope, receive: Receive, send: Send) -> None:
        ran.append(scope["type"])
        await send({"type": "websocket.accept"})

    app = Starlette()
    app.router.default = default
    guarded = FastgateMiddleware(app, edge.settings())
    assert await shake_hands(guarded, edge, "/x", "/y") == ["websocket.close"]
    assert ran == []
    assert await shake_hands(guarded, edge, "/x", "/{path:path}") == ["websocket.accept"]
    assert ran == ["websocket"]
