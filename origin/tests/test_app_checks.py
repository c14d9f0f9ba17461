"""Credentials that the app itself checks: who declares that, and what the edge then passes on."""

import functools
import json
import re
import sys
from pathlib import Path
from typing import Annotated, Any

import pytest
from fastapi import APIRouter, Depends, FastAPI, Header, Query, Security, routing
from fastapi.openapi.models import HTTPBearer as BearerModel
from fastapi.openapi.models import OAuth2 as OAuth2Model
from fastapi.openapi.models import OAuthFlows
from fastapi.openapi.models import OpenIdConnect as OpenIdModel
from fastapi.requests import HTTPConnection
from fastapi.security import (
    APIKeyCookie,
    APIKeyHeader,
    HTTPBasic,
    HTTPBearer,
    OAuth2PasswordBearer,
    SecurityScopes,
)
from fastapi.security.base import SecurityBase
from fastapi.security.http import HTTPBase
from pydantic import BaseModel
from starlette.responses import Response
from starlette.staticfiles import StaticFiles

from fastgate import at_edge
from fastgate.compile.drift import drift
from fastgate.compile.endpoints.documentation import declare_docs
from fastgate.compile.policy import compile_routes, route_ids
from tests.compiled_route import app_with, compiled, endpoint, faults

PASSWORD = OAuth2PasswordBearer(tokenUrl="token")
MAYBE = OAuth2PasswordBearer(tokenUrl="token", auto_error=False)
KEY = APIKeyHeader(name="X-Key")
COOKIE = APIKeyCookie(name="session", auto_error=False)
SIGNED_IN = {"access": "authenticated", "forward_token": True}
OAUTH2 = OAuth2Model(flows=OAuthFlows())
AUTHENTICATED = at_edge(access="authenticated")


class Described(SecurityBase):
    """A scheme of a library, with what it tells OpenAPI about itself."""

    def __init__(self, model: Any = None) -> None:  # noqa: ANN401
        self.model = model

    async def __call__(self, scopes: SecurityScopes) -> None: ...


class Bearer(HTTPBearer):
    """A scheme that lets others pass."""

    async def __call__(self, request: HTTPConnection) -> None: ...


def by_hand(request: HTTPConnection, scopes: SecurityScopes) -> None: ...


def by_header(scopes: SecurityScopes, authorization: Annotated[str, Header()]) -> None: ...


def by_scheme(scopes: SecurityScopes, token: Annotated[object, Depends(Bearer())]) -> None: ...


def by_key(scopes: SecurityScopes, key: Annotated[object, Depends(KEY)]) -> None: ...


class ByAttribute:
    """A dependency that calls a scheme itself."""

    def __init__(self) -> None:
        self.scheme = HTTPBearer()

    async def __call__(self, request: HTTPConnection, scopes: SecurityScopes) -> None: ...


# Scopes


@pytest.mark.parametrize("check", [by_hand, by_header, by_scheme, by_key, ByAttribute()])
def test_scopes_that_a_function_checks_are_required_of_declared_callers(check: Any) -> None:  # noqa: ANN401
    chain = Security(check, scopes=["admin"])
    for app in (
        app_with(chain, access="authenticated"),
        AUTHENTICATED(app_with(chain)),
        at_edge(below="/x", access="authenticated")(app_with(chain)),
    ):
        routes = compile_routes(app)
        assert routes[0]["scopes"] == ["admin"]
        assert drift(routes, [{**routes[0], "scopes": []}]) == [
            'GET /x: only the app requires the scope "admin"'
        ]
    assert "scopes" not in compiled(app_with(chain, access="optional"))
    assert compiled(app_with(chain, access="authenticated", scopes=["b"]))["scopes"] == ["b"]
    text = Security(check, scopes="ab")
    assert "scopes='ab', a string" in faults(app_with(text, access="authenticated"))


# What reads the token


@pytest.mark.parametrize(
    "scheme",
    [
        Described(OAUTH2),
        Described(BearerModel()),
        Described(OpenIdModel(openIdConnectUrl="https://id.example.com/")),
        HTTPBase(scheme="Bearer", auto_error=False),
        APIKeyHeader(name="Authorization"),
        by_header,
    ],
)
def test_what_reads_the_token_gets_it(scheme: Any) -> None:  # noqa: ANN401
    assert compiled(app_with(scheme, access="authenticated")) == SIGNED_IN
    assert compiled(app_with(scheme, access="optional")) == {**SIGNED_IN, "access": "optional"}
    assert compiled(app_with(MAYBE, by_hand, access="authenticated")) == SIGNED_IN


def test_a_parameter_of_the_endpoint_reads_the_token_as_well() -> None:
    app = AUTHENTICATED(FastAPI(openapi_url=None))

    @app.get("/x")
    def read(token: Annotated[str, Header(alias="Authorization")]) -> None: ...

    assert compiled(app) == SIGNED_IN


def test_an_http_scheme_of_bearer_tokens_requires_one() -> None:
    assert compiled(app_with(HTTPBase(scheme="bearer"))) == SIGNED_IN


# Names in marks


def no_check() -> None: ...


