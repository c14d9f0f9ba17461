"""`requires(…)`: what an app may write, and the refusals of the app's own check."""

import copy
import re
import time
from collections.abc import Callable
from enum import Enum
from typing import Annotated

import pytest
from fastapi import Depends, FastAPI, Security, WebSocket
from fastapi.testclient import TestClient
from pydantic import JsonValue
from starlette.websockets import WebSocketDisconnect

from fastgate import (
    Caller,
    Condition,
    Confirmation,
    Identity,
    all_of,
    any_of,
    claim,
    group,
    guard,
    not_,
    requires,
    role,
    scope,
)
from fastgate.claims import SCOPE_KEY
from fastgate.conditions import Facts
from fastgate.forwarded import ForwardedClaims
from fastgate.requires import Requires
from fastgate.testing import AsCaller
from fastgate.vocabulary import MAX_DEPTH
from tests.edge import HEADER, Edge

PROBLEM = "urn:fastgate:problem:"


def serving(edge: Edge, dependency: Requires, path: str = "/x") -> FastAPI:
    app = FastAPI(openapi_url=None)

    @app.get(path)
    async def read(caller: Annotated[Identity, Depends(dependency)]) -> str:
        return caller.subject

    guard(app, edge.settings())
    return app


def deep(levels: int) -> Condition:
    condition = role("a")
    for _ in range(levels - 1):
        condition = not_(condition)
    return condition


