"""`requires(…)` in the policy: the members it compiles to, and the faults that concern it."""

import functools
from collections.abc import Callable, Mapping
from typing import Annotated, Any

import pytest
from fastapi import APIRouter, Depends, FastAPI
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.staticfiles import StaticFiles

from fastgate import (
    Caller,
    Identity,
    all_of,
    any_caller,
    any_of,
    at_edge,
    claim,
    group,
    not_,
    requires,
    role,
    scope,
)
from fastgate.compile.drift import drift
from fastgate.compile.policy import CannotCompile, compile_routes
from fastgate.requires import Requires
from fastgate.vocabulary import MAX_DEPTH
from tests.compiled_route import compiled, faults
from tests.test_edge_agrees import DECIDE, decisions

ADMIN = requires(role="admin")


async def endpoint() -> None: ...


def app_with(
    *dependencies: object, path: str = "/x", mark: Mapping[str, Any] | None = None
) -> FastAPI:
    app = FastAPI(openapi_url=None)
    target = endpoint if mark is None else at_edge(**mark)(functools.partial(endpoint))
    app.get(path, dependencies=[Depends(each) for each in dependencies])(target)  # type: ignore[arg-type]
    return app


def test_every_requirement_has_its_member() -> None:
    dependency = requires(
        claim("tenant").equals_path("tenant_id"),
        any_of(claim(["org", "id"]).is_in(["a", "b"]), not_(claim("plan").contains("free"))),
        all_of(scope("a"), group("staff")),
        role="admin",
        scope="b",
        bound=True,
        acr=["urn:mfa", "urn:b"],
        max_age=300,
    )
    assert compiled(app_with(dependency, path="/{tenant_id:str}")) == {
        "access": "authenticated",
        "scopes": ["a", "b"],
        "require": {
            "all": [
                {
                    "any": [
                        {"claim": {"name": ["org", "id"], "in": ["a", "b"]}},
                        {"not": {"claim": {"name": "plan", "contains": "free"}}},
                    ]
                },
                {"claim": {"name": "tenant", "equals_path": "tenant_id"}},
                {"group": "staff"},
                {"role": "admin"},
            ]
        },
        "require_bound": True,
        "authentication": {"acr": ["urn:mfa", "urn:b"], "max_age": 300},
        "forward": [
            {"claim": ["org", "id"], "as": "/org/id"},
            {"claim": "plan"},
            {"claim": "tenant"},
            "groups",
        ],
    }


@pytest.mark.skipif(not DECIDE.exists(), reason="cargo build --example decide")
def test_the_edge_accepts_what_it_compiles_to() -> None:
    deep = role("a")
    for _ in range(MAX_DEPTH - 1):
        deep = not_(deep)
    dependency = requires(
        deep,
        claim("tenant").equals_path("tenant_id"),
        not_(claim(["org", "~/", "id"]).contains_path("tenant_id")),
        claim("x" * 64).is_in(["", 2**63 - 1, -(2**63), False]),
        group="g",
        scope="s",
        bound=True,
        acr=["urn:mfa"],
        max_age=31_622_400,
    )
    issuer = {"issuer": "https://idp.example", "backend": "idp", "audiences": ["orders"]}
    mapped = {"claims": {"roles": ["roles"], "groups": ["groups"]}}
    policy = {
        "edge": {"issuer": "https://edge.example", "hosts": ["edge.example"], "dpop": {}},
        "origins": {"app": {"backend": "origin", "audience": "orders"}},
        "issuers": {"idp": {**issuer, **mapped}},
        "routes": compile_routes(app_with(dependency, path="/{tenant_id:int}")),
    }
    assert decisions([{"policy": policy}]) == [{"faults": []}]


def test_a_single_condition_is_the_requirement_itself() -> None:
    assert compiled(app_with(ADMIN)) == {"access": "authenticated", "require": {"role": "admin"}}
    assert compiled(app_with(requires(scope="a"))) == {"access": "authenticated", "scopes": ["a"]}


