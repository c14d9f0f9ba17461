"""What an app learns of its caller's token: `rctx` of the header, `Identity`, and `forward`."""

import copy
import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from fastapi import APIRouter, FastAPI, Request
from pydantic import JsonValue

from fastgate import (
    AnyCaller,
    Caller,
    Client,
    Confirmation,
    ForwardedClaims,
    Identity,
    LocalCaller,
    NotForwarded,
    Requester,
    at_edge,
    guard,
)
from fastgate.compile.policy import CannotCompile, compile_routes
from fastgate.errors import ClaimMalformed
from fastgate.forwarded import claim_not_forwarded
from fastgate.testing import AsCaller
from tests.edge import HEADER, IDP, Edge, payload

pytestmark = pytest.mark.anyio

THUMBPRINT = "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"
CLAIMS: dict[str, JsonValue] = {
    "text": "é",
    "number": 2**64 - 1,
    "real": 1.5,
    "yes": True,
    "none": None,
    "list": [[{}]],
}
FULL: dict[str, object] = {
    "iss": IDP,
    "client_id": "shop",
    "token_exp": 1_800_000_600,
    "cnf": {"jkt": THUMBPRINT, "later": 1},
    "roles": ["admin", "reader"],
    "groups": [],
    "tenant": "acme",
    "claims": CLAIMS,
    "auth_time": 1_700_000_000,
    "acr": "urn:mfa",
    "sid": "s-1",
    "country": "US",
    "subdivision": "US-CA",
    "continent": "NA",
    "region": "eu",
    "asn": 2**32 - 1,
    "connection": "wifi",
    "proxy": "hosting",
    "later": "ignored",
}


def test_every_member_is_read() -> None:
    requester = Requester.parse(FULL)
    assert requester == Requester(
        issuer=IDP,
        client_id="shop",
        country="US",
        token_expires_at=1_800_000_600,
        confirmation=Confirmation(jkt=THUMBPRINT),
        roles=frozenset(("admin", "reader")),
        groups=frozenset(),
        tenant="acme",
        claims=CLAIMS,
        authenticated_at=1_700_000_000,
        acr="urn:mfa",
        session_id="s-1",
        subdivision="US-CA",
        continent="NA",
        region="eu",
        asn=2**32 - 1,
        connection="wifi",
        proxy="hosting",
    )
    assert requester.claims["none"] is None
    with pytest.raises(TypeError):
        requester.claims["text"] = "changed"  # type: ignore[index]
    by_certificate = Requester.parse({"iss": IDP, "cnf": {"x5t#S256": THUMBPRINT}})
    assert by_certificate.confirmation == Confirmation(x5t_s256=THUMBPRINT)


def test_an_absent_member_is_none_or_empty() -> None:
    requester = Requester.parse({"iss": IDP})
    assert requester == Requester(IDP, None, None)
    assert (requester.roles, requester.groups, requester.claims) == (frozenset(), None, {})
    assert Requester.parse({}) == Requester(None, None, None)


MALFORMED: dict[str, list[object]] = {
    "iss": ["", 1, ["x"]],
    "client_id": ["", 1],
    "token_exp": [0, -1, True, "1", 1.0, 2**53],
    "cnf": [
        *("x", [], {}, {"later": 1}, {"jkt": ""}, {"jkt": None}, {"jkt": THUMBPRINT + "="}),
        *({"jkt": THUMBPRINT, "x5t#S256": None}, {"x5t#S256": 1}, {"x5t#S256": "short"}),
    ],
    "roles": ["admin", [], [1], [None], ["a", ["b"]], {"admin": True}],
    "groups": ["staff", [1], [None], {}, True],
    "tenant": ["", 1, ["acme"]],
    "claims": [[], {}, "x", ["shop"], {"": 1}],
    "auth_time": ["1700000000", 1.5, -1, True, 2**53],
    "acr": ["", 1, ["a"]],
    "sid": ["", 1],
    "region": ["", 1, ["eu"], True],
    "country": ["us", "USA", 1],
    "subdivision": ["US", "us-ca", "US-", "US-ABCD", "US-C A", 1],
    "continent": ["na", "XX", "", 1, ["NA"]],
    "asn": [-1, 0, 2**32, "1", True, 1.0],
    "connection": ["WIFI", "cable", "", 1, ["wifi"], {}],
    "proxy": ["vpn", "", True, []],
}


