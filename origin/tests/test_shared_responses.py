"""What an app learns of the caller if the edge stores the response: `tctx.shared`, `NotShared`."""

import base64
import copy
import dataclasses
import functools
import json
import pickle
from collections.abc import Callable, Mapping
from typing import Annotated, Any

import httpx
import pytest
from fastapi import Depends, FastAPI, Request, Security
from starlette.testclient import TestClient

from fastgate import (
    AnyCaller,
    Caller,
    EdgeCache,
    EdgeClaims,
    Identity,
    LocalCaller,
    NotShared,
    Settings,
    any_of,
    at_edge,
    claim,
    fastgate,
    group,
    guard,
    not_,
    requires,
    role,
    scope,
)
from fastgate.errors import ClaimMalformed
from fastgate.identity import SharedIdentity
from fastgate.testing import AsCaller, fake_edge
from tests.edge import HEADER, IDP, Edge, payload
from tests.test_forwarded import FULL

pytestmark = pytest.mark.anyio

FOR_ALL = EdgeCache("public", 60, shared=True)
EVERYTHING = ["caller", "claim:/org/id", "claim:plan", "groups", "roles", "tenant"]
RCTX: dict[str, object] = {
    "iss": IDP,
    "roles": ["admin"],
    "groups": [],
    "tenant": "acme",
    "claims": {"plan": "gold", "/org/id": None},
}
"""`rctx` for the audience `EVERYTHING`."""


def shared_payload(
    shared: object,
    rctx: Mapping[str, object],
    *,
    sub: str | None = None,
    scope: str = "",
    method: str = "GET",
) -> dict[str, object]:
    found = payload("/me", "/me", method=method, scope=scope)
    del found["sub"]
    tctx = {**found["tctx"], "shared": shared}  # type: ignore[dict-item]
    return {**found, **({"sub": sub} if sub else {}), "tctx": tctx, "rctx": dict(rctx)}


def identity_of(shared: object, rctx: Mapping[str, object], **more: Any) -> Identity:  # noqa: ANN401
    found = Identity.of(EdgeClaims.parse(shared_payload(shared, rctx, **more)))
    assert found is not None
    return found


# The header.


def test_the_audience_is_read() -> None:
    claims = EdgeClaims.parse(shared_payload(EVERYTHING, RCTX, sub="ada", scope="a b"))
    assert claims.transaction.shared == frozenset(EVERYTHING)
    assert EdgeClaims.parse(shared_payload([], {})).transaction.shared == frozenset()
    assert EdgeClaims.parse(payload()).transaction.shared is None
    later = EdgeClaims.parse(shared_payload(["region"], {"iss": IDP}, method="HEAD"))
    assert later.transaction.shared == frozenset(("region",))


@pytest.mark.parametrize("shared", [None, "tenant", [1], [None], [""], {}, True, [["tenant"]]])
def test_a_malformed_audience_is_refused(shared: object) -> None:
    with pytest.raises(ClaimMalformed) as refused:
        EdgeClaims.parse(shared_payload(shared, {}))
    assert refused.value.claim == "tctx.shared"


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS"])
def test_only_retrievals_have_an_audience(method: str) -> None:
    with pytest.raises(ClaimMalformed) as refused:
        EdgeClaims.parse(shared_payload([], {}, method=method))
    assert refused.value.claim == "tctx.shared"
    opening = shared_payload([], {})
    opening["tctx"]["websocket"] = True  # type: ignore[index]
    with pytest.raises(ClaimMalformed):
        EdgeClaims.parse(opening)


@pytest.mark.parametrize("shared", [[], ["tenant"], ["caller"]])
def test_every_audience_may_have_a_region(shared: list[str]) -> None:
    rctx = {"iss": IDP, "region": "eu"} if shared else {"region": "eu"}
    sub = "ada" if "caller" in shared else None
    assert EdgeClaims.parse(shared_payload(shared, rctx, sub=sub)).requester.region == "eu"


