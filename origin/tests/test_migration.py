"""An app behind another gateway, behind Fastgate, or behind both while a team migrates.

Rows Q5, Q6, Q9 and Q12 of docs/attacks.md.
"""

import logging
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Annotated, Any

import pytest
from fastapi import APIRouter, Depends, FastAPI, Request, Security, WebSocket
from starlette.testclient import TestClient, WebSocketDenialResponse
from starlette.websockets import WebSocketDisconnect

from fastgate import (
    AnyCaller,
    Caller,
    FastgateMiddleware,
    Gateway,
    Identity,
    LocalCaller,
    Settings,
    all_of,
    any_of,
    at_edge,
    claim,
    fastgate,
    from_gateway,
    guard,
    not_,
    requires,
    role,
    scope,
)
from fastgate.claims import SCOPE_KEY
from fastgate.gateways.evidence import GatewayCheck
from fastgate.guard_settings import settings_of
from fastgate.routes.check import CHECK_KEY
from fastgate.testing import AsCaller
from tests.edge import HEADER, Edge
from tests.gateway_samples import SAMPLES, SIGNER, FakeGateway
from tests.serving import JwksServer


@pytest.fixture
def key_server() -> Iterator[JwksServer]:
    server = JwksServer()
    yield server
    server.close()


@pytest.fixture
def iap(key_server: JwksServer) -> FakeGateway:
    return FakeGateway("google-iap", key_server)


def codes(caplog: pytest.LogCaptureFixture) -> list[str]:
    facts = [each.__dict__["fastgate"] for each in caplog.records if "fastgate" in each.__dict__]
    return [each["code"] for each in facts]


def app_with(settings: Settings | None, gateway: FakeGateway, **more: Any) -> FastAPI:  # noqa: ANN401
    """Return an app that shows what its endpoint receives."""
    app = FastAPI()

    @app.get("/me")
    async def read_me(request: Request, caller: Caller) -> dict[str, object]:
        kind = type(request.scope[CHECK_KEY]).__name__
        headers = sorted(set(request.headers.keys()))
        return {"subject": caller.subject, "check": kind, "headers": headers}

    @app.get("/health")
    @at_edge(access="none")
    async def report_health() -> str:
        return "up"

    guard(app, settings, gateways=[gateway.gateway], **more)
    return app


def test_the_edge_and_the_gateway_send_requests_to_one_app(edge: Edge, iap: FakeGateway) -> None:
    client = TestClient(app_with(edge.settings(), iap))
    found = client.get("/me", headers=edge.headers("/me", "/me")).json()
    assert (found["subject"], found["check"]) == ("ada", "RouteCheck")
    found = client.get("/me", headers=dict(iap.fields())).json()
    assert (found["subject"], found["check"]) == (iap.sample.subject, "GatewayCheck")


def test_a_request_with_the_edges_header_is_judged_by_it_alone(
    edge: Edge, iap: FakeGateway, caplog: pytest.LogCaptureFixture
) -> None:
    client = TestClient(app_with(edge.settings(), iap))
    valid = dict(iap.fields())
    both = {**valid, **edge.headers("/me", "/me")}
    assert client.get("/me", headers=both).json()["subject"] == "ada"
    for wrong in ("", "nonsense", edge.mint("/other", "/me").decode()):
        assert client.get("/me", headers={**valid, HEADER: wrong}).status_code == 401
    assert codes(caplog) == ["token-malformed", "token-malformed", "path-mismatch"]
    # A forged assertion next to a valid header has no effect either.
    forged = {iap.gateway.header: "forged", **edge.headers("/me", "/me")}
    assert client.get("/me", headers=forged).json()["subject"] == "ada"


def test_without_settings_the_edges_header_is_refused(
    edge: Edge, iap: FakeGateway, caplog: pytest.LogCaptureFixture
) -> None:
    client = TestClient(app_with(None, iap))
    headers = {**dict(iap.fields()), **edge.headers("/me", "/me")}
    assert client.get("/me", headers=headers).status_code == 401
    assert client.get("/me").status_code == 401
    assert client.get("/health").status_code == 401
    assert codes(caplog) == ["edge-not-configured", "header-missing", "header-missing"]


