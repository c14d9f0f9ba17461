"""Required callers in signatures that FastAPI does not read."""

import dataclasses
import functools
import inspect
from collections.abc import Awaitable, Callable
from typing import Annotated, Any, Generic, TypeVar

import pytest
from fastapi import APIRouter, Depends, FastAPI, Request, Security, params
from starlette.endpoints import HTTPEndpoint
from starlette.responses import Response

from fastgate import AnyCaller, Caller, Identity, at_edge, fastgate, guard
from fastgate.compile.policy import CannotCompile, compile_routes
from fastgate.dependencies import FastgateScheme
from fastgate.testing import AsCaller
from tests.edge import Edge

Admin = Annotated[Caller, Security(fastgate, scopes=["admin"])]
Endpoint = Callable[..., Awaitable[object]]
T = TypeVar("T")


def public_app() -> FastAPI:
    return at_edge(access="public")(FastAPI(openapi_url=None))


def access_of(app: FastAPI) -> list[object]:
    return [route["access"] for route in compile_routes(app)]


async def user(caller: Admin) -> str:
    return caller.subject


async def text_user(caller: "Admin") -> str:
    return caller.subject


def wrapped(function: Endpoint) -> Endpoint:
    async def wrapper() -> object:
        return await function()

    return wrapper


def with_caller(function: Endpoint) -> Endpoint:
    @functools.wraps(function)
    async def wrapper(*args: object, caller: Admin = None, **kwargs: object) -> object:  # type: ignore[assignment]
        return await function(*args, **kwargs)

    return wrapper


def asking_alone(function: Endpoint) -> Endpoint:
    @functools.wraps(function)
    async def wrapper(*args: object, caller: Admin, **kwargs: object) -> object:
        return await function(*args, **kwargs)

    return wrapper


def asking_by_text(function: Endpoint) -> Endpoint:
    @functools.wraps(function)
    async def wrapper(*args: object, caller: "Admin" = None, **kwargs: object) -> object:  # type: ignore[assignment]
        return await function(*args, **kwargs)

    return wrapper


def asking_in_place(function: Endpoint) -> Endpoint:
    @functools.wraps(function)
    async def wrapper(
        *args: object,
        caller: Annotated[Identity, Security(fastgate, scopes=["admin"])],
        **_: object,
    ) -> object:
        return await function(*args)

    return wrapper


def asking_by_default(function: Endpoint) -> Endpoint:
    @functools.wraps(function)
    async def wrapper(*args: object, who: str = Depends(user), **kwargs: object) -> object:
        return await function(*args, **kwargs)

    return wrapper


def hiding(function: Endpoint) -> Endpoint:
    @functools.wraps(function)
    async def wrapper(request: Request) -> object:
        return await function(None)

    kind = inspect.Parameter.KEYWORD_ONLY
    only = inspect.Parameter("request", kind, annotation=Request)
    wrapper.__signature__ = inspect.Signature([only])  # type: ignore[attr-defined]
    return wrapper


async def page() -> str:
    return "secret"


class Wraps:
    """Calls the function that it holds."""

    def __init__(self, function: Endpoint) -> None:
        self.function = function

    async def __call__(self) -> object:
        return await self.function()


class Require:
    """A dependency whose instances require a caller."""

    def __init__(self, role: str = "admin") -> None:
        self.role = role

    async def __call__(self, caller: Admin) -> str:
        return self.role


class Params:
    """A class without the decorator `dataclass`, which its author has forgotten."""

    caller: Admin
    limit: int = 1


class TextParams:
    """The same, with its annotation as a string."""

    caller: "Admin"


@dataclasses.dataclass
class NotInInit:
    """A dataclass that excludes its caller from `__init__`."""

    limit: int = 1
    caller: Admin = dataclasses.field(init=False)


class Paged(Generic[T]):
    """A generic class: FastAPI reads no signature of `Paged[int]`."""

    def __init__(self, caller: Admin) -> None:
        self.caller = caller


