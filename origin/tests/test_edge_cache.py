"""`EdgeCache`: what its constructor refuses, the member that it compiles to, faults and drift."""

import copy
import functools
import re
from collections.abc import Mapping
from typing import Annotated, Any

import pytest
from fastapi import APIRouter, Depends, FastAPI, Security

from fastgate import (
    AnyCaller,
    Caller,
    EdgeCache,
    Identity,
    any_of,
    at_edge,
    claim,
    fastgate,
    not_,
    requires,
    role,
    scope,
)
from fastgate.compile.drift import drift
from fastgate.compile.endpoints.documentation import declare_docs
from fastgate.compile.policy import compile_routes
from fastgate.declare.values.edge_cache import LONGEST_TIME, same_cache
from tests.compiled_route import faults
from tests.test_edge_agrees import DECIDE, decisions

ORG = claim(["org", "id"])
NESTED = {"claim": ["org", "id"]}


def test_defaults_are_left_out() -> None:
    assert EdgeCache("public", 60).document() == {"audience": "public", "ttl": 60}
    full = EdgeCache(
        audience=["tenant", "plan", ORG],
        ttl=LONGEST_TIME,
        stale_while_revalidate=30,
        stale_if_error=86_400,
        vary=["Accept-Language", "accept"],
    )
    assert full.document() == {
        "audience": ["tenant", "plan", NESTED],
        "ttl": LONGEST_TIME,
        "stale_while_revalidate": 30,
        "stale_if_error": 86_400,
        "vary": ["accept", "accept-language"],
    }
    for_all = EdgeCache("public", 1, shared=True)
    assert for_all.document() == {"audience": "public", "ttl": 1, "shared": True}


def test_it_is_a_value() -> None:
    one, other = (EdgeCache(["plan", ORG], 60, vary=names) for names in (["a", "b"], ("b", "A")))
    assert one == other
    assert hash(one) == hash(other)
    assert copy.deepcopy(one) == one
    with pytest.raises(AttributeError):
        one.ttl = 1  # type: ignore[misc]


def test_later_changes_of_a_list_do_not_change_it() -> None:
    path, named = ["org", "id"], {"claim": "plan"}
    audience: list[Any] = ["tenant", {"claim": path}, named]
    vary = ["accept"]
    cache = EdgeCache(audience, 60, vary=vary)
    kept, before = copy.deepcopy(cache), hash(cache)
    written = cache.document()
    path.append("name")
    named["claim"] = "role"
    audience.clear()
    vary.append("cookie")
    written["audience"][1]["claim"].clear()  # type: ignore[index]
    assert cache == kept == EdgeCache(("tenant", ORG, claim("plan")), 60, vary=("accept",))
    assert hash(cache) == before
    entries = ["tenant", NESTED, {"claim": "plan"}]
    assert cache.document() == {"audience": entries, "ttl": 60, "vary": ["accept"]}


def test_a_mark_keeps_no_list_of_its_author() -> None:
    path = ["org", "id"]
    members: dict[str, Any] = {"audience": ["tenant", {"claim": path}], "ttl": 60}
    app = app_with(fastgate, cache=members)
    path.append("name")
    members["audience"].clear()
    (route,) = compile_routes(app)
    assert route["cache"] == {"audience": ["tenant", NESTED], "ttl": 60}


@pytest.mark.parametrize(
    ("text", "word"),
    [
        *(("role", "roles"), ("Roles", "roles"), ("Tenant", "tenant"), ("tennant", "tenant")),
        *(("group", "groups"), ("callers", "caller"), ("Caller", "caller"), ("sub", "caller")),
        *(
            (" tenant", "tenant"),
            ("subject", "caller"),
            ("public ", "public"),
            ("tenants", "tenant"),
        ),
    ],
)
def test_a_slip_does_not_become_a_claim(text: str, word: str) -> None:
    named = re.escape(f'claim("{text}")')
    for audience in ([text], ["plan", text]):
        with pytest.raises(ValueError, match=f'write .*"{word}".*{named}'):
            EdgeCache(audience, 60)
    with pytest.raises(ValueError, match=f'write .*"{word}".*{named}'):
        EdgeCache(text, 60)
    # It can be declared nevertheless.
    assert EdgeCache([claim(text)], 60).document()["audience"] == [{"claim": text}]


@pytest.mark.parametrize("text", ["plan", "org", "tid", "tenant_id", "tenantId", "role_ids", "a"])
def test_other_names_are_claims(text: str) -> None:
    assert EdgeCache([text], 60).document()["audience"] == [text]