@pytest.mark.parametrize("name", sorted(FULL.keys() - {"later", "iss", "region"}))
def test_a_header_with_more_than_the_audience_is_refused(name: str) -> None:
    for shared in (["caller"], ["region", name]):
        is_of_audience = name in ("roles", "groups", "tenant") and name in shared
        sub = "ada" if "caller" in shared else None
        document = shared_payload(shared, {"iss": IDP, name: FULL[name]}, sub=sub)
        if is_of_audience:
            EdgeClaims.parse(document)
            continue
        with pytest.raises(ClaimMalformed) as refused:
            EdgeClaims.parse(document)
        assert refused.value.claim == f"rctx.{name}"


@pytest.mark.parametrize(
    ("shared", "rctx", "sub", "scope", "claim"),
    [
        ([], {"iss": IDP}, None, "", "rctx.iss"),
        ([], {}, "ada", "", "sub"),
        (["tenant"], {"iss": IDP}, "ada", "", "sub"),
        (["caller"], {"iss": IDP}, None, "", "sub"),
        (["caller"], {}, "ada", "", "sub"),
        (["tenant"], {}, None, "a", "scope"),
        (["tenant"], {"tenant": "acme"}, None, "", "rctx.tenant"),
    ],
)
def test_a_header_that_contradicts_itself_is_refused(
    shared: list[str], rctx: dict[str, object], sub: str | None, scope: str, claim: str
) -> None:
    with pytest.raises(ClaimMalformed) as refused:
        EdgeClaims.parse(shared_payload(shared, rctx, sub=sub, scope=scope))
    assert refused.value.claim == claim


# The identity.

READ: dict[str, Callable[[Identity], object]] = {
    "subject": lambda it: it.subject,
    "issuer": lambda it: it.issuer,
    "roles": lambda it: it.roles,
    "tenant": lambda it: it.tenant,
    "groups": lambda it: it.groups,
    "forwarded_groups": lambda it: it.forwarded_groups,
    'claims["plan"]': lambda it: it.claims["plan"],
    'claims["/org/id"]': lambda it: it.claims.get("/org/id"),
}
NEVER: dict[str, Callable[[Identity], object]] = {
    "client": lambda it: it.client,
    "client_id": lambda it: it.client_id,
    "confirmation": lambda it: it.confirmation,
    "acr": lambda it: it.acr,
    "authenticated_at": lambda it: it.authenticated_at,
    "session_id": lambda it: it.session_id,
    "token_expires_at": lambda it: it.token_expires_at,
}


def readable(identity: Identity) -> set[str]:
    """Return what can be read; everything else raises `NotShared`."""
    found = set()
    for name, read in {**READ, **NEVER}.items():
        try:
            read(identity)
        except NotShared as error:
            is_named = (error.name, error.route) == (name, identity.route)
            found |= set() if is_named else {f"{name}: {error}"}
        else:
            found.add(name)
    return found


def test_only_what_is_shared_can_be_read() -> None:
    everything = identity_of(EVERYTHING, RCTX, sub="ada", scope="a b")
    assert readable(everything) == {*READ}
    assert (everything.subject, everything.issuer) == ("ada", IDP)
    assert everything.roles == {"admin"}
    assert everything.groups == frozenset()
    assert (everything.tenant, everything.claims["plan"]) == ("acme", "gold")
    assert everything.claims["/org/id"] is None
    assert everything.scopes == {"a", "b"}
    always = (everything.request_id, everything.host, everything.route)
    assert always == ("01J9Z", "testserver", "read_order")
    assert everything.expires_at is not None


@pytest.mark.parametrize(
    ("fact", "rctx", "found"),
    [
        ("caller", {}, {"subject"}),
        ("tenant", {"tenant": "acme"}, {"tenant"}),
        ("tenant", {}, {"tenant"}),
        ("roles", {"roles": ["a"]}, {"roles"}),
        ("roles", {}, {"roles"}),
        ("groups", {"groups": []}, {"groups", "forwarded_groups"}),
        ("claim:plan", {"claims": {"plan": None}}, {'claims["plan"]'}),
        ("claim:/org/id", {"claims": {"/org/id": 1}}, {'claims["/org/id"]'}),
    ],
)
def test_each_fact_gives_one_member_and_the_issuer(
    fact: str, rctx: dict[str, object], found: set[str]
) -> None:
    sub = "ada" if fact == "caller" else None
    identity = identity_of([fact], {"iss": IDP, **rctx}, sub=sub)
    assert readable(identity) == {"issuer", *found}