@pytest.mark.parametrize(
    "endpoint",
    [
        asking_alone(page),
        asking_by_text(page),
        asking_in_place(page),
        asking_by_default(page),
        hiding(user),
        wrapped(user),
        wrapped(text_user),
        wrapped(wrapped(user)),
        wrapped(Require("admin")),
        functools.partial(user, None),  # type: ignore[arg-type]
        functools.partial(lambda function: function(), user),
        Wraps(user),
        Wraps(user).__call__,
    ],
)
def test_an_endpoint_whose_caller_is_not_read_is_a_fault(endpoint: Endpoint) -> None:
    app = public_app()
    app.get("/x", name="x")(endpoint)
    with pytest.raises(CannotCompile, match="in a signature that FastAPI does not read") as error:
        compile_routes(app)
    assert "requires a known caller" in str(error.value)
    assert "in the signature of the endpoint itself" in str(error.value)


@pytest.mark.parametrize(
    ("dependency", "remedy"),
    [
        (wrapped(user), "functools.wraps"),
        (lambda: user(None), "functools.wraps"),  # type: ignore[arg-type]
        (Require, r"Depends\(Require\(…\)\)"),
        (FastgateScheme, r"Depends\(FastgateScheme\(…\)\)"),
        (Params, "otherwise make Params"),
        (TextParams, "otherwise make TextParams"),
        (NotInInit, "requirement to its __init__"),
        (Paged[int], "requirement to its __init__"),
    ],
)
def test_a_dependency_whose_caller_is_not_read_is_a_fault(
    dependency: Callable[..., Any], remedy: str
) -> None:
    if inspect.isfunction(dependency) and dependency.__name__ == "<lambda>":
        known = user
        dependency = lambda: known(None)  # type: ignore[arg-type]  # noqa: E731
    app = public_app()
    app.get("/x", dependencies=[Depends(dependency)])(page)
    with pytest.raises(CannotCompile, match=f"that FastAPI does not read: .*\n.*{remedy}"):
        compile_routes(app)


def test_in_an_app_for_known_callers_only_lost_scopes_are_faults() -> None:
    app = at_edge(access="authenticated")(FastAPI(openapi_url=None))

    async def known(caller: Caller) -> None: ...

    app.get("/known")(wrapped(known))
    assert access_of(app) == ["authenticated"]
    app.get("/x")(wrapped(user))
    with pytest.raises(CannotCompile, match="requires 'admin' in a signature that FastAPI does"):
        compile_routes(app)


def test_scopes_of_a_dependency_are_those_of_the_caller_that_it_hides() -> None:
    async def known(caller: Caller) -> None: ...

    app = at_edge(access="authenticated")(FastAPI(openapi_url=None))
    app.get("/x", dependencies=[Security(wrapped(known), scopes=["orders"])])(page)
    with pytest.raises(CannotCompile, match="requires 'orders' in a signature"):
        compile_routes(app)


@pytest.mark.parametrize("access", ["public", "optional"])
def test_an_endpoint_that_declares_its_callers_is_not_a_fault(access: str) -> None:
    async def own() -> None: ...

    async def another() -> None: ...

    app = public_app()
    app.get("/x")(at_edge(access=access)(wrapped(user)))
    app.get("/y")(at_edge(access=access)(with_caller(own)))
    app.get("/z", dependencies=[Depends(Require)])(at_edge(access=access)(another))
    assert access_of(app) == [access] * 3


def test_a_required_caller_may_be_passed_on() -> None:
    def serving(function: Endpoint) -> Endpoint:
        async def endpoint(caller: Admin) -> object:
            return await function(caller)

        return endpoint

    def serving_anybody(function: Endpoint) -> Endpoint:
        async def endpoint(caller: AnyCaller) -> object:
            return None if caller is None else await function(caller)

        return endpoint

    app = public_app()
    app.get("/x")(serving(user))
    app.get("/y")(serving_anybody(user))
    assert access_of(app) == ["authenticated", "optional"]


