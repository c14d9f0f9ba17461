"""Callers, scopes and routes, from the point of view of endpoints."""

import dataclasses
import functools
import json
from collections.abc import Callable
from typing import Annotated, Optional

import httpx
import pytest
from fastapi import (
    APIRouter,
    Body,
    Cookie,
    Depends,
    FastAPI,
    Header,
    Query,
    Security,
    params,
)
from pydantic import BaseModel, create_model
from starlette.staticfiles import StaticFiles
from typing_extensions import TypeAliasType

from fastgate import (
    AnyCaller,
    Caller,
    CallerRefused,
    EdgeClaims,
    Identity,
    Requester,
    Transaction,
    at_edge,
    fastgate,
    guard,
    refusal_response,
)
from fastgate.compile.policy import CannotCompile, compile_routes
from fastgate.dependencies import FastgateScheme, any_caller
from tests.edge import HEADER, IDP, Edge

pytestmark = pytest.mark.anyio

Reader = Annotated[Caller, Security(fastgate, scopes=["orders:read"])]


def client(app: FastAPI, root_path: str = "") -> httpx.AsyncClient:
    transport = httpx.ASGITransport(app, root_path=root_path)
    return httpx.AsyncClient(transport=transport, base_url="https://testserver")


async def get(app: FastAPI, path: str, header: bytes, root_path: str = "") -> httpx.Response:
    async with client(app, root_path) as http:
        return await http.get(path, headers={HEADER: header.decode()})


async def read_order(order_id: int, caller: Reader) -> str:
    return f"{order_id} for {caller.subject}"


async def read_me(caller: Caller) -> list[str | None]:
    return [
        caller.subject,
        caller.issuer,
        caller.client_id,
        caller.client.country,
        caller.request_id,
    ]


async def welcome(caller: AnyCaller) -> str:
    return caller.subject if caller else "stranger"


@pytest.fixture
def app(edge: Edge) -> FastAPI:
    app = FastAPI()
    app.get("/")(welcome)
    app.get("/me")(read_me)
    app.get("/orders/{order_id}")(read_order)
    guard(app, edge.settings())
    return app


async def test_an_endpoint_gets_its_caller(app: FastAPI, edge: Edge) -> None:
    response = await get(app, "/me", edge.mint("/me", "/me"))
    assert response.json() == ["ada", IDP, "shop", "DE", "01J9Z"]


async def test_a_public_endpoint_gets_a_caller_or_none(app: FastAPI, edge: Edge) -> None:
    assert (await get(app, "/", edge.mint("/", "/"))).json() == "ada"
    assert (await get(app, "/", edge.mint_anonymous("/", "/"))).json() == "stranger"


async def test_an_anonymous_caller_gets_401(app: FastAPI, edge: Edge) -> None:
    response = await get(app, "/me", edge.mint_anonymous("/me", "/me"))
    assert response.status_code == 401
    assert response.headers["www-authenticate"] == "Bearer"
    assert response.headers["content-type"] == "application/problem+json"
    assert response.headers["cache-control"] == "no-store"
    assert response.json()["type"] == "urn:fastgate:problem:authentication-required"


@pytest.mark.parametrize("scope", ["", "orders:write", "orders:readers", "x-orders:read"])
async def test_a_scope_is_checked_again_at_the_origin(
    app: FastAPI, edge: Edge, scope: str, caplog: pytest.LogCaptureFixture
) -> None:
    response = await get(app, "/orders/7", edge.mint(scope=scope))
    assert response.status_code == 403
    assert response.json()["type"] == "urn:fastgate:problem:insufficient-scope"
    assert response.headers["www-authenticate"] == (
        'Bearer error="insufficient_scope", scope="orders:read"'
    )
    assert caplog.messages == ["refused: insufficient-scope"]


async def test_a_caller_with_the_scope_among_others_passes(app: FastAPI, edge: Edge) -> None:
    response = await get(app, "/orders/7", edge.mint(scope="a orders:read z"))
    assert response.json() == "7 for ada"


async def test_a_route_that_the_edge_did_not_judge_does_not_run(
    app: FastAPI, edge: Edge, caplog: pytest.LogCaptureFixture
) -> None:
    async with client(app) as http:
        anonymous = await http.get("/me")
    caplog.clear()
    response = await get(app, "/me", edge.mint("/me", "/{page}"))
    assert (response.status_code, response.content) == (401, anonymous.content)
    assert response.headers == anonymous.headers
    assert caplog.messages == ["refused: route-mismatch"]


async def test_public_endpoints_are_compared_with_their_route_too(app: FastAPI, edge: Edge) -> None:
    assert (await get(app, "/", edge.mint_anonymous("/", "/{path:path}"))).status_code == 401


