"""Apps with security schemes of FastAPI: what the policy compiler reads of them."""

import functools
import json
from pathlib import Path
from typing import Annotated, Any

import pytest
from fastapi import APIRouter, Depends, FastAPI, HTTPException, Security, params
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
from tests.compiled_route import app_with, compiled, endpoint, faults

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
        (Lenient(), "Lenient has a __call__ of its own", 'at_edge(access="optional", '),
        (Inherited(), "Inherited has a __call__ of its own", 'access="optional"'),
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
        (HTTPBasic(auto_error=False), "HTTPBasic reads a password", "passes on no password"),
        (HTTPDigest(auto_error=False), "HTTPDigest reads a password", "passes on no password"),
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
    assert 'access="optional", app_checks=["OAuth2PasswordBearer", "APIKeyHeader"]' in found
    assert '"public"' not in found


def test_one_scheme_that_refuses_decides() -> None:
    assert compiled(app_with(MAYBE, PASSWORD, APIKeyHeader(name="X-Key"))) == SIGNED_IN


def test_a_declaration_decides_and_the_token_is_passed_on_where_it_is_known() -> None:
    optional = {"access": "optional", "forward_token": True}
    assert compiled(app_with(MAYBE, access="optional")) == optional
    assert compiled(app_with(MAYBE, access="public")) == {"access": "public"}
    assert compiled(app_with(APIKeyHeader(name="k"), access="optional")) == {"access": "optional"}
    kept = compiled(app_with(MAYBE, access="authenticated", forward_token=False))
    assert kept == {"access": "authenticated", "forward_token": False}


def test_the_author_may_declare_other_callers_than_those_of_the_scheme() -> None:
    chain = Security(active_user, scopes=["items"])
    optional = {"access": "optional", "forward_token": True}
    assert compiled(app_with(chain, access="optional")) == optional
    other = compiled(app_with(chain, scopes=["read:items"]))
    assert other == {**SIGNED_IN, "scopes": ["read:items"]}
    assert "declares something else for the edge" in faults(
        app_with(fastgate, PASSWORD, access="public")
    )


def admin(scopes: SecurityScopes, request: HTTPConnection) -> None: ...


@pytest.mark.parametrize("where", ["app", "inclusion", "router"])
@pytest.mark.parametrize("check", [current_user, admin, PASSWORD])
def test_a_mark_of_the_endpoint_leaves_out_no_scopes_of_a_router(where: str, check: Any) -> None:  # noqa: ANN401
    listed = Security(check, scopes=["admin"])

    def app(*own: Any, **mark: Any) -> FastAPI:  # noqa: ANN401
        return below_a_router(where, listed, *own, access="authenticated", **mark)

    assert compiled(app())["scopes"] == ["admin"]
    found = faults(app(scopes=["b"]))
    shown = "PASSWORD" if check is PASSWORD else check.__name__
    assert f'declares scopes without "admin", but a router or app around it depends on {shown}' in (
        found
    )
    # Each remedy, as it is written:
    assert 'declare at_edge(scopes=["b", "admin"])' in found
    assert compiled(app(scopes=["b", "admin"]))["scopes"] == ["b", "admin"]
    assert f'dependencies=[Security({shown}, scopes=["admin"])]' in found
    assert compiled(app(listed, scopes=["b"]))["scopes"] == ["b"]
    # The endpoint may take the user without knowing of the router's scopes.
    assert "declares scopes without" in faults(app(Depends(check), scopes=["b"]))
    assert "declares scopes without" in faults(app(scopes=[]))
    assert compiled(below_a_router(where, listed, listed, access="optional"))["access"]


@pytest.mark.parametrize("access", ["public", "optional"])
def test_what_is_inherited_opens_nothing(access: str) -> None:
    app = at_edge(access=access)(app_with(Security(active_user, scopes=["items"])))
    members = compiled(app)
    assert members["access"] == "authenticated"
    assert sorted(members["scopes"]) == ["items", "me"]


@pytest.mark.parametrize("access", ["public", "optional"])
def test_the_token_is_passed_on_only_if_something_that_is_run_reads_it(access: str) -> None:
    app = at_edge(access=access)(app_with(current_user))
    assert compiled(app)["forward_token"] is True

    def known(caller: Caller) -> str:
        return caller.subject  # pragma: no cover

    def known_with_token(caller: Caller, token: Annotated[str, Depends(PASSWORD)]) -> str:
        return token  # pragma: no cover

    app.dependency_overrides[current_user] = known
    assert compiled(app) == {"access": "authenticated"}
    app.dependency_overrides[current_user] = known_with_token
    assert compiled(app) == SIGNED_IN
    app.dependency_overrides = {PASSWORD: known}  # below current_user
    assert compiled(app) == {"access": "authenticated"}
    app.dependency_overrides = {}
    twice = app_with(current_user, HTTPBearer())
    twice.dependency_overrides[current_user] = known
    assert compiled(twice) == SIGNED_IN


