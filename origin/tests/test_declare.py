"""Declarations for many endpoints, and for objects that are not functions."""

import functools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import pytest
from fastapi import APIRouter, FastAPI, Security, WebSocket
from starlette.applications import Starlette
from starlette.endpoints import HTTPEndpoint
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import Receive, Scope, Send

from fastgate import (
    AnyCaller,
    Caller,
    EdgeCache,
    at_edge,
    claim,
    fastgate,
    guard,
    not_,
    requires,
    role,
    scope,
)
from fastgate.compile.drift import drift
from fastgate.compile.policy import CannotCompile, compile_routes
from fastgate.declare.members import ROUTE_MEMBERS
from fastgate.testing import AsCaller
from tests.edge import Edge

REPOSITORY = Path(__file__).parents[2]


def empty() -> FastAPI:
    return FastAPI(openapi_url=None)


def compiled(app: object, *members: str) -> dict[str, tuple[object, ...]]:
    return {
        str(route["path"]): tuple(route.get(name) for name in ("access", *members))
        for route in compile_routes(app)
    }


async def silent() -> str:
    return "ran"


async def read_me(caller: Caller) -> str:
    return caller.subject


async def welcome(caller: AnyCaller) -> str:
    return "welcome"


async def plain(_request: Request) -> PlainTextResponse:
    return PlainTextResponse("ran")


def admin() -> Starlette:
    """Return a third-party app, which does not declare its callers."""

    class Page(HTTPEndpoint):
        async def get(self, _request: Request) -> PlainTextResponse:
            return PlainTextResponse("page")

        post = get

    files = Mount("/statics", app=StaticFiles(directory=REPOSITORY / "origin"), name="statics")
    return Starlette(routes=[files, Route("/", plain), Route("/{identity}/list", Page)])


def test_a_mounted_app_is_declared_as_one(edge: Edge, as_caller: AsCaller) -> None:
    app = empty()
    app.mount("/admin", at_edge(access="authenticated", require={"rule": "staff"})(admin()))
    app.get("/{page:path}")(welcome)
    staff = ("authenticated", {"rule": "staff"})
    assert compiled(app, "require") == {
        "/admin/statics/{path:path}": staff,
        "/admin/": staff,
        "/admin/{identity}/list": staff,
        "/{page:path}": ("optional", None),
    }
    guard(app, edge.settings(strict=True))
    ada = as_caller(app, sub="ada")
    assert ada.get("/admin/orders/list").text == ada.post("/admin/orders/list").text == "page"
    assert ada.get("/admin/statics/pyproject.toml").status_code == 200


@pytest.mark.parametrize(
    "mounted",
    [
        lambda: Mount("/x", at_edge(access="public")(Starlette(routes=[Route("/a", plain)]))),
        lambda: at_edge(access="public")(Mount("/x", Starlette(routes=[Route("/a", plain)]))),
        lambda: at_edge(access="public")(Mount("/x", routes=[Route("/a", plain)])),
        lambda: Mount(
            "/x", at_edge(access="public")(_Around(Starlette(routes=[Route("/a", plain)])))
        ),
        lambda: Mount(
            "/x", _Around(at_edge(access="public")(Starlette(routes=[Route("/a", plain)])))
        ),
        lambda: Mount("/x", routes=[at_edge(access="public")(Route("/a", plain))]),
    ],
)
def test_app_middleware_mount_and_route_can_be_marked(mounted: Callable[[], Mount]) -> None:
    app = empty()
    app.routes.append(mounted())
    assert compiled(app) == {"/x/a": ("public",)}


class _Around:
    def __init__(self, app: Any) -> None:  # noqa: ANN401
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.app(scope, receive, send)


def test_the_app_itself_is_marked_for_all_its_routes() -> None:
    app = at_edge(access="public", group="web")(empty())
    app.get("/silent")(silent)
    app.get("/me")(at_edge(group="me")(read_me_too))
    app.add_route("/plain", plain)
    assert compiled(app, "group") == {
        "/silent": ("public", "web"),
        "/me": ("authenticated", "me"),
        "/plain": ("public", "web"),
    }