REFUSED: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"ttl": 0}, ValueError, "ttl is 0; it must be 1 to 31536000"),
    ({"ttl": LONGEST_TIME + 1}, ValueError, "ttl"),
    ({"ttl": 1.5}, TypeError, "ttl is 1.5; write a whole number"),
    ({"ttl": True}, TypeError, "ttl"),
    ({"ttl": None}, TypeError, "ttl"),
    ({"stale_while_revalidate": -1}, ValueError, "stale_while_revalidate is -1; it must be 0 to"),
    ({"stale_if_error": LONGEST_TIME + 1}, ValueError, "stale_if_error"),
    ({"stale_if_error": "1"}, TypeError, "stale_if_error"),
    ({"audience": "plan"}, ValueError, r'audience=\["plan"\]'),
    ({"audience": "groups"}, ValueError, r'audience=\["groups"\]'),
    ({"audience": ""}, ValueError, "audience"),
    ({"audience": []}, ValueError, 'audience="public"'),
    ({"audience": None}, TypeError, "audience"),
    ({"audience": {"tenant"}}, TypeError, "audience"),
    ({"audience": ["public"]}, ValueError, '"public" in a list'),
    ({"audience": ["tenant", ""]}, ValueError, "audience has ''"),
    ({"audience": [1]}, TypeError, "audience has 1"),
    ({"audience": [{"claim": []}]}, TypeError, "claim"),
    ({"audience": [{"claim": [""]}]}, TypeError, "claim"),
    ({"audience": [{"claim": "a", "as": "b"}]}, TypeError, "claim"),
    ({"vary": "accept"}, TypeError, r'vary=\["accept-language"\]'),
    ({"vary": [1]}, TypeError, "vary"),
    ({"vary": [""]}, ValueError, "not a field name"),
    ({"vary": ["a b"]}, ValueError, "not a field name"),
    ({"vary": [f"x-{n}" for n in range(9)]}, ValueError, "at most 8"),
    ({"shared": 1}, TypeError, "shared"),
    ({"shared": True}, ValueError, 'audience="public"'),
]


@pytest.mark.parametrize(("changes", "kind", "message"), REFUSED)
def test_a_wrong_value_is_refused_on_its_line(
    changes: dict[str, Any], kind: type[Exception], message: str
) -> None:
    members = {"audience": "tenant", "ttl": 60, **changes}
    with pytest.raises(kind, match=message):
        EdgeCache(**members)
    with pytest.raises(ValueError, match=message):
        at_edge(cache=members)


NEVER = [
    *("Authorization", "cookie", "cache-control", "range", "if-match", "if-none-match", "dpop"),
    *("if-modified-since", "if-unmodified-since", "if-range", "host", "te", "connection"),
    *("fastgate-identity", "x-forwarded-for", "x-request-id", "fastly-ff", "surrogate-key"),
    *("x_custom", "x.real.ip", "x-auth-request-user", "content-length"),
]


@pytest.mark.parametrize("name", NEVER)
def test_responses_never_vary_by_some_fields(name: str) -> None:
    with pytest.raises(ValueError, match="by which no stored response may differ"):
        EdgeCache("tenant", 60, vary=[name])


def test_a_member_as_json_is_checked_as_well() -> None:
    with pytest.raises(ValueError, match="its members are audience, ttl"):
        at_edge(cache={"audience": "tenant", "ttl": 60, "age": 1})
    with pytest.raises(ValueError, match=r"write cache=EdgeCache\("):
        at_edge(cache=60)


# The compiled member.


async def endpoint() -> None: ...


TENANT = EdgeCache("tenant", 60)
FOR_ALL = EdgeCache("public", 60, shared=True)


def app_with(*dependencies: object, methods: tuple[str, ...] = ("GET",), **mark: Any) -> FastAPI:  # noqa: ANN401
    app = FastAPI(openapi_url=None)
    target = at_edge(**mark)(functools.partial(endpoint))
    listed = [Depends(each) for each in dependencies]  # type: ignore[arg-type]
    app.api_route("/x", methods=[*methods], dependencies=listed)(target)
    return app


def compiled(app: FastAPI) -> dict[str, Any]:
    (route,) = compile_routes(app)
    return route


def test_it_compiles_to_the_member_cache() -> None:
    assert compiled(app_with(fastgate, cache=TENANT))["cache"] == {"audience": "tenant", "ttl": 60}
    app = app_with(fastgate, methods=("GET", "POST"), cache=TENANT)
    assert compiled(app)["cache"]["ttl"] == 60
    public = app_with(access="public", cache=EdgeCache("public", 5))
    assert compiled(public)["cache"] == {"audience": "public", "ttl": 5}