def test_the_refusal_is_the_same_as_that_of_a_missing_header(edge: Edge, iap: FakeGateway) -> None:
    plain = FastAPI()
    guard(plain, edge.settings())
    expected = TestClient(plain).get("/me")
    client = TestClient(app_with(edge.settings(), iap))
    for headers in ({}, {iap.gateway.header: "forged"}):
        found = client.get("/me", headers=headers)
        assert (found.status_code, found.content) == (expected.status_code, expected.content)
        assert found.headers == expected.headers


def test_health_checks_need_no_assertion(edge: Edge, iap: FakeGateway) -> None:
    for app in (
        app_with(None, iap, health_path="/health"),
        app_with(edge.settings(health_path="/health"), iap),
    ):
        client = TestClient(app)
        assert client.get("/health").json() == "up"
        assert client.get("/health", headers={iap.gateway.header: "forged"}).json() == "up"
        assert client.post("/health").status_code == 401
        assert client.get("/me").status_code == 401


def test_the_app_sees_no_assertion_and_no_header_of_the_edge(edge: Edge, iap: FakeGateway) -> None:
    client = TestClient(app_with(edge.settings(), iap))
    more = {"X_Goog_IAP-JWT_Assertion": "x", "Fastgate-Subprotocol": "bearer", "Kept": "1"}
    more |= {"Fastgate_Other": "x", "Authorization": "Bearer kept"}
    for headers in (dict(iap.fields()), edge.headers("/me", "/me")):
        found = client.get("/me", headers={**headers, **more}).json()["headers"]
        assert not [name for name in found if "goog" in name]
        assert {"kept", "authorization"} <= set(found)
    found = client.get("/me", headers={**dict(iap.fields()), **more}).json()["headers"]
    assert not [name for name in found if name.startswith("fastgate")]


def test_requirements_on_callers_are_met_by_the_assertion_or_refused(iap: FakeGateway) -> None:
    app = FastAPI()
    email = claim("email").equals(str(iap.claims()["email"]))
    wanted = {
        "/email": requires(email),
        "/role": requires(role="admin"),
        "/no-role": requires(not_(role("admin"))),
        "/either": requires(any_of(role("admin"), email)),
        "/absent": requires(not_(claim("absent").equals("x"))),
        "/acr": requires(acr=["urn:mfa"]),
        "/recent": requires(max_age=300),
        "/bound": requires(bound=True),
    }
    for path, requirement in wanted.items():
        app.get(path, dependencies=[Depends(requirement)])(lambda: "in")
    guard(app, gateways=[iap.gateway])
    client = TestClient(app)
    found = {path: client.get(path, headers=dict(iap.fields())).status_code for path in wanted}
    admitted = {"/email", "/either"}
    assert {path for path, status in found.items() if status == 200} == admitted
    assert found["/no-role"] == 403, "a gateway tells no roles, so nobody is known to lack one"
    assert found["/acr"] == found["/recent"] == 401


def app_with_scope(gateway: FakeGateway) -> FastAPI:
    """Return an app with an endpoint that requires the scope `orders:read`."""
    app = FastAPI()

    @app.get("/orders")
    async def read(
        caller: Annotated[Caller, Security(fastgate, scopes=["orders:read"])],
    ) -> str:
        return caller.subject

    guard(app, gateways=[gateway.gateway])
    return app


def test_a_gateway_without_scopes_gets_a_403_that_says_so(iap: FakeGateway) -> None:
    app = app_with_scope(iap)
    response = TestClient(app).get("/orders", headers=dict(iap.fields()))
    assert response.status_code == 403
    assert response.json()["title"].startswith("The gateway google-iap reports no scopes")
    assert 'scope="orders:read"' in response.headers["WWW-Authenticate"]


def test_scopes_of_oathkeeper_are_compared(key_server: JwksServer) -> None:
    oathkeeper = FakeGateway("oathkeeper", key_server)
    client = TestClient(app_with_scope(oathkeeper))
    assert client.get("/orders", headers=dict(oathkeeper.fields())).status_code == 200
    for listed in ("orders:write", "orders:read2", None):
        token = oathkeeper.mint(oathkeeper.claims(scope=listed))
        response = client.get("/orders", headers=dict(oathkeeper.fields(token)))
        assert response.status_code == 403
        assert response.json()["title"] == "The token does not have the required scope"