async def test_an_app_without_a_guard_has_no_callers(caplog: pytest.LogCaptureFixture) -> None:
    unguarded = FastAPI()
    unguarded.get("/me")(read_me)
    unguarded.get("/")(welcome)
    for path in ("/me", "/"):
        response = await get(unguarded, path, b"anything")
        assert response.status_code == 401
        # Without `guard` it is a problem, too, but a minimal one.
        assert response.headers["content-type"] == "application/problem+json"
    assert caplog.messages == ["refused: evidence-missing"] * 2


async def test_a_router_prefix_is_part_of_the_template(edge: Edge) -> None:
    inner, outer, app = APIRouter(prefix="/{order_id}"), APIRouter(prefix="/orders"), FastAPI()
    inner.get("/items/{item}")(read_me)
    outer.include_router(inner)
    app.include_router(outer, prefix="/v1")
    app.include_router(outer, prefix="/v2")
    guard(app, edge.settings())
    path, template = "/orders/7/items/2", "/orders/{order_id}/items/{item}"
    for version, other in (("/v1", "/v2"), ("/v2", "/v1")):
        same = edge.mint(version + path, version + template)
        assert (await get(app, version + path, same)).is_success
        for wrong in (template, other + template, version):
            header = edge.mint(version + path, wrong)
            assert (await get(app, version + path, header)).status_code == 401


async def test_mounts_are_part_of_the_template(edge: Edge) -> None:
    app, shop, office = FastAPI(), FastAPI(), FastAPI()
    router = APIRouter()
    router.get("/orders/{order_id}")(read_order)
    office.include_router(router, prefix="/a")
    shop.mount("/office", office)
    app.mount("/shop", shop)
    office.add_exception_handler(CallerRefused, refusal_response)
    guard(app, edge.settings())
    path = "/shop/office/a/orders/7"
    same = edge.mint(path, "/shop/office/a/orders/{order_id}")
    assert (await get(app, path, same)).json() == "7 for ada"
    response = await get(app, path, edge.mint(path, "/orders/{order_id}"))
    assert response.status_code == 401
    assert response.json()["type"] == "urn:fastgate:problem:not-from-the-edge"


async def test_a_servers_root_path_is_not_part_of_a_template(app: FastAPI, edge: Edge) -> None:
    for path, template, status in [
        ("/api/me", "/api/me", 401),
        ("/me", "/me", 200),
        ("/api/me", "/me", 401),
        ("/me", "/api/me", 401),
    ]:
        response = await get(app, path, edge.mint(path, template), root_path="/api")
        assert response.status_code == status, (path, template)


def test_openapi_names_the_scheme_and_the_scopes(app: FastAPI) -> None:
    schema = app.openapi()
    assert schema["components"]["securitySchemes"]["fastgate"]["scheme"] == "bearer"
    security = {path: methods["get"].get("security") for path, methods in schema["paths"].items()}
    assert security == {
        "/": None,
        "/me": [{"fastgate": []}],
        "/orders/{order_id}": [{"fastgate": ["orders:read"]}],
    }


@pytest.mark.parametrize(
    "scheme",
    [
        fastgate.__call__,
        functools.partial(fastgate),
        functools.partial(fastgate.__call__),
        functools.partial(FastgateScheme.__call__, fastgate),
    ],
)
def test_the_scheme_is_recognized_in_any_form(scheme: Callable[..., object]) -> None:
    async def read(caller: Annotated[Identity, Security(scheme, scopes=["a"])]) -> None: ...

    app = FastAPI(openapi_url=None)
    app.get("/x")(read)
    (route,) = compile_routes(app)
    assert (route["access"], route["scopes"]) == ("authenticated", ["a"])
    app.get("/y")(at_edge(access="public")(read))
    with pytest.raises(
        CannotCompile, match="requires a known caller by its dependencies, but declares"
    ):
        compile_routes(app)


def test_any_caller_is_recognized_in_any_form() -> None:
    app = FastAPI(openapi_url=None)
    app.get("/x", dependencies=[Depends(functools.partial(any_caller))])(read_nothing)
    assert [route["access"] for route in compile_routes(app)] == ["optional"]


Alias = TypeAliasType("Alias", Identity)
AliasOfCaller = TypeAliasType("AliasOfCaller", Caller | None)
FORGED = {
    "subject": "root",
    "issuer": IDP,
    "client_id": None,
    "country": None,
    "request_id": "r",
    "scopes": ["admin"],
}