def test_it_is_inherited_by_what_has_responses_to_get() -> None:
    router = at_edge(cache=TENANT)(APIRouter())

    @router.get("/read")
    async def read(caller: Caller) -> None: ...

    @router.post("/write")
    async def write(caller: Caller) -> None: ...

    @router.get("/other")
    @at_edge(cache=EdgeCache("caller", 5))
    async def read_other(caller: Caller) -> None: ...

    @router.get("/not")
    @at_edge(cache=None)
    async def read_afresh(caller: Caller) -> None: ...

    @router.websocket("/socket")
    async def talk(caller: Caller) -> None: ...

    app = FastAPI(openapi_url=None)
    app.include_router(router)
    found = {route["path"]: route.get("cache", "none") for route in compile_routes(app)}
    assert found == {
        "/read": {"audience": "tenant", "ttl": 60},
        "/write": "none",
        "/other": {"audience": "caller", "ttl": 5},
        "/not": "none",
        "/socket": "none",
    }


def test_it_is_not_inherited_by_the_pages_of_fastapi() -> None:
    app = at_edge(cache=TENANT, access="authenticated")(FastAPI())
    app.get("/x")(endpoint)
    declare_docs(app, "public")
    cached = [route["path"] for route in compile_routes(app) if "cache" in route]
    assert cached == ["/x"]


def test_a_fault_of_an_inherited_cache_says_how_to_inherit_none() -> None:
    app = at_edge(cache=TENANT)(FastAPI(openapi_url=None))
    app.get("/x")(at_edge(access="public")(functools.partial(endpoint)))
    assert faults(app).endswith("; or at_edge(cache=None) to inherit none")


def policy_of(app: FastAPI) -> dict[str, object]:
    claims = {"tenant": "tid", "roles": ["roles"], "groups": ["groups"]}
    issuer = {"issuer": "https://idp.example", "backend": "idp", "audiences": ["orders"]}
    return {
        "edge": {"issuer": "https://edge.example", "hosts": ["edge.example"]},
        "origins": {"app": {"backend": "origin", "audience": "orders"}},
        "issuers": {"idp": {**issuer, "claims": claims}},
        "routes": compile_routes(app),
    }


ACCEPTED: list[tuple[EdgeCache, Mapping[str, Any]]] = [
    (EdgeCache("public", 60, vary=["accept-language"]), {"access": "public"}),
    (FOR_ALL, {"access": "optional"}),
    (FOR_ALL, {"access": "authenticated"}),
    (EdgeCache(["tenant", "roles", "groups", "caller", "plan", ORG], 60), {"scopes": ["a"]}),
    (EdgeCache("caller", 1, 2, 3), {"access": "optional"}),
]


@pytest.mark.skipif(not DECIDE.exists(), reason="cargo build --example decide")
def test_the_edge_accepts_what_is_compiled() -> None:
    apps = [app_with(**mark, cache=cache) for cache, mark in ACCEPTED]
    apps.append(app_with(requires(ORG.equals("1"), role("a")), cache=EdgeCache([ORG, "roles"], 1)))
    found = decisions([{"policy": policy_of(app)} for app in apps])
    assert found == [{"faults": []}] * len(apps)


@pytest.mark.skipif(not DECIDE.exists(), reason="cargo build --example decide")
def test_the_edge_refuses_what_the_constructor_refuses() -> None:
    policies: list[dict[str, Any]] = []
    # The name "public" of a claim is legal in a policy; the constructor takes it for a mistake.
    wrong = [changes for changes, _, _ in REFUSED if changes.get("audience") != ["public"]]
    for changes in [*wrong, *({"vary": [name]} for name in NEVER)]:
        document = policy_of(app_with(access="authenticated"))
        cache = {"audience": "tenant", "ttl": 60, **changes}
        if isinstance(cache["audience"], set):
            continue  # it is no JSON
        document["routes"][0]["cache"] = cache  # type: ignore[index]
        policies.append({"policy": document})
    for policy, found in zip(policies, decisions([*policies]), strict=True):
        assert found.get("faults"), policy["policy"]["routes"]


# Faults.

CONTRADICTIONS: list[tuple[FastAPI, str, str]] = [
    (app_with(fastgate, methods=("POST",), cache=TENANT), "neither responses to GET", "move cache"),
    (app_with(fastgate, cache=TENANT, forward_token=True), "forward_token", "remove one"),
    (app_with(fastgate, cache=TENANT, sign_body=True), "sign_body", "remove one"),
    (app_with(fastgate, cache=EdgeCache("public", 60)), "is not public itself", "shared=True"),
    (
        app_with(access="optional", cache=EdgeCache("public", 60)),
        "is not public itself",
        "shared=True",
    ),
    (app_with(access="public", cache=TENANT), "no token is read", 'EdgeCache(audience="public"'),
    (app_with(access="public", cache=EdgeCache(["plan"], 5)), "claim:plan", "another access"),
    (app_with(access="public", cache=FOR_ALL), "anyway", "leave shared out"),
    (
        app_with(requires(role="admin"), cache=TENANT),
        'requires {"role":"admin"} in the app, which does not learn roles',
        'add "roles" to the audience, or let only the edge check it: '
        "at_edge(require={'role': 'admin'})",
    ),
    (app_with(requires(group="staff"), cache=TENANT), "learn groups", 'add "groups"'),
    (
        app_with(requires(not_(ORG.equals("1"))), cache=TENANT),
        "learn claim:/org/id",
        'add claim(["org", "id"])',
    ),
    (
        app_with(requires(any_of(scope("a"), role("b"))), cache=EdgeCache("roles", 60)),
        "learn scope:a",
        "let only the edge check it",
    ),
    (app_with(requires(bound=True), cache=TENANT), "bound=True", "require_bound=True"),
    (app_with(requires(acr=["mfa"]), cache=TENANT), "acr", '"acr"'),
    (app_with(requires(max_age=0), cache=TENANT), "max_age", '"max_age"'),
]