def test_the_order_of_dependencies_does_not_matter() -> None:
    one, two = requires(role="a", max_age=60), requires(claim("x").equals(1), role="b", max_age=30)
    assert compiled(app_with(one, two)) == compiled(app_with(two, one, one))
    assert compiled(app_with(one, two))["authentication"] == {"max_age": 30}


def test_a_list_of_acr_may_be_part_of_another() -> None:
    app = app_with(requires(acr=["a", "b"]), requires(acr=["b"]), requires(acr=["c", "b", "a"]))
    assert compiled(app)["authentication"] == {"acr": ["b"]}


def test_a_mark_adds_to_it() -> None:
    mark = {
        "require": {"all": [{"rule": "staff"}, {"role": "admin"}]},
        "forward": [{"claim": "email"}, {"claim": "x"}],
        "authentication": {"acr": ["urn:mfa"], "max_age": 60},
    }
    app = app_with(ADMIN, requires(claim("x").equals(1), max_age=300), mark=mark)
    assert compiled(app) == {
        "access": "authenticated",
        "require": {
            "all": [
                {"rule": "staff"},
                {"role": "admin"},
                {"claim": {"name": "x", "equals": 1}},
            ]
        },
        "forward": [{"claim": "email"}, {"claim": "x"}],
        "authentication": {"acr": ["urn:mfa"], "max_age": 60},
    }


def test_what_an_app_declares_adds_to_it() -> None:
    app = at_edge(require={"role": "staff"}, forward=["groups"])(app_with(ADMIN))
    assert compiled(app) == {
        "access": "authenticated",
        "require": {"all": [{"role": "staff"}, {"role": "admin"}]},
        "forward": ["groups"],
    }
    open_app = at_edge(access="public")(app_with(ADMIN))
    assert compiled(open_app)["access"] == "authenticated"


def test_dependencies_of_routers_and_parameters_count() -> None:
    app = FastAPI(openapi_url=None, dependencies=[Depends(ADMIN)])
    router = APIRouter(dependencies=[Depends(requires(group="g"))])

    async def inner(caller: Annotated[Identity, Depends(requires(role="b"))]) -> Identity:
        return caller

    @router.get("/x")
    async def read(caller: Caller, other: Annotated[Identity, Depends(inner)]) -> None: ...

    app.include_router(router)
    roles = [{"group": "g"}, {"role": "admin"}, {"role": "b"}]
    assert compiled(app)["require"] == {"all": roles}


@pytest.mark.parametrize(
    ("app", "message"),
    [
        (app_with(ADMIN, mark={"access": "public"}), "requires a known caller by its dependencies"),
        (app_with(ADMIN, mark={"access": "optional"}), "requires a known caller by its dep"),
        (app_with(requires(claim("a").equals_path("p"))), 'the path parameter "p"'),
        (app_with(requires(not_(claim("a").equals_path("p"))), path="/{p}"), 'under "not"'),
        (app_with(ADMIN, mark={"require": {"claim": {"name": "a", "contains_path": "p"}}}), '"p"'),
        (app_with(requires(acr=["a"]), requires(acr=["b"])), "several lists"),
        (
            app_with(requires(acr=["a"]), mark={"authentication": {"acr": ["b"]}}),
            "several lists",
        ),
        (
            app_with(
                requires(claim("tenant").equals("a")),
                mark={"forward": [{"claim": ["org", "t"], "as": "tenant"}]},
            ),
            'forwards two claims as "tenant"',
        ),
    ],
)
def test_what_no_route_can_have_is_a_fault(app: FastAPI, message: str) -> None:
    assert message in faults(app)


EVERY = [
    (ADMIN, {"require": {"role": "admin"}}),
    (requires(group="g"), {"require": {"all": [{"group": "g"}, {"rule": "x"}]}}),
    (requires(bound=True), {"require_bound": True}),
    (requires(acr=["a", "b"]), {"authentication": {"acr": ["b"]}}),
    (requires(max_age=300), {"authentication": {"max_age": 200}}),
    (requires(scope="s"), {"scopes": ["s", "t"]}),
]
LESS: list[Mapping[str, Any]] = [
    {},
    {"require": {"any": [{"role": "admin"}, {"group": "g"}]}},
    {"authentication": {"acr": ["a", "b", "c"], "max_age": 301}},
    {"authentication": {"acr": ["c"]}},
    {"require_bound": False},
]