NAMED = [
    ([KEY], ["APIKeyHeader"]),
    ([COOKIE, KEY], ["APIKeyCookie", "APIKeyHeader"]),
    ([by_key], ["APIKeyHeader"]),
    ([Described()], ["Described"]),
    ([APIKeyHeader(name="k", scheme_name="partner")], ["partner"]),
]


@pytest.mark.parametrize(("checks", "names"), NAMED)
@pytest.mark.parametrize("access", ["public", "optional"])
def test_a_mark_around_an_endpoint_names_what_the_app_checks(
    checks: list[Any], names: list[str], access: str
) -> None:
    mark: dict[str, Any] = {"access": access, "app_checks": names}
    router = at_edge(**mark)(APIRouter())
    router.get("/x", dependencies=[Depends(each) for each in checks])(endpoint)
    app = FastAPI(openapi_url=None)
    app.include_router(router)
    for each in (
        app,
        at_edge(**mark)(app_with(*checks)),
        at_edge(below="/x", **mark)(app_with(*checks)),
        app_with(*checks, **mark),
    ):
        assert compiled(each) == {"access": access}
    for missing in ([], names[1:]):
        mark = {"access": access, **({"app_checks": missing} if missing else {})}
        assert "does not declare who may call it" in faults(at_edge(**mark)(app_with(*checks)))


def test_names_alone_declare_nobody() -> None:
    assert "does not declare who may call it" in faults(app_with(KEY, app_checks=["APIKeyHeader"]))


def test_names_open_nothing_that_requires_a_token() -> None:
    mark = at_edge(access="public", app_checks=["OAuth2PasswordBearer"])
    assert compiled(mark(app_with(PASSWORD))) == SIGNED_IN


def test_a_mark_around_a_router_opens_only_what_it_names() -> None:
    def app_below(*names: str, **own: Any) -> FastAPI:  # noqa: ANN401
        app = at_edge(access="public", app_checks=list(names))(FastAPI(openapi_url=None))
        router = APIRouter(dependencies=[Security(by_hand, scopes=["a"])])
        target = at_edge(**own)(functools.partial(endpoint)) if own else endpoint
        router.get("/x", dependencies=[Depends(KEY)])(target)
        app.include_router(router)
        return app

    found = faults(app_below("APIKeyHeader"))
    assert 'inherits access="public", but depends on by_hand' in found
    every = 'at_edge(access="public", app_checks=["APIKeyHeader", "by_hand"])'
    assert every in found
    assert "does not declare who may call it" in faults(app_below("by_hand"))
    assert compiled(app_below("APIKeyHeader", "by_hand")) == {"access": "public"}
    found = faults(app_below("APIKeyHeader", access="public"))
    assert "a router or app around it depends on by_hand" in found
    assert f"declare {every} if the app alone" in found
    assert compiled(app_below("APIKeyHeader", access="public", app_checks=["by_hand"]))


@pytest.mark.parametrize("value", ["app", [""], [1], True])
def test_names_are_a_list_of_texts(value: object) -> None:
    with pytest.raises(
        ValueError, match=r"app_checks is .* it must list names of security schemes"
    ):
        at_edge(access="public", app_checks=value)


# Remedies


def marks_in(text: str) -> list[str]:
    """Return each mark that a remedy contains completely."""
    return [each for each in re.findall(r"at_edge\([^()]*\)(?:\(app\))?", text) if "…" not in each]


@pytest.mark.parametrize(
    "checks",
    [
        *([MAYBE], [Bearer()], [KEY], [COOKIE, KEY], [MAYBE, KEY], [by_key], [Described()]),
        [MAYBE, HTTPBasic(auto_error=False)],
        *([Described(OAUTH2)], [APIKeyHeader(name="Authorization")], [by_hand]),
        *(
            [HTTPBearer(auto_error=False, scheme_name="b")],
            [HTTPBase(scheme="bearer")],
            [by_header],
        ),
    ],
)
@pytest.mark.parametrize("around", [None, "public", "optional"])
def test_each_mark_of_a_remedy_compiles_at_every_level(
    checks: list[Any], around: str | None
) -> None:
    def app() -> FastAPI:
        made = app_with(*checks)
        return at_edge(access=around)(made) if around else made

    try:
        compiled(app())
    except ValueError as error:
        marks = [each.removesuffix("(app)") for each in marks_in(str(error))]
        assert marks
        for mark in marks:
            declare = eval(mark, {"at_edge": at_edge})  # noqa: S307 - the text of a remedy
            on_endpoint = FastAPI(openapi_url=None)
            listed = [Depends(each) for each in checks]
            target = declare(functools.partial(endpoint))
            on_endpoint.get("/x", dependencies=listed)(target)
            below = eval(mark.replace("(", '(below="/x", ', 1), {"at_edge": at_edge})  # noqa: S307
            for marked in (on_endpoint, below(app())):
                routes = compile_routes(marked)
                assert all(f'access="{each["access"]}"' in mark for each in routes)


LISTED = [MAYBE, HTTPBearer(), Bearer(), KEY, COOKIE, by_hand, by_header]


