"""The prefix of a template: mounts, and a `root_path` from another source."""

from contextlib import suppress

import pytest
from fastapi import FastAPI, WebSocket
from starlette.applications import Starlette
from starlette.endpoints import HTTPEndpoint
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Mount, Route, Router
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from fastgate import FastgateMiddleware, guard
from fastgate.claims import Transaction
from fastgate.errors import PathMismatch, Refused, RouteMismatch
from fastgate.routes.check import Comparing, RouteCheck, check_for, check_of
from fastgate.routes.prefix import UNKNOWN, Prefix
from fastgate.routes.route_names import Accepted, Names
from tests.edge import HOST, Edge
from tests.test_dispatch import Copies, Rebuilds, asgi, endpoint, fetch, shake_hands
from tests.test_dispatch_bypass import dropped

pytestmark = pytest.mark.anyio


async def nothing(scope: Scope, receive: Receive, send: Send) -> None: ...


@pytest.mark.parametrize("root_path", ["/m", "/a/n", "/b/m", "/z/m", "", "/a/m/"])
def test_below_a_mount_the_template_is_known_only_if_the_mount_removed_just_its_path(
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


def test_the_template_is_unknown_if_another_root_path_was_removed() -> None:
    for taken in ("/l", "/n", "/m/m"):
        below = Prefix("", "/a", taken + "/x").below(
            Mount("/m", app=nothing), {"root_path": "/a" + taken}
        )
        assert below.template == UNKNOWN, taken


def test_a_mount_with_a_parameter_removes_the_value() -> None:
    mount = Mount("/{tenant}", app=nothing)
    below = Prefix("", "", "/acme/x").below(mount, {"root_path": "/acme"})
    assert (below.template, below.rest) == ("/{tenant}", "/x")
    for root_path in ("/other", "acme", "/acme/y"):
        below = Prefix("", "", "/acme/x").below(mount, {"root_path": root_path})
        assert below.template == UNKNOWN, root_path


@pytest.mark.parametrize("root_path", ["", "/a", "/api/", "/api/x", "/b", "/z"])
def test_the_prefix_of_a_router_is_known_only_at_its_own_root_path(root_path: str) -> None:
    prefix = Prefix("/api", "/api")
    assert prefix.above({"root_path": "/api"}) == "/api"
    assert prefix.above({"root_path": root_path}) is None
    assert prefix.above({"root_path": "".join(["/a", "pi"])}) == "/api"
    assert Prefix("/front", "").above({}) == "/front"


# The rest of the path for a router, changed by a root path from another source.


class Moves(Copies):
    """Middleware that sets a root path, so that a router matches another part of the path."""

    def __init__(self, app: ASGIApp, root_path: str) -> None:
        super().__init__(app)
        self.root_path = root_path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = "".join([scope["path"][:1], scope["path"][1:]])  # an equal string, another object
        await self.app({**scope, "root_path": self.root_path, "path": path}, receive, send)


@pytest.mark.parametrize("path", ["/a/z", "/z/a"])
async def test_a_root_path_set_by_middleware_cannot_change_a_parameter(
    edge: Edge, ran: list[str], path: str
) -> None:
    for root_path, expected in ((path[:2], 401), ("/elsewhere", 200), ("", 200)):
        app = FastAPI(openapi_url=None)
        app.add_route("/{rest:path}", endpoint(ran, root_path))
        app.add_middleware(Moves, root_path=root_path)
        guard(app, edge.settings())
        assert (await fetch(app, edge, path, "/{rest:path}")).status_code == expected, root_path
    assert ran == ["/elsewhere", ""]


@pytest.mark.parametrize(("root_path", "runs"), [("/a", False), ("/elsewhere", True)])
async def test_a_root_path_cannot_change_a_parameter_of_a_handshake(
    edge: Edge, root_path: str, runs: bool
) -> None:
    async def accepts(websocket: WebSocket) -> None:
        await websocket.accept()

    app = FastAPI(openapi_url=None)
    app.add_api_websocket_route("/{rest:path}", accepts)
    app.add_middleware(Moves, root_path=root_path)
    guard(app, edge.settings())
    sent = await shake_hands(app, edge, "/a/z", "/{rest:path}")
    assert sent == ["websocket.accept" if runs else "websocket.close"]


async def test_a_root_path_that_changes_no_match_may_be_removed(edge: Edge, ran: list[str]) -> None:
    app = FastAPI(openapi_url=None)
    app.add_route("/a/z", endpoint(ran, "ran"))
    guarded = FastgateMiddleware(Moves(app, ""), edge.settings())
    assert (await fetch(Moves(guarded, "/elsewhere"), edge, "/a/z", "/a/z")).status_code == 200
    assert ran == ["ran"]


@pytest.mark.parametrize("root_path", ["", "/a", "/api/z", "/z"])
async def test_a_root_path_cannot_change_a_parameter_within_a_mounted_router(
    edge: Edge, ran: list[str], root_path: str
) -> None:
    inner = Router(routes=[Route("/{rest:path}", endpoint(ran, "ran"))])
    app = FastAPI(openapi_url=None)
    app.mount("/api", inner)
    guard(app, edge.settings())
    assert (await fetch(app, edge, "/api/z/x", "/api/{rest:path}")).status_code == 200
    inner.middleware_stack = Moves(inner.app, root_path)
    assert (await fetch(app, edge, "/api/z/x", "/api/{rest:path}")).status_code == 401
    assert ran == ["ran"]


# The check of one request.


def transaction(template: str = "/x", route: str = "x") -> Transaction:
    return Transaction(route, template, "GET", HOST, "/x", None)


async def no_refusal(error: Refused, scope: Scope, send: Send) -> None: ...


def check(judged: Transaction | None, names: Names | None = None) -> RouteCheck:
    scope = {"type": "http", "method": "GET", "path": "/m/x", "root_path": ""}
    return check_for(scope, judged, no_refusal, names or Names())


@pytest.mark.parametrize("path", ["/m/w", "/m/y", "", "/m/x/", "/m"])
def test_a_changed_path_is_refused(path: str) -> None:
    scope = {"type": "http", "method": "GET", "path": path}
    assert isinstance(check(transaction()).fault("/x", scope, None), PathMismatch)


def test_only_a_route_for_all_paths_covers_missing_paths_of_a_mount_below_it() -> None:
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


def test_a_former_template_has_the_same_method_and_mount() -> None:
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


HERE: Scope = {"type": "http", "method": "GET", "path": "/m/x"}
ELSEWHERE: Scope = {**HERE, "method": "".join(["PO", "ST"])}


def test_a_check_records_the_last_outcome() -> None:
    def state() -> tuple[bool, bool, bool]:
        return at.done, at.passed, at.refused

    at = check(transaction())
    assert state() == (False, False, False)
    assert at.fault("/x", HERE, None) is None
    assert state() == (True, False, False)
    assert at.fault("/y", HERE, None) is not None
    assert state() == (False, False, True)
    at.let_pass(HERE)
    assert state() == (False, True, False)
    assert at.fault_on_the_way("/m", HERE, can_compare=True) is not None
    assert state() == (False, False, True)
    assert at.fault_on_the_way("", HERE, can_compare=True) is None
    assert state() == (False, True, False)
    assert at.fault_on_the_way("", HERE, can_compare=False) is not None
    assert state() == (False, False, True)
    assert at.fault("/x", HERE, None) is None
    assert at.fault_again(HERE) is not None
    assert state() == (False, False, True)


def test_a_refusal_names_the_found_route() -> None:
    def found(fault: Refused | None) -> object:
        assert isinstance(fault, RouteMismatch)
        return fault.found

    at = check(transaction())
    assert at.fault("/x", {**HERE, "method": "".join(["G", "ET"])}, None) is None
    assert found(at.fault("/y", HERE, None)) == "/y (no endpoint)"
    assert found(at.fault(None, HERE, None)) == "a route without a template (no endpoint)"
    assert found(at.fault_again(HERE)) == "a route that cannot be compared (no endpoint)"
    below = {**HERE, "root_path": "/api", "endpoint": found}
    told = found(at.fault_again(below))
    assert str(told).startswith(
        'a route that cannot be compared, below the root_path "/api" (test_'
    )


def test_a_former_template_leads_through_a_mount() -> None:
    former = {("GET", "/api/new"): Accepted(frozenset({"/old"}))}
    at = check_for(
        HERE,
        transaction("/front/old"),
        no_refusal,
        Names(former=former),
        prefix=Prefix("/front", "", "/m/x"),
    )
    assert at.fault_on_the_way("/front/api", HERE, can_compare=True) is None
    assert at.fault_on_the_way("/front/other", HERE, can_compare=True) is not None


def test_a_refusal_within_a_whole_is_final() -> None:
    at = check(transaction())
    assert at.fault("/x", HERE, None) is None
    assert at.fault_within({**HERE, "method": "".join(["G", "ET"])}) is None
    assert (at.done, at.refused) == (True, False)
    assert at.fault_within(ELSEWHERE) is not None
    assert at.refused
    assert at.fault_within(HERE) is None
    assert at.refused


def test_running_endpoints_are_counted_until_they_end() -> None:
    at = check(transaction())
    for is_endpoint, counts in ((True, (1, 0)), (False, (0, 1))):
        with suppress(ValueError), at.while_running(is_endpoint=is_endpoint):
            assert (at.running, at.whole) == counts
            raise ValueError("it may end so, too")
        assert (at.running, at.whole) == (0, 0)


async def test_a_check_is_found_for_scopes_made_from_its_request_until_it_ends() -> None:
    async def receive() -> Message:
        raise NotImplementedError

    fields = [(b"host", b"a")]
    scope, other = {**HERE, "headers": fields}, Router()
    at = check(transaction())
    at.router = Router()
    made, same_receive = {**HERE, "headers": [*fields]}, {**HERE}
    equal = {**HERE, "headers": [(b"host", bytes([97]))]}
    with Comparing(at, scope, receive):
        assert check_of(scope, receive, other) is at
        assert check_of(made, nothing_received, other) is at
        assert check_of(same_receive, receive, other) is at
        assert check_of(equal, nothing_received, other) is None
        assert check_of({**equal}, nothing_received, at.router) is at
        assert check_of({**equal}, nothing_received, None) is at
        for name in ("over", "running"):
            setattr(at, name, 1)
            assert check_of({**equal}, nothing_received, at.router) is None, name
            setattr(at, name, 0)
        assert check_of({**equal}, nothing_received, at.router) is at
    assert at.over
    assert check_of({**HERE, "headers": fields}, receive, at.router) is None


async def nothing_received() -> Message:
    raise NotImplementedError


@pytest.mark.parametrize("first", [False, True])
async def test_middleware_that_names_its_own_endpoint_cannot_respond(
    edge: Edge, ran: list[str], first: bool
) -> None:
    class RunsItself(Copies):
        async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
            if first:  # a router's own 405 may pass, but does not allow what comes after it
                await self.app(scope, receive, dropped)
            scope["endpoint"] = run = asgi(ran, "secret")
            await run(scope, receive, send)

    app = FastAPI(openapi_url=None)
    app.add_route("/x", endpoint(ran, "posted"), methods=["POST"])
    guarded = FastgateMiddleware(RunsItself(app), edge.settings())
    response = await fetch(guarded, edge, "/x", "/x")
    assert (response.status_code, "secret" in response.text) == (401, False)


class Posted(HTTPEndpoint):
    """A class-based endpoint that chooses by method."""

    async def get(self, _request: Request) -> Response:
        return PlainTextResponse("")


@pytest.mark.parametrize("what", ["a whole", "a class", "a function"])
async def test_after_the_judged_endpoint_nothing_else_runs_uncompared(
    edge: Edge, ran: list[str], what: str
) -> None:
    inner = Starlette(routes=[Route("/x/y", endpoint(ran, "secret"))])

    class Again(Copies):
        async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] == "http":
                await self.app(dict(scope), receive, dropped)
                await Rebuilds(inner)(scope, receive, send)

    app = FastAPI(openapi_url=None)
    app.mount("/admin", inner)
    template = "/x/y"
    if what == "a whole":
        app.mount("/x", asgi([], ""))
        template = "/x/{path:path}"
    elif what == "a class":
        app.router.routes.append(Route("/x/y", Posted))
    else:
        app.add_route("/x/y", endpoint([], ""))
    app.add_middleware(Again)
    guard(app, edge.settings())
    assert (await fetch(app, edge, "/x/y", template)).status_code == 401
    assert ran == []