@pytest.mark.parametrize(
    "annotation",
    [
        Caller | None,
        Optional[Caller],  # noqa: UP045
        AnyCaller | None,
        list[Caller],
        dict[str, Caller],
        AliasOfCaller,
        Annotated[Caller | None, Body()],
        Annotated[EdgeClaims, Depends()],
        Annotated[Requester, Depends()],
        Annotated[Transaction, Depends()],
        Annotated[EdgeClaims, Body()],
        Annotated[EdgeClaims | None, Body()],
    ],
)
@pytest.mark.parametrize("method", ["get", "post", "websocket"])
def test_a_caller_within_another_type_is_refused_when_the_route_is_defined(
    annotation: object, method: str
) -> None:
    async def endpoint(caller: annotation = None) -> str:  # type: ignore[valid-type]
        return repr(caller)

    with pytest.raises(TypeError, match="AnyCaller"):
        getattr(FastAPI(), method)("/x")(endpoint)


def test_a_caller_in_a_model_or_a_dependency_class_is_refused() -> None:
    class Known:
        def __init__(self, caller: Caller | None = None) -> None: ...

    async def endpoint(known: Annotated[Known, Depends()]) -> None: ...

    with pytest.raises(TypeError, match="AnyCaller"):
        FastAPI().get("/x")(endpoint)
    with pytest.raises(TypeError, match="AnyCaller"):
        create_model("Order", caller=(Caller, ...))


class Order(BaseModel):
    """A body with a caller in it."""

    caller: Identity | None = None


@dataclasses.dataclass
class Wrapped:
    """The same as a dataclass."""

    orders: list[Order]


class Me(Identity):
    """A caller by another name."""


@pytest.mark.parametrize(
    "annotation",
    [
        Identity,
        Identity | None,
        list[Identity],
        dict[str, Identity],
        Alias,
        Me,
        Order,
        Wrapped,
        Annotated[Identity, Body()],
        Annotated[Identity | None, Body(embed=True)],
        Annotated[Order, Query()],
        Annotated[Order, Header()],
        Annotated[Order, Cookie()],
        Annotated[Identity, Depends()],
        Annotated[Me, Depends()],
        Annotated[Identity, Depends(functools.partial(Identity, issuer=IDP))],
    ],
)
async def test_an_identity_is_never_read_from_a_request(annotation: object) -> None:
    def app() -> FastAPI:
        app = at_edge(access="authenticated")(FastAPI(openapi_url=None))

        @app.post("/x")
        async def x(caller: annotation) -> str:  # type: ignore[valid-type]
            found.append(caller)
            return "ran"

        return app

    found: list[object] = []
    with pytest.raises(
        CannotCompile, match=r"reads the caller.s identity from the request itself: caller"
    ):
        compile_routes(app())
    flat = {"issuer": IDP, "client_id": "c", "country": "DE", "request_id": "r", "subject": "root"}
    async with client(app()) as http:
        for request in (
            {"json": FORGED},
            {"json": [FORGED]},
            {"json": {"root": FORGED}},
            {"json": {"caller": FORGED}},
            {"json": {"orders": [{"caller": FORGED}]}},
            {"json": ["admin"], "params": flat},
            {"data": {"caller": json.dumps(FORGED)}},
            {"params": {"caller": json.dumps(FORGED)}},
            {"headers": {"caller": json.dumps(FORGED)}},
            {"headers": {"cookie": f"caller={json.dumps(FORGED)}"}},
        ):
            response = await http.post("/x", **request)
            assert response.status_code in {200, 422}, response.text
    assert "root" not in repr(found)


async def test_a_response_may_contain_an_identity(edge: Edge) -> None:
    app = FastAPI()

    @app.get("/me")
    async def me(caller: Caller) -> Identity:
        return caller

    @app.get("/order")
    async def order(caller: Caller) -> Order:
        return Order(caller=caller)

    guard(app, edge.settings())
    for path in ("/me", "/order"):
        told = (await get(app, path, edge.mint(path, path))).json()
        assert told.get("caller", told)["issuer"] == IDP
    assert "Identity" in app.openapi()["components"]["schemas"]


# Of several dependencies in one annotation FastAPI runs the last.

Write = Security(fastgate, scopes=["orders:write"])


async def current_user(caller: Reader) -> str:
    return caller.subject


async def another(caller: AnyCaller) -> str:
    return "another"


async def through_another(user: Annotated[Reader, Write]) -> str:
    return user.subject


User = Annotated[str, Depends(current_user)]
Named = TypeAliasType("Named", Reader)


@pytest.mark.parametrize(
    ("annotation", "dropped"),
    [
        (Annotated[Reader, Write], "'orders:read'"),
        (Annotated[Named, Write], "'orders:read'"),
        (Annotated[Caller, Depends(any_caller)], "a known caller"),
        (Annotated[list[Reader], Depends(any_caller)], "a known caller, 'orders:read'"),
        (Annotated[User, Depends(another)], "'orders:read', a known caller"),
        (Annotated[User, Write], "'orders:read'"),
        (Annotated[str, Depends(through_another)], "'orders:read'"),
        (list[Annotated[str, Security(another, scopes=["a"])]], "'a'"),
    ],
)
def test_a_requirement_that_another_dependency_in_the_annotation_replaces_is_a_fault(
    annotation: object, dropped: str
) -> None:
    app = FastAPI(openapi_url=None)

    async def endpoint(parameter: object) -> None: ...

    endpoint.__annotations__["parameter"] = annotation
    app.post("/x")(endpoint)
    with pytest.raises(CannotCompile, match=f"requires {dropped} in an annotation without effect"):
        compile_routes(app)
    with pytest.raises(
        CannotCompile, match=r"write all scopes in one: Annotated\[Caller, Security"
    ):
        compile_routes(app)


