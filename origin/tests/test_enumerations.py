"""Members of `class Scope(str, Enum)` in declarations: their values count, not their names."""

from enum import Enum
from typing import Annotated, Any

import pytest
from fastapi import APIRouter, Depends, FastAPI, Security
from fastapi.security import OAuth2PasswordBearer, SecurityScopes

from fastgate import Caller, EdgeCache, Identity, at_edge, claim, fastgate, requires
from fastgate.compile.callers.requirements import Callers
from fastgate.compile.drift import drift
from fastgate.compile.policy import compile_routes
from tests.compiled_route import compiled, faults


class Text(str, Enum):  # noqa: UP042 - a StrEnum has another __str__
    """Strings that an app names once."""

    READ = "items:read"
    MFA = "urn:mfa"
    EU = "eu"
    STAFF = "staff"
    PUBLIC = "public"
    ID = "me"


PASSWORD = OAuth2PasswordBearer(tokenUrl="token")
READ = {"access": "authenticated", "scopes": ["items:read"]}


def current_user(scopes: SecurityScopes, token: Annotated[str, Depends(PASSWORD)]) -> None: ...


async def endpoint() -> None: ...


def plain(value: Any) -> bool:  # noqa: ANN401
    """Whether JSON of the policy has no other string than those of the type `str`."""
    if isinstance(value, dict):
        return all(map(plain, (*value, *value.values())))
    if isinstance(value, (list, tuple)):
        return all(map(plain, value))
    return not isinstance(value, str) or type(value) is str


def only(app: FastAPI) -> dict[str, Any]:
    members = compiled(app)
    assert plain(members)
    members.pop("forward_token", None)
    return members


@pytest.mark.parametrize("dependency", [current_user, fastgate])
@pytest.mark.parametrize("around", ["app", "router", "endpoint"])
def test_scopes_of_dependencies(dependency: Any, around: str) -> None:  # noqa: ANN401
    listed = [Security(dependency, scopes=[Text.READ])]
    app = FastAPI(openapi_url=None, dependencies=listed if around == "app" else [])
    router = APIRouter(dependencies=listed if around == "router" else [])
    router.get("/x", dependencies=listed if around == "endpoint" else [])(endpoint)
    app.include_router(router)
    assert only(app) == READ
    routes = compile_routes(app)
    assert drift(routes, [{**routes[0], "scopes": ["items:read"]}]) == []
    assert drift([{**routes[0], "scopes": [Text.READ]}], routes) == []


def test_scopes_of_an_app_that_are_repeated_for_a_mounted_one() -> None:
    app = FastAPI(openapi_url=None, dependencies=[Security(fastgate, scopes=[Text.READ])])
    sub = at_edge(access="authenticated", scopes=["items:read"])(FastAPI(openapi_url=None))
    sub.get("/x")(endpoint)
    app.mount("/sub", sub)
    assert only(app) == READ


def test_members_of_marks() -> None:
    mark: dict[str, Any] = {
        "id": Text.ID,
        "scopes": [Text.READ],
        "regions": [Text.EU],
        "limits": (Text.STAFF,),
        "require": {Text.STAFF: {"role": Text.STAFF}},
        "authentication": {"acr": [Text.MFA]},
    }
    app = FastAPI(openapi_url=None)
    app.get("/x")(at_edge(**mark)(endpoint))
    app.get("/y", openapi_extra={"x-fastgate": {**mark, "id": Text.STAFF}})(lambda: None)
    routes = compile_routes(app)
    assert plain(routes)
    assert [each["id"] for each in routes] == ["me", "staff"]
    assert routes[0]["authentication"] == {"acr": ["urn:mfa"]}
    opened = FastAPI(openapi_url=None)
    opened.get("/x")(at_edge(access=Text.PUBLIC)(lambda: None))
    assert only(opened) == {"access": "public"}


def test_requirements_and_audiences() -> None:
    required = requires(
        claim(Text.ID).equals(Text.STAFF), role=Text.STAFF, scope=Text.READ, acr=[Text.MFA],
        region=Text.EU,
    )  # fmt: skip
    app = FastAPI(openapi_url=None)

    @app.get("/x")
    def read(caller: Annotated[Identity, Depends(required)]) -> None: ...

    assert compiled(app)["regions"] == ["eu"]
    assert plain(compile_routes(app))
    stored = FastAPI(openapi_url=None)
    cache = EdgeCache(audience=[Text.STAFF], vary=[Text.ID], ttl=60)
    assert cache == EdgeCache(audience=["staff"], vary=["me"], ttl=60)

    @stored.get("/x")
    @at_edge(cache=cache)
    def read_stored(caller: Caller) -> None: ...

    assert only(stored)["cache"] == {"audience": ["staff"], "ttl": 60, "vary": ["me"]}


def test_malformed_documents_of_another_source() -> None:
    found = Callers.of_members({"scopes": [Text.READ], "authentication": {"acr": [Text.MFA]}})
    assert (found.scopes, found.acr) == (("items:read",), (("urn:mfa",),))
    assert Callers.of_members({"regions": [Text.EU]}).regions == ("eu",)


def test_messages_name_the_value() -> None:
    app = FastAPI(openapi_url=None)
    inner = Annotated[Caller, Security(fastgate, scopes=[Text.READ])]

    @app.get("/x")
    def read(caller: Annotated[inner, Security(fastgate, scopes=["b"])]) -> None: ...

    assert "requires 'items:read' in an annotation without effect" in faults(app)