@pytest.mark.parametrize(
    ("name", "value"), [(name, value) for name in MALFORMED for value in [None, *MALFORMED[name]]]
)
def test_a_malformed_member_is_refused(name: str, value: object) -> None:
    with pytest.raises(ClaimMalformed) as refused:
        Requester.parse({**FULL, name: value})
    assert refused.value.claim == f"rctx.{name}"


def test_every_member_of_the_contract_has_malformed_values() -> None:
    assert MALFORMED.keys() == FULL.keys() - {"later"}


NOT_OF_A_TOKEN = (
    *("country", "subdivision", "continent", "asn", "connection", "proxy"),
    "region",
)


@pytest.mark.parametrize("name", sorted(FULL.keys() - {"iss", "client_id", "later"}))
def test_an_anonymous_caller_has_nothing_of_a_token(name: str) -> None:
    rctx = {name: FULL[name]}
    if name in NOT_OF_A_TOKEN:
        assert getattr(Requester.parse(rctx), name) == FULL[name]
        return
    with pytest.raises(ClaimMalformed) as refused:
        Requester.parse(rctx)
    assert refused.value.claim == f"rctx.{name}"


# The identity.


async def told(
    edge: Edge, tell: Callable[[Identity], object], rctx: dict[str, object] = FULL
) -> Any:  # noqa: ANN401
    """Return what an endpoint reads from a caller with this `rctx`."""
    app = FastAPI()

    @app.get("/me")
    async def read_me(caller: Caller) -> object:
        return tell(caller)

    guard(app, edge.settings())
    header = edge.sign({**payload("/me", "/me"), "rctx": rctx}).decode()
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="https://testserver") as http:
        response = await http.get("/me", headers={HEADER: header})
    assert response.status_code == 200, response.text
    return response.json()


async def test_an_endpoint_reads_everything_that_the_edge_says(edge: Edge) -> None:
    found: list[Identity] = []
    await told(edge, found.append)
    (caller,) = found
    assert caller.roles == {"admin", "reader"}
    assert (caller.groups, caller.tenant) == (frozenset(), "acme")
    assert caller.claims == CLAIMS
    assert caller.confirmation == Confirmation(jkt=THUMBPRINT)
    assert caller.client == Client("US", "US-CA", "NA", 2**32 - 1, "wifi", "hosting")
    assert (caller.authenticated_at, caller.acr, caller.session_id) == (
        *(1_700_000_000, "urn:mfa"),
        "s-1",
    )
    assert (caller.route, caller.host) == ("read_order", "testserver")
    assert caller.token_expires_at == 1_800_000_600
    assert caller.expires_at is not None
    assert caller.expires_at < caller.token_expires_at
    assert hash(caller)
    assert "acme" in repr(caller)
    assert "urn:mfa" in repr(caller)
    assert "é" not in repr(caller)  # the values of claims may be personal data


async def test_an_identity_in_a_response_has_its_claims(edge: Edge) -> None:
    answer = await told(edge, lambda caller: caller)
    assert answer["claims"] == CLAIMS
    assert (answer["forwarded_groups"], sorted(answer["roles"])) == ([], ["admin", "reader"])
    assert answer["client"]["country"] == "US"
    nothing = await told(edge, lambda caller: caller, {"iss": IDP})
    assert (nothing["claims"], nothing["forwarded_groups"]) == ({}, None)


def test_what_is_not_forwarded_is_an_error_with_the_line_to_write() -> None:
    claims = ForwardedClaims({"shop": "lumen", "plan": None}, "read_order")
    for read in (
        lambda: claims["email"],
        lambda: claims.get("email"),
        lambda: claims.get("email", 1),
    ):
        with pytest.raises(NotForwarded) as error:
            read()
        assert str(error.value) == (
            'the route "read_order" does not forward "email": write forward=[{"claim": "email"}] '
            'in its at_edge mark, or "forward": [{"claim": "email"}] in the policy'
        )
        assert isinstance(error.value, KeyError)
        assert (error.value.route, error.value.name) == ("read_order", "email")
    assert '{"claim": "a\\"b"}' in str(claim_not_forwarded("r", 'a"b'))
    assert "email" not in claims
    assert (claims["shop"], claims.get("shop", "x"), claims["plan"]) == ("lumen", "lumen", None)
    assert (claims.get("plan"), claims.get("plan", "free"), "plan" in claims) == (
        None,
        "free",
        True,
    )
    assert dict(claims) == {"shop": "lumen", "plan": None}
    assert repr(claims) == "<forwarded claims ['plan', 'shop']>"
    assert copy.deepcopy(claims) == claims
    with pytest.raises(NotForwarded, match="read_order"):
        copy.copy(claims)["email"]