@pytest.mark.parametrize(
    "requirement",
    [
        requires(not_(scope("suspended"))),
        requires(any_of(not_(scope("suspended")), role("admin"))),
        requires(not_(all_of(scope("suspended"), claim("email").equals("user@example.com")))),
    ],
)
@pytest.mark.parametrize("name", sorted(SAMPLES))
def test_no_caller_is_known_to_lack_a_scope_that_the_gateway_does_not_report(
    key_server: JwksServer,
    name: str,
    requirement: Callable[..., Any],
    caplog: pytest.LogCaptureFixture,
) -> None:
    fake = FakeGateway(name, key_server)
    app = FastAPI()
    app.get("/x", dependencies=[Depends(requirement)])(lambda: "in")

    @app.websocket("/ws")
    async def talk(websocket: WebSocket, caller: Annotated[Identity, Depends(requirement)]) -> None:
        await websocket.accept()

    guard(app, gateways=[fake.gateway])
    client = TestClient(app)
    fields = dict(fake.fields(fake.mint(fake.claims(email="user@example.com", scope=None))))
    assert client.get("/x", headers=fields).status_code == 403
    with (
        pytest.raises((WebSocketDenialResponse, WebSocketDisconnect)),
        client.websocket_connect("/ws", headers=fields),
    ):
        pass
    assert set(codes(caplog)) == {"condition-undecidable"}


@pytest.mark.parametrize(("scope_claim", "status"), [("", 200), ("a", 200), ("a suspended", 403)])
def test_a_scope_that_oathkeeper_does_not_list_is_lacking(
    key_server: JwksServer, scope_claim: str, status: int
) -> None:
    fake = FakeGateway("oathkeeper", key_server)
    app = FastAPI()
    app.get("/x", dependencies=[Depends(requires(not_(scope("suspended"))))])(lambda: "in")
    guard(app, gateways=[fake.gateway])
    fields = dict(fake.fields(fake.mint(fake.claims(scope=scope_claim))))
    assert TestClient(app).get("/x", headers=fields).status_code == status


@pytest.mark.parametrize(
    ("claims", "status"),
    [
        ({"org": {"id": "acme"}}, 200),
        ({"org": {"id": "other"}, "/org/id": "acme"}, 403),
        ({"/org/id": "acme"}, 403),
        ({"org": {"/id": "acme"}, "/org": {"id": "acme"}}, 403),
        ({"org": "acme"}, 403),
        ({}, 403),
    ],
)
def test_a_nested_claim_is_found_in_its_objects_and_never_by_a_joined_name(
    key_server: JwksServer, claims: dict[str, object], status: int
) -> None:
    fake = FakeGateway("oathkeeper", key_server)
    app = FastAPI()
    nested = requires(claim(["org", "id"]).equals("acme"))
    app.get("/nested", dependencies=[Depends(nested)])(lambda: "in")
    named = requires(claim("/org/id").equals("acme"))
    app.get("/named", dependencies=[Depends(named)])(lambda: "in")
    guard(app, gateways=[fake.gateway])
    client, fields = TestClient(app), dict(fake.fields(fake.mint(fake.claims(**claims))))
    assert client.get("/nested", headers=fields).status_code == status
    assert client.get("/named", headers=fields).status_code == (200 if "/org/id" in claims else 403)


def test_an_endpoint_for_every_caller_gets_the_caller(iap: FakeGateway) -> None:
    app = FastAPI()

    @app.get("/")
    @at_edge(access="optional")
    async def welcome(caller: AnyCaller) -> str | None:
        return None if caller is None else caller.subject

    guard(app, gateways=[iap.gateway])
    client = TestClient(app)
    assert client.get("/", headers=dict(iap.fields())).json() == iap.sample.subject
    assert client.get("/").status_code == 401


