"""The region to which the edge sent a request: who reads it, and what is refused because of it."""

import logging
from collections.abc import Mapping
from typing import Annotated, Any

import httpx
import pytest
from fastapi import Depends, FastAPI, Request, Security
from starlette.testclient import TestClient

from fastgate import (
    AnyCaller,
    Caller,
    EdgeCache,
    Identity,
    LocalCaller,
    Settings,
    at_edge,
    guard,
    requires,
)
from fastgate.claims import EdgeClaims
from fastgate.errors import ClaimMalformed
from fastgate.requires import Requires
from fastgate.testing import AsCaller, fake_edge
from tests.edge import HEADER, ISSUER, Edge, payload
from tests.gateway_samples import FakeGateway
from tests.serving import JwksServer

pytestmark = pytest.mark.anyio

IN_EU = requires(region="eu")


@pytest.fixture
def iap(jwks_server: JwksServer) -> FakeGateway:
    return FakeGateway("google-iap", jwks_server)


def in_region(region: object, path: str = "/vat", *, known: bool = False) -> dict[str, object]:
    """Return the claims of a request to `path` that was sent to a backend of this region."""
    claims = payload(path, path, scope="")
    rctx: dict[str, object] = dict(claims["rctx"]) if known else {}  # type: ignore[call-overload]
    if not known:
        del claims["sub"]
    return {**claims, "rctx": rctx if region is None else {**rctx, "region": region}}


def app_with(edge: Edge, dependency: Requires = IN_EU, **settings: Any) -> FastAPI:  # noqa: ANN401
    app = FastAPI(openapi_url=None)

    @app.get("/vat", dependencies=[Depends(dependency)])
    @at_edge(access="public", id="export_vat")
    async def export_vat() -> str:
        return "exported"

    @app.get("/where")
    @at_edge(access="public")
    async def where(request: Request) -> str | None:
        region: str | None = request.scope["fastgate"].requester.region
        return region

    @app.get("/me")
    async def read_me(caller: Caller) -> str | None:
        return caller.region

    guard(app, edge.settings(**settings))
    return app


async def get(app: FastAPI, edge: Edge, claims: Mapping[str, object], path: str = "/vat") -> Any:  # noqa: ANN401
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://testserver") as http:
        return await http.get(path, headers={HEADER: edge.sign(claims).decode()})


def facts(caplog: pytest.LogCaptureFixture) -> dict[str, Any]:
    found: dict[str, Any] = caplog.records[-1].__dict__["fastgate"]
    return found


# The fact.


async def test_the_region_reaches_known_and_anonymous_callers(edge: Edge) -> None:
    app = app_with(edge)
    for region in ("eu", "us-east 1", None):
        claims = in_region(region, "/me", known=True)
        assert (await get(app, edge, claims, "/me")).json() == region
        assert (await get(app, edge, in_region(region, "/where"), "/where")).json() == region


def test_the_region_is_known_where_callers_share_a_response(as_caller: AsCaller) -> None:
    app = FastAPI(openapi_url=None)

    @app.get("/prices")
    @at_edge(cache=EdgeCache("tenant", ttl=60))
    async def prices(caller: Annotated[Identity, Depends(IN_EU)], again: Caller) -> str | None:
        return caller.region if caller.region == again.region else "another"

    @app.get("/all", dependencies=[Depends(IN_EU)])
    @at_edge(access="public", cache=EdgeCache("public", ttl=60))
    async def of_all(caller: AnyCaller) -> str:
        return "all"

    guard(app, Settings(edge=ISSUER, audience="orders"))
    with as_caller(app, "ada", tenant="acme") as client:
        assert client.get("/prices").json() == "eu"
        assert client.get("/all").json() == "all"
    with as_caller(app, "ada", tenant="acme", region="us") as client:
        assert client.get("/prices").status_code == 403
        assert client.get("/all").status_code == 403


@pytest.mark.parametrize("region", ["", None, 1, ["eu"], {"eu": 1}, True])
def test_a_malformed_region_refuses_the_header(region: object) -> None:
    claims = payload()
    claims["rctx"] = {**claims["rctx"], "region": region}  # type: ignore[dict-item]
    with pytest.raises(ClaimMalformed) as refused:
        EdgeClaims.parse(claims)
    assert refused.value.claim == "rctx.region"


# What an endpoint requires.