def test_a_function_that_is_only_named_is_not_called() -> None:
    def pages(app: FastAPI) -> None:
        async def me(caller: Admin) -> None: ...

        async def index(request: Request) -> str:
            return str(request.url_for(me.__name__))

        app.get("/me")(me)
        app.get("/")(index)

    app = public_app()
    pages(app)
    assert access_of(app) == ["authenticated", "public"]


def test_ordinary_neighbours_compile() -> None:
    class Controller:
        def __init__(self, get_user: Endpoint) -> None:
            self.get_user = get_user
            self.router = APIRouter()
            self.router.get("/public")(self.public)
            self.router.get("/me", dependencies=[Depends(self.get_user)])(self.me)

        async def public(self) -> str:
            return "for all"

        async def me(self) -> str:
            return "mine"

    class Service:
        caller: Admin

        def __init__(self, caller: Admin) -> None:
            self.caller = caller

    @dataclasses.dataclass
    class Context:
        caller: Admin
        limit: int = 1

    def retried(function: Endpoint) -> Endpoint:
        @functools.wraps(function)
        async def wrapper(*args: object, attempts: int = 3, **kwargs: object) -> object:
            return await function(*args, **kwargs)

        return wrapper

    app = public_app()
    app.include_router(Controller(user).router)
    every: tuple[Callable[..., Any], ...] = (
        Service,
        Context,
        Require(),
        Require().__call__,
        retried(user),
    )
    for number, dependency in enumerate(every):
        app.get(f"/x{number}", dependencies=[Depends(dependency)])(page)
    app.get("/retried")(retried(page))
    app.get("/wrapped")(wrapped(page))
    expected = ["public", "authenticated", *["authenticated"] * 5, "public", "public"]
    assert access_of(app) == expected


def test_a_starlette_endpoint_requires_no_caller() -> None:
    class Page(HTTPEndpoint):
        async def get(self, request: Request, caller: Admin) -> Response:
            return Response()

    async def plain(request: Request, caller: Admin) -> Response:
        return Response()

    for endpoint in (Page, plain):
        app = public_app()
        app.add_route("/x", endpoint)  # type: ignore[arg-type]
        with pytest.raises(CannotCompile, match="requires a known caller, 'admin' in a signature"):
            compile_routes(app)


def test_a_strict_app_does_not_start_with_a_caller_that_is_not_read(edge: Edge) -> None:
    app = public_app()
    app.get("/x")(asking_alone(page))
    guard(app, edge.settings(strict=True))
    with pytest.raises(CannotCompile, match="does not read"), AsCaller()(app) as client:
        client.get("/x")


@pytest.mark.parametrize(
    ("listed", "written"),
    [
        (Depends(Caller), r"Depends\(Caller\)"),
        (Depends(Admin), r"Depends\(Caller\)"),
        (Depends(AnyCaller), r"Depends\(AnyCaller\)"),  # type: ignore[arg-type]
        (Security(Caller, scopes=["admin"]), r"Security\(Caller, scopes=\['admin'\]\)"),
    ],
)
def test_an_annotation_is_not_a_dependency(listed: params.Depends, written: str) -> None:
    of_route, of_router, of_parameter = public_app(), public_app(), public_app()
    of_app = at_edge(access="public")(FastAPI(openapi_url=None, dependencies=[listed]))
    of_app.get("/x")(page)
    of_route.get("/x", dependencies=[listed])(page)
    router = APIRouter(dependencies=[listed])
    router.get("/x")(page)
    of_router.include_router(router)

    async def endpoint(caller: object = listed) -> None: ...

    of_parameter.get("/x")(endpoint)
    for app in (of_route, of_router, of_parameter, of_app):
        with pytest.raises(CannotCompile, match=f"as if it were a function: {written}") as error:
            compile_routes(app)
        assert "write `caller: Caller`, or Annotated[Caller, Security(fastgate, scopes=" in str(
            error.value
        )