@pytest.mark.parametrize(
    "annotation",
    [
        Annotated[Reader, Security(fastgate, scopes=["orders:write", "orders:read"])],
        Annotated[AnyCaller, Write],
        Annotated[User, Depends(current_user)],
        Annotated[Caller, Depends(current_user)],
    ],
)
def test_a_dependency_that_requires_the_same_may_replace_it(annotation: object) -> None:
    app = FastAPI(openapi_url=None)

    async def endpoint(parameter: object) -> None: ...

    endpoint.__annotations__["parameter"] = annotation
    app.get("/x")(endpoint)
    (route,) = compile_routes(app)
    assert route["access"] == "authenticated"


def test_dependencies_of_the_app_are_examined_as_well() -> None:
    app = FastAPI(openapi_url=None, dependencies=[Depends(through_another)])
    app.mount("/x", at_edge(access="authenticated")(StaticFiles(directory=".")))
    with pytest.raises(CannotCompile, match="requires 'orders:read' in an annotation"):
        compile_routes(app)


Written = Callable[[FastAPI, params.Security], object]


async def read_nothing() -> None: ...


def in_an_annotation(app: FastAPI, required: params.Security) -> None:
    async def endpoint(caller: Annotated[Caller, required]) -> None: ...

    app.get("/x")(endpoint)


def in_a_default(app: FastAPI, required: params.Security) -> None:
    async def endpoint(caller: Identity = required) -> None: ...  # type: ignore[assignment]

    app.websocket("/x")(endpoint)


def in_a_dependency(app: FastAPI, required: params.Security) -> None:
    @dataclasses.dataclass
    class Parameters:
        caller: Annotated[Caller, required]

    app.get("/x", dependencies=[Depends(Parameters)])(read_nothing)


def with_a_dependency(app: FastAPI, required: params.Security) -> None:
    async def user(caller: Caller) -> str:
        return caller.subject

    app.get("/x", dependencies=[Security(user, scopes=required.scopes)])(read_nothing)


def by_a_router(app: FastAPI, required: params.Security) -> None:
    router = APIRouter(dependencies=[required])
    router.get("/x")(read_nothing)
    app.include_router(router)


def by_an_inclusion(app: FastAPI, required: params.Security) -> None:
    router = APIRouter()
    router.websocket("/x")(read_nothing)
    app.include_router(router, dependencies=[required])


def by_the_app(app: FastAPI, required: params.Security) -> None:
    app.router.dependencies.append(required)
    app.get("/x")(read_nothing)


def beside_a_mount(app: FastAPI, required: params.Security) -> None:
    app.router.dependencies.append(required)
    app.mount("/x", at_edge(access="authenticated")(StaticFiles(check_dir=False)))


@pytest.mark.parametrize(
    "write",
    [
        in_an_annotation,
        in_a_default,
        in_a_dependency,
        with_a_dependency,
        by_a_router,
        by_an_inclusion,
        by_the_app,
        beside_a_mount,
    ],
)
def test_scopes_that_are_one_string_are_a_fault(write: Written) -> None:
    app = FastAPI(openapi_url=None)
    write(app, Security(fastgate, scopes="orders:read adm"))
    with pytest.raises(CannotCompile, match="requires scopes='orders:read adm', a string") as error:
        compile_routes(app)
    assert "write a list: scopes=['orders:read', 'adm']" in str(error.value)
    if write is beside_a_mount:
        return  # the mount has to declare them again
    app = FastAPI(openapi_url=None)
    write(app, Security(fastgate, scopes=("orders:read", "adm")))
    assert compile_routes(app)[0]["scopes"] == ["orders:read", "adm"]


def test_string_scopes_of_any_caller_are_a_fault_but_not_those_of_another_scheme() -> None:
    app = FastAPI(openapi_url=None)
    app.get("/x", dependencies=[Security(any_caller, scopes="adm")])(read_nothing)
    with pytest.raises(CannotCompile, match="requires scopes='adm', a string"):
        compile_routes(app)
    app = FastAPI(openapi_url=None)
    required = [Security(read_nothing, scopes="adm"), Security(fastgate, scopes=["a"])]
    app.get("/x", dependencies=required)(read_nothing)
    assert compile_routes(app)[0]["scopes"] == ["a"]