def test_the_error_names_the_line_to_declare() -> None:
    identity = identity_of(["tenant"], {"iss": IDP, "tenant": "acme"})
    with pytest.raises(NotShared) as error:
        identity.roles  # noqa: B018
    assert str(error.value) == (
        "this route's response is shared by the callers of one tenant (EdgeCache(audience="
        '"tenant") on the route "read_order"), so the app cannot read roles: write '
        'audience=["tenant", "roles"] to add it'
    )
    for read, entry in (
        (READ["subject"], '["tenant", "caller"]'),
        (READ['claims["plan"]'], '["tenant", "plan"]'),
        (READ['claims["/org/id"]'], '["tenant", claim(["org", "id"])]'),
        (READ["groups"], '["tenant", "groups"]'),
        (READ["forwarded_groups"], '["tenant", "groups"]'),
        # The names of some claims would be words.
        (lambda it: it.claims["roles"], '["tenant", claim("roles")]'),
        (lambda it: it.claims["role"], '["tenant", claim("role")]'),
        (lambda it: it.claims["sub"], '["tenant", claim("sub")]'),
    ):
        with pytest.raises(NotShared) as error:
            read(identity)
        assert f"write audience={entry} to add it" in str(error.value)
    with pytest.raises(NotShared) as error:
        identity.acr  # noqa: B018
    assert str(error.value).endswith("remove cache from its at_edge mark")
    claims = EdgeClaims.parse(shared_payload([], {}))
    with pytest.raises(NotShared) as error:
        SharedIdentity.about(claims).issuer  # noqa: B018
    assert 'shared by all callers (EdgeCache(audience="public")' in str(error.value)
    several = identity_of(["claim:plan", "roles"], {"iss": IDP, "claims": {"plan": "x"}})
    with pytest.raises(NotShared) as error:
        several.tenant  # noqa: B018
    assert 'EdgeCache(audience=["plan", "roles"])' in str(error.value)


def test_no_default_hides_the_error() -> None:
    identity = identity_of(["tenant"], {"iss": IDP})
    with pytest.raises(NotShared):
        getattr(identity, "roles", None)
    with pytest.raises(NotShared):
        identity.claims.get("plan", "free")
    assert "plan" not in identity.claims
    assert not hasattr(identity, "another")


def test_every_field_is_shared_or_refused() -> None:
    """A field that is added to `Identity` has no default here either."""
    always = {"scopes", "request_id", "claims", "host", "route", "expires_at", "region"}
    identity = identity_of(["region"], {"iss": IDP})
    for each in (field.name for field in dataclasses.fields(Identity)):
        if each in {*always, "issuer"}:
            getattr(identity, each)
            continue
        with pytest.raises(NotShared):
            getattr(identity, each)
    for whole in (dataclasses.asdict, pickle.dumps, dataclasses.replace):
        with pytest.raises(NotShared):
            whole(identity)


def test_it_is_an_identity_that_can_be_printed_copied_and_compared() -> None:
    identity = identity_of(["tenant"], {"iss": IDP, "tenant": "acme"})
    assert isinstance(identity, Identity)
    assert repr(identity) == "<identity shared by ['tenant'] of the route 'read_order'>"
    assert copy.copy(identity) is copy.deepcopy(identity) is identity
    assert {identity: 1}[identity] == 1
    assert identity == identity
    assert identity != identity_of(["tenant"], {"iss": IDP, "tenant": "acme"})
    with pytest.raises(AttributeError):
        identity.tenant = "other"  # type: ignore[misc]
    for copied in (copy.copy(identity.claims), identity.claims.copy()):  # type: ignore[attr-defined]
        assert copied == identity.claims
        with pytest.raises(NotShared):
            copied.get("plan")


def test_an_anonymous_request_never_becomes_known() -> None:
    for shared in ([], ["tenant"], ["caller"], EVERYTHING):
        claims = EdgeClaims.parse(shared_payload(shared, {}))
        assert Identity.of(claims) is None


# In an app.


async def requested(edge: Edge, app: FastAPI, document: Mapping[str, object]) -> httpx.Response:
    guard(app, edge.settings())
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="https://testserver") as http:
        return await http.get("/me", headers={HEADER: edge.sign(document).decode()})


