"""Routes that refuse every request from the edge, because it removes what they read."""

import functools
import re
from pathlib import Path
from typing import Annotated, Any

import pytest
from fastapi import Depends, FastAPI, Header
from fastapi.security import (
    APIKeyCookie,
    APIKeyHeader,
    APIKeyQuery,
    HTTPBasic,
    HTTPBearer,
    HTTPDigest,
    OAuth2PasswordBearer,
)
from fastapi.security.http import HTTPBase
from pydantic import VERSION, AliasChoices, BaseModel, ConfigDict, Field
from starlette.testclient import TestClient

from fastgate import Caller, at_edge
from fastgate.compile.callers.parameters import headers_read
from fastgate.removed_fields import HOP_BY_HOP, PROOF, RESERVED, RESERVED_PREFIXES, is_removed
from tests.compiled_route import compiled, faults

PASSWORD = OAuth2PasswordBearer(tokenUrl="token")
MAYBE = OAuth2PasswordBearer(tokenUrl="token", auto_error=False)
REMOVED = "X_Api_Key"
FATE = Path(__file__).parents[2] / "src" / "headers" / "fate.rs"


class CookieBearer(OAuth2PasswordBearer):
    """A scheme that reads its token elsewhere."""

    async def __call__(self, request: Any) -> str | None:  # noqa: ANN401
        return None  # pragma: no cover


def app_with(*dependencies: Any, **mark: Any) -> FastAPI:  # noqa: ANN401
    async def endpoint() -> None: ...

    app = FastAPI(openapi_url=None)
    target = at_edge(**mark)(functools.partial(endpoint))
    app.get("/x", dependencies=[Depends(each) for each in dependencies])(target)
    return app


@pytest.mark.parametrize(
    "name",
    [
        *(REMOVED, "X_Api_Key", "Proxy-Authorization", "X-Forwarded-User", "Remote-User"),
        *("X-Auth-Request-Email", "X.Forwarded.User", "DPoP", "Host", "X-Real-IP"),
    ],
)
@pytest.mark.parametrize("access", ["public", "optional", "authenticated"])
@pytest.mark.parametrize("auto_error", [True, False])
def test_a_key_in_a_field_that_the_edge_removes(name: str, access: str, auto_error: bool) -> None:
    app = app_with(APIKeyHeader(name=name, auto_error=auto_error), access=access)
    found = faults(app)
    assert f'reads the request field "{name.lower()}", but the edge removes that name' in found
    assert "give the field another name" in found
    kept = APIKeyHeader(name="X-API-Key", auto_error=auto_error)
    assert compiled(app_with(kept, access=access)) == {"access": access}


def test_a_key_that_does_not_arrive_may_be_one_of_several() -> None:
    removed = APIKeyHeader(name=REMOVED, auto_error=False)
    other = APIKeyCookie(name="session", auto_error=False)
    assert compiled(app_with(removed, other, access="public")) == {"access": "public"}
    required = APIKeyHeader(name=REMOVED)
    assert "the edge removes that name" in faults(app_with(required, other, access="public"))


@pytest.mark.parametrize(
    "scheme",
    [PASSWORD, HTTPBearer(), HTTPBase(scheme="bearer"), APIKeyHeader(name="Authorization")],
)
def test_a_token_does_not_arrive_on_a_public_route(scheme: Any) -> None:  # noqa: ANN401
    found = faults(app_with(scheme, access="public"))
    assert 'reads Authorization, but the edge passes that on for no access="public"' in found
    assert 'declare at_edge(access="authenticated")' in found
    assert "no token of the app's own" in found
    for access in ("authenticated", "optional"):
        assert compiled(app_with(scheme, access=access))["forward_token"] is True
        removed = app_with(scheme, access=access, forward_token=False)
        assert "forward_token=False removes it" in faults(removed)


def test_a_token_that_the_app_alone_checks_does_not_arrive() -> None:
    named = {"app_checks": ["OAuth2PasswordBearer"]}
    assert compiled(app_with(MAYBE, access="public")) == {"access": "public"}
    found = faults(app_with(MAYBE, access="public", **named))
    assert 'passes that on for no access="public"' in found
    optional = {"access": "optional", "forward_token": True}
    assert compiled(app_with(MAYBE, access="optional", **named)) == optional
    cookie = CookieBearer(tokenUrl="token", scheme_name="cookie")
    assert compiled(app_with(cookie, access="public", app_checks=["cookie"])) == {
        "access": "public"
    }
    either = {"app_checks": ["OAuth2PasswordBearer", "APIKeyCookie"]}
    session = APIKeyCookie(name="session", auto_error=False)
    assert compiled(app_with(MAYBE, session, access="public", **either)) == {"access": "public"}


