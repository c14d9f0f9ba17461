"""Routes that refuse every request from the edge, because it removes what they read."""

import functools
import re
from pathlib import Path
from typing import Annotated, Any

import pytest
from fastapi import Depends, FastAPI
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

from fastgate import Caller, at_edge
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