@pytest.mark.parametrize("own", [None, MAYBE, COOKIE, by_hand, by_key])
@pytest.mark.parametrize("listed", LISTED)
@pytest.mark.parametrize("inherited", [None, "public", "optional"])
@pytest.mark.parametrize("declared", [None, "public"])
def test_each_mark_of_a_remedy_compiles_below_a_router(
    own: Any,  # noqa: ANN401
    listed: Any,  # noqa: ANN401
    inherited: str | None,
    declared: str | None,
) -> None:
    def app(mark: Any = None) -> FastAPI:  # noqa: ANN401
        made = FastAPI(openapi_url=None)
        if inherited:
            at_edge(access=inherited, app_checks=["other"])(made)
        router = APIRouter(dependencies=[Security(listed, scopes=["a"])])
        mark = at_edge(access=declared) if declared and mark is None else mark
        target = functools.partial(endpoint)
        dependencies = [Security(own, scopes=["a"])] if own is not None else []
        router.get("/x", dependencies=dependencies)(mark(target) if mark else target)
        made.include_router(router)
        return made

    try:
        compile_routes(app())
    except ValueError as error:
        marks = [each.removesuffix("(app)") for each in marks_in(str(error))]
        assert any("app_checks" in each for each in marks) or 'access="none"' in marks[-1]
        for mark in marks:
            if 'access="none"' not in mark:
                declare = eval(mark, {"at_edge": at_edge})  # noqa: S307 - the text of a remedy
                (route,) = compile_routes(app(declare))
                assert f'access="{route["access"]}"' in mark
        for mark in (each for each in marks if "app_checks" in each and not declared):
            below = eval(mark.replace("(", '(below="/x", ', 1), {"at_edge": at_edge})  # noqa: S307
            (route,) = compile_routes(below(app()))
            assert f'access="{route["access"]}"' in mark


def test_an_endpoint_of_a_library_is_marked_by_its_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "site-packages"
    folder.mkdir()
    (folder / "users_of_a_library.py").write_text(
        "from fastapi import APIRouter, Depends\n"
        "from fastapi.security import APIKeyCookie\n"
        "def router():\n"
        "    found = APIRouter()\n"
        "    found.post('/logout', dependencies=[Depends(APIKeyCookie(name='s'))])(lambda: 1)\n"
        "    found.post('/register')(lambda: 1)\n"
        "    return found\n"
    )
    monkeypatch.syspath_prepend(str(folder))
    import users_of_a_library  # type: ignore[import-not-found]

    def made() -> FastAPI:
        app = FastAPI(openapi_url=None)
        app.include_router(users_of_a_library.router(), prefix="/auth")
        return app

    found = faults(made())
    sys.modules.pop("users_of_a_library")
    assert "`caller: Caller`" not in found
    marks = [each for each in marks_in(found) if "public" in each]
    assert marks == [
        'at_edge(below="/auth/logout", access="public", app_checks=["APIKeyCookie"])(app)',
        'at_edge(below="/auth/register", access="public")(app)',
    ]
    app = made()
    for mark in marks:
        eval(mark, {"at_edge": at_edge, "app": app})  # noqa: S307 - the text of a remedy
    assert [each["access"] for each in compile_routes(app)] == ["public", "public"]
    behind = FastAPI(openapi_url=None)
    behind.root_path = "/api"
    behind.include_router(users_of_a_library.router(), prefix="/auth")
    assert {*marks} <= {*marks_in(faults(behind))}
    recipe = at_edge(below="/auth", access="public", app_checks=["APIKeyCookie"])(made())
    assert [each["access"] for each in compile_routes(recipe)] == ["public", "public"]


def test_the_remedy_for_a_dependency_that_reads_the_token_itself_passes_it_on() -> None:
    mark = 'at_edge(access="authenticated", forward_token=True)'
    assert mark in faults(app_with(by_hand))
    assert mark in faults(app_with(Described()))


@pytest.mark.parametrize("where", ["route", "mount", "static", "before"])
def test_a_check_that_fastapi_does_not_run_opens_nothing(where: str) -> None:
    app = FastAPI(openapi_url=None, dependencies=[Depends(KEY)])
    at_edge(access="public", app_checks=["APIKeyHeader"])(app)
    inner = FastAPI(openapi_url=None)
    inner.get("/m")(lambda: None)
    match where:
        case "route":
            app.add_route("/st", lambda _request: Response())
        case "mount":
            app.mount("/sub", inner)
        case "static":
            app.mount("/files", StaticFiles(directory=Path(__file__).parent))
        case "before":
            app = FastAPI(openapi_url=None)
            at_edge(access="public", app_checks=["APIKeyHeader"])(app)
            app.get("/old")(lambda: None)
            app.router.dependencies.append(Depends(KEY))
    app.get("/orders")(lambda: None)
    assert "FastAPI does not run that for it" in faults(app)


