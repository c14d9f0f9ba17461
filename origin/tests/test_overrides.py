"""Overridden dependencies: the compiler reads the ones that FastAPI runs."""

from collections.abc import Callable
from typing import Annotated
from unittest.mock import Mock

import pytest
from fastapi import APIRouter, Depends, FastAPI, Security, WebSocket, routing
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.testclient import TestClient

from fastgate import AnyCaller, Caller, at_edge, fastgate, guard
from fastgate.compile.callers.dependency_tree import dependant_of_listed
from fastgate.compile.callers.overrides import effective_dependencies
from fastgate.compile.endpoints import listing as endpoints_module
from fastgate.compile.policy import CannotCompile, compile_routes
from fastgate.testing import AsCaller
from tests.edge import Edge

Admin = Annotated[Caller, Security(fastgate, scopes=["admin"])]


async def stub() -> str:
    raise NotImplementedError


async def real(caller: Admin) -> str:
    return caller.subject


async def through_another(name: Annotated[str, Depends(stub)]) -> str:
    return name


async def nobody() -> str:
    return "nobody"


async def page(name: Annotated[str, Depends(stub)]) -> str:
    return name


async def page_below(name: Annotated[str, Depends(through_another)]) -> str:
    return name


async def of_real(name: Annotated[str, Depends(real)]) -> str:
    return name


async def socket(websocket: WebSocket, name: Annotated[str, Depends(stub)]) -> None: ...


def public_app() -> FastAPI:
    return at_edge(access="public")(FastAPI(openapi_url=None))


def direct(app: FastAPI) -> FastAPI:
    app.get("/x")(page)
    return app


def deep(app: FastAPI) -> FastAPI:
    app.get("/x")(page_below)
    return app


def included(app: FastAPI) -> FastAPI:
    router = APIRouter(dependencies=[Depends(stub)])
    router.get("/x")(nobody)
    app.include_router(router, prefix="/r")
    return app


def socket_included(app: FastAPI) -> FastAPI:
    router = APIRouter()
    router.websocket("/x")(socket)
    app.include_router(router)
    return app


def mounted(app: FastAPI) -> FastAPI:
    sub = FastAPI(openapi_url=None)
    sub.get("/x")(page)
    app.mount("/sub", sub)
    return sub


SERVED = [direct, deep, included, socket_included, mounted]


@pytest.mark.parametrize("serve", SERVED)
def test_the_edge_requires_what_an_override_requires(
    serve: Callable[[FastAPI], FastAPI],
) -> None:
    app = public_app()
    serve(app).dependency_overrides[stub] = real
    (route,) = compile_routes(app)
    assert route["access"] == "authenticated"
    assert route["scopes"] == ["admin"]


@pytest.mark.parametrize("serve", SERVED)
def test_a_mark_on_an_override_is_reported(
    serve: Callable[[FastAPI], FastAPI],
) -> None:
    @at_edge(access="authenticated", require={"rule": "staff"})
    async def marked() -> None: ...

    app = public_app()
    serve(app).dependency_overrides[stub] = marked
    with pytest.raises(CannotCompile, match=r"without effect: access, require on .*marked"):
        compile_routes(app)


def test_scopes_of_an_overridden_dependency_are_those_of_the_override() -> None:
    async def known(caller: Caller) -> None: ...

    app = public_app()
    app.get("/x", dependencies=[Security(stub, scopes=["orders"])])(nobody)
    app.dependency_overrides[stub] = known
    (route,) = compile_routes(app)
    assert route["scopes"] == ["orders"]


def test_an_override_that_requires_less_is_a_fault() -> None:
    async def known(caller: Caller) -> str:
        return caller.subject

    async def anybody(caller: AnyCaller) -> None: ...

    for override, less in (
        (nobody, "a known caller, 'admin'"),
        (anybody, "a known caller, 'admin'"),
        (known, "'admin'"),
    ):
        app = FastAPI(openapi_url=None)
        app.get("/x")(of_real)
        app.dependency_overrides[real] = override
        name = override.__qualname__
        expected = f"runs {name} .* in place of real, which requires {less}\n.*use overrides"
        with pytest.raises(CannotCompile, match=expected):
            compile_routes(app)


def test_an_override_of_a_dependency_with_inner_requirements_counts() -> None:
    app = FastAPI(openapi_url=None)
    app.get("/x", dependencies=[Depends(of_real)])(nobody)
    app.dependency_overrides[of_real] = nobody
    with pytest.raises(CannotCompile, match="in place of of_real, which requires a known caller"):
        compile_routes(app)


def test_overrides_of_other_apps_or_without_requirements_do_not_count() -> None:
    app = public_app()
    sub = mounted(app)
    app.get("/x")(of_real)
    sub.dependency_overrides[real] = nobody  # none of its routes depends on that
    app.dependency_overrides[stub] = real  # none of this app's routes does
    sub.dependency_overrides[stub] = nobody
    assert [each["access"] for each in compile_routes(app)] == ["public", "authenticated"]


def test_overrides_that_depend_on_each_other_have_an_end() -> None:
    async def again(name: Annotated[str, Depends(stub)]) -> None: ...

    app = public_app()
    app.get("/x")(page)
    app.dependency_overrides[stub] = again
    assert compile_routes(app)


