"""Apps with security schemes of FastAPI: what the policy compiler reads of them."""

import functools
import json
from pathlib import Path
from typing import Annotated, Any

import pytest
from fastapi import APIRouter, Depends, FastAPI, HTTPException, Security
from fastapi.requests import HTTPConnection
from fastapi.security import (
    APIKeyHeader,
    HTTPAuthorizationCredentials,
    HTTPBasic,
    HTTPBearer,
    HTTPDigest,
    OAuth2,
    OAuth2AuthorizationCodeBearer,
    OAuth2PasswordBearer,
    OpenIdConnect,
    SecurityScopes,
)
from fastapi.security.base import SecurityBase
from starlette.staticfiles import StaticFiles

from fastgate import Caller, EdgeCache, any_caller, at_edge, fastgate
from fastgate.__main__ import main
from fastgate.compile.drift import drift
from fastgate.compile.policy import CannotCompile, compile_routes
from fastgate.compile.strict import route_ids_or_raise
from tests.compiled_route import compiled, faults

PASSWORD = OAuth2PasswordBearer(tokenUrl="token", scopes={"me": "", "items": ""})
MAYBE = OAuth2PasswordBearer(tokenUrl="token", auto_error=False)
NOT_CALLED = "OAuth2PasswordBearer is not called as FastAPI's own"
SIGNED_IN = {"access": "authenticated", "forward_token": True}


class Renamed(HTTPBearer):
    """A subclass that calls nothing of its own."""

    def __init__(self) -> None:
        super().__init__(scheme_name="company")


class Lenient(HTTPBearer):
    """A subclass that lets everybody pass."""

    async def __call__(
        self, request: HTTPConnection
    ) -> HTTPAuthorizationCredentials | None:  # pragma: no cover
        return None


class Inherited(Lenient):
    """A subclass of it."""


class Foreign(SecurityBase):
    """A scheme that is none of FastAPI's."""

    async def __call__(self) -> str:  # pragma: no cover
        return ""


def current_user(scopes: SecurityScopes, token: Annotated[str, Depends(PASSWORD)]) -> str:
    raise HTTPException(401)  # pragma: no cover


def active_user(user: Annotated[str, Security(current_user, scopes=["me"])]) -> str:
    return user  # pragma: no cover


async def endpoint() -> None: ...


def app_with(*dependencies: Any, **mark: Any) -> FastAPI:  # noqa: ANN401
    app = FastAPI(openapi_url=None)
    target = at_edge(**mark)(functools.partial(endpoint)) if mark else endpoint
    listed = [each if hasattr(each, "scopes") else Depends(each) for each in dependencies]
    app.get("/x", dependencies=listed)(target)
    return app


@pytest.mark.parametrize(
    "scheme",
    [
        PASSWORD,
        OAuth2(),
        OAuth2AuthorizationCodeBearer("authorize", "token"),
        HTTPBearer(),
        OpenIdConnect(openIdConnectUrl="https://id.example.com/"),
        Renamed(),
        PASSWORD.__call__,
    ],
)
def test_a_scheme_that_refuses_requires_a_known_caller(scheme: object) -> None:
    assert compiled(app_with(scheme)) == SIGNED_IN


def test_the_scopes_of_the_chain_are_required() -> None:
    app = FastAPI(openapi_url=None)

    @app.get("/items")
    def items(user: Annotated[str, Security(active_user, scopes=["items"])]) -> None: ...

    members = compiled(app)
    assert sorted(members.pop("scopes")) == ["items", "me"]
    assert members == SIGNED_IN


def test_a_router_and_an_app_require_it_as_well() -> None:
    app, router = FastAPI(openapi_url=None), APIRouter(dependencies=[Depends(current_user)])
    router.get("/x")(endpoint)
    app.include_router(router, dependencies=[Security(current_user, scopes=["a"])])
    assert compiled(app) == {**SIGNED_IN, "scopes": ["a"]}