async def read_me_too(caller: Caller) -> None: ...


def test_a_path_is_marked_for_routes_at_and_below_it() -> None:
    app, auth, inner = empty(), APIRouter(), empty()
    auth.post("/login")(silent)
    auth.get("")(silent)
    inner.get("/deep")(silent)
    app.include_router(auth, prefix="/auth")
    app.mount("/auth/inner", inner)
    app.get("/authors")(welcome)
    at_edge(below="/auth", access="public")(app)
    at_edge(below="/auth/inner", access="authenticated")(app)
    assert compiled(app) == {
        "/auth/login": ("public",),
        "/auth": ("public",),
        "/auth/inner/deep": ("authenticated",),
        "/authors": ("optional",),
    }


def test_names_of_parameters_do_not_distinguish_prefixes() -> None:
    app = at_edge(access="public")(empty())
    at_edge(below="/{a_long_name}/admin", access="authenticated")(app)
    at_edge(below="/{t}/admin/{id:int}", access="optional")(app)
    app.get("/{tenant}/admin")(silent)
    app.get("/{t:int}/admin/b")(silent)
    app.get("/{t:str}/admin/b")(silent)
    app.get("/{t}/admin/{order_id:int}")(silent)
    app.get("/{t}/admin/{order_id}/{item}")(silent)
    below = Starlette(routes=[Route("/c", plain)])
    app.mount("/{name}/admin/{id:int}/mounted", below)
    assert [route["access"] for route in compile_routes(app)] == [
        *("authenticated", "public", "authenticated", "optional", "authenticated", "optional")
    ]


def test_a_mark_on_a_router_holds_for_present_and_later_routes() -> None:
    app, outer, router = empty(), APIRouter(prefix="/outer"), APIRouter(prefix="/inner")
    router.get("/before")(silent)
    at_edge(access="authenticated", limits=["a"])(router)
    router.get("/after")(silent)

    @router.websocket("/socket")
    async def talk(websocket: WebSocket) -> None: ...

    at_edge(access="public")(outer)
    outer.get("/silent")(silent)
    outer.include_router(router)
    app.include_router(outer)
    app.get("/me")(read_me)
    inner = ("authenticated", ["a"])
    assert compiled(app, "limits") == {
        "/outer/silent": ("public", None),
        "/outer/inner/before": inner,
        "/outer/inner/after": inner,
        "/outer/inner/socket": inner,
        "/me": ("authenticated", None),
    }


def test_a_router_with_routes_that_cannot_inherit_is_refused() -> None:
    router = APIRouter()
    router.routes.append(Route("/plain", plain))
    with pytest.raises(TypeError, match="before it includes"):
        at_edge(access="public")(router)


Reader = Annotated[Caller, Security(fastgate, scopes=["orders:read"])]


async def read_order(caller: Reader) -> None: ...


@pytest.mark.parametrize(
    ("said", "endpoint", "became"),
    [
        ({"access": "public"}, silent, ("public", None)),
        ({"access": "public"}, welcome, ("optional", None)),
        ({"access": "public"}, read_me, ("authenticated", None)),
        ({"access": "optional"}, silent, ("optional", None)),
        ({"access": "authenticated"}, welcome, ("authenticated", None)),
        (
            {"access": "authenticated", "scopes": ["a"]},
            read_order,
            ("authenticated", ["a", "orders:read"]),
        ),
        ({"scopes": ["a"]}, silent, ("authenticated", ["a"])),
        ({"scopes": ["a"]}, welcome, ("authenticated", ["a"])),
    ],
)
def test_an_endpoint_can_require_more_than_it_inherits_but_never_less(
    said: dict[str, object], endpoint: Callable[..., object], became: tuple[object, ...]
) -> None:
    app = at_edge(**said)(empty())  # type: ignore[arg-type]
    app.get("/x")(endpoint)
    assert compiled(app, "scopes") == {"/x": became}