@pytest.mark.parametrize("scheme", [HTTPBasic(), HTTPDigest()])
@pytest.mark.parametrize("access", ["public", "optional", "authenticated"])
def test_a_password_never_arrives(scheme: Any, access: str) -> None:  # noqa: ANN401
    found = faults(app_with(scheme, access=access))
    assert "reads a password in Authorization, but the edge passes on no password" in found
    kind: Any = type(scheme)
    assert compiled(app_with(kind(auto_error=False), access=access)) == {"access": access}


class ByModel(BaseModel):
    """A model whose fields FastAPI reads from request fields."""

    authorization: str
    x_key: str | None = None


def takes(annotation: Any, **mark: Any) -> FastAPI:  # noqa: ANN401
    def read(value: Any) -> None: ...  # noqa: ANN401

    read.__annotations__ = {"value": annotation}
    return app_with(read, **mark)


@pytest.mark.parametrize(
    "annotation",
    [
        Annotated[ByModel, Header()],
        Annotated[str, Header(alias="Authorization")],
        Annotated[str, Header(validation_alias=AliasChoices("authorization", "x-other"))],
    ],
)
def test_a_parameter_that_reads_the_token_gets_it(annotation: Any) -> None:  # noqa: ANN401
    for access in ("authenticated", "optional"):
        members = {"access": access, "forward_token": True}
        assert compiled(takes(annotation, access=access)) == members


@pytest.mark.parametrize(
    "annotation",
    [Annotated[ByModel, Header()], Annotated[str, Header(alias="Authorization")]],
)
def test_a_required_token_does_not_arrive_on_a_public_route(annotation: Any) -> None:  # noqa: ANN401
    found = faults(takes(annotation, access="public"))
    assert (
        'takes the request field "authorization" as a required parameter, but the edge passes that '
        'on for no access="public"'
    ) in found
    assert 'declare at_edge(access="authenticated")' in found
    off = takes(annotation, access="authenticated", forward_token=False)
    assert "forward_token=False removes it" in faults(off)


class Renamed(BaseModel):
    """A model with a name that is not converted."""

    x_api_key: str


class ValidatedAs(BaseModel):
    """A model with a name for validation, which FastAPI reads in place of the field's own."""

    x_user: str = Field(validation_alias="Remote-User")


needs_validate_by_name = pytest.mark.skipif(
    tuple(map(int, VERSION.split(".")[:2])) < (2, 11), reason="older pydantic has no such setting"
)


class ByNameOnly(BaseModel):
    """A model whose aliases FastAPI does not read."""

    model_config = ConfigDict(validate_by_alias=False, validate_by_name=True)
    remote_user: str = Field(validation_alias="X-Ok")


class ArrivesAs(BaseModel):
    """A model with a field whose own name does not arrive."""

    remote_user: str = Field(alias="Remote-User", validation_alias="X-Ok")
    authorization: str = Field(validation_alias="X-Authorization")


class TokenAs(BaseModel):
    """A model that reads the token under its name for validation."""

    token: str = Field(validation_alias="Authorization")


class EitherName(BaseModel, populate_by_name=True):
    """A model with a name that arrives and one that does not."""

    x_key: str = Field(alias="X_Api_Key")


@pytest.mark.parametrize(
    ("annotation", "name"),
    [
        (Annotated[str, Header(alias=REMOVED)], "x_api_key"),
        (Annotated[str, Header(alias="Proxy-Authorization")], "proxy-authorization"),
        (Annotated[str, Header(alias="TE")], "te"),
        (Annotated[str, Header(alias="Keep-Alive")], "keep-alive"),
        (Annotated[str, Header(validation_alias="Remote-User")], "remote-user"),
        (Annotated[str, Header(alias="X-Ok", validation_alias="Remote-User")], "remote-user"),
        (Annotated[ValidatedAs, Header()], "remote-user"),
        pytest.param(Annotated[ByNameOnly, Header()], "remote-user", marks=needs_validate_by_name),
        (Annotated[str, Header(alias="Remote-User")], "remote-user"),
        (Annotated[str, Header(alias="X-Forwarded-User")], "x-forwarded-user"),
        (Annotated[str, Header(alias="X-Auth-Request-Email")], "x-auth-request-email"),
        (Annotated[Renamed, Header(convert_underscores=False)], "x_api_key"),
    ],
)
@pytest.mark.parametrize("access", ["public", "authenticated"])
def test_a_required_parameter_that_the_edge_removes(
    annotation: Any,  # noqa: ANN401
    name: str,
    access: str,
) -> None:
    found = faults(takes(annotation, access=access))
    assert f'takes the request field "{name}" as a required parameter, but the edge removes' in (
        found
    )
    assert "give the field another name" in found