@pytest.mark.parametrize(
    ("scheme", "what", "remedy"),
    [
        (MAYBE, "OAuth2PasswordBearer has auto_error=False", 'access="optional"'),
        (HTTPBearer(auto_error=False, scheme_name="b"), 'HTTPBearer "b" has auto', '"optional"'),
        (Lenient(), "Lenient has a __call__ of its own", 'at_edge(access="optional")'),
        (Inherited(), "Inherited has a __call__ of its own", 'at_edge(access="optional")'),
        (
            functools.partial(PASSWORD),
            "OAuth2PasswordBearer is not called as FastAPI's own",
            '"authenticated"',
        ),
        (
            PASSWORD.make_not_authenticated_error,
            "OAuth2PasswordBearer is not called as FastAPI's own",
            '"optional"',
        ),
        (APIKeyHeader(name="X-Key"), "APIKeyHeader is an API key", 'access="public"'),
        (HTTPBasic(), "HTTPBasic reads a password", "the edge passes on no password"),
        (HTTPDigest(), "HTTPDigest reads a password", "the edge passes on no password"),
        (Foreign(), "Foreign is a scheme that the edge does not know", 'access="public"'),
    ],
)
def test_any_other_scheme_leaves_it_undecided(scheme: object, what: str, remedy: str) -> None:
    found = faults(app_with(scheme))
    assert f"does not declare who may call it: {what}" in " ".join(found.split())
    assert remedy in found
    assert compiled(app_with(scheme, access="authenticated"))["access"] == "authenticated"


def test_several_undecided_schemes_are_all_named() -> None:
    found = faults(app_with(MAYBE, APIKeyHeader(name="X-Key")))
    assert "auto_error=False" in found
    assert "is an API key" in found
    assert '"optional"' in found
    assert '"public"' in found


def test_one_scheme_that_refuses_decides() -> None:
    assert compiled(app_with(MAYBE, PASSWORD, APIKeyHeader(name="X-Key"))) == SIGNED_IN


def test_a_declaration_decides_and_the_token_is_passed_on_where_it_is_known() -> None:
    optional = {"access": "optional", "forward_token": True}
    assert compiled(app_with(MAYBE, access="optional")) == optional
    assert compiled(app_with(MAYBE, access="public")) == {"access": "public"}
    assert compiled(app_with(APIKeyHeader(name="k"), access="optional")) == {"access": "optional"}
    kept = compiled(app_with(PASSWORD, forward_token=False))
    assert kept == {"access": "authenticated", "forward_token": False}


def test_the_author_may_open_an_endpoint_whose_token_is_of_another_kind() -> None:
    chain = Security(active_user, scopes=["items"])
    assert compiled(app_with(chain, access="public")) == {"access": "public"}
    other = compiled(app_with(chain, scopes=["read:items"]))
    assert other == {**SIGNED_IN, "scopes": ["read:items"]}
    assert "declares something else for the edge" in faults(
        app_with(fastgate, PASSWORD, access="public")
    )


@pytest.mark.parametrize("access", ["public", "optional"])
def test_what_is_inherited_opens_nothing(access: str) -> None:
    app = at_edge(access=access)(app_with(Security(active_user, scopes=["items"])))
    members = compiled(app)
    assert members["access"] == "authenticated"
    assert sorted(members["scopes"]) == ["items", "me"]


@pytest.mark.parametrize("access", ["public", "optional"])
@pytest.mark.parametrize("scheme", [MAYBE, Lenient(), HTTPBasic(), APIKeyHeader(name="k")])
def test_what_is_inherited_decides_nothing_for_an_undecided_scheme(
    access: str, scheme: SecurityBase
) -> None:
    inheriting = at_edge(access=access)(app_with(scheme))
    assert "does not declare who may call it" in faults(inheriting)
    assert compiled(app_with(scheme, access=access))["access"] == access


def test_a_caller_who_may_be_anonymous_does_not_drop_the_scopes_of_an_undecided_scheme() -> None:
    def user(token: Annotated[str | None, Depends(MAYBE)]) -> None: ...

    asked = app_with(Security(user, scopes=["items"]), any_caller)
    assert "does not declare who may call it" in faults(asked)


def test_scopes_that_a_function_reads_itself_are_required_of_known_callers() -> None:
    def user(token: Annotated[str, Depends(PASSWORD)]) -> None: ...

    def check(wanted: SecurityScopes) -> None: ...

    chain = Security(check, scopes=["orders:admin"])
    assert compiled(app_with(chain, user))["scopes"] == ["orders:admin"]
    assert compiled(app_with(user))["access"] == "authenticated"
    with_caller = FastAPI(openapi_url=None)

    @with_caller.get("/me", dependencies=[chain])
    def me(caller: Caller) -> None: ...

    assert compiled(with_caller)["scopes"] == ["orders:admin"]


