"""Checks that `app_checks` names: whether FastAPI runs them, for every access and for objects."""

import dataclasses
import functools
from collections.abc import Callable
from typing import Annotated, Any, NamedTuple

import pytest
from fastapi import APIRouter, Cookie, Depends, FastAPI
from fastapi.security import APIKeyHeader, HTTPBearer
from starlette.responses import Response

from fastgate import AnyCaller, Caller, at_edge, fastgate
from fastgate.compile.policy import compile_routes
from tests.compiled_route import app_with, compiled, endpoint, faults

KEY = APIKeyHeader(name="X-Key")
NOT_RUN = "FastAPI does not run that for it"


def check(session: Annotated[str, Cookie()] = "") -> None: ...


class CookieBearer(HTTPBearer):
    """A scheme that reads its token elsewhere."""

    async def __call__(self, request: Any) -> None: ...  # noqa: ANN401


def check_key(key: Annotated[str, Depends(KEY)]) -> None: ...


# Names beside an access that is not open


def test_names_of_an_authenticated_endpoint_are_run_as_well() -> None:
    mark: dict[str, Any] = {"access": "authenticated", "app_checks": ["check"]}
    found = faults(app_with(**mark))
    assert 'has access="authenticated", and a mark with app_checks=["check"], but' in found
    assert NOT_RUN in found
    assert compiled(app_with(check, **mark)) == {"access": "authenticated"}
    app = at_edge(**mark)(FastAPI(openapi_url=None))
    app.get("/x")(endpoint)
    assert "no endpoint below that mark depends on it" in faults(app)


@pytest.mark.parametrize("where", ["mount", "caller", "route", "before"])
def test_names_of_an_authenticated_app_are_run_for_each_endpoint(where: str) -> None:
    def app(**own: Any) -> FastAPI:  # noqa: ANN401
        made, inner = FastAPI(openapi_url=None), FastAPI(openapi_url=None)
        at_edge(access="authenticated", app_checks=["check"])(made)
        target: Any = functools.partial(endpoint)
        match where:
            case "caller":
                inner.get("/b", dependencies=[Depends(fastgate)])(target)
            case "mount":
                inner.get("/b")(target)
            case "route":
                made.add_route("/b", functools.partial(answer))
            case "before":
                made.get("/b")(target)
        made.router.dependencies.append(Depends(check))
        made.get("/a")(functools.partial(endpoint))
        marked = at_edge(**own)(inner) if own else inner
        if where in ("mount", "caller"):
            made.mount("/s", marked)
        return made

    assert NOT_RUN in faults(app())
    if where in ("mount", "caller"):
        own = {"app_checks": []} if where == "caller" else {"access": "public", "app_checks": []}
        assert len(compile_routes(app(**own))) == 2


async def answer(_request: Any) -> Response:  # noqa: ANN401
    return Response()  # pragma: no cover


def test_an_endpoint_of_known_callers_needs_no_name_of_an_open_mark() -> None:
    app = at_edge(access="public", app_checks=["check"])(FastAPI(openapi_url=None))
    app.get("/a", dependencies=[Depends(fastgate)])(endpoint)
    assert compiled(app) == {"access": "authenticated"}
    own = {"access": "authenticated", "app_checks": ["check"]}
    for mark in (own, {"app_checks": ["check"]}):
        app = at_edge(access="public")(FastAPI(openapi_url=None))
        target: Any = functools.partial(endpoint)
        app.get("/a", dependencies=[Depends(fastgate)])(at_edge(**mark)(target))
        assert NOT_RUN in faults(app)
    app = at_edge(access="public", app_checks=["HTTPBearer"])(FastAPI(openapi_url=None))
    app.get("/a", dependencies=[Depends(HTTPBearer())])(functools.partial(endpoint))
    soft = CookieBearer(auto_error=False, scheme_name="HTTPBearer")
    app.get("/b", dependencies=[Depends(soft)])(functools.partial(endpoint))
    assert [each["access"] for each in compile_routes(app)] == ["authenticated", "public"]


def test_one_name_of_an_authenticated_mark_means_one_dependency() -> None:
    app = at_edge(access="authenticated", app_checks=["APIKeyHeader"])(FastAPI(openapi_url=None))
    for path, key in (("/a", KEY), ("/b", APIKeyHeader(name="X-Other"))):
        app.get(path, dependencies=[Depends(key)])(functools.partial(endpoint))
    assert "names several dependencies" in faults(app)