def test_a_test_may_override_dependencies_on_callers_before_a_strict_app_starts(edge: Edge) -> None:
    app = FastAPI(openapi_url=None)
    app.get("/x")(of_real)
    guard(app, edge.settings(strict=True))
    app.dependency_overrides[real] = nobody
    with AsCaller()(app, sub="ada", scopes=["admin"]) as client:
        assert client.get("/x").json() == "nobody"


def bad(thing: "Thing") -> None: ...


def named(override: object) -> str:
    return str(getattr(override, "__name__", override))


class Thing:
    """A parameter that FastAPI cannot read from a request."""


@pytest.mark.parametrize("override", [dict, int, 5, None, bad], ids=named)
def test_an_override_that_cannot_be_called_is_a_fault_that_names_it(
    override: Callable[..., object],
) -> None:
    app = public_app()
    app.get("/x")(page)
    app.dependency_overrides[stub] = override
    name = getattr(override, "__name__", repr(override))
    expected = (
        f"has {name} in dependency_overrides in place of stub, but FastAPI cannot call that: "
    )
    with pytest.raises(CannotCompile, match=expected):
        compile_routes(app)


@pytest.mark.parametrize("override", [dict, 5, None, bad], ids=named)
def test_an_app_with_such_an_override_starts_unless_it_is_strict(
    edge: Edge, override: Callable[..., object]
) -> None:
    for strict in (False, True):
        app = public_app()
        app.get("/x")(page)
        app.get("/y")(nobody)
        guard(app, edge.settings(strict=strict))
        app.dependency_overrides[stub] = override
        client = AsCaller()(app, raise_server_exceptions=False)
        if strict:
            with pytest.raises(CannotCompile, match="in place of stub"), client:
                raise AssertionError("it has started")
            continue
        with client:
            assert client.get("/y").json() == "nobody"
            assert client.get("/x").status_code == 500


def test_an_override_of_the_scheme_of_a_strict_app_is_reported(edge: Edge) -> None:
    app = FastAPI(openapi_url=None)
    app.get("/x", dependencies=[Depends(real)])(nobody)
    guard(app, edge.settings(strict=True))
    app.dependency_overrides[fastgate] = nobody
    with (
        pytest.raises(CannotCompile, match="overrides the dependency that identifies") as raised,
        TestClient(app),
    ):
        raise AssertionError("it has started")
    assert "in an annotation" not in str(raised.value)


def test_overrides_count_in_lists_that_fastapi_does_not_run() -> None:
    async def plain(_request: Request) -> PlainTextResponse:
        return PlainTextResponse("plain")

    router = APIRouter(dependencies=[Depends(stub)])
    router.add_route("/x", plain)
    app = public_app()
    app.include_router(router)
    assert compile_routes(app)
    app.dependency_overrides[stub] = real
    with pytest.raises(CannotCompile, match=r"depends on Security\(fastgate, scopes=\['admin'\]\)"):
        compile_routes(app)
    app.dependency_overrides[stub] = nobody
    assert compile_routes(app)


class Lazy:
    """Overrides that are not a dict: FastAPI needs only `get`."""

    def __init__(self, known: dict[object, object]) -> None:
        self._known = known

    def get(self, call: object, default: object) -> object:
        return self._known.get(call, default)


class Failing:
    """Overrides that FastAPI cannot read."""

    def get(self, call: object, default: object) -> object:
        raise LookupError


def test_overrides_may_be_any_object_with_get() -> None:
    app = public_app()
    app.get("/x")(page)
    for overrides in (None, Failing(), 5):
        app.dependency_overrides = overrides  # type: ignore[assignment]
        assert compile_routes(app)[0]["access"] == "public"
    app.dependency_overrides = Lazy({stub: real})  # type: ignore[assignment]
    (route,) = compile_routes(app)
    assert (route["access"], route["scopes"]) == ("authenticated", ["admin"])


def test_the_tree_of_an_override_is_built_once_for_all_routes(
    edge: Edge, monkeypatch: pytest.MonkeyPatch
) -> None:
    build = Mock(wraps=dependant_of_listed)
    walk = Mock(wraps=endpoints_module._read_app)
    monkeypatch.setattr("fastgate.compile.callers.overrides.dependant_of_listed", build)
    monkeypatch.setattr("fastgate.compile.endpoints.listing._read_app", walk)
    app = FastAPI(openapi_url=None)
    for number in range(10):
        app.get(f"/{number}/{{item}}", dependencies=[Depends(through_another)])(of_real)
    app.get("/other", dependencies=[Depends(stub)])(of_real)
    guard(app, edge.settings(strict=True))
    app.dependency_overrides[stub] = nobody
    with TestClient(app):
        assert build.call_count == 2  # once for routes with `item`, and once without parameters
        assert walk.call_count == 1


def test_a_tree_without_an_override_is_returned_unchanged() -> None:
    app = FastAPI(openapi_url=None)
    app.get("/x")(of_real)
    app.get("/y")(page)
    app.dependency_overrides[stub] = nobody
    first, second = (each for each in app.routes if isinstance(each, routing.APIRoute))
    assert effective_dependencies(first.dependant, first, app).dependant is first.dependant
    assert effective_dependencies(second.dependant, second, app).dependant is not second.dependant


def test_an_override_reads_the_path_parameters_of_each_route() -> None:
    async def read(item: int) -> str:
        return str(item)

    app = public_app()
    app.get("/a/{item}")(page)
    app.get("/b/{other}")(page)
    app.dependency_overrides[stub] = read
    types = [endpoint.path_types for endpoint in endpoints_module.endpoints(app)]
    assert types == [{"item": ("int",)}, {}]
