"""Required callers in functions that a function, an object or a partial function calls."""

import dataclasses
import functools
from collections.abc import Awaitable, Callable, Sequence
from types import SimpleNamespace
from typing import Annotated, Any

import pytest
from fastapi import (
    APIRouter,
    BackgroundTasks,
    Depends,
    FastAPI,
    Request,
    Response,
    Security,
    params,
)

from fastgate import AnyCaller, Caller, Identity, at_edge, fastgate
from fastgate.compile.callers.bytecode import reads_of
from fastgate.compile.policy import CannotCompile, compile_routes
from fastgate.dependencies import any_caller

Admin = Annotated[Caller, Security(fastgate, scopes=["admin"])]
Endpoint = Callable[..., Awaitable[object]]


def an_app(access: str = "public", dependencies: Sequence[params.Depends] = ()) -> FastAPI:
    return at_edge(access=access)(FastAPI(openapi_url=None, dependencies=dependencies))


def access_of(app: FastAPI) -> list[object]:
    return [route["access"] for route in compile_routes(app)]


def is_a_fault(app: FastAPI) -> None:
    with pytest.raises(CannotCompile, match="in a signature that FastAPI does not read"):
        compile_routes(app)


async def user(caller: Admin) -> str:
    return caller.subject


async def page() -> str:
    return "page"


def logged(function: Endpoint) -> Endpoint:
    async def wrapper() -> object:
        return await function()

    return wrapper


async def tracked(caller: AnyCaller) -> None: ...


@pytest.mark.parametrize("listed", [Depends(any_caller), Depends(tracked)])
def test_a_caller_of_a_listed_dependency_is_not_passed_on(listed: params.Depends) -> None:
    of_app = an_app(dependencies=[listed])
    of_app.get("/x")(logged(user))
    of_router = an_app()
    router = APIRouter(dependencies=[listed])
    router.get("/x")(logged(user))
    of_router.include_router(router)
    dependency = user
    of_dependency = an_app(dependencies=[listed])
    of_dependency.get("/x", dependencies=[Depends(lambda: dependency)])(page)
    for app in (of_app, of_router, of_dependency):
        is_a_fault(app)


def test_a_caller_of_one_dependency_is_not_passed_on_by_another() -> None:
    app = an_app("authenticated")

    async def endpoint(caller: Caller) -> None: ...

    app.get("/x", dependencies=[Depends(logged(user))])(endpoint)
    is_a_fault(app)


def test_an_unread_signature_passes_no_caller_on() -> None:
    def handing_on(function: Endpoint) -> Endpoint:
        async def wrapper(caller: Caller) -> object:
            return await function(caller)

        return wrapper

    app = an_app("authenticated")
    app.get("/x")(logged(handing_on(user)))
    is_a_fault(app)


def test_a_function_with_a_caller_may_call_others_that_require_more() -> None:
    async def who(caller: Caller) -> Identity:
        return caller

    async def perhaps_admin(caller: Caller) -> object:
        return await require_admin(caller) if "admin" in caller.scopes else None

    async def require_admin(caller: Admin) -> Identity:
        return caller

    async def by_condition(caller: Caller) -> object:
        return await require_admin(caller) if "admin" in caller.scopes else None

    async def by_task(tasks: BackgroundTasks, caller: Caller) -> None:
        tasks.add_task(require_admin, caller)

    async def by_attribute(caller: Caller) -> list[object]:
        return [require_admin.__qualname__, require_admin.__doc__, caller.subject]

    async def by_dependency(known: Annotated[Identity, Depends(who)]) -> object:
        return await require_admin(known)

    async def of_dependency(found: Annotated[object, Depends(perhaps_admin)]) -> None: ...

    def partly(function: Endpoint, caller: Caller) -> object:
        return function(caller)

    every: tuple[Callable[..., Any], ...] = (
        by_condition,
        by_task,
        by_attribute,
        by_dependency,
        of_dependency,
    )
    every += (functools.partial(partly, require_admin),)
    app = an_app("authenticated")
    for number, endpoint in enumerate(every):
        app.get(f"/{number}")(endpoint)
    assert access_of(app) == ["authenticated"] * 6
    assert not any("scopes" in route for route in compile_routes(app))


@pytest.mark.parametrize("kind", [Caller, AnyCaller, Annotated[None, Depends(tracked)]])
def test_an_unused_caller_is_not_passed_on(kind: Any) -> None:  # noqa: ANN401
    async def perhaps(caller: Admin = None) -> str:  # type: ignore[assignment]
        return "secret"

    def recording(function: Endpoint) -> Endpoint:
        async def wrapper(seen: kind) -> object:
            return await function()

        return wrapper

    app = an_app("authenticated")
    app.get("/x")(recording(perhaps))
    is_a_fault(app)