async def page(request: Request) -> PlainTextResponse:
    return PlainTextResponse("")


def around_files(app: FastAPI, mark: Mapping[str, Any]) -> None:
    app.mount("/files", at_edge(access="authenticated", **mark)(StaticFiles(directory="/")))


def around_a_mounted_app(app: FastAPI, mark: Mapping[str, Any]) -> None:
    inner = FastAPI(openapi_url=None)
    inner.get("/x")(at_edge(access="authenticated", **mark)(functools.partial(endpoint)))
    app.mount("/inner", inner)


def around_a_starlette_route(app: FastAPI, mark: Mapping[str, Any]) -> None:
    app.router.routes.append(
        Route("/p", at_edge(access="authenticated", **mark)(functools.partial(page)))
    )


def around_a_mark_of_a_mount(app: FastAPI, mark: Mapping[str, Any]) -> None:
    inner = Starlette(routes=[Route("/p", page)])
    app.mount("/inner", at_edge(access="authenticated", **mark)(inner))


AROUND = [around_files, around_a_mounted_app, around_a_starlette_route, around_a_mark_of_a_mount]


@pytest.mark.parametrize("around", AROUND)
@pytest.mark.parametrize(("dependency", "same"), EVERY)
def test_where_it_is_not_run_the_same_is_declared(
    dependency: Requires, same: Mapping[str, Any], around: Callable[..., None]
) -> None:
    app = FastAPI(openapi_url=None, dependencies=[Depends(dependency)])
    around(app, same)
    assert len(compile_routes(app)) == 1
    for less in LESS:
        app = FastAPI(openapi_url=None, dependencies=[Depends(dependency)])
        around(app, less)
        assert "FastAPI does not run that dependency" in faults(app), less


def test_the_remedy_has_the_mark_to_write() -> None:
    dependency = requires(group="g", bound=True, scope="s")
    app = FastAPI(openapi_url=None, dependencies=[Depends(dependency)])
    around_files(app, {})
    message = faults(app)
    members = "scopes=['s'], require={'group': 'g'}, require_bound=True"
    assert f'at_edge(access="authenticated", {members}), or' in message
    assert (
        """Security(fastgate, scopes=['s']) and requires({"group":"g"}, a bound token)""" in message
    )


@pytest.mark.parametrize("access", ["public", "optional"])
def test_an_open_mark_says_that_it_is_not_required(access: str) -> None:
    app = FastAPI(openapi_url=None, dependencies=[Depends(ADMIN)])
    app.mount("/files", at_edge(access=access)(StaticFiles(directory="/")))
    assert compiled(app) == {"access": access}


@pytest.mark.parametrize(("dependency", "same"), EVERY)
def test_an_override_that_requires_less_is_a_fault(
    dependency: Requires, same: Mapping[str, Any]
) -> None:
    assert same
    app = app_with(dependency)
    app.dependency_overrides[dependency] = requires(claim("other").equals(1))
    assert "by dependency_overrides in place of" in faults(app)
    app.dependency_overrides[dependency] = dependency
    assert compile_routes(app)
    app.dependency_overrides[dependency] = any_caller
    assert "a known caller" in faults(app)


def test_an_override_that_requires_more_is_none() -> None:
    app = app_with(requires(acr=["a", "b"], max_age=300))
    app.dependency_overrides[requires(acr=["a", "b"], max_age=300)] = requires(
        role="x", acr=["a"], max_age=30
    )
    assert compiled(app)["authentication"] == {"acr": ["a"], "max_age": 30}