def app_with(*dependencies: object, cache: EdgeCache | None = None) -> FastAPI:
    app = FastAPI()

    async def endpoint() -> str:
        return "ran"

    listed = [Depends(each) for each in dependencies]  # type: ignore[arg-type]
    target = functools.partial(endpoint)
    app.get("/me", dependencies=listed)(at_edge(cache=cache)(target) if cache else target)
    return app


async def test_a_known_caller_is_known(edge: Edge) -> None:
    app = FastAPI()

    @app.get("/me")
    @at_edge(cache=EdgeCache("tenant", 60))
    async def read_me(caller: Caller, same: AnyCaller) -> object:
        assert same is not None
        return [caller.tenant, same.tenant]

    document = shared_payload(["tenant"], {"iss": IDP, "tenant": "acme"})
    assert (await requested(edge, app, document)).json() == ["acme", "acme"]


async def test_reading_more_is_an_error_of_the_app(edge: Edge) -> None:
    app = FastAPI()

    @app.get("/me")
    async def read_me(caller: Caller) -> str:
        return caller.subject

    document = shared_payload(["tenant"], {"iss": IDP, "tenant": "acme"})
    assert (await requested(edge, app, document)).status_code == 500


async def test_a_whole_identity_cannot_be_the_response(edge: Edge) -> None:
    app = FastAPI()

    @app.get("/me")
    async def read_me(caller: Caller) -> Identity:
        return caller

    document = shared_payload(["tenant"], {"iss": IDP, "tenant": "acme"})
    assert (await requested(edge, app, document)).status_code == 500


@pytest.mark.parametrize("shared", [[], ["tenant"], ["caller"]])
async def test_an_anonymous_caller_is_refused_by_default(edge: Edge, shared: list[str]) -> None:
    document = shared_payload(shared, {})
    for cache in (None, EdgeCache("tenant", 60), EdgeCache("caller", 60)):
        app = app_with(fastgate, cache=cache)
        assert (await requested(edge, app, document)).status_code == 401


async def test_a_response_for_all_admitted_callers_needs_a_declaration(edge: Edge) -> None:
    document = shared_payload([], {})
    ran = await requested(edge, app_with(fastgate, cache=FOR_ALL), document)
    assert ran.json() == "ran"
    # The declaration helps no caller of another header.
    for other in (shared_payload(["tenant"], {}), {**payload("/me", "/me", scope=""), "rctx": {}}):
        other.pop("sub", None)
        refused = await requested(edge, app_with(fastgate, cache=FOR_ALL), other)
        assert refused.status_code == 401


async def test_nothing_is_known_of_such_a_caller(edge: Edge) -> None:
    app = FastAPI()
    found: list[Identity | None] = []

    @app.get("/me")
    @at_edge(cache=FOR_ALL)
    async def read_me(caller: Caller, any_caller: AnyCaller) -> None:
        found.extend((caller, any_caller))

    assert (await requested(edge, app, shared_payload([], {}))).status_code == 200
    caller, any_caller = found
    assert any_caller is None
    assert caller is not None
    assert readable(caller) == set()


@pytest.mark.parametrize(
    ("dependency", "status"),
    [
        (Security(fastgate, scopes=["a"]), 200),
        (Depends(requires(scope="a")), 200),
        (Depends(requires(scope="b")), 403),
        (Depends(requires(role="admin")), 200),
        (Depends(requires(role="other")), 403),
        (Depends(requires(not_(role("other")))), 200),
        (Depends(requires(claim("plan").equals("gold"))), 200),
        # What is not shared cannot be decided, also under `not_`.
        (Depends(requires(not_(scope("b")))), 403),
        (Depends(requires(any_of(scope("b"), group("x")))), 403),
        (Depends(requires(not_(group("x")))), 403),
        (Depends(requires(not_(claim("other").equals(1)))), 403),
        (Depends(requires(bound=True)), 500),
        (Depends(requires(acr=["mfa"])), 500),
        (Depends(requires(max_age=60)), 500),
    ],
)
async def test_requirements_are_checked_by_what_is_shared(
    edge: Edge, dependency: object, status: int
) -> None:
    app = FastAPI()

    @app.get("/me", dependencies=[dependency])  # type: ignore[list-item]
    async def read_me() -> None: ...

    rctx = {"iss": IDP, "roles": ["admin"], "claims": {"plan": "gold"}}
    document = shared_payload(["roles", "claim:plan"], rctx, scope="a")
    assert (await requested(edge, app, document)).status_code == status


