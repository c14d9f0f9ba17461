"""`requires(…)` where FastAPI runs no dependency: a fault, and the app serves no such endpoint."""

import functools
import logging
from collections.abc import Callable
from typing import Annotated, Any

import pytest
from fastapi import Depends, FastAPI, Security
from fastapi.requests import HTTPConnection
from fastapi.security import SecurityScopes
from starlette.testclient import TestClient

import fastgate as package
from fastgate import (
    Caller,
    Condition,
    Identity,
    all_of,
    any_of,
    claim,
    fastgate,
    requires,
    role,
    scope,
)
from fastgate import guard as put_behind_guard
from fastgate.compile.policy import CannotCompile, compile_routes
from fastgate.requires import Requires
from fastgate.settings import Settings
from tests.edge import Edge

ADMIN = requires(role="admin")
IS_ADMIN = role("admin")
NEEDS = {"admin": ADMIN}


def with_default(caller: Caller = ADMIN) -> None: ...  # type: ignore[assignment]
def with_metadata(caller: Annotated[Caller, ADMIN]) -> None: ...
def with_class(caller: Annotated[Caller, Depends, ADMIN]) -> None: ...
def with_condition(caller: Annotated[Caller, IS_ADMIN]) -> None: ...
def with_scheme(caller: Annotated[Identity, Security(fastgate), fastgate]) -> None: ...
def with_own_parameter(caller: Caller, need: Any = ADMIN) -> None: ...  # noqa: ANN401
def with_list(caller: Caller, need: Any = (ADMIN,)) -> None: ...  # noqa: ANN401


def returning_global() -> Requires:
    return ADMIN


def returning_new() -> Requires:
    return requires(role="admin")


def returning_by_module() -> Requires:
    return package.requires(role="admin")


def returning_imported() -> object:
    from fastgate import requires as needs

    return needs(role="admin")


def returning_from_table() -> Requires:
    return NEEDS["admin"]


def returning_indirectly() -> Requires:
    return returning_new()


def returning_condition() -> Condition:
    return role("admin")


async def returning_after_caller(caller: Caller) -> Requires:
    return ADMIN


def returning_scheme() -> object:
    return fastgate


def yielding() -> Any:  # noqa: ANN401
    yield ADMIN


def by_default(need: Any = ADMIN) -> Any:  # noqa: ANN401
    return need


def factory(name: str) -> Callable[[], Requires]:
    def dependency() -> Requires:
        return requires(role=name)

    return dependency


def closure(need: Requires) -> Callable[[], Requires]:
    def dependency() -> Requires:
        return need

    return dependency


class Gate:
    """A dependency with the requirement in an attribute."""

    def __init__(self) -> None:
        self.need = ADMIN

    def __call__(self) -> Requires:
        return self.need

    def method(self) -> Requires:
        return self.need


def takes(need: Requires, /) -> Requires:
    return need


def wrapped() -> Callable[[], object]:
    @functools.wraps(returning_new)
    def outer() -> object:
        return returning_new()

    return outer


ENDPOINTS = [
    *(with_default, with_metadata, with_class, with_condition, with_scheme),
    *(with_own_parameter, with_list),
]
DEPENDENCIES = {
    **{each.__name__: each for each in (returning_global, returning_new, returning_by_module)},
    **{each.__name__: each for each in (returning_imported, returning_from_table)},
    **{each.__name__: each for each in (returning_indirectly, returning_condition)},
    **{each.__name__: each for each in (returning_after_caller, returning_scheme, yielding)},
    "by default": by_default,
    "factory": factory("admin"),
    "closure": closure(ADMIN),
    "object": Gate(),
    "method": Gate().method,
    "wrapped": wrapped(),
    "lambda": lambda: requires(role="admin"),
    "partial": functools.partial(takes, ADMIN),
}


def app_of(endpoint: Callable[..., Any]) -> FastAPI:
    app = FastAPI(openapi_url=None)
    app.get("/x")(endpoint)
    return app


def app_with(dependency: Callable[..., Any]) -> FastAPI:
    app = FastAPI(openapi_url=None)

    @app.get("/x", dependencies=[Depends(dependency)])
    async def read(caller: Caller) -> str:
        return caller.subject

    return app


def fault(app: FastAPI) -> str:
    with pytest.raises(CannotCompile) as error:
        compile_routes(app)
    return str(error.value)