@pytest.mark.parametrize("kind", [FastAPI, APIRouter])
@pytest.mark.parametrize("between", [{"access": "public", "app_checks": []}, {"access": "public"}])
def test_names_within_a_mount_without_names_are_those_of_everything_around_it(
    kind: Any,  # noqa: ANN401
    between: dict[str, Any],
) -> None:
    def app(*run: Any, **own: Any) -> FastAPI:  # noqa: ANN401
        made = FastAPI(openapi_url=None, dependencies=[Depends(check_key)])
        middle = at_edge(**between)(FastAPI(openapi_url=None))
        inner = kind(**({"openapi_url": None} if kind is FastAPI else {}))
        at_edge(access="public", app_checks=["APIKeyHeader"])(inner)
        inner.get("/a", dependencies=[Depends(check_key)])(functools.partial(endpoint))
        target = functools.partial(endpoint)
        inner.get("/b", dependencies=[*map(Depends, run)])(
            at_edge(**own)(target) if own else target
        )
        middle.mount("/in", inner) if kind is FastAPI else middle.include_router(inner)
        made.mount("/sub", middle)
        return made

    assert NOT_RUN in faults(app())
    assert NOT_RUN in faults(app(KEY))
    assert len(compile_routes(app(check_key))) == 2
    assert len(compile_routes(app(access="public", app_checks=[]))) == 2


# Objects whose class has the check


Function = Callable[..., Any]


def classes(written: Any) -> list[Any]:  # noqa: ANN401
    """Return objects of classes that have a dependency where only their creation needs it."""

    class Initialized:
        def __init__(self, user: Any = written) -> None: ...  # noqa: ANN401

        def __call__(self) -> None: ...

        def method(self) -> None: ...

    class Made(tuple[int]):
        def __new__(cls, user: Any = written) -> "Made":  # noqa: ANN401
            return super().__new__(cls)

        def __call__(self) -> None: ...

    class Inherits(Initialized):
        """It inherits both."""

    class Decorated:
        @without_effect
        def __init__(self, user: Any = written) -> None: ...  # noqa: ANN401

        def __call__(self) -> None: ...

    @dataclasses.dataclass
    class Data:
        user: Any = written

        def __call__(self) -> None: ...

    class Named(NamedTuple):
        user: Any = written

        def __call__(self) -> None: ...

    one = Initialized()
    return [
        *(one, one.method, functools.partial(one), functools.partial(one.method)),
        *(Made(), Inherits(), Inherits().method, Decorated(), Data(), Named()),
    ]


def without_effect(function: Function) -> Function:
    @functools.wraps(function)
    def inner(*args: Any, **named: Any) -> Any:  # noqa: ANN401
        return function(*args, **named)

    return inner


@pytest.mark.parametrize("number", range(10))
@pytest.mark.parametrize("place", ["dependency", "endpoint", "socket"])
def test_a_check_in_the_class_of_an_object_is_not_run(number: int, place: str) -> None:
    def app(checked: Any, *run: Any, **mark: Any) -> FastAPI:  # noqa: ANN401
        made = at_edge(**mark)(FastAPI(openapi_url=None))
        listed = [*map(Depends, run)]
        if place == "dependency":
            made.get("/x", dependencies=[Depends(checked), *listed])(functools.partial(endpoint))
        elif place == "endpoint":
            made.get("/x", dependencies=listed)(checked)
        else:
            made.add_api_websocket_route("/x", checked, dependencies=listed)
        made.get("/ok", dependencies=[Depends(check)])(functools.partial(endpoint))
        return made

    named: dict[str, Any] = {"access": "public", "app_checks": ["check"]}
    target = classes(Depends(check))[number]
    found = faults(app(target, **named))
    assert 'app_checks=["check"], but has that only in the signature of ' in found
    assert f"({__file__}:" in found
    assert "where FastAPI does not run it" in found
    assert len(compile_routes(app(target, check, **named))) == 2
    target = classes(Depends(fastgate))[number]
    found = faults(app(target, access="public"))
    assert "requires a known caller in a signature that FastAPI does not read: " in found
    assert "require it in the signature of the endpoint itself" in found
    assert len(compile_routes(app(target, fastgate, access="public"))) == 2


def test_a_class_that_fastapi_creates_runs_its_check() -> None:
    class User:
        def __init__(self, user: Annotated[str, Depends(check)], caller: Caller) -> None: ...

        @classmethod
        def for_anybody(cls, caller: AnyCaller) -> None: ...

    app = at_edge(access="public", app_checks=["check"])(FastAPI(openapi_url=None))
    app.get("/a", dependencies=[Depends(User)])(functools.partial(endpoint))
    app.get("/b", dependencies=[Depends(User.for_anybody)])(functools.partial(endpoint))
    assert [each["access"] for each in compile_routes(app)] == ["authenticated", "optional"]