@pytest.mark.parametrize("kind", [Caller, AnyCaller])
def test_a_wrapping_decorator_may_pass_its_caller_to_others(
    kind: Any,  # noqa: ANN401
) -> None:
    async def require_admin(caller: Admin) -> None: ...

    def checked(function: Endpoint) -> Endpoint:
        @functools.wraps(function)
        async def wrapper(*args: object, **named: Any) -> object:  # noqa: ANN401
            if "admin" in named["caller"].scopes:
                await require_admin(named["caller"])
            return await function(*args, **named)

        return wrapper

    async def me(caller: kind) -> str:
        return "me"

    app = at_edge(access="authenticated")(FastAPI(openapi_url=None))
    app.get("/x")(checked(me))
    compile_routes(app)


def test_a_caller_that_is_not_required_is_not_passed_on() -> None:
    def serving(function: Endpoint) -> Callable[..., Awaitable[Response]]:
        async def endpoint(request: Request, caller: Caller) -> Response:
            return Response(str(await function(caller)))

        return endpoint

    app = an_app("authenticated")
    app.add_route("/x", serving(user))
    is_a_fault(app)


class Permission:
    """A dependency with data of its own."""

    def __init__(self, name: str) -> None:
        self.name = name

    async def __call__(self, caller: Admin) -> Identity:
        return caller


class Controller:
    """An object with functions among its attributes that require a caller."""

    def __init__(self) -> None:
        self.admin = Permission("admin")
        self.cache: dict[str, int] = {}
        self.get = self.of_admin

    async def of_admin(self, caller: Admin) -> None: ...

    async def of_caller(self, caller: Caller) -> bool:
        return self.admin.name in caller.scopes and bool(await self.admin(caller))

    async def reads_data(self) -> object:
        return [self.admin.name for _ in range(2)]

    async def reads_another_attribute(self) -> object:
        return self.cache.get("x")

    async def calls(self) -> object:
        return await self.admin(None)  # type: ignore[arg-type]

    async def calls_in_another(self) -> object:
        return [await self.admin(None) for _ in range(2)]  # type: ignore[arg-type]

    async def calls_by_another_name(self) -> object:
        this = self
        return await this.admin(None)  # type: ignore[arg-type]


def test_a_method_may_use_data_of_a_dependency_with_a_caller() -> None:
    app, controller = an_app(), Controller()
    app.get("/1")(controller.of_caller)
    app.get("/2")(controller.reads_data)
    app.get("/3")(controller.reads_another_attribute)
    app.get("/4", dependencies=[Depends(controller.admin)])(controller.reads_data)
    assert access_of(app) == ["authenticated", "public", "public", "authenticated"]


@pytest.mark.parametrize("name", ["calls", "calls_in_another", "calls_by_another_name"])
def test_functions_that_a_method_calls_on_its_object_are_found(name: str) -> None:
    app = an_app()
    app.get("/x")(getattr(Controller(), name))
    is_a_fault(app)


class admin_only:  # noqa: N801 - it is a decorator
    """A decorator whose instance replaces the decorated function."""

    def __init__(self, function: Endpoint) -> None:
        functools.update_wrapper(self, function)
        self.function = function

    async def __call__(self, *args: object, caller: Admin, **kwargs: object) -> object:
        return await self.function(*args, **kwargs)


class counted:  # noqa: N801 - it is a decorator
    """The same, without a required caller."""

    def __init__(self, function: Endpoint) -> None:
        functools.update_wrapper(self, function)
        self.function, self.calls = function, 0

    async def __call__(self, *args: object, **kwargs: object) -> object:
        self.calls += 1
        return await self.function(*args, **kwargs)


@pytest.mark.parametrize("access", ["public", "authenticated"])
def test_a_decorator_class_requires_no_caller(access: str) -> None:
    app = an_app(access)
    app.get("/x")(admin_only(page))
    with pytest.raises(CannotCompile, match=r"'admin' in a signature .*admin_only\.__call__"):
        compile_routes(app)


def test_a_decorator_class_may_repeat_or_omit_the_required_caller() -> None:
    app = an_app()
    app.get("/1")(counted(page))
    app.get("/2")(counted(user))
    app.get("/3")(admin_only(user))
    app.get("/4")(at_edge(access="public")(admin_only(page)))
    assert access_of(app) == ["public", "authenticated", "authenticated", "public"]