def test_scopes_of_an_undecided_scheme_are_required_of_known_callers() -> None:
    def user(token: Annotated[str | None, Depends(MAYBE)]) -> None: ...

    chain = Security(user, scopes=["items"])
    assert compiled(app_with(chain, access="authenticated"))["scopes"] == ["items"]
    assert "scopes" not in compiled(app_with(chain, access="optional"))


def test_callers_of_fastgate_decide_without_the_scheme() -> None:
    app = FastAPI(openapi_url=None)

    @app.get("/me", dependencies=[Depends(MAYBE)])
    def me(caller: Caller) -> None: ...

    assert compiled(app) == SIGNED_IN
    assert compiled(app_with(MAYBE, any_caller)) == {"access": "optional", "forward_token": True}


def test_an_app_that_is_mounted_below_such_a_dependency_has_to_declare_its_callers(
    tmp_path: Path,
) -> None:
    app = FastAPI(openapi_url=None, dependencies=[Depends(PASSWORD)])
    app.mount("/files", StaticFiles(directory=tmp_path))
    assert "does not declare who may call it" in faults(app)
    open_files = FastAPI(openapi_url=None, dependencies=[Depends(PASSWORD)])
    open_files.mount("/files", at_edge(access="public")(StaticFiles(directory=tmp_path)))
    assert compiled(open_files) == {"access": "public"}


def test_an_override_that_lets_everybody_pass_is_a_fault() -> None:
    app = app_with(current_user)
    app.dependency_overrides[current_user] = lambda: "tester"
    assert "in place of current_user, which requires a known caller" in faults(app)


def test_a_scheme_in_another_type_is_a_fault() -> None:
    app = FastAPI(openapi_url=None)

    @app.get("/x")
    @at_edge(access="public")
    def read(token: Annotated[str, Depends(PASSWORD)] | None = None) -> None: ...

    assert "requires a known caller in an annotation without effect" in faults(app)


def test_scopes_as_one_string_are_a_fault() -> None:
    assert "scopes='items', a string" in faults(app_with(Security(current_user, scopes="items")))


def test_a_stored_response_cannot_depend_on_the_token() -> None:
    found = faults(app_with(PASSWORD, cache=EdgeCache(ttl=60, audience="caller")))
    assert "declares cache and forward_token" in found
    assert "take `caller: Caller` in place of OAuth2PasswordBearer, or remove cache" in found


def test_drift_sees_a_route_that_is_more_open_or_does_not_forward() -> None:
    (ours,) = compile_routes(app_with(Security(current_user, scopes=["items"])))
    assert drift([ours], [ours]) == []
    less = {**ours, "access": "public", "scopes": [], "forward_token": False}
    found = "\n".join(drift([ours], [less]))
    assert 'only the app requires the scope "items"' in found
    assert 'access: the app has "authenticated", the edge has "public"' in found
    assert "forward_token: the app has true, the edge has nothing" in found


def test_a_strict_app_starts_if_it_compiles() -> None:
    assert route_ids_or_raise(app_with(PASSWORD)) == {("GET", "/x"): "get-x"}
    with pytest.raises(CannotCompile, match="auto_error=False"):
        route_ids_or_raise(app_with(MAYBE))


def test_the_command_says_that_tokens_are_passed_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "existing_shop.py").write_text(
        "from fastapi import Depends, FastAPI\n"
        "from fastapi.security import HTTPBearer\n"
        "app = FastAPI(openapi_url=None)\n"
        "app.get('/me', dependencies=[Depends(HTTPBearer())])(lambda: 1)\n"
    )
    base = tmp_path / "base.json"
    base.write_text('{"origins": {"shop": {"audience": "shop", "backend": "origin"}}}')
    arguments = ["existing_shop", "--app-dir", str(tmp_path), "--origin", "shop"]
    assert main(["policy", *arguments, "--base", str(base)]) == 0
    said = capsys.readouterr()
    assert json.loads(said.out)["routes"][0]["forward_token"] is True
    assert said.err.startswith('hint: 1 of 1 routes of the origin "shop" pass the client\'s token')