@pytest.mark.parametrize("listed", [KEY, by_key])
@pytest.mark.parametrize("where", ["before", "extended", "router", "same", "other", "none"])
def test_each_listed_check_runs_for_each_endpoint(listed: Any, where: str) -> None:  # noqa: ANN401
    app = FastAPI(openapi_url=None)
    router, inner = APIRouter(prefix="/r"), FastAPI(openapi_url=None)
    router.get("/x")(functools.partial(endpoint))
    match where:
        case "before":
            app.get("/y")(functools.partial(endpoint))
        case "extended":
            app.router.routes.extend(router.routes)
        case "router":
            router.dependencies.append(Depends(listed))
            app.include_router(router)
        case _:
            checks: dict[str, Any] = {
                "same": by_scheme,
                "other": APIKeyHeader(name="X-Other"),
                "none": no_check,
            }
            inner.get("/x", dependencies=[Depends(checks[where])])(functools.partial(endpoint))
            app.mount("/sub", inner)
    at_edge(access="public", app_checks=["APIKeyHeader", "HTTPBearer"])(app)
    app.router.dependencies += [Depends(listed)]
    app.get("/z", dependencies=[Depends(COOKIE)])(functools.partial(endpoint))
    assert 'app_checks=["APIKeyHeader"], but FastAPI does not run that for it' in faults(app)


def test_what_leads_to_a_named_check_runs_as_well() -> None:
    def app(check: Any) -> FastAPI:  # noqa: ANN401
        made, inner = FastAPI(openapi_url=None), FastAPI(openapi_url=None)
        at_edge(access="public", app_checks=["APIKeyHeader"])(made)
        made.router.dependencies.append(Depends(by_key))
        inner.get("/x", dependencies=[Depends(check)])(endpoint)
        made.mount("/sub", inner)
        return made

    assert "FastAPI does not run that for it" in faults(app(KEY))
    assert compiled(app(by_key)) == {"access": "public"}


@pytest.mark.parametrize("around", ["app", "router", "path"])
@pytest.mark.parametrize("name", ["APIKeyHaeder", "no_check"])
def test_a_name_that_no_endpoint_runs_is_a_fault(name: str, around: str) -> None:
    found = faults(marked(["APIKeyHeader", name], KEY, around=around))
    assert found.count(f'app_checks=["{name}"], but no endpoint below that mark') == 1
    assert found.count("app_checks") == 1


def test_an_endpoint_runs_a_named_check_wherever_it_is_included() -> None:
    def app(*checks: Any) -> FastAPI:  # noqa: ANN401
        made = FastAPI(openapi_url=None)
        router = at_edge(access="public", app_checks=["by_hand"])(APIRouter())
        router.get("/x")(endpoint)
        for number, check in enumerate(checks):
            listed = [Depends(check)] if check else []
            made.include_router(router, prefix=f"/{number}", dependencies=listed)
        return made

    assert 'app_checks=["by_hand"], but runs that only as /0/x' in faults(app(by_hand, None))
    assert len(compile_routes(app(by_hand, by_hand))) == 2


@pytest.mark.parametrize("scheme", [APIKeyHeader, HTTPBearer, Described])
def test_the_class_of_a_scheme_is_no_check(scheme: Any) -> None:  # noqa: ANN401
    found = faults(app_with(scheme, access="public", app_checks=[scheme.__name__]))
    assert "FastAPI does not run that for it" in found


class Checks:
    """A check of an object, and not of its class."""

    def __call__(self, key: Annotated[str, Header()] = "") -> None: ...

    def check(self, key: Annotated[str, Header()] = "") -> None: ...


class MoreChecks(Checks):
    """It inherits the check."""

    def __init__(self) -> None: ...


class Common:
    """FastAPI runs its check: it creates an object."""

    def __init__(self, key: Annotated[str, Header()] = "") -> None: ...


@pytest.mark.parametrize("around", ["app", "router", "path", "endpoint"])
@pytest.mark.parametrize("kind", [Checks, MoreChecks, APIKeyHeader])
def test_a_class_with_a_call_of_its_own_is_no_check(kind: Any, around: str) -> None:  # noqa: ANN401
    def app(check: Any) -> FastAPI:  # noqa: ANN401
        name = kind.__name__
        if around == "endpoint":
            return app_with(check, access="public", app_checks=[name])
        return marked([name], check, around=around)

    found = faults(app(kind))
    assert f'app_checks=["{kind.__name__}"], but' in found
    assert f"Depends({kind.__name__}(…))" in found
    assert compile_routes(app(KEY if kind is APIKeyHeader else kind()))


def test_a_class_is_no_check_beside_its_object() -> None:
    found = faults(marked(["Checks"], Checks(), Checks))
    assert "has that only in Depends(Checks), and not in Depends(Checks(…))" in found
    assert "/x/1" in found


def test_a_class_without_a_call_checks_when_it_is_created() -> None:
    assert compile_routes(marked(["Common"], Common))


@pytest.mark.parametrize("around", ["app", "endpoint"])
def test_a_name_that_nothing_has_is_reported_with_those_that_are_there(around: str) -> None:
    checks = [Checks().check, by_hand]
    found = faults(
        marked(["check"], *checks)
        if around == "app"
        else app_with(*checks, access="public", app_checks=["check"])
    )
    assert 'name what is run: "Checks.check", "by_hand"; ' in found
    if around == "app":
        assert len(compile_routes(marked(["Checks.check", "by_hand"], *checks))) == 2


