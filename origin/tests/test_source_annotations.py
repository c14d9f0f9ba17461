"""Requirements in a decorator's own signature, which `functools.wraps` hides from FastAPI."""

import functools
import inspect
from collections.abc import Awaitable, Callable
from enum import StrEnum
from typing import Annotated, Literal

import pytest
from fastapi import Depends, FastAPI, Query, Request, Security, params
from pydantic import Field

from fastgate import AnyCaller, Caller, Identity, at_edge, fastgate
from fastgate.compile.policy import CannotCompile, compile_routes

Endpoint = Callable[..., Awaitable[object]]
Decorator = Callable[[Endpoint], Endpoint]

ADMIN = "admin"
SCOPES = [ADMIN]
BY_NAME = {"admin": ["admin"]}
AdminScheme = Security(fastgate, scopes=["admin"])
Admin = Annotated[Caller, AdminScheme]


class Scope(StrEnum):
    """Scopes as an enumeration."""

    ADMIN = "admin"


class Scopes:
    """Scopes as members of a class."""

    admin = "admin"


def needs(scope: str) -> params.Depends:
    return params.Security(fastgate, scopes=[scope])


def an_app(access: str = "authenticated") -> FastAPI:
    return at_edge(access=access)(FastAPI(openapi_url=None))


async def page() -> str:
    return "page"


async def me(caller: Caller) -> str:
    return caller.subject


async def admin(caller: Admin) -> str:
    return caller.subject


def narrowing(function: Endpoint) -> Endpoint:
    @functools.wraps(function)
    async def wrapper(
        *args: object, caller: Annotated[Caller, Security(fastgate, scopes=["admin"])]
    ) -> object:
        return await function(*args, caller=caller)

    return wrapper


def narrowing_text(function: Endpoint) -> Endpoint:
    @functools.wraps(function)
    async def wrapper(*args: object, caller: "Admin") -> object:
        return await function(*args, caller=caller)

    return wrapper


async def no_caller(caller: str = "") -> str:
    return caller


@pytest.mark.parametrize("decorator", [narrowing, narrowing_text])
@pytest.mark.parametrize("function", [me, no_caller])
def test_a_decorator_that_narrows_a_parameter_is_a_fault(
    decorator: Decorator, function: Endpoint
) -> None:
    app = an_app()
    app.get("/x")(decorator(function))
    with pytest.raises(CannotCompile, match="requires 'admin' in a signature that FastAPI does"):
        compile_routes(app)


def test_a_decorator_may_repeat_a_requirement() -> None:
    app = an_app("public")
    app.get("/x")(narrowing(admin))
    app.get("/y")(narrowing_text(admin))
    expected = [("authenticated", ["admin"])] * 2
    assert [(each["access"], each["scopes"]) for each in compile_routes(app)] == expected


def by_global_list(function: Endpoint) -> Endpoint:
    @functools.wraps(function)
    async def wrapper(who: Annotated[Caller, Security(fastgate, scopes=SCOPES)]) -> object: ...

    return wrapper


def by_global_name(function: Endpoint) -> Endpoint:
    @functools.wraps(function)
    async def wrapper(who: Annotated[Caller, Security(fastgate, scopes=[ADMIN])]) -> object: ...

    return wrapper


def by_several_lists(function: Endpoint) -> Endpoint:
    @functools.wraps(function)
    async def wrapper(
        who: Annotated[Caller, Security(fastgate, scopes=[*SCOPES] + BY_NAME["admin"])],
    ) -> object: ...

    return wrapper


def by_class(function: Endpoint) -> Endpoint:
    @functools.wraps(function)
    async def wrapper(
        who: Annotated[Caller, Security(fastgate, scopes=[Scopes.admin])],
    ) -> object: ...

    return wrapper


def by_enumeration(function: Endpoint) -> Endpoint:
    @functools.wraps(function)
    async def wrapper(
        who: Annotated[Identity, Security(fastgate, scopes=[Scope.ADMIN.value])],
    ) -> object: ...

    return wrapper


