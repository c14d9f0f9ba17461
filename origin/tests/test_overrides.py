"""Dependencies that are overridden when an app is compiled: what runs is what counts."""

from collections.abc import Callable
from typing import Annotated

import pytest
from fastapi import APIRouter, Depends, FastAPI, Security, WebSocket

from fastgate import AnyCaller, Caller, at_edge, fastgate, guard
from fastgate.policy import CannotCompile, compile_routes
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
def test_what_an_override_asks_of_callers_is_asked_at_the_edge(
    serve: Callable[[FastAPI], FastAPI],
) -> None:
    app = public_app()
    serve(app).dependency_overrides[stub] = real
    (route,) = compile_routes(app)
    assert route["access"] == "authenticated"
    assert route["scopes"] == ["admin"]


@pytest.mark.parametrize("serve", SERVED)
def test_what_is_marked_on_an_override_is_not_lost(
    serve: Callable[[FastAPI], FastAPI],
) -> None:
    @at_edge(access="authenticated", require={"rule": "staff"})
    async def marked() -> None: ...

    app = public_app()
    serve(app).dependency_overrides[stub] = marked
    with pytest.raises(CannotCompile, match=r"not read: access, require of .*marked"):
        compile_routes(app)


def test_scopes_of_what_is_overridden_are_those_of_the_override() -> None:
    async def known(caller: Caller) -> None: ...

    app = public_app()
    app.get("/x", dependencies=[Security(stub, scopes=["orders"])])(nobody)
    app.dependency_overrides[stub] = known
    (route,) = compile_routes(app)
    assert route["scopes"] == ["orders"]


def test_an_override_that_asks_for_less_is_a_fault() -> None:
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
        expected = f"runs {name} .* in place of real, which asks for {less}\n.*leave overrides"
        with pytest.raises(CannotCompile, match=expected):
            compile_routes(app)


def test_an_override_of_what_asks_for_callers_below_it_counts() -> None:
    app = FastAPI(openapi_url=None)
    app.get("/x", dependencies=[Depends(of_real)])(nobody)
    app.dependency_overrides[of_real] = nobody
    with pytest.raises(CannotCompile, match="in place of of_real, which asks for a known caller"):
        compile_routes(app)


def test_overrides_of_another_app_and_of_what_asks_nobody_do_not_count() -> None:
    app = public_app()
    sub = mounted(app)
    app.get("/x")(of_real)
    sub.dependency_overrides[real] = nobody  # no route of it depends on that
    app.dependency_overrides[stub] = real  # none of this app's does
    sub.dependency_overrides[stub] = nobody
    assert [each["access"] for each in compile_routes(app)] == ["public", "authenticated"]


def test_overrides_that_lead_to_each_other_have_an_end() -> None:
    async def again(name: Annotated[str, Depends(stub)]) -> None: ...

    app = public_app()
    app.get("/x")(page)
    app.dependency_overrides[stub] = again
    assert compile_routes(app)


def test_a_test_may_override_what_asks_for_callers_before_a_strict_app_starts(edge: Edge) -> None:
    app = FastAPI(openapi_url=None)
    app.get("/x")(of_real)
    guard(app, edge.settings(strict=True))
    app.dependency_overrides[real] = nobody
    with AsCaller()(app, sub="ada", scopes=["admin"]) as client:
        assert client.get("/x").json() == "nobody"