def assert_serves_nothing(app: FastAPI, edge: Edge, settings: Settings) -> None:
    put_behind_guard(app, settings)
    response = TestClient(app).get("/x", headers=edge.headers("/x", "/x"))
    assert response.status_code == 503
    with pytest.raises(CannotCompile, match=r"write Depends\(requires"), TestClient(app):
        pass


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda each: each.__name__)
def test_a_requirement_beside_a_dependency_is_a_fault(
    endpoint: Callable[..., Any], edge: Edge
) -> None:
    assert "write Depends(requires(…))" in fault(app_of(endpoint))
    assert_serves_nothing(app_of(endpoint), edge, edge.settings())


@pytest.mark.parametrize("dependency", DEPENDENCIES.values(), ids=DEPENDENCIES)
def test_a_function_that_returns_a_requirement_is_a_fault(
    dependency: Callable[..., Any], edge: Edge
) -> None:
    assert "write Depends(requires(…))" in fault(app_with(dependency))
    assert_serves_nothing(app_with(dependency), edge, edge.settings())


def test_a_route_that_is_added_late_is_not_run(edge: Edge) -> None:
    app = FastAPI(openapi_url=None)
    put_behind_guard(app, edge.settings())
    with TestClient(app) as client:
        app.get("/x", dependencies=[Depends(returning_new)])(lambda: "in")
        response = client.get("/x", headers=edge.headers("/x", "/x"))
    assert response.status_code == 401
    assert response.json()["type"].endswith("not-from-the-edge")


def test_where_pydantic_reads_it_the_mistake_is_an_error_at_once() -> None:
    app = FastAPI()
    with pytest.raises(TypeError, match=r"without Depends"):

        @app.get("/identity")
        async def read(caller: Annotated[Identity, ADMIN]) -> None: ...

    with pytest.raises(TypeError, match=r"without Depends"):

        @app.get("/text")
        async def read_text(text: Annotated[str, ADMIN]) -> None: ...

    with pytest.raises(TypeError, match=r"Depends\(requires"):
        app.get("/call", dependencies=[Depends(requires)])(lambda: None)


def writes_dependencies() -> object:
    return Depends(ADMIN)


def reads_attributes() -> object:
    return ADMIN.requirement


async def reads_claims(connection: HTTPConnection) -> object:
    return claim("tenant").name


def logs_names() -> object:
    shown = (requires.__name__, ADMIN.requirement, package.role.__qualname__)
    logging.getLogger("app").debug("%s %s %s", *shown)
    return None


async def runs(connection: HTTPConnection, scopes: SecurityScopes) -> Identity:
    return await ADMIN(connection, scopes)


async def runs_as_text(connection: "HTTPConnection", scopes: "SecurityScopes") -> Identity:
    return await ADMIN(connection, scopes)


async def runs_annotated(
    connection: HTTPConnection, scopes: Annotated[SecurityScopes, "of the chain"]
) -> Identity:
    return await ADMIN(connection, scopes)


async def runs_without_scopes(connection: HTTPConnection) -> Identity:
    return await ADMIN(connection, SecurityScopes())


async def helper(connection: HTTPConnection, scopes: Any) -> Identity:  # noqa: ANN401
    return await ADMIN(connection, scopes)


async def runs_by_helper(connection: HTTPConnection, scopes: SecurityScopes) -> Identity:
    return await helper(connection, scopes)


async def runs_by_another(connection: HTTPConnection) -> Identity:
    return await runs_without_scopes(connection)


class Runs:
    """A dependency that runs the requirements in an attribute."""

    def __init__(self, *needs: Requires) -> None:
        self.needs = needs

    async def __call__(self, connection: HTTPConnection, scopes: SecurityScopes) -> None:
        for need in self.needs:
            await need(connection, scopes)


RUNNING = {
    **{each.__name__: each for each in (runs, runs_as_text, runs_annotated, runs_without_scopes)},
    **{each.__name__: each for each in (runs_by_helper, runs_by_another)},
    "object": Runs(ADMIN, requires(role="auditor")),
    "method": Runs(ADMIN).__call__,
    "partial": functools.partial(runs),
}