def user_of(key: Annotated[str, Header()] = "") -> None: ...


User = Annotated[str, Depends(user_of)]


def wrapped(target: Any) -> Any:  # noqa: ANN401
    @functools.wraps(target)
    def inner(*args: Any, user: str = Depends(user_of), **named: Any) -> Any: ...  # noqa: ANN401

    return inner


def hidden(target: Any) -> Any:  # noqa: ANN401
    def inner() -> Any:  # noqa: ANN401
        return target()  # pragma: no cover

    return inner


class Fields(BaseModel):
    """A model with a check in a field."""

    user: User = ""


def takes_default(user: str = user_of) -> None: ...  # type: ignore[assignment]
def takes_metadata(user: Annotated[str, user_of] = "") -> None: ...
def takes_scheme(user: Annotated[str, KEY] = "") -> None: ...
def takes_two(user: Annotated[User, Depends(no_check)]) -> None: ...
def takes_fields(fields: Annotated[Fields, Query()]) -> None: ...
def takes_user(user: User) -> None: ...
def depends_by_default(user: str = Depends(user_of)) -> None: ...


@pytest.mark.parametrize("own", [{}, {"access": "public", "app_checks": []}])
@pytest.mark.parametrize(
    ("target", "place"),
    [
        (takes_default, "the parameter user, without Depends(…)"),
        (takes_metadata, "the parameter user, without Depends(…)"),
        (takes_scheme, "the parameter user, without Depends(…)"),
        (takes_two, "the signature of takes_two"),
        (wrapped(endpoint), "the signature of endpoint"),
        (hidden(takes_user), "the signature of takes_user"),
        (functools.partial(depends_by_default, user="x"), "the signature of depends_by_default"),
        (takes_fields, "the field user of Fields"),
    ],
)
def test_a_check_that_is_written_where_fastapi_runs_nothing_is_a_fault(
    target: Any,  # noqa: ANN401
    place: str,
    own: dict[str, Any],
) -> None:
    app = at_edge(access="public", app_checks=["user_of", "APIKeyHeader"])(
        FastAPI(openapi_url=None)
    )
    app.get("/ok", dependencies=[Depends(KEY)])(takes_user)
    app.get("/login")(functools.partial(endpoint))
    app.get("/x")(at_edge(**own)(functools.partial(target)) if own else target)
    if own:
        assert len(compile_routes(app)) == 3
        return
    found = faults(app)
    assert f"but has that only in {place}" in found
    assert found.count("app_checks=[") == 2  # and in the remedy
    assert "where FastAPI does not run it" in found


def test_an_access_of_a_mount_counts_for_every_kind_of_app() -> None:
    app = FastAPI(openapi_url=None, dependencies=[Depends(KEY)])
    at_edge(access="public", app_checks=["APIKeyHeader"])(app)
    inner = FastAPI(openapi_url=None)
    inner.get("/m")(lambda: None)
    files = StaticFiles(directory=Path(__file__).parent)
    for path, mounted in (("/sub", inner), ("/files", files)):
        app.mount(path, at_edge(access="public")(mounted))
    assert [each["access"] for each in compile_routes(app)] == ["public", "public"]


@pytest.mark.parametrize("mark", [{}, {"access": "public", "app_checks": ["APIKeyHeader"]}])
def test_an_opaque_app_is_no_page_of_fastapi(mark: dict[str, Any]) -> None:
    app, inner = FastAPI(openapi_url=None), FastAPI(dependencies=[Depends(KEY)])
    app.mount("/sub", at_edge(opaque=True, methods=["GET"], **mark)(inner))
    found = faults(app)
    assert "FastAPI's own pages" not in found
    assert ("mounted app itself who may call it" if mark else 'public")(FastAPI(…))') in found
    assert "below=" not in found


needs_mounts_in_routers = pytest.mark.skipif(
    not hasattr(routing, "_IncludedRouter"), reason="older FastAPI drops mounts of routers"
)
NAMED_KEY: dict[str, Any] = {"access": "public", "app_checks": ["APIKeyHeader"]}


@pytest.mark.parametrize("around", [NAMED_KEY, {"access": "authenticated"}])
@pytest.mark.parametrize("kind", [FastAPI, APIRouter])
@pytest.mark.parametrize("lists", ["app", pytest.param("router", marks=needs_mounts_in_routers)])
def test_a_mount_that_names_checks_itself_runs_what_is_listed_around_it(
    around: dict[str, Any],
    kind: Any,  # noqa: ANN401
    lists: str,
) -> None:
    def app(*, is_run: bool, **mark: Any) -> FastAPI:  # noqa: ANN401
        listed = [Depends(by_key)]
        made = FastAPI(openapi_url=None, dependencies=listed if lists == "app" else [])
        router = APIRouter(dependencies=listed if lists == "router" else [])
        at_edge(**around)(made if lists == "app" else router)
        inner = at_edge(**mark)(kind(**({"openapi_url": None} if kind is FastAPI else {})))
        inner.get("/a", dependencies=listed)(functools.partial(endpoint))
        inner.get("/b", dependencies=listed if is_run else [])(functools.partial(endpoint))
        router.get("/x", dependencies=listed)(functools.partial(endpoint))
        (made if lists == "app" else router).mount("/sub", inner)
        made.include_router(router)
        return made

    marks = [NAMED_KEY, {"app_checks": ["APIKeyHeader"]}] if around is NAMED_KEY else [NAMED_KEY]
    for mark in marks:
        found = faults(app(is_run=False, **mark))
        assert found.count("FastAPI does not run that for it") == 1
        compile_routes(app(is_run=True, **mark))