async def test_roles_that_are_not_shared_are_undecided(edge: Edge) -> None:
    document = shared_payload(["tenant"], {"iss": IDP, "tenant": "acme"})
    for condition in (role("admin"), not_(role("admin"))):
        response = await requested(edge, app_with(requires(condition)), document)
        assert response.status_code == 403


# The fake edge, for tests and local development, signs the same header.

ADA: dict[str, Any] = {
    "sub": "ada",
    "scopes": ("a", "b"),
    "roles": ("admin",),
    "groups": ("staff",),
    "tenant": "acme",
    "claims": {"plan": "gold", "other": 1},
    "acr": "mfa",
    "client_id": "shop",
    "country": "DE",
    "token_expires_at": 2_000_000_000,
}


@pytest.mark.parametrize(
    ("audience", "found"),
    [
        ("tenant", {"issuer", "tenant"}),
        ("roles", {"issuer", "roles"}),
        ("caller", {"issuer", "subject"}),
        (["groups"], {"issuer", "groups", "forwarded_groups"}),
        (["plan"], {"issuer", 'claims["plan"]'}),
        ([claim(["org", "id"])], {"issuer", 'claims["/org/id"]'}),
    ],
)
def test_a_test_sees_what_is_shared(audience: Any, found: set[str], edge: Edge) -> None:  # noqa: ANN401
    app = FastAPI(openapi_url=None)
    seen: list[Identity] = []

    @app.api_route("/me", methods=["GET", "POST"])
    @at_edge(id="read_order", cache=EdgeCache(audience, 60))
    async def read_me(caller: Annotated[Caller, Security(fastgate, scopes=["a"])]) -> None:
        seen.append(caller)

    guard(app, edge.settings(strict=True))
    with AsCaller()(app, **ADA) as http:
        assert http.get("/me").status_code == 200
        assert http.post("/me").status_code == 200
    shared, whole = seen
    assert readable(shared) == found
    assert shared.scopes == {"a"}
    assert (whole.subject, whole.tenant) == ("ada", "acme")
    assert whole.scopes == {"a", "b"}


def test_a_test_of_a_response_for_all_callers(edge: Edge) -> None:
    app = FastAPI()

    @app.get("/gated", dependencies=[Security(fastgate, scopes=["a"])])
    @at_edge(cache=FOR_ALL)
    async def read_gated() -> None: ...

    @app.get("/open")
    @at_edge(access="public", cache=EdgeCache("public", 60))
    async def read_open(caller: AnyCaller) -> bool:
        return caller is None

    @app.get("/optional")
    @at_edge(cache=EdgeCache("tenant", 60))
    async def read_optional(caller: AnyCaller) -> bool:
        return caller is None

    guard(app, edge.settings())
    as_caller = AsCaller()
    with as_caller(app, **ADA) as ada, as_caller(app) as anonymous, as_caller(app, "bob") as bob:
        assert ada.get("/gated").status_code == 200
        assert bob.get("/gated").status_code == 403
        assert anonymous.get("/gated").status_code == 401
        assert ada.get("/open").json() is True
        assert anonymous.get("/open").json() is True
        assert ada.get("/optional").json() is False
        assert anonymous.get("/optional").json() is True


# As at the edge, the app receives only the fields that are declared.

SENT = [
    *(("Accept-Language", "de"), ("X-Plan", "gold"), ("X-Debug", "1"), ("X-Channel", "own")),
    *(("Cookie", "a=b"), ("Authorization", "Bearer x"), ("X-Forwarded-For", "192.0.2.1")),
    *(("User-Agent", "test"), ("X-Request-ID", "7"), ("Content-Type", "text/plain")),
]
OF_THE_EDGE = {"host", "connection", "x-request-id", "content-length"}