async def test_a_public_endpoint_runs_only_in_its_region(
    edge: Edge, caplog: pytest.LogCaptureFixture
) -> None:
    app = app_with(edge)
    served = await get(app, edge, in_region("eu"))
    assert (served.status_code, served.json()) == (200, "exported")
    for region in ("us", None, "EU", "eu "):
        refused = await get(app, edge, in_region(region))
        assert refused.status_code == 403
        assert refused.json()["type"] == "urn:fastgate:problem:forbidden"
        assert "www-authenticate" not in refused.headers
        said = facts(caplog)
        assert (said["code"], said.get("signed"), said["found"]) == ("region-unmet", region, '"eu"')
        assert 'write "regions": ["eu"] on the route "read_order" of the policy' in said["hint"]
        assert ("names no region" in said["hint"]) is (region is None)


async def test_one_of_several_regions_is_enough(edge: Edge) -> None:
    for region in (["eu", "ch"], ("ch", "eu")):
        app = app_with(edge, requires(region=region))
        statuses = [
            (await get(app, edge, in_region(each))).status_code for each in ("eu", "ch", "us", None)
        ]
        assert statuses == [200, 200, 403, 403]


async def test_a_region_beside_other_requirements_requires_a_caller(edge: Edge) -> None:
    app = app_with(edge, requires(region="eu", scope="vat"))
    assert (await get(app, edge, in_region("eu"))).status_code == 401
    known = in_region("eu", known=True)
    assert (await get(app, edge, known)).status_code == 403
    assert (await get(app, edge, {**known, "scope": "vat"})).status_code == 200
    elsewhere = in_region("us", known=True)
    assert (await get(app, edge, {**elsewhere, "scope": "vat"})).status_code == 403


async def test_scopes_around_a_region_require_a_caller(edge: Edge) -> None:
    app = FastAPI(openapi_url=None)

    @app.get("/vat", dependencies=[Security(IN_EU, scopes=["vat"])])
    async def export_vat() -> str:
        return "exported"

    guard(app, edge.settings())
    assert (await get(app, edge, in_region("eu"))).status_code == 401
    known = in_region("eu", known=True)
    assert (await get(app, edge, known)).status_code == 403
    assert (await get(app, edge, {**known, "scope": "vat"})).status_code == 200


async def test_the_dependency_returns_the_caller_if_there_is_one(edge: Edge) -> None:
    app = FastAPI(openapi_url=None)

    @app.get("/vat")
    @at_edge(access="optional")
    async def export_vat(caller: Annotated[Identity | None, Depends(IN_EU)]) -> str:
        return "stranger" if caller is None else caller.subject

    guard(app, edge.settings())
    assert (await get(app, edge, in_region("eu"))).json() == "stranger"
    assert (await get(app, edge, in_region("eu", known=True))).json() == "ada"


async def test_without_a_guard_no_region_is_met() -> None:
    app = FastAPI(openapi_url=None)
    app.get("/vat", dependencies=[Depends(IN_EU)])(lambda: "exported")
    with TestClient(app) as client:
        assert client.get("/vat").status_code == 401


async def test_another_gateway_tells_no_region(
    iap: FakeGateway, caplog: pytest.LogCaptureFixture
) -> None:
    app = FastAPI(openapi_url=None)
    app.get("/vat", dependencies=[Depends(IN_EU)])(lambda: "exported")
    guard(app, gateways=[iap.gateway])
    with TestClient(app) as client:
        assert client.get("/vat", headers=dict(iap.fields())).status_code == 403
    assert facts(caplog)["code"] == "region-unmet"


async def test_an_observing_guard_lets_it_pass(
    edge: Edge, caplog: pytest.LogCaptureFixture
) -> None:
    app = FastAPI(openapi_url=None)
    app.get("/vat", dependencies=[Depends(IN_EU)])(lambda: "exported")
    guard(app, edge.settings(region="eu"), observe=True)
    with TestClient(app) as client:
        assert client.get("/vat").status_code == 200
    caplog.set_level(logging.WARNING)
    elsewhere = edge.sign(in_region("us")).decode()
    with TestClient(app) as client:
        assert client.get("/vat", headers={HEADER: elsewhere}).status_code == 200
    assert caplog.messages[-1] == "would be refused: region-mismatch"


@pytest.mark.parametrize(
    ("region", "error"),
    [
        *(("", ValueError), ([], ValueError), (["eu", ""], ValueError), ("\ud800", ValueError)),
        *((1, TypeError), ([1], TypeError), ({"eu"}, TypeError), (True, TypeError)),
    ],
)
def test_a_mistake_is_an_error_on_its_line(region: Any, error: type[Exception]) -> None:  # noqa: ANN401
    with pytest.raises(error, match="region"):
        requires(region=region)