RULES: dict[str, Any] = {
    "authentication": {"acr": ["mfa"]},
    "from_": ["DE"],
    "issuers": ["staff"],
    "require": {"claim": "department", "equals": "sales"},
    "require_bound": True,
    "scopes": ["orders:read"],
    "token_audiences": ["orders"],
    "regions": ["eu"],
    "access": "none",
}


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("where", ["endpoint", "router", "mount", "below", "app"])
def test_an_endpoint_with_rules_of_the_edge_is_refused(
    rule: str, where: str, iap: FakeGateway, caplog: pytest.LogCaptureFixture
) -> None:
    app, router, mounted, ran = FastAPI(), APIRouter(), FastAPI(), []
    mark = at_edge(**{rule: RULES[rule]})

    async def read() -> str:
        ran.append("read")
        return "read"

    @app.get("/open")
    async def read_open() -> str:
        return "open"

    if where == "endpoint":
        mark(read)
    if where == "router":
        mark(router)
    router.get("/a/b")(read)
    if where == "mount":
        mounted.get("/b")(read)
        app.mount("/a", mark(mounted))
    else:
        app.include_router(router)
    if where == "below":
        at_edge(below="/a", **{rule: RULES[rule]})(app)
    if where == "app":
        mark(app)
    guard(app, gateways=[iap.gateway])
    client = TestClient(app)
    response = client.get("/a/b", headers=dict(iap.fields()))
    assert (response.status_code, ran) == (401, [])
    assert codes(caplog) == ["rule-not-enforced"]
    assert response.json()["type"] == "urn:fastgate:problem:not-from-the-edge"
    expected = 401 if where == "app" else 200
    assert client.get("/open", headers=dict(iap.fields())).status_code == expected


def test_declarations_that_admit_no_fewer_callers_are_no_obstacle(iap: FakeGateway) -> None:
    app = FastAPI()

    @app.get("/a")
    @at_edge(access="authenticated", id="a", limits=["slow"], forward=["roles"])
    async def read(caller: Caller) -> str:
        return caller.subject

    guard(app, gateways=[iap.gateway])
    assert TestClient(app).get("/a", headers=dict(iap.fields())).status_code == 200


def test_a_route_that_is_added_late_has_its_rules(
    iap: FakeGateway, caplog: pytest.LogCaptureFixture
) -> None:
    app = app_with(None, iap)
    client = TestClient(app)
    assert client.get("/me", headers=dict(iap.fields())).status_code == 200

    @app.get("/late")
    @at_edge(access="none")
    async def late() -> str:
        return "late"

    assert client.get("/late", headers=dict(iap.fields())).status_code == 401
    assert codes(caplog) == ["rule-not-enforced"]


def test_an_endpoint_that_is_marked_late_has_its_rules(
    iap: FakeGateway, caplog: pytest.LogCaptureFixture
) -> None:
    app = FastAPI()

    @app.get("/me")
    async def read_me(caller: Caller) -> str:
        return caller.subject

    guard(app, gateways=[iap.gateway])
    client = TestClient(app)
    assert client.get("/me", headers=dict(iap.fields())).status_code == 200
    at_edge(require_bound=True)(read_me)
    assert client.get("/me", headers=dict(iap.fields())).status_code == 401
    assert codes(caplog) == ["rule-not-enforced"]


def test_the_path_has_to_be_the_one_on_the_wire(
    iap: FakeGateway, caplog: pytest.LogCaptureFixture
) -> None:
    app = app_with(None, iap)

    async def with_another_raw_path(scope: Any, receive: Any, send: Any) -> None:  # noqa: ANN401
        await app({**scope, "raw_path": b"/other"}, receive, send)

    client = TestClient(with_another_raw_path)
    assert client.get("/me", headers=dict(iap.fields())).status_code == 401
    assert codes(caplog) == ["path-mismatch"]


def nested(
    inner_gateway: Gateway | None, settings: Settings | None, iap: FakeGateway
) -> TestClient:
    inner, outer = FastAPI(), FastAPI()

    @inner.get("/me")
    async def read_me(caller: Caller) -> str:
        return caller.subject

    gateways = [] if inner_gateway is None else [inner_gateway]
    guard(inner, settings, gateways=gateways)
    outer.mount("/inner", inner)
    guard(outer, gateways=[iap.gateway])
    return TestClient(outer)


def test_a_guard_within_a_guard_accepts_only_its_own_gateways(edge: Edge, iap: FakeGateway) -> None:
    headers = dict(iap.fields())
    assert nested(iap.gateway, None, iap).get("/inner/me", headers=headers).status_code == 200
    other = replace(iap.gateway, audience="/projects/1/apps/other")
    assert nested(other, None, iap).get("/inner/me", headers=headers).status_code == 401
    assert nested(None, edge.settings(), iap).get("/inner/me", headers=headers).status_code == 401