@pytest.mark.parametrize(
    "change",
    [
        lambda claims: claims.update(shop="ember"),
        lambda claims: claims.setdefault("shop", 1),
        lambda claims: claims.pop("shop"),
        lambda claims: claims.popitem(),
        lambda claims: claims.clear(),
        lambda claims: claims.__setitem__("shop", "ember"),
        lambda claims: claims.__delitem__("shop"),
        lambda claims: claims.__ior__({"shop": "ember"}),
    ],
)
def test_the_claims_of_a_caller_cannot_be_changed(
    change: Callable[[ForwardedClaims], object],
) -> None:
    claims = ForwardedClaims({"shop": "lumen"}, "read_order")
    with pytest.raises(TypeError, match="cannot be changed"):
        change(claims)
    assert dict(claims) == {"shop": "lumen"}


async def test_groups_that_are_not_forwarded_are_an_error(edge: Edge) -> None:
    found: list[Identity] = []
    await told(edge, found.append, {"iss": IDP})
    with pytest.raises(NotForwarded, match=r'not forward "groups": write forward=\["groups"\]'):
        _ = found[0].groups
    assert found[0].forwarded_groups is None


@pytest.mark.parametrize("kind", [Client, Confirmation])
async def test_a_part_of_an_identity_is_never_read_from_a_request(kind: type) -> None:
    app = at_edge(access="authenticated")(FastAPI(openapi_url=None))

    @app.post("/x")
    async def endpoint(part: kind) -> str:  # type: ignore[valid-type]
        return "ran"

    with pytest.raises(CannotCompile, match=r"reads the caller.s identity from the request"):
        compile_routes(app)
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="https://testserver") as http:
        for forged in ({"country": "DE"}, {"jkt": THUMBPRINT}, {}):
            assert (await http.post("/x", json=forged)).status_code == 422


# Callers of tests and of local development.

RICH: dict[str, Any] = {
    "roles": ["reader", "admin"],
    "groups": ["staff"],
    "tenant": "acme",
    "claims": CLAIMS,
    "acr": "urn:mfa",
    "authenticated_at": 1_700_000_000,
    "session_id": "s-1",
}


def shop(edge: Edge) -> FastAPI:
    app = FastAPI(openapi_url=None)

    @app.get("/plain")
    async def plain(caller: Caller) -> Identity:
        return caller

    @app.get("/groups")
    @at_edge(forward=["groups", {"claim": "plan"}, {"claim": ["org", "id"], "as": "org_id"}])
    async def groups(caller: Caller) -> dict[str, object]:
        return {"groups": sorted(caller.groups), "claims": dict(caller.claims)}

    @app.get("/any")
    @at_edge(forward=["groups"])
    async def anyone(caller: AnyCaller, email: str | None = None) -> bool:
        return caller is None or bool(email is not None and caller.claims["email"])

    invoices = at_edge(forward=[{"claim": "plan"}])(APIRouter())

    @invoices.get("/invoices")
    async def invoice(caller: Caller) -> object:
        return caller.claims["plan"]

    app.include_router(invoices)
    guard(app, edge.settings())
    return app