def by_member(function: Endpoint) -> Endpoint:
    @functools.wraps(function)
    async def wrapper(
        who: Annotated[Identity, Security(fastgate, scopes=[Scope.ADMIN])],
    ) -> object: ...

    return wrapper


def by_global_dependency(function: Endpoint) -> Endpoint:
    @functools.wraps(function)
    async def wrapper(who: Annotated[Identity, AdminScheme]) -> object: ...

    return wrapper


def by_formatted_text(function: Endpoint) -> Endpoint:
    @functools.wraps(function)
    async def wrapper(
        who: Annotated[Caller, Security(fastgate, scopes=[f"{ADMIN}"])],
    ) -> object: ...

    return wrapper


def by_local_alias(function: Endpoint) -> Endpoint:
    scopes = ["admin"]
    scheme = Security(fastgate, scopes=scopes)
    who_may = Annotated[Caller, scheme]

    @functools.wraps(function)
    async def wrapper(who: who_may) -> object: ...

    return wrapper


def by_local_import(function: Endpoint) -> Endpoint:
    from fastapi import Security as Asks

    @functools.wraps(function)
    async def wrapper(who: Annotated[Caller, Asks(fastgate, scopes=["admin"])]) -> object: ...

    return wrapper


def by_its_closure(function: Endpoint) -> Endpoint:
    def of(scope: str) -> Endpoint:
        @functools.wraps(function)
        async def wrapper(who: Annotated[Caller, Security(fastgate, scopes=[scope])]) -> object:
            return scope

        return wrapper

    return of("admin")


def by_function(function: Endpoint) -> Endpoint:
    @functools.wraps(function)
    async def wrapper(who: Annotated[str, Security(me, scopes=SCOPES)]) -> object: ...

    return wrapper


@pytest.mark.parametrize(
    "decorator",
    [
        by_global_list,
        by_global_name,
        by_several_lists,
        by_class,
        by_enumeration,
        by_member,
        by_global_dependency,
        by_formatted_text,
        by_local_alias,
        by_local_import,
        by_its_closure,
        by_function,
    ],
)
def test_scopes_that_a_decorator_refers_to_by_name_are_found(decorator: Decorator) -> None:
    app = an_app()
    app.get("/x")(decorator(page))
    with pytest.raises(CannotCompile, match="requires 'admin' in a signature that FastAPI does"):
        compile_routes(app)
    public = an_app("public")
    public.get("/x")(decorator(page))
    with pytest.raises(CannotCompile, match="requires a known caller, 'admin' in a signature"):
        compile_routes(public)


def of_parameter(scope: str) -> Decorator:
    def decorator(function: Endpoint) -> Endpoint:
        @functools.wraps(function)
        async def wrapper(
            who: Annotated[Caller, Security(fastgate, scopes=[scope])],
        ) -> object: ...

        return wrapper

    return decorator


def of_text(scope: str) -> Decorator:
    def decorator(function: Endpoint) -> Endpoint:
        @functools.wraps(function)
        async def wrapper(
            who: Annotated[Caller, Security(fastgate, scopes=[f"{scope}:read"])],
        ) -> object: ...

        return wrapper

    return decorator


def of_helper(scope: str) -> Decorator:
    def decorator(function: Endpoint) -> Endpoint:
        @functools.wraps(function)
        async def wrapper(who: Annotated[Identity, needs("admin")]) -> object: ...

        return wrapper

    return decorator


def of_anybody(scope: str) -> Decorator:
    def decorator(function: Endpoint) -> Endpoint:
        @functools.wraps(function)
        async def wrapper(who: Annotated[AnyCaller, needs(scope)]) -> object: ...

        return wrapper

    return decorator