def test_an_endpoint_needs_evidence_of_one_kind(
    edge: Edge, iap: FakeGateway, caplog: pytest.LogCaptureFixture
) -> None:
    """Middleware that mixes the two kinds of evidence gets no caller."""

    class Mix:
        def __init__(self, app: Any, part: str) -> None:  # noqa: ANN401
            self.app, self.part = app, part

        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:  # noqa: ANN401
            if scope["type"] == "http":
                check = scope[CHECK_KEY]
                if self.part == "claims" and isinstance(check, GatewayCheck):
                    scope[SCOPE_KEY] = stolen[0]
                elif self.part == "no claims" and isinstance(check, GatewayCheck):
                    check.claims = None
                stolen.append(scope[SCOPE_KEY])
            await self.app(scope, receive, send)

    for part in ("claims", "no claims"):
        stolen: list[object] = []
        app = FastAPI()

        @app.get("/me")
        async def read_me(caller: Caller) -> str:
            return caller.subject

        app.add_middleware(Mix, part=part)
        guard(app, edge.settings(), gateways=[iap.gateway])
        client = TestClient(app)
        assert client.get("/me", headers=edge.headers("/me", "/me")).status_code == 200
        assert client.get("/me", headers=dict(iap.fields())).status_code == 401
    assert codes(caplog) == ["evidence-missing", "evidence-missing"]


def test_middleware_cannot_change_the_path(
    iap: FakeGateway, caplog: pytest.LogCaptureFixture
) -> None:
    app = FastAPI()

    @app.get("/me")
    async def read_me(caller: Caller) -> str:
        return caller.subject

    class Change:
        def __init__(self, app: Any) -> None:  # noqa: ANN401
            self.app = app

        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:  # noqa: ANN401
            if scope["type"] == "http":
                scope = {**scope, "path": "/me"}
            await self.app(scope, receive, send)

    app.add_middleware(Change)
    guard(app, gateways=[iap.gateway])
    client = TestClient(app)
    assert client.get("/me", headers=dict(iap.fields())).status_code == 200
    assert client.get("/other", headers=dict(iap.fields())).status_code == 401
    assert codes(caplog) == ["path-mismatch"]


def test_a_websocket_is_accepted_with_an_assertion(iap: FakeGateway) -> None:
    app = FastAPI()

    @app.websocket("/ws")
    async def talk(websocket: WebSocket, caller: Caller) -> None:
        await websocket.accept()
        await websocket.send_text(caller.subject)
        await websocket.close()

    guard(app, gateways=[iap.gateway])
    client = TestClient(app)
    with client.websocket_connect("/ws", headers=dict(iap.fields())) as opened:
        assert opened.receive_text() == iap.sample.subject
    with pytest.raises(WebSocketDenialResponse), client.websocket_connect("/ws"):
        pass


def test_local_development_ignores_gateways(iap: FakeGateway) -> None:
    callers = {"ada": LocalCaller("ada"), "bob": LocalCaller("bob")}
    settings = Settings(edge="http://localhost:7878", audience="orders", local_callers=callers)
    app = app_with(settings, iap)
    client = TestClient(app, base_url="http://localhost", client=("127.0.0.1", 1))
    headers = {"Fastgate-Local-Caller": "bob", **dict(iap.fields())}
    assert client.get("/me", headers=headers).json()["subject"] == "bob"


def test_the_pytest_plugin_signs_for_an_app_without_an_edge(
    iap: FakeGateway, as_caller: AsCaller
) -> None:
    app = app_with(None, iap)
    assert as_caller(app, "ada").get("/me").json()["subject"] == "ada"


def test_the_start_warns_about_each_gateway(
    iap: FakeGateway, caplog: pytest.LogCaptureFixture
) -> None:
    with TestClient(app_with(None, iap)):
        pass
    (record,) = [each for each in caplog.records if "google-iap" in each.getMessage()]
    assert record.levelno == logging.WARNING
    assert "signs no route" in record.getMessage()
    assert 'remove from_gateway("google-iap", …)' in record.getMessage()


def test_an_app_without_an_edge_has_no_settings_to_compare(edge: Edge, iap: FakeGateway) -> None:
    assert settings_of(app_with(None, iap)) is None
    assert settings_of(FastgateMiddleware(FastAPI(), gateways=[iap.gateway])) is None
    assert settings_of(FastgateMiddleware(FastAPI(), edge.settings())) == edge.settings()