def test_in_a_signature_that_is_not_read_it_is_a_fault() -> None:
    async def read(caller: Caller) -> None: ...

    @functools.wraps(read)
    async def wrapper(caller: Annotated[Identity, Depends(ADMIN)]) -> None: ...

    app = FastAPI(openapi_url=None)
    app.get("/x")(wrapper)
    assert '{"role":"admin"} in a signature that FastAPI does not read' in faults(app)

    @functools.wraps(read)
    async def unknown(caller: Annotated[Identity, Depends(requires(role="b"))]) -> None: ...

    app = FastAPI(openapi_url=None)
    app.get("/x")(unknown)
    assert "cannot be read without running code" in faults(app)


def test_of_two_in_one_annotation_the_lost_one_is_a_fault() -> None:
    app = FastAPI(openapi_url=None)

    @app.get("/x")
    async def read(
        caller: Annotated[Identity, Depends(ADMIN), Depends(requires(role="b"))],
    ) -> None: ...

    said = faults(app)
    assert 'requires {"role":"admin"} in an annotation without effect' in said
    assert "whole annotation and never optional: Annotated[Identity, Depends(requires(…))]" in said


def test_a_path_within_it_may_require_as_much_or_less() -> None:
    app = FastAPI(openapi_url=None)
    both = {"all": [{"role": "admin"}, {"role": "b"}]}
    for name in ("private", "secret"):
        app.get(f"/files/{name}/own")(endpoint)
    app.mount("/files", at_edge(require=both)(StaticFiles(directory="/")))
    at_edge(below="/files/private", require={"role": "admin"})(app)
    with pytest.raises(CannotCompile) as error:
        compile_routes(app)  # the other path declares nothing yet
    assert "/files/private" not in str(error.value)
    at_edge(below="/files/secret", require={"role": "c"})(app)
    assert 'also takes everything below "/files/secret"' in faults(app)


def test_a_mark_that_it_covers_may_be_anywhere() -> None:
    """Such a mark has no effect, and needs none: what it requires is required anyway."""
    marked = at_edge(require={"role": "admin"})(functools.partial(endpoint))

    def app_that_refers_to_it(*dependencies: Requires) -> FastAPI:
        async def read() -> None:
            await marked()

        app = FastAPI(openapi_url=None)
        app.get("/x", dependencies=[Depends(each) for each in dependencies])(read)
        return app

    assert compile_routes(app_that_refers_to_it(requires(group="g"), ADMIN))
    assert "declaration without effect: require" in faults(
        app_that_refers_to_it(requires(group="g"))
    )


def test_a_requirement_within_an_opaque_app_is_a_fault() -> None:
    inner = FastAPI(openapi_url=None)
    inner.get("/x", dependencies=[Depends(ADMIN)])(endpoint)

    def opaque(mark: Mapping[str, Any]) -> FastAPI:
        app = FastAPI(openapi_url=None)
        marked = at_edge(opaque=True, access="authenticated", methods=["GET"], **mark)
        app.mount("/inner", marked(functools.partial(inner)))
        return app

    assert "require" in faults(opaque({}))
    assert compile_routes(opaque({"require": {"all": [{"role": "admin"}, {"role": "b"}]}}))


def test_drift_compares_what_it_compiles_to() -> None:
    dependency = requires(claim("x").equals(1), role="admin", bound=True, max_age=300)
    app = compile_routes(app_with(dependency))
    assert drift(app, app) == []
    (route,) = app
    for member in ("require", "require_bound", "authentication", "forward"):
        edge = [{name: value for name, value in route.items() if name != member}]
        (line,) = drift(app, edge)
        assert f"{member}: the app has" in line
        assert "the edge has nothing" in line


def test_drift_compares_conditions_as_sets() -> None:
    app = compile_routes(app_with(requires(role="a", group="b")))
    (route,) = app
    turned = {"all": [{"role": "a"}, {"all": [{"group": "b"}]}]}
    assert drift(app, [{**route, "require": turned}]) == []
    assert len(drift(app, [{**route, "require": {"role": "a"}}])) == 1
    assert len(drift(app, [{**route, "require": {"all": [turned, {"role": "c"}]}}])) == 1
