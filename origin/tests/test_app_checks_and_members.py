"""Checks of the app that members of the route leave without effect: `cache`, `request_headers`."""

import functools
from typing import Annotated, Any

import pytest
from fastapi import APIRouter, Cookie, Depends, FastAPI, Header, Security
from fastapi.security import APIKeyCookie, APIKeyHeader, APIKeyQuery

from fastgate import EdgeCache, at_edge, fastgate
from fastgate.compile.policy import compile_routes
from tests.compiled_route import app_with, compiled, endpoint, faults

KEY = APIKeyHeader(name="X-Key")
QUERY = APIKeyQuery(name="key", auto_error=False)
COOKIE = APIKeyCookie(name="session", auto_error=False)
FOR_ALL = EdgeCache("public", 60)


def check(session: Annotated[str, Cookie()] = "") -> None: ...


def check_key(key: Annotated[str, Depends(KEY)]) -> None: ...


# Stored responses


@pytest.mark.parametrize(
    ("listed", "name"),
    [
        (Depends(check), "check"),
        (Depends(check_key), "check_key"),
        (Depends(check_key), "APIKeyHeader"),
        (Depends(QUERY), "APIKeyQuery"),
        (Depends(COOKIE), "APIKeyCookie"),
    ],
)
@pytest.mark.parametrize("access", ["public", "authenticated"])
def test_no_response_is_stored_in_front_of_a_named_check(
    listed: Any,  # noqa: ANN401
    name: str,
    access: str,
) -> None:
    audience: Any = "public" if access == "public" else "tenant"
    names = [name, "APIKeyHeader"] if name == "check_key" else [name]
    named: dict[str, Any] = {"access": access, "app_checks": names}

    def app(around: dict[str, Any], **own: Any) -> FastAPI:  # noqa: ANN401
        made = at_edge(**named, **around)(FastAPI(openapi_url=None))
        router = APIRouter(dependencies=[listed])
        target = functools.partial(endpoint)
        router.get("/x")(at_edge(**own)(target) if own else target)
        made.include_router(router)
        return made

    for vary in ([], ["x-key"]):
        cache = EdgeCache(audience, 60, vary=vary)
        found = faults(app({}, cache=cache))
        assert "declares cache, but the app itself checks " in found
        assert f'"{name}"' in found
        assert "take `caller: Caller` in place of that check" in found
        assert faults(app_of(listed, cache=cache, **named)).count("→") == 1
        assert "at_edge(cache=None) to inherit none" in faults(app({"cache": cache}))
        assert compiled(app({"cache": cache}, cache=None)) == {"access": access}


def app_of(listed: Any, **mark: Any) -> FastAPI:  # noqa: ANN401
    app = FastAPI(openapi_url=None)
    app.get("/x", dependencies=[listed])(at_edge(**mark)(functools.partial(endpoint)))
    return app


@pytest.mark.parametrize(
    ("listed", "name"),
    [
        (Depends(KEY), "APIKeyHeader"),
        (Depends(check_key), "APIKeyHeader"),
        (Depends(QUERY), "APIKeyQuery"),
        (Security(check), "check"),
    ],
)
def test_no_response_is_stored_in_front_of_a_scheme(listed: Any, name: str) -> None:  # noqa: ANN401
    found = faults(app_of(listed, access="public", cache=FOR_ALL))
    assert f'the app itself checks "{name}"' in found
    assert compiled(app_of(listed, access="public")) == {"access": "public"}


def test_a_response_without_a_check_is_stored() -> None:
    app = at_edge(access="public", app_checks=["APIKeyHeader"])(FastAPI(openapi_url=None))
    app.get("/key", dependencies=[Depends(KEY)])(functools.partial(endpoint))
    app.get("/logo")(at_edge(cache=FOR_ALL)(functools.partial(endpoint)))
    assert [each.get("cache") for each in compile_routes(app)] == [None, FOR_ALL.document()]
    assert "cache" in compiled(app_of(Depends(check), access="public", cache=FOR_ALL))
    own = Security(fastgate, scopes=["a"])
    assert "cache" in compiled(app_of(own, cache=EdgeCache("tenant", 60)))


# Credentials that edits of fields remove


@pytest.mark.parametrize("scheme", [KEY, COOKIE, APIKeyHeader(name="X-Key", auto_error=False)])
@pytest.mark.parametrize("edit", ["remove", "set"])
@pytest.mark.parametrize("access", ["public", "authenticated"])
def test_a_credential_that_an_edit_removes_never_arrives(
    scheme: Any,  # noqa: ANN401
    edit: str,
    access: str,
) -> None:
    field = "Cookie" if scheme is COOKIE else "X-Key"
    named: dict[str, Any] = {"access": access, "app_checks": [type(scheme).__name__]}
    edits: Any = {"set": {field: "s"}} if edit == "set" else {"remove": ["x-a", field]}
    found = faults(app_with(scheme, **named, request_headers=edits))
    why = {"remove": "request_headers removes that", "set": "request_headers sets that"}[edit]
    assert f'reads the request field "{field.lower()}", but {why}' in found
    assert f'leave "{field.lower()}" out of request_headers for this endpoint' in found
    around = at_edge(**named, request_headers=edits)(app_with(scheme))
    assert why in faults(around)
    others: Any = {"set": {"x-a": "s"}, "remove": ["x-b", "query", "key"]}
    assert compiled(app_with(scheme, **named, request_headers=others))["access"] == access


def test_an_edit_may_set_or_remove_what_no_mark_names() -> None:
    either = APIKeyHeader(name="X-Key", auto_error=False)
    removes: Any = {"remove": ["x-key"]}
    assert compiled(app_with(either, access="public", request_headers=removes))
    assert "removes that" in faults(app_with(KEY, access="public", request_headers=removes))
    for edits in ({"set": {"x-key": "s"}}, {"set": {"x-key": "s"}, "remove": ["x-key"]}):
        assert compiled(app_with(KEY, access="authenticated", request_headers=edits))
    names: dict[str, Any] = {"access": "public", "app_checks": ["APIKeyQuery"]}
    assert compiled(app_with(QUERY, **names, request_headers={"remove": ["query"]}))


def test_a_required_parameter_that_an_edit_removes_never_arrives() -> None:
    def read(x_key: Annotated[str, Header()]) -> None: ...

    edits: Any = {"remove": ["X-Key"]}
    found = faults(app_with(read, access="public", request_headers=edits))
    assert 'takes the request field "x-key" as a required parameter, but request_headers' in found
    edits["set"] = {"x-key": "s"}
    assert compiled(app_with(read, access="public", request_headers=edits))