def test_a_test_chooses_what_the_app_learns(edge: Edge, as_caller: AsCaller) -> None:
    app = shop(edge)
    rich = as_caller(app, "ada", **RICH)
    answer = rich.get("/plain").json()
    answer |= {"roles": sorted(answer["roles"]), "groups": answer["forwarded_groups"]}
    assert {name: answer[name] for name in RICH} == {**RICH, "roles": ["admin", "reader"]}
    plain = as_caller(app, "ada")
    answer = plain.get("/plain").json()
    assert (answer["roles"], answer["forwarded_groups"], answer["claims"]) == ([], None, {})
    assert plain.get("/groups").json() == {"groups": [], "claims": {"plan": None, "org_id": None}}
    chosen = as_caller(app, "ada", groups=["b", "a"], claims={"plan": "team", "x": 1})
    assert chosen.get("/groups").json() == {
        "groups": ["a", "b"],
        "claims": {"plan": "team", "org_id": None, "x": 1},
    }
    assert as_caller(app).get("/any").json() is True
    assert plain.get("/invoices").json() is None
    with pytest.raises(NotForwarded, match='the route "get-any" does not forward "email"'):
        plain.get("/any?email")
    single = as_caller("ada", of=app, roles=["admin"])
    assert plain.get("/plain", auth=single).json()["roles"] == ["admin"]


@pytest.mark.parametrize("member", ["scopes", "roles", "groups"])
def test_a_string_is_not_a_list_of_roles(member: str) -> None:
    with pytest.raises(ValueError, match=f"{member}: is a string"):
        LocalCaller("ada", **{member: "admin"})  # type: ignore[arg-type]


# The declaration.


@pytest.mark.parametrize(
    ("members", "what"),
    [
        ({"forward": "groups"}, "forward is 'groups'; it must be a list"),
        ({"forward": {"claim": "email"}}, "it must be a list"),
        ({"forward": ["email"]}, 'forward has \'email\'; write {"claim": "email"}, or one of'),
        ({"forward": [1]}, 'a claim is written {"claim": "…"}'),
        ({"forward": [None]}, "a claim is written"),
        ({"forward": [{}]}, "a claim is written"),
        ({"forward": [{"as": "email"}]}, "a claim is written"),
        ({"forward": [{"claim": "email", "name": "mail"}]}, "a claim is written"),
        ({"forward": [{"claim": ""}]}, '"claim" must be a name'),
        ({"forward": [{"claim": []}]}, '"claim" must be a name'),
        ({"forward": [{"claim": ["org", 1], "as": "x"}]}, '"claim" must be a name'),
        ({"forward": [{"claim": ["org", "id"]}]}, "a claim within objects needs a name"),
        ({"forward": [{"claim": "email", "as": ""}]}, "1 to 64 bytes"),
        ({"forward": [{"claim": "é" * 33}]}, "1 to 64 bytes"),
        ({"forward": [{"claim": "email", "as": None}]}, "1 to 64 bytes"),
        ({"forward": [{"claim": "email", "as": "a\nb"}]}, "control characters"),
        ({"forward": ["groups", {"claim": "a\x85"}]}, "control characters"),
        ({"authentication": "mfa"}, "authentication is 'mfa'; it must have acr, max_age"),
        ({"authentication": {}}, "it must have acr, max_age"),
        ({"authentication": {"acr": ["a"], "age": 1}}, "it must have acr, max_age"),
        ({"authentication": {"acr": "mfa"}}, "acr must be a list of strings"),
        ({"authentication": {"acr": []}}, "acr must be a list of strings"),
        ({"authentication": {"acr": [1]}}, "acr must be a list of strings"),
        ({"authentication": {"max_age": "300"}}, "max_age must be a number of seconds"),
        ({"authentication": {"max_age": True}}, "max_age must be a number of seconds"),
        ({"authentication": {"max_age": -1}}, "max_age must be a number of seconds"),
    ],
)
def test_a_malformed_member_is_refused_at_its_declaration(
    members: dict[str, object], what: str
) -> None:
    with pytest.raises(ValueError, match=what.replace("[", r"\[").replace("{", r"\{")):
        at_edge(**members)  # type: ignore[arg-type]


def test_what_a_declaration_forwards_is_in_the_policy() -> None:
    app = FastAPI(openapi_url=None)
    members: dict[str, Any] = {
        "forward": ["roles", "groups", "tenant", {"claim": "é" * 32}, {"claim": "a", "as": "b"}],
        "authentication": {"acr": ["urn:mfa"], "max_age": 0},
    }

    @app.get("/x")
    @at_edge(**members)
    async def endpoint(caller: Caller, request: Request) -> None: ...

    (route,) = compile_routes(app)
    assert {name: route[name] for name in members} == members
    assert json.dumps(route)