def app_that_lists_fields(settings: Settings) -> FastAPI:
    app = FastAPI()

    @app.api_route("/me", methods=["GET", "POST"])
    @at_edge(
        cache=EdgeCache("tenant", 60, vary=["Accept-Language", "x-debug"]),
        request_headers={"set": {"X-Channel": "edge"}, "remove": ["X-Debug"]},
    )
    async def read_me(request: Request, caller: Caller) -> dict[str, str]:
        return dict(request.headers)

    @app.get("/whole")
    async def read_whole(request: Request, caller: Caller) -> dict[str, str]:
        return dict(request.headers)

    guard(app, settings)
    return app


def undeclared(response: Any) -> dict[str, str]:  # noqa: ANN401
    assert response.status_code == 200
    return {name: value for name, value in response.json().items() if name not in OF_THE_EDGE}


@pytest.mark.parametrize("backend_host", [None, "orders.internal"])
def test_a_test_finds_a_field_that_is_not_declared(edge: Edge, backend_host: str | None) -> None:
    app = app_that_lists_fields(edge.settings(backend_host=backend_host))
    declared = {"accept-language": "de", "x-channel": "edge"}
    with AsCaller()(app, **ADA) as client, TestClient(app) as plain:
        as_ada = AsCaller()("ada", ADA["scopes"], of=app)
        pairs: list[tuple[TestClient, dict[str, Any]]] = [(client, {}), (plain, {"auth": as_ada})]
        for http, more in pairs:
            found = http.get("/me", headers=SENT, **more)
            assert undeclared(found) == declared
            assert found.json()["x-request-id"] == "7"
            assert found.json()["host"] == (backend_host or "testserver")
            with_body = http.request("GET", "/me", headers=SENT, content=b"{}", **more)
            assert undeclared(with_body) == {**declared, "content-type": "text/plain"}
            # Responses to other requests are not stored.
            for whole in (
                http.post("/me", headers=SENT, **more),
                http.get("/whole", headers=SENT, **more),
            ):
                assert {name.lower() for name, _ in SENT} - {"x-debug"} <= whole.json().keys()


@pytest.mark.parametrize("cache", [None, EdgeCache("public", 60, vary=["x-debug", "x-plan"])])
def test_a_test_sees_the_request_fields_that_the_route_edits(
    edge: Edge, cache: EdgeCache | None
) -> None:
    app = FastAPI()

    @app.get("/open")
    @at_edge(
        access="public",
        cache=cache,
        request_headers={"set": {"X-Channel": "edge"}, "remove": ["X-Debug"]},
    )
    async def read_open(request: Request) -> list[tuple[str, str]]:
        return [each for each in request.headers.items() if each[0].startswith("x-")]

    guard(app, edge.settings())
    fields = {"X-Channel": "own", "X-Debug": "1", "X-Plan": "gold"}
    found = AsCaller()(app).get("/open", headers=fields).json()
    assert found == [["x-plan", "gold"], ["x-channel", "edge"]]


def test_anonymous_callers_share_as_nobody(edge: Edge) -> None:
    app = FastAPI()

    @app.get("/optional")
    @at_edge(access="optional", cache=EdgeCache("tenant", 60))
    async def read_optional() -> None: ...

    guard(app, edge.settings())
    with fake_edge(app) as signing:
        shared = dict[bool, object]()
        for caller in (None, LocalCaller("ada", tenant="acme")):
            scope = {"type": "http", "method": "GET", "path": "/optional", "query_string": b""}
            header = signing.header_for({**scope, "headers": []}, caller)
            part = header.split(b".")[1]
            claims = json.loads(base64.urlsafe_b64decode(part + b"=="))
            shared[caller is None] = claims["tctx"]["shared"]
    assert shared == {True: [], False: ["tenant"]}


async def test_an_app_with_a_local_caller_receives_no_other_field() -> None:
    local = LocalCaller("ada", tenant="acme")
    settings = Settings(edge="http://127.0.0.1:7676", audience="orders", local_caller=local)
    transport = httpx.ASGITransport(app_that_lists_fields(settings))
    fields = [each for each in SENT if each[0] not in ("X-Forwarded-For", "Authorization")]
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as http:
        found = undeclared(await http.get("/me", headers=fields))
        assert found == {"accept-language": "de", "x-channel": "edge"}
        assert (await http.get("/whole", headers=fields)).json()["cookie"] == "a=b"