def test_an_endpoint_that_is_declared_open_requires_nothing() -> None:
    app = at_edge(scopes=["a"], require={"rule": "staff"}, require_bound=True)(empty())
    app.add_route("/open", at_edge(access="public")(plain_too))
    names = ("scopes", "require", "require_bound")
    assert compiled(app, *names) == {"/open": ("public", None, None, None)}


async def plain_too(_request: Request) -> PlainTextResponse:
    return PlainTextResponse("ran")


class Own:
    """An endpoint that is an ASGI app: any method reaches it."""

    async def __call__(self, *_asgi: object) -> None: ...


def test_hidden_endpoints_stay_hidden() -> None:
    app, inner = empty(), at_edge(access="none")(empty())
    inner.get("/me")(read_me)
    app.mount("/inner", inner)
    assert compile_routes(app) == []


def test_methods_are_inherited_if_an_endpoint_accepts_any() -> None:
    app = empty()
    mcp = Starlette(routes=[Route("/mcp", Own())])
    app.mount("/", at_edge(access="authenticated", methods=["POST", "GET"])(mcp))
    assert compiled(app, "methods") == {"/mcp": ("authenticated", ["GET", "POST"])}


def test_a_mounted_app_may_accept_websockets(edge: Edge, as_caller: AsCaller) -> None:
    async def engine(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await WebSocket(scope, receive, send).accept()
        else:
            await PlainTextResponse("polled")(scope, receive, send)

    app = empty()
    marked = at_edge(access="public", methods=["GET", "POST"], websocket=True)(engine)
    app.mount("/socket.io", marked)
    assert [(r["methods"], r.get("websocket")) for r in compile_routes(app)] == [
        (["GET", "POST"], None),
        (["GET"], True),
    ]
    guard(app, edge.settings(strict=True))
    nobody = as_caller(app)
    assert nobody.post("/socket.io/").text == "polled"
    with nobody.websocket_connect("/socket.io/"):
        pass


def test_a_marked_method_of_one_object_is_marked_only_for_that_object() -> None:
    class Pages:
        async def page(self, caller: AnyCaller) -> str:
            return "page"

        @at_edge(limits=["class"])
        async def limited(self, caller: AnyCaller) -> str:
            return "limited"

    app, first, second = empty(), Pages(), Pages()
    app.get("/first")(at_edge(access="optional", limits=["first"])(first.page))
    app.get("/second")(second.page)
    app.get("/limited")(second.limited)
    assert compiled(app, "limits") == {
        "/first": ("optional", ["first"]),
        "/second": ("optional", None),
        "/limited": ("optional", ["class"]),
    }
    assert compile_routes(app)[0]["id"] != "partial"


class Service:
    """A class whose methods are endpoints."""

    async def read(self) -> str:
        return "read"

    async def write(self) -> str:
        return "written"


def test_a_method_that_is_marked_by_a_call_keeps_its_mark() -> None:
    app, first, second = at_edge(access="public")(empty()), Service(), Service()
    closed = at_edge(access="authenticated", limits=["a"])
    assert closed(first.read) == first.read
    app.get("/before")(first.read)
    app.get("/after")(first.write)
    closed(first.write)
    app.get("/partial")(functools.partial(first.read))
    app.get("/other")(second.read)
    marked = ("authenticated", ["a"])
    assert compiled(app, "limits") == {
        "/before": marked,
        "/after": marked,
        "/partial": marked,
        "/other": ("public", None),
    }
    with pytest.raises(ValueError, match="Write two functions"):
        at_edge(access="public")(first.read)
    at_edge(group="x")(first.read)
    assert compiled(app, "limits", "group")["/before"] == (*marked, "x")


def test_a_marked_method_of_a_class_is_marked_for_its_subclasses() -> None:
    class Base:
        @classmethod
        async def of_class(cls) -> str:
            return "class"

    class Inherits(Base): ...

    app = at_edge(access="public")(empty())
    app.get("/x")(Inherits.of_class)
    at_edge(access="authenticated")(Base.of_class)
    assert compiled(app) == {"/x": ("authenticated",)}


def test_a_method_of_an_object_without_attributes_cannot_be_marked() -> None:
    class Slotted:
        __slots__ = ()

        async def read(self) -> str:
            return "read"

    slotted = Slotted()
    with pytest.raises(TypeError, match=r"Slotted; mark functools.partial"):
        at_edge(access="authenticated")(slotted.read)
    app = at_edge(access="public")(empty())
    app.get("/x")(at_edge(access="authenticated")(functools.partial(slotted.read)))
    assert compiled(app) == {"/x": ("authenticated",)}


# Documentation pages.


@pytest.mark.parametrize("access", ["public", "optional", "authenticated"])
def test_one_argument_declares_the_pages_of_fastapi(edge: Edge, access: str) -> None:
    app, inner = FastAPI(), FastAPI(redoc_url=None)
    app.include_router(APIRouter(), prefix="/x")
    app.mount("/inner", inner)
    guard(app, edge.settings(), docs=access)
    pages = ["/openapi.json", "/docs", "/docs/oauth2-redirect", "/redoc"]
    expected = [*pages, *(f"/inner{page}" for page in pages[:3])]
    assert compiled(app) == dict.fromkeys(expected, (access,))


def test_docs_none_hides_the_pages_of_this_app_only(edge: Edge) -> None:
    app, other = FastAPI(), FastAPI()
    guard(app, edge.settings(), docs="none")
    assert compile_routes(app) == []
    with pytest.raises(CannotCompile):
        compile_routes(other)


def test_an_endpoint_at_the_path_of_a_page_is_not_a_page(edge: Edge) -> None:
    app = FastAPI(openapi_url=None)
    app.get("/docs")(silent)
    guard(app, edge.settings(), docs="public")
    with pytest.raises(CannotCompile, match="silent"):
        compile_routes(app)


# Unknown members and values.


@pytest.mark.parametrize(
    ("members", "what"),
    [
        ({"access": "pubic"}, "access is 'pubic'; it must be one of 'public', 'optional'"),
        ({"access": None}, "access is None"),
        ({"acess": "public"}, 'has no member "acess"; did you mean "access"?'),
        ({"trial": {"scopes": ["a"]}}, '"trial" is now called "shadow"; rename it'),
        ({"xyzzy": 1}, 'has no member "xyzzy"; the members are accepts, access, '),
        ({"methods": ["get"]}, "methods is .* a list of 'GET'"),
        ({"methods": "GET"}, "methods is 'GET'; it must be a list"),
        ({"scopes": "orders:read"}, "scopes is 'orders:read'; it must be a list"),
        ({"limits": [1]}, "limits is"),
        ({"from_": "europe"}, "from is"),
        ({"websocket": 1}, "websocket is 1; it must be True or False"),
        ({"access": "public", "require": {}, "scopes": ["a"]}, "caller, but scopes requires"),
        ({"access": "optional", "require": {"rule": "a"}}, 'write access="authenticated", or'),
        ({"access": "public", "issuers": {"a": {}}, "require_bound": True}, "issuers, require_bou"),
        ({"below": "/x", "access": "public", "require_bound": True}, "require_bound requires"),
        ({"require": requires(role="admin")}, "it must be a condition"),
        ({"require": "admin"}, "it must be a condition"),
        ({"require": claim("tenant")}, "it must be a condition"),
        ({"token_audiences": [""]}, "none may be empty"),
        ({"token_audiences": ["a", ""]}, "none may be empty"),
        ({"token_audiences": []}, "at least one audience"),
        ({"regions": "eu"}, "must be a list of strings"),
        ({"regions": ["eu", ""]}, "it must list at least one region"),
        ({"regions": []}, "it must list at least one region"),
        ({"timeout": 0}, "must be 1 to 110 whole seconds"),
        ({"timeout": 111}, "must be 1 to 110 whole seconds"),
        ({"timeout": True}, "must be 1 to 110 whole seconds"),
        ({"timeout": 2.5}, "must be 1 to 110 whole seconds"),
        ({"access": "public", "token_audiences": ["a"]}, "reads no token"),
        (
            {"forward": [{"claim": "a", "as": "x"}, {"claim": "b", "as": "x"}]},
            'two claims the name "x"',
        ),
        ({"forward": [{"claim": "b"}, {"claim": ["a", "c"], "as": "b"}]}, 'the name "b"'),
    ],
)
def test_an_unknown_member_is_refused_at_its_declaration(
    members: dict[str, object], what: str
) -> None:
    with pytest.raises(ValueError, match=what):
        at_edge(**members)  # type: ignore[arg-type]


HALF = "a\ud800"
"""A text with half a surrogate pair, which UTF-8 cannot express."""


@pytest.mark.parametrize(
    ("member", "value"),
    [
        *[(name, [HALF]) for name in ("regions", "scopes", "token_audiences", "methods", "from")],
        *[(name, ["a", HALF]) for name in ("limits", "shadow", "formerly", "issuers")],
        *[(name, HALF) for name in ("access", "group", "id", "origin", "issuers", "formerly")],
        *[(name, f"/{HALF}") for name in ("path", "prefix", "formerly", "rewrite")],
        *[("forward", [entry]) for entry in (HALF, {"claim": HALF}, {"claim": "a", "as": HALF})],
        ("forward", [{"claim": ["a", HALF], "as": "x"}]),
        ("authentication", {"acr": [HALF]}),
        ("accepts", {HALF: True}),
        ("request_headers", {"set": {"x-a": HALF}}),
        ("require", {"any": [{"role": "a"}, {"not": {"claim": ["a", HALF], "equals": 1}}]}),
        *[("cache", {"audience": each, "ttl": 1}) for each in (HALF, [HALF], [{"claim": [HALF]}])],
        ("cache", {"audience": "public", "ttl": 1, "vary": (HALF,)}),
    ],
)
def test_half_a_surrogate_pair_is_refused_at_its_declaration(member: str, value: object) -> None:
    with pytest.raises(ValueError, match=rf"{member} has .*\\ud800', with half a surr") as refused:
        at_edge(**{member: value})  # type: ignore[arg-type]
    assert not isinstance(refused.value, UnicodeError)
    str(refused.value).encode()  # a log in UTF-8 can have it


@pytest.mark.parametrize(
    ("write", "what"),
    [
        (lambda: at_edge(below=f"/{HALF}", access="public")(empty()), "below is"),
        (lambda: at_edge(**{HALF: 1}), "at_edge: .* has"),  # type: ignore[arg-type]
        (lambda: EdgeCache(audience=HALF, ttl=1), "audience has"),
        (lambda: EdgeCache(audience=["tenant", HALF], ttl=1), "audience has"),
        (lambda: EdgeCache(audience=[{"claim": ["a", HALF]}], ttl=1), "audience has"),
        (lambda: EdgeCache(audience="public", ttl=1, vary=[HALF]), "vary has"),
        (lambda: role(HALF), "a role is"),
        (lambda: scope(HALF), "a scope is"),
        (lambda: claim("a").is_in(["b", HALF]), "a compared value is"),
        (lambda: requires(group=HALF), "a group is"),
        (lambda: requires(region=["eu", HALF]), "region is"),
    ],
)
def test_each_function_names_what_has_half_a_surrogate_pair(
    write: Callable[[], object], what: str
) -> None:
    with pytest.raises(ValueError, match=f"{what}.*ud800") as refused:
        write()
    str(refused.value).encode()


@pytest.mark.parametrize(
    ("written", "document"),
    [
        (role("a"), {"role": "a"}),
        (not_(claim(["o", "id"]).is_in([1])), {"not": {"claim": {"name": ["o", "id"], "in": [1]}}}),
        ({"all": [role("a"), {"rule": "b"}]}, {"all": [{"role": "a"}, {"rule": "b"}]}),
        ({"any": (scope("a"),)}, {"any": [{"scope": "a"}]}),
    ],
)
def test_a_condition_is_written_as_in_the_policy(written: object, document: object) -> None:
    app = empty()
    app.get("/x")(at_edge(require=written)(lambda: None))
    mark: dict[str, Any] = {"issuers": {"a": {"require": written}}}
    app.get("/y")(at_edge(access="authenticated", **mark)(lambda: None))
    first, second = json.loads(json.dumps(compile_routes(app)))
    assert first["require"] == document
    assert first["access"] == "authenticated"
    assert second["issuers"] == {"a": {"require": document}}


def test_one_claim_may_be_forwarded_under_two_names() -> None:
    at_edge(forward=[{"claim": "a"}, {"claim": "a", "as": "b"}, {"claim": "a"}, "groups"])


def test_docs_must_have_a_known_access(edge: Edge) -> None:
    with pytest.raises(ValueError, match="'pubic'"):
        guard(FastAPI(), edge.settings(), docs="pubic")


@pytest.mark.parametrize("prefix", ["auth", "/auth/", "/", ""])
def test_below_must_be_a_path(prefix: str) -> None:
    with pytest.raises(ValueError, match="a path like"):
        at_edge(below=prefix, access="public")(empty())


def test_below_works_only_on_an_app() -> None:
    with pytest.raises(TypeError, match="FastAPI or Starlette app"):
        at_edge(below="/auth", access="public")(silent)


def test_the_members_are_those_of_the_policy() -> None:
    schema = json.loads((REPOSITORY / "policy.schema.json").read_text())
    members = schema["$defs"]["RouteDocument"]["properties"].keys()
    assert members - {"respond"} == ROUTE_MEMBERS  # the app has no such routes


# A prefix that the edge removes.


def test_a_removed_prefix_is_part_of_the_paths_at_the_edge(edge: Edge, as_caller: AsCaller) -> None:
    app = at_edge(prefix="/gw")(empty())
    app.get("/orders/{order_id:int}")(read_me)
    app.get("/")(at_edge(prefix="/home")(at_edge(access="public")(page)))
    stripped = {"rewrite": {"strip_prefix": "/gw"}}
    assert [
        {key: r.get(key) for key in ("id", "path", "rewrite")} for r in compile_routes(app)
    ] == [
        {"id": "get-orders--int", "path": "/gw/orders/{order_id:int}", **stripped},
        {"id": "get", "path": "/home/", "rewrite": {"strip_prefix": "/home"}},
    ]
    guard(app, edge.settings(strict=True))
    assert as_caller(app, sub="ada").get("/orders/7").json() == "ada"


async def page() -> str:
    return "page"


def test_a_root_path_that_the_edge_removes_is_not_repeated() -> None:
    app = at_edge(prefix="/gw")(empty())
    app.root_path = "/gw"
    app.get("/me")(read_me)
    assert list(compiled(app)) == ["/gw/me"]


def test_drift_knows_the_outer_path() -> None:
    app = at_edge(prefix="/gw")(empty())
    app.get("/me")(read_me)
    routes = compile_routes(app)
    assert drift(routes, routes) == drift(routes, routes, everything=True) == []


def _strip(app: FastAPI) -> None:
    app.get("/me", openapi_extra={"x-fastgate": {"rewrite": {"strip_prefix": "/gw"}}})(read_me)


def _say_both(app: FastAPI) -> None:
    app.get("/gw/me")(at_edge(prefix="/a", rewrite={"strip_prefix": "/gw"})(read_own()))


def _overlap(app: FastAPI) -> None:
    app.get("/me")(read_me)
    app.get("/{who}")(at_edge(prefix="/gw")(read_own()))


def read_own() -> Callable[..., object]:
    async def own(caller: Caller) -> None: ...

    return own


@pytest.mark.parametrize(
    ("build", "what"),
    [
        (_strip, r'at_edge\(prefix="/gw"\)'),
        (_say_both, "remove one of the two"),
        (_overlap, "different prefixes"),
    ],
)
def test_a_contradictory_outer_path_is_refused(build: Callable[[FastAPI], None], what: str) -> None:
    app = empty()
    build(app)
    with pytest.raises(CannotCompile, match=what):
        compile_routes(app)


@pytest.mark.parametrize("prefix", ["gw", "/gw/", "/", "", "/{a}", 1])
def test_a_removed_prefix_must_be_a_path(prefix: object) -> None:
    with pytest.raises(ValueError, match="prefix is"):
        at_edge(prefix=prefix)