@pytest.mark.parametrize(("app", "what", "remedy"), CONTRADICTIONS)
def test_a_contradiction_is_a_fault_with_the_line_to_change(
    app: FastAPI, what: str, remedy: str
) -> None:
    found = faults(app)
    assert found.count("→") == 1, found
    assert what in found
    assert remedy in found


def test_a_websocket_has_no_stored_response() -> None:
    app = FastAPI(openapi_url=None)

    @app.websocket("/socket")
    @at_edge(cache=TENANT)
    async def talk(caller: Caller) -> None: ...

    assert "has neither responses to GET" in faults(app)


def test_requirements_on_the_audience_and_scopes_are_none() -> None:
    admin = requires(role("a"), claim("plan").equals("x"), scope="orders:read")
    route = compiled(app_with(admin, cache=EdgeCache(["roles", "plan"], 60)))
    assert route["scopes"] == ["orders:read"]
    checked_by_edge = app_with(fastgate, cache=TENANT, require=role("a"), require_bound=True)
    assert compiled(checked_by_edge)["require"] == {"role": "a"}


def test_a_response_for_all_callers_of_a_router_is_declared_on_the_endpoint() -> None:
    def app_of(*, with_own: bool) -> FastAPI:
        router = at_edge(cache=FOR_ALL)(APIRouter())
        target = at_edge(cache=FOR_ALL)(functools.partial(endpoint)) if with_own else endpoint
        router.get("/x", dependencies=[Security(fastgate)])(target)
        app = FastAPI(openapi_url=None)
        app.include_router(router)
        return app

    assert "the cache is not declared on the endpoint" in faults(app_of(with_own=False))
    assert compiled(app_of(with_own=True))["cache"]["shared"] is True
    # Without a dependency on the caller, the app checks none anyway.
    optional = at_edge(cache=FOR_ALL, access="authenticated")(APIRouter())
    optional.get("/x")(endpoint)
    app = FastAPI(openapi_url=None)
    app.include_router(optional)
    assert compiled(app)["cache"]["shared"] is True


def test_dependencies_may_require_what_is_shared() -> None:
    app = FastAPI(openapi_url=None)

    async def in_acme(
        caller: Annotated[Identity, Depends(requires(claim("plan").equals("x")))],
    ) -> None: ...

    @app.get("/x", dependencies=[Depends(in_acme)])
    @at_edge(cache=EdgeCache(["plan"], 60))
    async def read(caller: AnyCaller) -> None: ...

    assert compiled(app)["cache"]["audience"] == ["plan"]


# Drift.


def test_drift_compares_it_and_ignores_the_spelling() -> None:
    (ours,) = compile_routes(app_with(fastgate, cache=EdgeCache("tenant", 60, vary=["a", "b"])))
    same = {
        "audience": ["tenant"],
        "ttl": 60,
        "vary": ["B", "a"],
        "stale_if_error": 0,
        "shared": False,
    }
    assert drift([ours], [{**ours, "cache": same}]) == []
    (line,) = drift([ours], [{**ours, "cache": {**same, "ttl": 61}}])
    assert line.startswith('GET /x: cache: the app has {"audience": "tenant"')
    without = {name: value for name, value in ours.items() if name != "cache"}
    (line,) = drift([ours], [without])
    assert line.endswith("the edge has nothing")
    (line,) = drift([without], [ours])
    assert line.startswith("GET /x: cache: the app has nothing")


@pytest.mark.parametrize(
    "changes",
    [
        {"audience": "roles"},
        {"audience": ["tenant", "roles"]},
        {"audience": "public"},
        {"ttl": 59},
        {"stale_while_revalidate": 1},
        {"stale_if_error": 1},
        {"vary": ["accept"]},
        {"shared": True},
    ],
)
def test_every_member_makes_a_difference(changes: dict[str, object]) -> None:
    document = TENANT.document()
    assert same_cache(document, dict(document))
    assert not same_cache(document, {**document, **changes})
    assert not same_cache(document, None)
    assert same_cache(None, {})
    assert not same_cache(["tenant"], document)