@needs_mounts_in_routers
def test_a_mount_that_answers_for_itself_does_not_answer_for_what_it_lists() -> None:
    def app(**mark: Any) -> FastAPI:  # noqa: ANN401
        listed = [Depends(KEY)]
        made = FastAPI(openapi_url=None, dependencies=listed)
        middle = at_edge(access="public")(FastAPI(openapi_url=None, dependencies=listed))
        inner, router = FastAPI(openapi_url=None), at_edge(**NAMED_KEY)(APIRouter())
        inner.get("/b")(functools.partial(endpoint))
        router.get("/x", dependencies=listed)(functools.partial(endpoint))
        router.mount("/inner", at_edge(**mark)(inner) if mark else inner)
        middle.include_router(router)
        made.mount("/sub", middle)
        return made

    assert "FastAPI does not run that for it" in faults(app())
    assert "FastAPI does not run that for it" in faults(app(**NAMED_KEY))
    assert compile_routes(app(access="public", app_checks=[]))


MOUNTED = FastAPI()


@pytest.mark.parametrize("listed", [KEY, HTTPBearer()])
def test_the_remedy_for_pages_of_a_mounted_app_names_the_app(listed: Any) -> None:  # noqa: ANN401
    def app(inner: FastAPI) -> FastAPI:
        made = FastAPI(openapi_url=None, dependencies=[Depends(listed)])
        if listed is KEY:
            at_edge(access="public", app_checks=["APIKeyHeader"])(made)
        made.mount("/sub", inner)
        return made

    found = faults(app(MOUNTED))
    members = 'access="…", app_checks=[]' if listed is KEY else 'access="…"'
    assert f"declare who may call the mounted app: at_edge({members})(MOUNTED), {__file__}:" in (
        found
    )
    assert f"at_edge({members})(…), mounted at /sub" in faults(app(FastAPI()))
    marked = eval(f"at_edge({members})".replace("…", "public"), {"at_edge": at_edge})  # noqa: S307
    assert {each["access"] for each in compile_routes(app(marked(FastAPI())))} == {"public"}
    assert compile_routes(app(FastAPI(openapi_url=None))) == []
    if listed is KEY:
        outer = app(FastAPI())
        declare_docs(outer, "public")
        assert {each["access"] for each in compile_routes(outer)} == {"public"}


@pytest.mark.parametrize("is_marked", [True, False])
def test_the_remedy_for_pages_leaves_out_an_app_that_runs_a_named_check(is_marked: bool) -> None:
    mark: Any = at_edge(access="public", app_checks=["APIKeyHeader"])
    app, inner = FastAPI(openapi_url=None), FastAPI(dependencies=[Depends(KEY)])
    app.router.dependencies.append(Depends(KEY))
    mark(inner if is_marked else app)
    app.get("/x")(at_edge(access="authenticated")(lambda: None))
    inner.get("/x")(lambda: None)
    app.mount("/sub", inner)
    found = faults(app)
    assert 'guard(app, settings, docs="public")' in found
    assert "declare who may call the mounted app" not in found


def test_a_mark_of_an_endpoint_names_what_it_runs() -> None:
    app = FastAPI(openapi_url=None)
    app.get("/a")(at_edge(access="public", app_checks=["APIKeyHeader"])(lambda: None))
    assert 'app_checks=["APIKeyHeader"], but FastAPI does not run that' in faults(app)


def test_a_path_may_name_more_than_each_endpoint_runs() -> None:
    app = FastAPI(openapi_url=None)
    at_edge(below="/auth", access="public", app_checks=["APIKeyCookie"])(app)
    app.get("/auth/login")(lambda: None)
    app.get("/auth/me", dependencies=[Depends(COOKIE)])(lambda: None)
    assert [each["access"] for each in compile_routes(app)] == ["public", "public"]


def test_scopes_of_a_nested_dependency_count() -> None:
    def verify(request: HTTPConnection) -> None: ...

    def active(user: Annotated[None, Security(verify, scopes=["admin"])]) -> None: ...

    app, router = FastAPI(openapi_url=None), APIRouter(dependencies=[Depends(active)])
    at_edge(access="public")(app)
    router.get("/admin")(lambda: None)
    app.include_router(router)
    fault = faults(app)
    assert "may refuse callers, as Security(…) says" in fault


@pytest.mark.parametrize("name", ["Key of {tenant}", "{0}", 'a "key"', "{}"])
def test_a_scheme_may_have_any_name(name: str) -> None:
    app = FastAPI(openapi_url=None)
    key = APIKeyHeader(name="X-Key", scheme_name=name)
    router = APIRouter(dependencies=[Depends(key)])
    router.get("/a")(at_edge(access="public")(lambda: None))
    app.include_router(router)
    fault = faults(app)
    assert f"app_checks=[{json.dumps(name)}]" in fault