def test_a_guard_needs_a_source_of_callers(edge: Edge, iap: FakeGateway) -> None:
    gateway = iap.gateway
    wrong: list[tuple[dict[str, Any], str]] = [
        ({}, "from_gateway"),
        ({"settings": edge.settings(), "health_path": "/h", "gateways": [gateway]}, "health_path"),
        ({"gateways": [gateway], "observe": True}, "observe"),
        ({"gateways": [gateway, gateway]}, "two of them use the header"),
        ({"gateways": ["google-iap"]}, "write from_gateway"),
        ({"gateways": [gateway], "health_path": "health"}, "plain absolute path"),
        ({"gateways": [replace(gateway, keys_url="http://keys.example")]}, "is not https"),
    ]
    for arguments, message in wrong:
        with pytest.raises(ValueError, match=message):
            guard(FastAPI(), **arguments)
        with pytest.raises(ValueError, match=message):
            FastgateMiddleware(FastAPI(), **arguments)


@pytest.mark.parametrize(
    ("name", "parameters", "message"),
    [
        ("cloudflare", {"team": "a", "audience": "b"}, 'did you mean "cloudflare-access"'),
        ("nginx", {}, 'write one of "aws-alb"'),
        ("google-iap", {}, 'audience is missing; write from_gateway\\("google-iap", audience=…'),
        ("google-iap", {"audience": "orders"}, 'write "/projects/NUMBER'),
        ("google-iap", {"audience": "/projects/1/apps/a", "team": "b"}, "team is not a parameter"),
        ("cloudflare-access", {"audience": "a"}, "team is missing"),
        ("cloudflare-access", {"team": "a.evil.example/", "audience": "b"}, "name alone"),
        ("cloudflare-access", {"team": "a", "audience": ""}, "non-empty string"),
        ("cloudflare-access", {"team": "a", "audience": None}, "non-empty string"),
        ("pomerium", {"audience": "https://app.example.com"}, "host of the route"),
        ("pomerium", {"audience": "app.example.com", "issuer": "other"}, "leave it out"),
        (
            "oathkeeper",
            {"audience": "a", "issuer": "b", "jwks_url": "http://keys.example"},
            "is not https",
        ),
        (
            "oathkeeper",
            {"audience": "a", "issuer": "b", "jwks_url": "https://k.example", "algorithm": "none"},
            '"RS256" or "ES256"',
        ),
        ("aws-alb", {"signer": SIGNER}, "client is missing, region is missing"),
        ("aws-alb", {"signer": "arn", "client": "a", "region": "eu-west-1"}, "write the ARN"),
        ("aws-alb", {"signer": SIGNER, "client": "a", "region": "us-east-1"}, '"eu-west-1"'),
        ("aws-alb", {"signer": SIGNER, "client": "", "region": "eu-west-1"}, "client must be"),
    ],
)
def test_an_unusable_gateway_is_an_error_that_says_what_to_write(
    name: Any,  # noqa: ANN401
    parameters: dict[str, Any],
    message: str,
) -> None:
    with pytest.raises(ValueError, match=message):
        from_gateway(name, **parameters)


def test_the_keys_are_fetched_from_the_documented_addresses() -> None:
    iap = from_gateway("google-iap", audience="/projects/1/apps/a")
    assert iap.keys_url == "https://www.gstatic.com/iap/verify/public_key-jwk"
    access = from_gateway("cloudflare-access", team="a", audience="b")
    assert access.keys_url == "https://a.cloudflareaccess.com/cdn-cgi/access/certs"
    pomerium = from_gateway("pomerium", audience="a.example", issuer="https://a.example/")
    assert pomerium.keys_url == "https://a.example/.well-known/pomerium/jwks.json"
    assert pomerium.issuer == "https://a.example/"
    alb = from_gateway("aws-alb", signer=SIGNER, client="a", region="eu-west-1")
    assert alb.keys_url == "https://public-keys.auth.elb.eu-west-1.amazonaws.com"
    signer = SIGNER.replace("aws:", "aws-us-gov:").replace("eu-west-1", "us-gov-west-1")
    government = from_gateway("aws-alb", signer=signer, client="a", region="us-gov-west-1")
    assert government.keys_url == (
        "https://s3-us-gov-west-1.amazonaws.com/aws-elb-public-keys-prod-us-gov-west-1"
    )