@pytest.mark.parametrize("dependency", RUNNING.values(), ids=RUNNING)
def test_a_dependency_that_runs_a_requirement_is_no_fault(
    dependency: Callable[..., Any], edge: Edge
) -> None:
    compile_routes(app_with(dependency))
    app = app_with(dependency)
    put_behind_guard(app, edge.settings())
    with TestClient(app) as client:
        response = client.get("/x", headers=edge.headers("/x", "/x"))
    assert response.status_code == 403


@pytest.mark.parametrize(
    "dependency", [writes_dependencies, reads_attributes, logs_names, reads_claims, ADMIN]
)
def test_other_uses_are_no_faults(dependency: Callable[..., Any], edge: Edge) -> None:
    compile_routes(app_with(dependency))
    app = app_with(dependency)
    put_behind_guard(app, edge.settings())
    with TestClient(app):
        pass


def shows(need: Any) -> Callable[[], object]:  # noqa: ANN401
    def dependency() -> object:
        return {"need": str(need)}

    return dependency


def logs() -> None:
    logging.getLogger("app").debug("%r and %r and %r", ADMIN, IS_ADMIN, NEEDS)


def returns_through_a_variable() -> Requires:
    need = ADMIN
    return need  # noqa: RET504 - the variable is what is tested


ENFORCED = requires(IS_ADMIN, scope="a", acr=["urn:mfa"])
SHOWN = {
    "itself": ENFORCED,
    "less": ADMIN,
    "condition": IS_ADMIN,
    "scope": scope("a"),
    "several": all_of(scope("a"), IS_ADMIN),
    "list": [ADMIN, IS_ADMIN],
}
NOT_ENFORCED = {
    "more": requires(IS_ADMIN, scope="b"),
    "other condition": any_of(IS_ADMIN, role("b")),
    "other scope": scope("b"),
    "one of a list": [ADMIN, role("b")],
    "fastgate": fastgate,
}


@pytest.mark.parametrize("shown", SHOWN.values(), ids=SHOWN)
def test_a_dependency_may_show_what_the_endpoint_requires_anyway(shown: object, edge: Edge) -> None:
    assert "in the function shows" in fault(app_with(shows(shown)))
    app = FastAPI(openapi_url=None)
    app.get("/x", dependencies=[Depends(shows(shown)), Depends(ENFORCED)])(lambda: "in")
    compile_routes(app)
    put_behind_guard(app, edge.settings())
    with TestClient(app):
        pass


def test_a_dependency_may_log_what_it_requires_itself() -> None:
    async def audit(caller: Annotated[Identity, Depends(ADMIN)]) -> None:
        logging.getLogger("app").info("admitted by %r", ADMIN)

    compile_routes(app_with(audit))
    app = FastAPI(openapi_url=None, dependencies=[Depends(ADMIN)])
    app.get("/x", dependencies=[Depends(logs)])(lambda: "in")
    compile_routes(app)


@pytest.mark.parametrize("shown", NOT_ENFORCED.values(), ids=NOT_ENFORCED)
def test_a_dependency_must_not_show_more_than_the_endpoint_requires(shown: object) -> None:
    app = FastAPI(openapi_url=None, dependencies=[Depends(ENFORCED)])
    app.get("/x", dependencies=[Depends(shows(shown))])(lambda: "in")
    assert "in the function shows" in fault(app)


RETURNING = {**DEPENDENCIES, "variable": returns_through_a_variable}


@pytest.mark.parametrize("dependency", RETURNING.values(), ids=RETURNING)
def test_a_function_that_returns_what_is_required_anyway_is_a_fault(
    dependency: Callable[..., Any],
) -> None:
    app = FastAPI(openapi_url=None, dependencies=[Depends(ADMIN)])
    app.get("/x", dependencies=[Depends(dependency)])(lambda: "in")
    assert "write Depends(requires(…))" in fault(app)


def test_a_requirement_has_no_subclasses() -> None:
    with pytest.raises(TypeError, match="no subclasses"):

        class Weak(Requires):
            async def __call__(self, *_: object) -> Any:  # noqa: ANN401
                return None


def test_another_type_with_the_same_requirement_is_not_equal() -> None:
    class Other:
        requirement = ADMIN.requirement

        def __hash__(self) -> int:
            return hash(ADMIN)

    assert Other() != ADMIN
    assert requires(role="admin") == ADMIN
    assert hash(requires(role="admin")) == hash(ADMIN)