# What a name in a mark means


@pytest.mark.parametrize("own", [True, False])
@pytest.mark.parametrize("where", ["endpoint", "router", "below"])
def test_an_override_that_removes_a_named_check_is_a_fault(own: bool, where: str) -> None:
    mark = at_edge(access="public", app_checks=["APIKeyHeader"])
    checks: list[Any] = [KEY] if where == "endpoint" else [by_key] if where == "below" else []
    router = APIRouter(dependencies=[Depends(KEY)] if where == "router" else [])
    target: Any = functools.partial(endpoint)
    listed = [Depends(each) for each in checks]
    router.get("/x", dependencies=listed)(mark(target) if own else target)
    app = FastAPI(openapi_url=None)
    app.include_router(router)
    app = app if own else mark(app)
    assert compiled(app) == {"access": "public"}
    app.dependency_overrides[by_key if where == "below" else KEY] = no_check
    found = faults(app)
    assert 'app_checks=["APIKeyHeader"], but dependency_overrides replaces that' in found
    assert "FastAPI does not run that" not in found
    assert route_ids(app) == {("GET", "/x"): "get-x"}  # a test may start it

    def still(key: Annotated[object, Depends(KEY)]) -> None: ...

    others: list[Any] = [APIKeyHeader(name="X-Key", auto_error=False)]
    for other in (*others, still) if where == "below" else others:
        app.dependency_overrides = {by_key if where == "below" else KEY: other}
        assert "but dependency_overrides replaces that" in faults(app)
    app.dependency_overrides = {by_hand: no_check}
    assert compiled(app) == {"access": "public"}


def test_an_override_with_the_name_of_the_check_replaces_it() -> None:
    app = marked(["made_by_a_function.<locals>.check"], CHECK)
    app.dependency_overrides[CHECK] = made_by_a_function()
    assert "but dependency_overrides replaces that" in faults(app)


def made_by_a_function() -> Any:  # noqa: ANN401
    def check(scopes: SecurityScopes) -> None: ...

    return check


class Named:
    """A class with the name of a scheme."""

    class APIKeyHeader:
        """Not a scheme."""

        def __call__(self, scopes: SecurityScopes) -> None: ...


Named.APIKeyHeader.__qualname__ = "APIKeyHeader"
CHECK = made_by_a_function()
SAME_NAMES = [
    (KEY, APIKeyHeader(name="X-Other-Key"), "APIKeyHeader"),
    (by_key, APIKeyHeader(name="X-Other-Key"), "APIKeyHeader"),
    (ByAttribute(), ByAttribute(), "ByAttribute"),
    (CHECK, made_by_a_function(), "made_by_a_function.<locals>.check"),
    (Named.APIKeyHeader(), KEY, "APIKeyHeader"),
    (ByAttribute().__call__, ByAttribute().__call__, "ByAttribute.__call__"),
]


def marked(names: list[str], *checks: Any, around: str = "app") -> FastAPI:  # noqa: ANN401
    """Return an app with one endpoint for each check."""
    app, router = FastAPI(openapi_url=None), APIRouter()
    mark: dict[str, Any] = {"access": "public", "app_checks": names}
    if around == "router":
        at_edge(**mark)(router)
    for number, check in enumerate(checks):
        router.get(f"/x/{number}", dependencies=[Security(check)])(functools.partial(endpoint))
    app.include_router(router)
    if around == "app":
        at_edge(**mark)(app)
    elif around == "path":
        at_edge(below="/x", **mark)(app)
    return app


@pytest.mark.parametrize("around", ["app", "router", "path"])
@pytest.mark.parametrize(("one", "other", "name"), SAME_NAMES)
def test_one_name_means_one_dependency(one: Any, other: Any, name: str, around: str) -> None:  # noqa: ANN401
    found = faults(marked([name], one, other, one, around=around))
    assert found.count("names several dependencies") == 1
    assert __file__ in found or "fastapi" in found
    for check in (one, other):
        routes = compile_routes(marked([name], check, check, around=around))
        assert [each["access"] for each in routes] == ["public", "public"]


def test_the_remedy_for_one_name_of_two_schemes() -> None:
    other = APIKeyHeader(name="X-Other-Key")
    found = faults(marked(["APIKeyHeader"], KEY, other))
    assert f"KEY ({__file__}:" in found
    assert 'app_checks=["APIKeyHeader", "…"]' in found
    other.scheme_name = "other"
    assert "does not declare who may call it" in faults(marked(["APIKeyHeader"], KEY, other))
    assert len(compile_routes(marked(["APIKeyHeader", "other"], KEY, other))) == 2


def test_the_remedy_for_one_name_of_two_objects() -> None:
    class Other(ByAttribute):
        """A subclass for the second one."""

    name = Other.__qualname__
    assert "write a subclass for each" in faults(
        marked(["ByAttribute"], *(ByAttribute(),) * 1, ByAttribute())
    )
    assert len(compile_routes(marked(["ByAttribute", name], ByAttribute(), Other()))) == 2