def test_equal_regions_are_one_dependency() -> None:
    assert requires(region="eu") == requires(region=["eu", "eu"]) == IN_EU
    assert hash(requires(region=("eu",))) == hash(IN_EU)
    assert requires(region="us") != IN_EU
    assert requires(region="eu", role="a") != requires(role="a")
    assert repr(IN_EU) == "requires(region='eu')"
    both = requires(role="a", region=["eu", "us"])
    assert repr(both) == "requires(role='a', region=['eu', 'us'])"
    assert eval(repr(both), {"requires": requires}) == both  # noqa: S307


# What a whole app accepts.


async def test_an_app_of_one_region_refuses_headers_for_another(
    edge: Edge, caplog: pytest.LogCaptureFixture
) -> None:
    app = app_with(edge, region="eu")
    for path in ("/vat", "/where"):
        assert (await get(app, edge, in_region("eu", path), path)).status_code == 200
    for region in ("us", "EU", None):
        refused = await get(app, edge, in_region(region, "/where"), "/where")
        assert refused.status_code == 401
        assert refused.json()["type"] == "urn:fastgate:problem:not-from-the-edge"
        said = facts(caplog)
        assert (said["code"], said.get("signed"), said["found"]) == (
            "region-mismatch",
            region,
            "eu",
        )
        assert 'Settings(region="eu")' in said["hint"]
        assert said["verified"] is True


async def test_a_guard_within_another_one_compares_its_own_region(
    edge: Edge, caplog: pytest.LogCaptureFixture
) -> None:
    for outer in (None, "eu"):
        app, below = FastAPI(openapi_url=None), FastAPI(openapi_url=None)

        @below.get("/where")
        @at_edge(access="public")
        async def where() -> str:
            return "here"

        guard(below, edge.settings(region="eu"))
        app.mount("/below", below)
        guard(app, edge.settings(region=outer))
        statuses = [
            (await get(app, edge, in_region(each, "/below/where"), "/below/where")).status_code
            for each in ("eu", "us", None)
        ]
        assert statuses == [200, 401, 401]


# The fake edge.


def test_the_fake_edge_sends_to_the_region_that_the_edge_would_choose(as_caller: AsCaller) -> None:
    app = app_with(Edge(), requires(region=["ch", "eu"]))
    with as_caller(app) as client:
        assert client.get("/vat").json() == "exported"
        assert client.get("/where").json() is None
    with as_caller(app, region="us") as client:
        assert client.get("/vat").status_code == 403
        assert client.get("/where").json() == "us"
    with TestClient(app) as client:
        assert client.get("/me", auth=as_caller("ada", of=app, region="us")).json() == "us"
        assert client.get("/where", auth=as_caller(of=app, region="us")).json() == "us"
    with fake_edge(app) as found:
        found.region = "eu"
        with as_caller(app, "ada") as client:
            assert client.get("/me").json() == "eu"


def test_the_fake_edge_sends_to_the_region_of_the_settings(as_caller: AsCaller) -> None:
    app = app_with(Edge(), requires(region=["ch", "eu"]), region="eu")
    with as_caller(app) as client:
        assert client.get("/where").json() == "eu"
    with as_caller(app, region="ch") as client:
        assert client.get("/where").status_code == 401


def test_local_callers_are_in_the_region_of_the_settings() -> None:
    app = FastAPI(openapi_url=None)

    @app.get("/me")
    async def read_me(caller: Caller) -> str | None:
        return caller.region

    @app.get("/vat", dependencies=[Depends(requires(region=["ch", "eu"]))])
    @at_edge(access="public")
    async def export_vat() -> str:
        return "exported"

    local = {"edge": "http://localhost:7676", "local_caller": LocalCaller("ada")}
    guard(app, Settings(audience="orders", region="eu", **local))  # type: ignore[arg-type]
    with TestClient(app, base_url="http://localhost", client=("127.0.0.1", 1)) as client:
        assert client.get("/me").json() == "eu"
        assert client.get("/vat").json() == "exported"


def test_an_empty_region_is_not_the_one_that_is_expected(edge: Edge, as_caller: AsCaller) -> None:
    with as_caller(app_with(edge), region="") as client:
        assert client.get("/where").status_code == 401