class Older:
    """A class in the style before `Annotated`, whose author has forgotten `dataclass`."""

    caller: Identity = Security(fastgate, scopes=["admin"])
    limit: int = 1


class WithoutType:
    """The same without annotations."""

    caller = Security(fastgate, scopes=["admin"])


class ByFunction:
    """The same with a function that requires a caller."""

    caller: Identity = Depends(user)


@pytest.mark.parametrize("kind", [Older, WithoutType, ByFunction, type("Inherits", (Older,), {})])
def test_members_of_a_class_that_is_not_a_dataclass_require_no_caller(kind: type) -> None:
    app = an_app()
    app.get("/x", dependencies=[Depends(kind)])(page)
    with pytest.raises(CannotCompile, match=r"does not read: .*\n.*otherwise make"):
        compile_routes(app)


def test_fields_of_a_dataclass_and_shared_members_are_no_fault() -> None:
    @dataclasses.dataclass
    class Params:
        caller: Identity = Security(fastgate, scopes=["admin"])  # noqa: RUF009 - the usual style
        limit: int = 1

    class Service:
        require_admin = Security(fastgate, scopes=["admin"])

        def __init__(self, limit: int = 1) -> None:
            self.limit = limit

    class Derived(Older):
        caller: Identity = Security(fastgate, scopes=["admin"])

        def __init__(self, caller: Admin) -> None:
            self.caller = caller

    class Permissions:
        admin = Security(fastgate, scopes=["admin"])

    class Checked(Permissions):
        def __init__(self, limit: int = 1) -> None:
            self.limit = limit

    class Plain:
        limit: int = 1
        session: object = Depends(page)

    app = an_app()
    for number, kind in enumerate((Params, Derived, Service, Checked, Plain)):
        app.get(f"/{number}", dependencies=[Depends(kind)])(page)
    assert access_of(app) == ["authenticated"] * 2 + ["public"] * 3


class Slots:
    """Stores the function that it calls in a slot."""

    __slots__ = ("function",)

    def __init__(self, function: Endpoint) -> None:
        self.function = function

    async def __call__(self) -> object:
        return await self.function()


class Holder:
    """Stores a function that others call."""

    def __init__(self, function: Endpoint) -> None:
        self.function = function


def calling_of(holder: Holder) -> Endpoint:
    async def wrapper() -> object:
        return await holder.function()

    return wrapper


def run_all(functions: object) -> None: ...


@pytest.mark.parametrize(
    "endpoint",
    [
        Slots(user),
        calling_of(Holder(user)),
        functools.partial(run_all, (user,)),
        functools.partial(run_all, [page, user]),
        functools.partial(run_all, functions={"user": user}),
    ],
)
def test_functions_in_slots_objects_and_arguments_are_found(endpoint: Endpoint) -> None:
    app = an_app()
    app.get("/x", name="x")(endpoint)
    is_a_fault(app)


def test_tables_of_functions_and_names_of_attributes_are_not_called() -> None:
    table, listed, holder = {"user": user}, [user], Holder(user)

    async def names() -> list[str]:
        return [*table, *(each.__name__ for each in listed), holder.function.__name__]

    app = an_app()
    app.get("/x")(names)
    assert access_of(app) == ["public"]


def test_code_is_read_once_regardless_of_its_number_of_variables() -> None:
    names = [f"a{number}" for number in range(60)]
    calls = "".join(f"  await {name}()\n" for name in names)
    made: dict[str, Any] = {}
    exec(  # noqa: S102 - a function with many variables
        f"def outer({', '.join(names)}):\n async def endpoint():\n{calls} return endpoint\n", made
    )
    app = an_app()
    for number in range(20):
        app.get(f"/{number}")(made["outer"](*[page] * len(names)))
    reads_of.cache_clear()
    assert access_of(app) == ["public"] * 20
    assert reads_of.cache_info().misses < 10


def test_reading_an_attribute_differs_from_using_a_variable() -> None:
    def outer(first: Endpoint, second: Endpoint, third: SimpleNamespace) -> Endpoint:
        async def endpoint() -> object:
            return [await first(), second.__name__, [third.a.b for _ in range(2)], third.c()]

        return endpoint

    reads = reads_of(outer(page, page, SimpleNamespace()).__code__)
    assert reads["first"] == {()}
    assert reads["second"] == {("__name__",)}
    assert reads["third"] == {("a", "b"), ("c",)}