@pytest.mark.parametrize(
    ("checks", "name"),
    [
        ((made_by_a_function(), made_by_a_function()), "made_by_a_function.<locals>.check"),
        ((ByAttribute().__call__, ByAttribute().__call__), "ByAttribute.__call__"),
        ((functools.partial(by_hand), functools.partial(by_hand)), "partial"),
    ],
)
def test_the_remedy_for_what_cannot_be_renamed(checks: tuple[Any, Any], name: str) -> None:
    found = faults(marked([name], *checks))
    assert "of /x/0, and " in found
    assert "of /x/1\n" in found
    assert "def check_a(found=Depends(…)): return found" in found

    def around(check: Any, name: str) -> Any:  # noqa: ANN401
        def found(value: Any) -> Any:  # noqa: ANN401
            return value  # pragma: no cover

        found.__annotations__ = {"value": Annotated[Any, Depends(check)]}
        found.__qualname__ = name  # as of a function of a module
        return found

    check_a, check_b = around(checks[0], "check_a"), around(checks[1], "check_b")
    assert len(compile_routes(marked(["check_a", "check_b"], check_a, check_b))) == 2


def test_the_remedy_for_schemes_without_a_variable() -> None:
    found = faults(marked(["APIKeyHeader"], APIKeyHeader(name="a"), APIKeyHeader(name="a")))
    assert "create it once, assign it to a variable" in found


def test_an_endpoint_repeats_a_dependency_with_its_scopes() -> None:
    def user(scopes: SecurityScopes, token: Annotated[object, Depends(MAYBE)]) -> None: ...

    def app(own: Any, **mark: Any) -> FastAPI:  # noqa: ANN401
        made, router = FastAPI(openapi_url=None), APIRouter()
        router.dependencies.append(Security(user, scopes=["a"]))
        router.get("/x", dependencies=own)(at_edge(**mark)(functools.partial(endpoint)))
        made.include_router(router)
        return made

    assert 'dependencies=[Security(…, scopes=["a"])], if it may' in faults(
        app([], access="optional")
    )
    own = [Security(user, scopes=["a"])]
    assert compiled(app(own, access="optional")) == {**SIGNED_IN, "access": "optional"}
    found = faults(app([], access="authenticated", scopes=["b"]))
    assert 'declares scopes without "a", but' in found
    assert 'at_edge(scopes=["b", "a"])' in found


def test_methods_of_one_object_are_one_dependency() -> None:
    checks = ByAttribute()
    names = ["ByAttribute.__call__"]
    assert len(compile_routes(marked(names, checks.__call__, checks.__call__))) == 2


def test_two_marks_may_mean_different_dependencies_by_one_name() -> None:
    app = FastAPI(openapi_url=None)
    for part, key in (("/a", KEY), ("/b", APIKeyHeader(name="X-Other-Key"))):
        router = at_edge(access="public", app_checks=["APIKeyHeader"])(APIRouter(prefix=part))
        router.get("", dependencies=[Depends(key)])(functools.partial(endpoint))
        app.include_router(router)
    assert len(compile_routes(app)) == 2


@pytest.mark.parametrize("below", [False, True])
@pytest.mark.parametrize("where", ["routers", "apps", "endpoint"])
def test_one_decorator_on_several_objects_is_a_mark_of_each(where: str, below: bool) -> None:
    """What runs below one of the objects says nothing about the others."""
    place = {"below": "/x"} if below and where == "apps" else {}
    opened = at_edge(access="public", app_checks=["APIKeyHeader"], **place)

    def app(*keys: Any) -> FastAPI:  # noqa: ANN401
        made, first = FastAPI(openapi_url=None), APIRouter(prefix="/x")
        inner: Any = FastAPI(openapi_url=None) if where == "apps" else APIRouter(prefix="/y")
        target: Any = functools.partial(endpoint)
        marked: dict[str, Any] = {"routers": first, "apps": made, "endpoint": target}
        opened(marked[where])
        first.get("/a", dependencies=[Depends(keys[0])])(target)
        opened(inner).get("/x", dependencies=[*map(Depends, keys[1:])])(functools.partial(endpoint))
        made.include_router(first)
        made.mount("/sub", inner) if where == "apps" else made.include_router(inner)
        return made

    assert "but no endpoint below that mark depends on it" in faults(app(KEY))
    for other in (KEY, APIKeyHeader(name="X-Other-Key")):
        assert [each["access"] for each in compile_routes(app(KEY, other))] == ["public"] * 2


def test_a_nearer_mark_takes_inherited_names_back() -> None:
    app, router = FastAPI(openapi_url=None), at_edge(app_checks=[])(APIRouter())
    at_edge(access="public", app_checks=["APIKeyHeader"])(app)
    router.get("/x", dependencies=[Depends(KEY)])(endpoint)
    app.include_router(router)
    assert "does not declare who may call it" in faults(app)
    alone = app_with(access="public", app_checks=[])
    assert compiled(alone) == {"access": "public"}
    assert "does not declare who may call it" in faults(app_with(app_checks=[]))