@pytest.mark.parametrize(
    "annotation",
    [
        *(Annotated[str, Header(alias=each)] for each in ("Host", "X-Forwarded-For", "X-Api-Key")),
        *(Annotated[str, Header(alias=each)] for each in ("X-Request-Id", "Fastly-Client-IP")),
        Annotated[str, Header(alias="Connection")],
        Annotated[str, Header(alias="Remote-User", validation_alias="X-Ok")],
        Annotated[ArrivesAs, Header()],
        Annotated[str | None, Header(alias=REMOVED)],
        Annotated[Renamed, Header()],
        Annotated[EitherName, Header()],
    ],
)
def test_a_parameter_that_arrives_or_may_be_missing(annotation: Any) -> None:  # noqa: ANN401
    app = takes(annotation, access="public")
    if "None" in str(annotation):
        app = FastAPI(openapi_url=None)

        @app.get("/x")
        @at_edge(access="public")
        def read(key: Annotated[str | None, Header(alias=REMOVED)] = None) -> None: ...

    assert compiled(app) == {"access": "public"}


@pytest.mark.parametrize(
    "annotation",
    [Annotated[TokenAs, Header()], Annotated[str, Header(validation_alias="Authorization")]],
)
def test_a_name_for_validation_is_the_one_that_is_read(annotation: Any) -> None:  # noqa: ANN401
    found = {"access": "authenticated", "forward_token": True}
    assert compiled(takes(annotation, access="authenticated")) == found
    assert 'takes the request field "authorization"' in faults(takes(annotation, access="public"))


READ = [
    *(Header(alias="X-A"), Header(validation_alias="X-V"), Header()),
    Header(alias="X-A", validation_alias="X-V"),
]


@pytest.mark.parametrize(
    "annotation",
    [
        *(Annotated[str, each] for each in READ),
        *(Annotated[each, Header()] for each in (ValidatedAs, TokenAs)),
    ],
)
def test_the_names_are_those_that_fastapi_reads(annotation: Any) -> None:  # noqa: ANN401
    # FastAPI 0.133 reads no AliasChoices, and no name of a field beside its alias.
    def read(remote_user: Any) -> None: ...  # noqa: ANN401

    read.__annotations__ = {"remote_user": annotation}
    app = FastAPI(openapi_url=None)
    app.get("/x")(read)
    route: Any = app.routes[-1]
    (found,) = headers_read(route.dependant)
    names = ("x-a", "x-v", "remote-user", "x-user", "authorization", "token")
    client = TestClient(app)
    accepted = [each for each in names if client.get("/x", headers={each: "1"}).is_success]
    assert sorted(found.names) == sorted(accepted)


def test_a_field_that_the_policy_sets_arrives() -> None:
    edits = {"set": {"remote-user": "shop"}}
    app = takes(Annotated[str, Header(alias="Remote-User")], access="public", request_headers=edits)
    assert compiled(app) == {"access": "public", "request_headers": edits}


def test_a_password_beside_a_caller_never_arrives() -> None:
    app = FastAPI(openapi_url=None)

    @app.get("/x", dependencies=[Depends(HTTPBasic())])
    def read(caller: Caller) -> None: ...

    assert "the edge passes on no password" in faults(app)


def test_without_the_edge_or_with_an_override_it_is_no_fault() -> None:
    def no_check() -> None: ...

    def asks(key: Annotated[str, Depends(APIKeyHeader(name=REMOVED))]) -> None: ...

    app = app_with(asks, access="public")
    assert "the edge removes that name" in faults(app)
    app.dependency_overrides[asks] = no_check
    assert compiled(app) == {"access": "public"}


@pytest.mark.parametrize(
    "scheme", [APIKeyCookie(name="x_forwarded_user"), APIKeyQuery(name="x_forwarded_user")]
)
def test_cookies_and_queries_pass(scheme: Any) -> None:  # noqa: ANN401
    assert compiled(app_with(scheme, access="public")) == {"access": "public"}


def test_the_names_are_those_of_the_edge() -> None:
    source = FATE.read_text("utf-8")
    for name, ours in (
        ("HOP_BY_HOP", HOP_BY_HOP),
        ("RESERVED", RESERVED),
        ("RESERVED_PREFIXES", RESERVED_PREFIXES),
    ):
        found = re.search(rf"const {name}: \[&str; \d+\] = \[(.*?)\];", source, re.DOTALL)
        assert found is not None
        assert {*re.findall(r'"([^"]+)"', found[1])} == {*ours}
    assert f'PROOF: &str = "{PROOF}"' in source
    assert not is_removed("authorization")
    assert not is_removed("X-API-Key")