def test_a_response_can_be_stored_if_an_override_no_longer_reads_the_token() -> None:
    app = app_with(PASSWORD, cache=EdgeCache(ttl=60, audience="caller"))
    assert "declares cache and forward_token" in faults(app)

    def known(caller: Caller) -> None: ...

    app.dependency_overrides[PASSWORD] = known
    assert "cache" in compiled(app)


def verified(scopes: SecurityScopes) -> None: ...


def checked() -> None: ...


NAMED = HTTPBearer(auto_error=False)
UNDECIDED = [
    (Depends(NAMED), "NAMED", "auto_error=False"),
    (Depends(Lenient()), "Lenient(…)", "has a __call__ of its own"),
    (Depends(APIKeyHeader(name="k")), "APIKeyHeader(…)", "is an API key"),
    (Security(verified, scopes=["a"]), "verified", "may refuse callers"),
    (Security(checked), "checked", "may refuse callers"),
    (Security(checked, scopes=["a"]), "checked", "may refuse callers"),
    (Depends(current_user), "current_user", "requires a token"),
]


def below_a_router(
    where: str,
    listed: Any,  # noqa: ANN401
    *own: Any,  # noqa: ANN401
    access: str = "public",
    **mark: Any,  # noqa: ANN401
) -> FastAPI:
    lists = {each: [listed] if each == where else [] for each in ("app", "inclusion", "router")}
    app, router = FastAPI(openapi_url=None, dependencies=lists["app"]), APIRouter()
    router.dependencies += lists["router"]
    target = at_edge(access=access, **mark)(functools.partial(endpoint))
    router.get("/x", dependencies=own)(target)
    app.include_router(router, dependencies=lists["inclusion"])
    return app


@pytest.mark.parametrize("access", ["public", "optional"])
@pytest.mark.parametrize("where", ["app", "inclusion", "router"])
@pytest.mark.parametrize(("listed", "shown", "why"), UNDECIDED)
def test_a_mark_of_the_endpoint_does_not_open_what_a_router_checks_itself(
    access: str, where: str, listed: params.Depends, shown: str, why: str
) -> None:
    found = " ".join(faults(below_a_router(where, listed, access=access)).split())
    assert f"a router or app around it depends on {shown} (" in found
    assert why in found
    assert "repeat the dependency on the endpoint itself" in found
    # The same dependency, or the same object, says that the author of the endpoint knows it.
    for own in (listed, Depends(listed.dependency)):
        repeated = below_a_router(where, listed, own, access=access)
        if access == "public" and listed.dependency is current_user:
            assert "around it" not in faults(repeated)  # but its token never arrives
        else:
            assert compiled(repeated)["access"] == access
    known = below_a_router(where, listed, access="authenticated")
    assert compiled(known)["access"] == "authenticated"


def test_the_fault_of_a_router_names_the_line() -> None:
    lines = Path(__file__).read_text("utf-8").splitlines()
    for (listed, _, _), text in ((UNDECIDED[0], "NAMED = "), (UNDECIDED[3], "def verified")):
        line = 1 + next(number for number, each in enumerate(lines) if each.startswith(text))
        assert f"({__file__}:{line})" in faults(below_a_router("router", listed))


def test_a_chain_in_the_endpoint_confirms_a_scheme_of_the_router() -> None:
    listed, chain = Depends(PASSWORD), Depends(current_user)
    opened = below_a_router("router", listed, chain, access="optional")
    assert compiled(opened) == {"access": "optional", "forward_token": True}
    assert "depends on current_user" in faults(below_a_router("router", chain, listed))


def test_other_dependencies_of_a_router_say_nothing_about_callers() -> None:
    assert compiled(below_a_router("router", Depends(checked))) == {"access": "public"}
    optional = below_a_router("router", Depends(any_caller), access="optional")
    assert compiled(optional) == {"access": "optional"}


@pytest.mark.parametrize("where", ["app", "inclusion", "router"])
def test_the_fault_of_a_router_follows_an_override(where: str) -> None:
    app = below_a_router(where, Depends(MAYBE))
    app.dependency_overrides[MAYBE] = checked
    assert compiled(app) == {"access": "public"}


@pytest.mark.parametrize("access", ["public", "optional"])
def test_what_is_inherited_opens_nothing_that_gets_scopes(access: str) -> None:
    for listed in (Security(verified, scopes=["a"]), Security(checked, scopes=["a"])):
        app = at_edge(access=access)(app_with(listed))
        assert f'inherits access="{access}", but depends on {listed.dependency.__name__}' in faults(
            app
        )
        assert compiled(app_with(listed, access=access))["access"] == access


@pytest.mark.parametrize("access", ["public", "optional"])
@pytest.mark.parametrize(
    "scheme", [MAYBE, Lenient(), HTTPBasic(auto_error=False), APIKeyHeader(name="k")]
)
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