def of_two_assignments(scope: str) -> Decorator:
    scopes = ["admin"]
    if scope:
        scopes = [scope]

    def decorator(function: Endpoint) -> Endpoint:
        @functools.wraps(function)
        async def wrapper(who: Annotated[Caller, Security(fastgate, scopes=scopes)]) -> object: ...

        return wrapper

    return decorator


@pytest.mark.parametrize(
    "decorator", [of_parameter, of_text, of_helper, of_anybody, of_two_assignments]
)
@pytest.mark.parametrize("access", ["public", "authenticated"])
def test_scopes_that_cannot_be_read_are_a_fault(
    decorator: Callable[[str], Decorator], access: str
) -> None:
    app = an_app(access)
    app.get("/x")(decorator("admin")(page))
    with pytest.raises(CannotCompile, match="scopes that cannot be read without running") as error:
        compile_routes(app)
    assert "remove that annotation, and require it in the signature of the end" in str(error.value)
    assert str(error.value).count("does not read") == 1


def told(*scopes: str) -> Decorator:
    """Require a caller by a signature that is set by hand, which FastAPI reads."""

    def decorator(function: Endpoint) -> Endpoint:
        kind = Annotated[Caller, Security(fastgate, scopes=list(scopes))]

        @functools.wraps(function)
        async def wrapper(
            *args: object,
            caller_: Annotated[Caller, Security(fastgate, scopes=list(scopes))],
            **named: object,
        ) -> object:
            return await function(*args, **named)

        signature = inspect.signature(function)
        added = inspect.Parameter("caller_", inspect.Parameter.KEYWORD_ONLY, annotation=kind)
        parameters = [*signature.parameters.values(), added]
        wrapper.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
        return wrapper

    return decorator


def test_an_explicit_signature_is_read() -> None:
    app = an_app("public")
    app.get("/x")(told("admin")(page))
    found = [(each["access"], each["scopes"]) for each in compile_routes(app)]
    assert found == [("authenticated", ["admin"])]


def of_types(function: Endpoint) -> Endpoint:
    class Local: ...

    @functools.wraps(function)
    async def wrapper(
        caller: "Identity | Unknown | None" = None,  # type: ignore[name-defined]  # noqa: F821
        called: "Callable[[Identity], Local] | None" = None,
        described: Annotated[Identity | None, Field(description="who")] = None,
    ) -> object: ...

    return wrapper


def test_unknown_types_beside_an_identity_require_no_caller() -> None:
    app = an_app("public")
    app.get("/x")(of_types(page))
    assert [each["access"] for each in compile_routes(app)] == ["public"]


def test_an_endpoint_that_declares_its_callers_need_not_be_read() -> None:
    app = an_app()
    app.get("/x")(at_edge(access="public")(of_parameter("admin")(page)))
    assert [each["access"] for each in compile_routes(app)] == ["public"]


async def session() -> object:
    return None


def test_annotations_without_a_caller_need_not_be_read() -> None:
    def with_model(model: type, doc: object) -> Decorator:
        def decorator(function: Endpoint) -> Endpoint:
            @functools.wraps(function)
            async def wrapper(
                request: Request,
                body: model,  # type: ignore[valid-type]
                items: "list[model]",  # type: ignore[valid-type]
                note: Annotated[str, doc],
                session: Annotated[object, Depends(session)],
                limit: Annotated[int, Query(ge=1)] = 1,
                order: Literal["up", "down"] = "up",
                unknown: "Nowhere | None" = None,  # type: ignore[name-defined]  # noqa: F821
            ) -> object: ...

            return wrapper

        return decorator

    def documented(function: Endpoint) -> Endpoint:
        @functools.wraps(function)
        async def wrapper(
            who: Annotated[Caller, "the caller", {"x": 1}], by: Identity, to: object
        ) -> object: ...

        return wrapper

    app = an_app("public")
    app.get("/x")(with_model(dict, "text")(page))
    app.get("/y")(documented(me))
    assert [each["access"] for each in compile_routes(app)] == ["public", "authenticated"]