async def test_a_starlette_function_may_call_other_apps_with_the_guarded_request(
    edge: Edge, ran: list[str]
) -> None:
    other = Starlette(routes=[Route("/go", endpoint(ran, "other"), methods=["PUT"])])

    async def passes_on(request: Request) -> Response:
        await Rebuilds(other)({**request.scope, "method": "PUT"}, request.receive, dropped)
        return PlainTextResponse("")

    app = FastAPI(openapi_url=None)
    app.add_route("/go", passes_on)
    guard(app, edge.settings())
    assert (await fetch(app, edge, "/go", "/go")).status_code == 200
    assert ran == ["other"]


def accepting(ran: list[str]) -> ASGIApp:
    async def accepts(scope: Scope, receive: Receive, send: Send) -> None:
        ran.append(scope["type"])
        await send({"type": "websocket.accept"})

    return accepts


async def test_the_default_of_a_router_is_compared_for_a_handshake_too(
    edge: Edge, ran: list[str]
) -> None:
    app = Starlette()
    app.router.default = accepting(ran)
    guarded = FastgateMiddleware(app, edge.settings())
    assert await shake_hands(guarded, edge, "/x", "/y") == ["websocket.close"]
    assert ran == []
    assert await shake_hands(guarded, edge, "/x", "/{path:path}") == ["websocket.accept"]
    assert ran == ["websocket"]


async def test_nothing_accepts_a_handshake_that_no_guard_has_let_in(
    edge: Edge, ran: list[str]
) -> None:
    app = FastAPI(openapi_url=None)
    app.router.default = accepting(ran)
    guard(app, edge.settings())
    assert await shake_hands(app, edge, "/x", "/y") == ["websocket.close"]
    assert await shake_hands(app.router, edge, "/x", "/{path:path}") == ["websocket.close"]
    assert ran == []


async def test_nothing_reaches_the_router_of_a_guarded_app_through_another_app(
    edge: Edge, ran: list[str]
) -> None:
    app = FastAPI(openapi_url=None)
    app.add_route("/x", endpoint(ran, "x"))
    guard(app, edge.settings())
    assert (await fetch(app, edge, "/x", "/x")).status_code == 200
    outer = Starlette(routes=[Mount("/m", app=app.router), Mount("/n", app=app)])
    assert (await fetch(outer, edge, "/m/x", "/m/x")).status_code == 401
    assert (await fetch(outer, edge, "/m/x", "/x")).status_code == 401
    assert ran == ["x"]