# What an app may write.


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (lambda: requires(), "requires nothing"),
        (lambda: requires(acr=None, max_age=None, bound=False), "requires nothing"),
        (lambda: requires(role=""), "a role is empty"),
        (lambda: requires(group=""), "a group is empty"),
        (lambda: requires(scope=""), "a scope is empty"),
        (lambda: requires(scope="a b"), "not a scope"),
        (lambda: requires(scope='a"'), "not a scope"),
        (lambda: requires(scope="a\n"), "not a scope"),
        (lambda: requires(acr=[]), "acr is empty"),
        (lambda: requires(acr=["a b"]), "acr_values"),
        (lambda: requires(acr=[""]), "acr_values"),
        (lambda: requires(max_age=-1), "within 0 and 31622400"),
        (lambda: requires(max_age=31_622_401), "within 0 and 31622400"),
        (lambda: all_of(), "all_of takes at least one"),
        (lambda: any_of(), "any_of takes at least one"),
        (lambda: claim(""), "name of a claim is empty"),
        (lambda: claim([]), "name of a claim is empty"),
        (lambda: claim(["a", ""]), "name of a claim is empty"),
        (lambda: claim("a" * 65), "cannot be forwarded"),
        (lambda: claim("a\x07"), "cannot be forwarded"),
        (lambda: claim("a\ud800"), "name of a claim is .* half a surrogate pair"),
        (lambda: claim("a").is_in([]), "at least one value"),
        (lambda: claim("a").equals(2**63), "64 bits"),
        (lambda: claim("a").equals("\ud800"), "compared value is .* half a surrogate pair"),
        (lambda: claim("a").equals_path(""), "a path parameter is empty"),
        (lambda: deep(MAX_DEPTH + 1), "63 levels deep"),
        (lambda: all_of(*[role("a")] * 4096), "consist of 4096"),
    ],
)
def test_a_mistake_is_a_value_error_on_its_line(write: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        write()


@pytest.mark.parametrize(
    "write",
    [
        lambda: requires("admin"),  # type: ignore[arg-type]
        lambda: requires({"role": "admin"}),  # type: ignore[arg-type]
        lambda: requires(claim("a")),  # type: ignore[arg-type]
        lambda: requires(role=["a"]),  # type: ignore[arg-type]
        lambda: requires(scope=["a"]),  # type: ignore[arg-type]
        lambda: requires(bound=1),  # type: ignore[arg-type]
        lambda: requires(acr="urn:mfa"),
        lambda: requires(acr=[1]),  # type: ignore[list-item]
        lambda: requires(max_age=True),
        lambda: requires(max_age=300.0),  # type: ignore[arg-type]
        lambda: not_(role),  # type: ignore[arg-type]
        lambda: any_of("a"),  # type: ignore[arg-type]
        lambda: not role("a"),
        lambda: claim(1),  # type: ignore[arg-type]
        lambda: claim([1]),  # type: ignore[list-item]
        lambda: claim("a").equals(1.0),  # type: ignore[arg-type]
        lambda: claim("a").equals(float("nan")),  # type: ignore[arg-type]
        lambda: claim("a").equals(None),  # type: ignore[arg-type]
        lambda: claim("a").contains(["a"]),  # type: ignore[arg-type]
        lambda: claim("a").is_in("ab"),
        lambda: claim("a").equals_path(7),  # type: ignore[arg-type]
    ],
)
def test_another_type_is_a_type_error_on_its_line(write: Callable[[], object]) -> None:
    with pytest.raises(TypeError):
        write()


def test_requirements_are_values() -> None:
    one = requires(claim("a").equals(1), role="admin")
    assert one == requires(claim("a").equals(1), role("admin"), role="admin")
    assert hash(one) == hash(requires(claim("a").equals(1), role="admin"))
    assert one != requires(claim("a").equals(True), role="admin")
    assert len({role("a"), role("a"), group("a"), scope("a")}) == 3
    assert copy.deepcopy(one) == one
    for name in ("requirement", "scheme_name", "new"):
        with pytest.raises(AttributeError):
            setattr(one, name, None)


class Name(str, Enum):  # noqa: UP042 - the older kind, whose `str` is another text
    """Names in an app."""

    ADMIN = "admin"
    PLAN = "plan"


def test_members_of_enumerations_are_their_values() -> None:
    written = all_of(role(Name.ADMIN), scope(Name.ADMIN), claim(Name.PLAN).equals(Name.ADMIN))
    assert str(written.document()) == str(
        {
            "all": [
                {"role": "admin"},
                {"scope": "admin"},
                {"claim": {"name": "plan", "equals": "admin"}},
            ]
        }
    )
    assert requires(acr=[Name.ADMIN]).requirement.acr == requires(acr=["admin"]).requirement.acr
    assert str(requires(acr=[Name.ADMIN])) == str(requires(acr=["admin"]))


def test_conditions_have_the_json_of_the_policy() -> None:
    written = any_of(
        all_of(role("r"), group("g"), scope("s")),
        not_(claim(["org", "id"]).is_in(["a", 1, True])),
        claim(["one"]).contains_path("p"),
    )
    assert written.document() == {
        "any": [
            {"all": [{"role": "r"}, {"group": "g"}, {"scope": "s"}]},
            {"not": {"claim": {"name": ["org", "id"], "in": ["a", 1, True]}}},
            {"claim": {"name": "one", "contains_path": "p"}},
        ]
    }


def test_what_all_of_combines_is_required_one_by_one() -> None:
    found = requires(all_of(scope("s"), all_of(role("r"), scope("t"))), scope="s").requirement
    assert found.conditions == (role("r"),)
    assert found.scopes == ("s", "t")


# What the app decides.


def facts(claims: dict[str, JsonValue], groups: frozenset[str] | None = None) -> Facts:
    identity = Identity(
        *("ada", "https://idp", None, frozenset[str](), "id"),
        claims=ForwardedClaims(claims),
        forwarded_groups=groups,
    )
    return Facts(identity, {})


def test_what_was_not_forwarded_decides_nothing() -> None:
    unknown, known = claim("plan").equals("a"), not_(role("x"))
    for condition in (unknown, not_(unknown), group("g"), not_(group("g")), all_of(known, unknown)):
        assert condition.holds(facts({})) is None, condition
    assert any_of(unknown, known).holds(facts({})) is True
    assert any_of(unknown, role("x")).holds(facts({})) is None
    assert all_of(unknown, role("x")).holds(facts({})) is False
    assert group("g").holds(facts({}, frozenset())) is False
    assert unknown.holds(facts({"plan": None})) is False


def test_a_caller_without_the_role_gets_403(
    edge: Edge, as_caller: AsCaller, caplog: pytest.LogCaptureFixture
) -> None:
    app = serving(edge, requires(role="admin"))
    assert as_caller(app, "ada", roles=("admin", "b")).get("/x").json() == "ada"
    response = as_caller(app, "ada", roles=("user",)).get("/x")
    assert (response.status_code, response.json()["type"]) == (403, f"{PROBLEM}forbidden")
    assert "www-authenticate" not in response.headers
    assert caplog.messages == ["refused: condition-unmet"]
    response = as_caller(app).get("/x")
    assert (response.status_code, response.headers["www-authenticate"]) == (401, "Bearer")


def test_a_claim_that_the_edge_did_not_forward_is_refused(
    edge: Edge, caplog: pytest.LogCaptureFixture
) -> None:
    app = serving(edge, requires(not_(claim("plan").equals("free"))))
    response = TestClient(app).get("/x", headers=edge.headers("/x", "/x"))
    assert (response.status_code, response.json()["type"]) == (403, f"{PROBLEM}forbidden")
    assert caplog.messages == ["refused: condition-undecidable"]


def test_scopes_are_required_in_every_way_of_writing_them(edge: Edge, as_caller: AsCaller) -> None:
    app = serving(edge, requires(scope("a"), scope="b"))

    @app.get("/chain")
    async def read(caller: Annotated[Identity, Security(requires(role="r"), scopes=["c"])]) -> None:
        pass

    assert as_caller(app, "ada", ["a", "b"]).get("/x").status_code == 200
    response = as_caller(app, "ada", ["a"]).get("/x")
    assert response.json()["type"] == f"{PROBLEM}insufficient-scope"
    expected = 'Bearer error="insufficient_scope", scope="a b"'
    assert response.headers["www-authenticate"] == expected
    assert as_caller(app, "ada", ["c"], roles=("r",)).get("/chain").status_code == 200
    assert as_caller(app, "ada", roles=("r",)).get("/chain").status_code == 403
    assert as_caller(app, "ada", ["c"]).get("/chain").status_code == 403


def test_a_bound_token_is_required_as_by_the_edge(edge: Edge, as_caller: AsCaller) -> None:
    app = serving(edge, requires(bound=True))
    bound = Confirmation(jkt="A" * 43)
    assert as_caller(app, "ada", confirmation=bound).get("/x").status_code == 200
    response = as_caller(app, "ada").get("/x")
    assert (response.status_code, response.json()["type"]) == (
        401,
        f"{PROBLEM}bound-token-required",
    )
    expected = 'DPoP error="invalid_token", algs="ES256 EdDSA"'
    assert response.headers["www-authenticate"] == expected


@pytest.mark.parametrize(
    ("acr", "ago", "status"),
    [
        *(("urn:mfa", 0, 200), ("urn:b", 300, 200), ("urn:b", 590, 200), ("urn:b", 610, 401)),
        *(("urn:b", -290, 200), ("urn:b", -310, 401), ("urn:c", 0, 401), (None, 0, 401)),
        ("urn:b", None, 401),
    ],
)
def test_the_sign_in_is_required_as_by_the_edge(
    acr: str | None, ago: int | None, status: int, edge: Edge, as_caller: AsCaller
) -> None:
    app = serving(edge, requires(acr=["urn:mfa", "urn:b"], max_age=300))
    signed_in = None if ago is None else int(time.time()) - ago
    response = as_caller(app, "ada", acr=acr, authenticated_at=signed_in).get("/x")
    assert response.status_code == status
    if status == 401:
        assert response.json()["type"] == f"{PROBLEM}insufficient-user-authentication"
        assert response.headers["www-authenticate"] == (
            'Bearer error="insufficient_user_authentication", acr_values="urn:mfa urn:b", '
            'max_age="300"'
        )


def test_one_of_the_two_is_enough_for_a_sign_in(edge: Edge, as_caller: AsCaller) -> None:
    response = as_caller(serving(edge, requires(max_age=0)), "ada").get("/x")
    expected = 'Bearer error="insufficient_user_authentication", max_age="0"'
    assert response.headers["www-authenticate"] == expected
    response = as_caller(serving(edge, requires(acr=["a"])), "ada").get("/x")
    expected = 'Bearer error="insufficient_user_authentication", acr_values="a"'
    assert response.headers["www-authenticate"] == expected


def test_a_websocket_is_closed_with_1008(edge: Edge, as_caller: AsCaller) -> None:
    app = FastAPI(openapi_url=None)

    @app.websocket("/s", dependencies=[Depends(requires(role="admin"))])
    async def talk(websocket: WebSocket) -> None:
        raise AssertionError("it ran")

    guard(app, edge.settings())
    with (
        pytest.raises(WebSocketDisconnect) as closed,
        as_caller(app, "ada").websocket_connect("/s"),
    ):
        pass
    assert closed.value.code == 1008
    with pytest.raises(AssertionError, match="it ran"):
        as_caller(app, "ada", roles=("admin",)).websocket_connect("/s").__enter__()


def test_the_edge_verifies_before_the_app_does(edge: Edge) -> None:
    app = serving(edge, requires(role="admin"))
    response = TestClient(app).get("/x", headers={HEADER: "forged"})
    assert response.json()["type"] == f"{PROBLEM}not-from-the-edge"
    bare = FastAPI()
    bare.get("/x", dependencies=[Depends(requires(role="admin"))])(lambda: None)
    assert TestClient(bare).get("/x").status_code == 401
    assert SCOPE_KEY == "fastgate"


def test_it_stands_beside_a_caller(edge: Edge, as_caller: AsCaller) -> None:
    app = FastAPI(openapi_url=None)

    @app.get("/{tenant_id}/{number:int}")
    async def read(
        caller: Caller,
        same: Annotated[Identity, Depends(requires(claim("tenant").equals_path("tenant_id")))],
        _: Annotated[Identity, Depends(requires(claim(["org", "n"]).contains_path("number")))],
    ) -> bool:
        return caller == same

    guard(app, edge.settings())
    claims = {"tenant": "acme", "/org/n": ["x", 7]}
    assert as_caller(app, "ada", claims=claims).get("/acme/007").json() is True
    assert as_caller(app, "ada", claims=claims).get("/acme/8").status_code == 403
    assert as_caller(app, "ada", claims=claims).get("/other/7").status_code == 403


def in_list(app: FastAPI) -> None:
    app.get("/x", dependencies=[requires(role="a")])(lambda: "in")  # type: ignore[list-item]


def in_list_of_app(_: FastAPI) -> None:
    app = FastAPI(dependencies=[requires(role="a")])  # type: ignore[list-item]
    app.get("/x")(lambda: "in")


def condition_in_list(app: FastAPI) -> None:
    app.get("/x", dependencies=[role("a")])(lambda: "in")  # type: ignore[list-item]


def condition_as_dependency(app: FastAPI) -> None:
    app.get("/x", dependencies=[Depends(role("a"))])(lambda: "in")  # type: ignore[arg-type]


def condition_of_parameter(app: FastAPI) -> None:
    @app.get("/x")
    async def read(caller: Annotated[Identity, Depends(role("a"))]) -> None: ...


def condition_as_default(app: FastAPI) -> None:
    @app.get("/x")
    async def read(caller: Identity = Depends(role("a"))) -> None: ...  # type: ignore[arg-type]  # noqa: B008


def condition_as_decorator(app: FastAPI) -> None:
    app.get("/x")(role("a")(lambda: "in"))  # type: ignore[operator]


MISTAKES = [
    *(in_list, in_list_of_app, condition_in_list, condition_as_dependency),
    *(condition_of_parameter, condition_as_default, condition_as_decorator),
]


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda each: each.__name__)
def test_the_error_of_a_common_mistake_tells_what_to_write(
    mistake: Callable[[FastAPI], None],
) -> None:
    required = "requires(role('a'))" if "condition" in mistake.__name__ else "requires(role='a')"
    with pytest.raises((AttributeError, TypeError), match=re.escape(f"write Depends({required})")):
        mistake(FastAPI())


def test_the_error_of_a_decorator_tells_what_to_write() -> None:
    with pytest.raises(TypeError, match=r"write dependencies=\[Depends\(requires\(…\)\)\]"):
        requires(role="a")(lambda: "in")  # type: ignore[call-arg,arg-type,unused-coroutine]


def test_other_missing_attributes_are_plain_errors() -> None:
    for each in (requires(role="a"), role("a")):
        assert not hasattr(each, "missing")
        with pytest.raises(AttributeError, match="object has no attribute 'missing'"):
            each.missing  # type: ignore[union-attr]  # noqa: B018
