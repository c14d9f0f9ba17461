"""App and edge agree, or each difference has a line."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from fastgate.__main__ import main
from fastgate.compile.drift import drift
from fastgate.compile.policy import RouteDocument

REPOSITORY = Path(__file__).parents[2]
READ: RouteDocument = {
    "id": "read",
    "path": "/orders/{id}",
    "methods": ["GET"],
    "access": "authenticated",
    "scopes": ["orders:read"],
}


def changed(**members: object) -> list[RouteDocument]:
    return [{name: value for name, value in {**READ, **members}.items() if value is not ...}]


@pytest.mark.parametrize(
    "edge",
    [
        changed(),
        changed(access=...),
        changed(forward_token=False, limits=[]),
        changed(origin="shop"),
        changed(path="/orders/{order_id:str}"),
        [*changed(methods=["GET"])],
    ],
)
def test_equivalent_routes_do_not_differ(edge: list[RouteDocument]) -> None:
    assert drift([READ], edge) == drift(edge, [READ]) == []


def compares(parameter: str, test: str = "equals_path") -> dict[str, object]:
    return {"claim": {"name": "tenant", test: parameter}}


def with_path(path: str, **members: object) -> list[RouteDocument]:
    return [{"id": "read", "path": path, "methods": ["GET"], **members}]


CONDITIONS = [
    lambda name: {"require": compares(name)},
    lambda name: {"require": compares(name, "contains_path")},
    lambda name: {"require": {"all": [{"role": "a"}, {"not": compares(name)}]}},
    lambda name: {"issuers": {"https://idp.example": {"require": compares(name)}}},
]


@pytest.mark.parametrize("members", CONDITIONS)
def test_conditions_compare_segments_and_not_names(
    members: Callable[[str], dict[str, object]],
) -> None:
    app = with_path("/{x}/{y}", **members("x"))
    for edge in (with_path("/{y}/{x}", **members("y")), with_path("/{a}/{b:str}", **members("a"))):
        assert drift(app, edge, everything=True) == drift(edge, app, everything=True) == []
    for edge in (
        with_path("/{y}/{x}", **members("x")),
        with_path("/{x}/{y}", **members("y")),
        with_path("/{a}/{b}", **members("b")),
        with_path("/{a}/{b}", **members("x")),
    ):
        assert drift(app, edge, everything=True) != []


def test_the_line_shows_positions() -> None:
    app = with_path("/{x}/{y}", require=compares("x"))
    (line,) = drift(app, with_path("/{y}/{x}", require=compares("x")))
    assert "parameter 1" in line
    assert "parameter 2" in line


def test_the_positions_are_those_of_the_path_that_the_app_receives() -> None:
    app = with_path("/{x}/{y}", require=compares("x"))
    rewrite = {"template": "/{b}/{a}"}
    edge = with_path("/v1/{a}/{b}", require=compares("b"), rewrite=rewrite)
    assert drift(app, edge) == []
    edge = with_path("/v1/{a}/{b}", require=compares("a"), rewrite=rewrite)
    assert drift(app, edge) != []


def test_a_rule_that_compares_the_path_is_followed() -> None:
    rules = {"own": {"any": [{"role": "admin"}, compares("x")]}, "plain": {"role": "admin"}}
    rules |= {"endless": {"any": [{"rule": "endless"}, compares("x")]}}
    for name in ("own", "endless"):
        app = with_path("/{x}/{y}", require={"rule": name})
        assert drift(app, app, rules=rules) == []
        assert drift(app, with_path("/{y}/{x}", require={"rule": name}), rules=rules) != []
    app = with_path("/{x}/{y}", require={"rule": "plain"})
    assert drift(app, with_path("/{y}/{x}", require={"rule": "plain"}), rules=rules) == []


def test_the_order_of_scopes_means_nothing() -> None:
    assert drift(changed(scopes=["a", "b"]), changed(scopes=["b", "a"])) == []


@pytest.mark.parametrize(
    ("edge", "lines"),
    [
        ([], ["GET /orders/{id}: only the app serves it"]),
        (
            changed(methods=["POST"]),
            [
                "GET /orders/{id}: only the app serves it (the other side has POST there)",
                "POST /orders/{id}: only the edge has it (the other side has GET there)",
            ],
        ),
        (
            changed(path="/orders/{id:int}"),
            [
                "GET /orders/{id:int}: only the edge has it (refused until both agree)",
                "GET /orders/{id}: only the app serves it",
            ],
        ),
        (
            changed(scopes=["orders:write"]),
            [
                'GET /orders/{id}: only the app requires the scope "orders:read"',
                'GET /orders/{id}: only the edge requires the scope "orders:write"',
            ],
        ),
        (
            changed(access="public", scopes=...),
            [
                'GET /orders/{id}: only the app requires the scope "orders:read"',
                'GET /orders/{id}: access: the app has "authenticated", the edge has "public"',
            ],
        ),
        (
            changed(id="other"),
            [
                'GET /orders/{id}: id: the app has "read", the edge has "other"'
                " (refused until both agree)"
            ],
        ),
    ],
)
def test_each_difference_has_a_line(edge: list[RouteDocument], lines: list[str]) -> None:
    assert drift([READ], edge) == lines


OWNED = changed(limits=["slow"], group="web", require={"rule": "staff"}, sign_body=True)


def test_settings_that_only_the_edge_has_are_differences_only_with_everything() -> None:
    assert drift([READ], OWNED) == []
    assert drift([READ], OWNED, everything=True) == [
        'GET /orders/{id}: group: the app has nothing, the edge has "web"',
        'GET /orders/{id}: limits: the app has nothing, the edge has ["slow"]',
        'GET /orders/{id}: require: the app has nothing, the edge has {"rule": "staff"}',
        "GET /orders/{id}: sign_body: the app has nothing, the edge has true",
    ]


def test_declarations_of_the_app_are_always_compared() -> None:
    assert drift(OWNED, [READ]) == [
        'GET /orders/{id}: group: the app has "web", the edge has nothing',
        'GET /orders/{id}: limits: the app has ["slow"], the edge has nothing',
        'GET /orders/{id}: require: the app has {"rule": "staff"}, the edge has nothing',
        "GET /orders/{id}: sign_body: the app has true, the edge has nothing"
        " (refused until both agree)",
    ]


def test_ids_are_compared_only_for_strict_apps() -> None:
    assert drift([READ], changed(id="other"), ids=False) == []


@pytest.mark.parametrize(
    ("path", "rewrite"),
    [
        ("/gw/orders/{id}", {"strip_prefix": "/gw"}),
        ("/v1/o/{id}", {"template": "/orders/{id}"}),
        ("/gw/{id}", {"strip_prefix": "/gw", "add_prefix": "/orders"}),
    ],
)
def test_a_rewritten_route_is_compared_with_the_route_that_runs(
    path: str, rewrite: dict[str, str]
) -> None:
    outer = changed(path=path, rewrite=rewrite)
    assert drift([READ], outer) == []
    assert drift([READ], [READ, *outer]) == []
    assert drift([READ], [{**outer[0], "access": "public"}]) == [
        f'GET {path}: access: the app has "authenticated", the edge has "public"'
    ]


def test_the_policy_of_this_repository_is_compiled_from_the_demo(
    capsys: pytest.CaptureFixture[str],
) -> None:
    arguments = ["demo.app:app", "--app-dir", str(REPOSITORY / "origin")]
    assert main(["drift", *arguments, str(REPOSITORY / "policy.json")]) == 0
    capsys.readouterr()
    base = REPOSITORY / "policy.base.json"
    assert main(["policy", *arguments, "--base", str(base)]) == 0
    written = (REPOSITORY / "policy.json").read_text()
    assert capsys.readouterr().out == written, "run `make policy`"


def test_a_route_that_the_author_did_not_mark_public_is_found(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    policy = json.loads((REPOSITORY / "policy.json").read_text())
    (me,) = (route for route in policy["routes"] if route["id"] == "read_me")
    me["access"] = "public"
    policy["routes"].pop()
    altered = tmp_path / "policy.json"
    altered.write_text(json.dumps(policy))
    arguments = ["demo.app:app", "--app-dir", str(REPOSITORY / "origin"), str(altered)]
    assert main(["drift", *arguments]) == 1
    assert capsys.readouterr().out.splitlines() == [
        'GET /me: access: the app has "authenticated", the edge has "public"',
        "WEBSOCKET /updates: only the app serves it",
        f"demo.app:app and {altered}: 2 differences",
    ]


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"routes": 1}', '{"routes": [1]}'])
def test_an_invalid_policy_is_a_wrong_call(
    tmp_path: Path, content: str, capsys: pytest.CaptureFixture[str]
) -> None:
    wrong = tmp_path / "policy.json"
    wrong.write_text(content)
    arguments = ["demo.app:app", "--app-dir", str(REPOSITORY / "origin"), str(wrong)]
    assert main(["drift", *arguments]) == 2
    assert str(wrong) in capsys.readouterr().err


def one(path: str, access: str, **members: object) -> RouteDocument:
    return {"id": path, "path": path, "methods": ["GET"], "access": access, **members}


@pytest.mark.parametrize("everything", [True, False])
@pytest.mark.parametrize(
    "rewrite", [{"add_prefix": "/v2"}, {"template": "/v2/orders"}, {"add_prefix": "/v2", "x": 1}]
)
def test_a_rewrite_to_another_route_of_the_app_is_compared_with_that_route(
    rewrite: dict[str, object], everything: bool
) -> None:
    app = [one("/orders", "public"), one("/v2/orders", "authenticated", scopes=["read"])]
    edge = [one("/orders", "public", rewrite=rewrite), app[1]]
    lines = drift(app, edge, everything=everything, ids=False)
    assert [line for line in lines if ": id: " not in line] == [
        "GET /orders: only the app serves it",
        'GET /orders: only the app requires the scope "read"',
        'GET /orders: access: the app has "authenticated", the edge has "public"',
    ]


def test_a_rewrite_to_a_path_that_the_app_does_not_serve_is_a_difference() -> None:
    edge = [one("/orders", "public", rewrite={"add_prefix": "/v2"})]
    assert drift([one("/orders", "public")], edge) == [
        "GET /orders: only the app serves it",
        "GET /orders: only the edge has it",
    ]


@pytest.mark.parametrize(
    ("members", "line"),
    [
        ({"access": "authenticated"}, 'access: the app has "authenticated", the edge has "public"'),
        ({"scopes": ["read"]}, 'only the app requires the scope "read"'),
        ({"require": {"rule": "r"}}, 'require: the app has {"rule": "r"}, the edge has nothing'),
        ({"issuers": ["staff"]}, 'issuers: the app has ["staff"], the edge has nothing'),
        ({"require_bound": True}, "require_bound: the app has true, the edge has nothing"),
    ],
)
def test_a_declared_rewrite_is_compared_with_the_route_that_it_leads_to(
    members: dict[str, object], line: str
) -> None:
    alias = one("/v1/o", "public", rewrite={"template": "/orders"}, group="old")
    inner = {**one("/orders", "public", group="new"), **members}
    assert drift([alias, inner], [alias, inner], ids=False) == [
        f"GET /v1/o, which runs /orders: {line}"
    ]
    same = {**alias, **members}
    assert drift([same, inner], [same, inner], ids=False) == []
    elsewhere = {**same, "rewrite": {"template": "/other"}}
    assert drift([same, inner], [elsewhere, inner], ids=False) == [
        'GET /v1/o: rewrite: the app has {"template": "/orders"}, '
        'the edge has {"template": "/other"}'
    ]


def test_the_edge_may_remove_a_root_path() -> None:
    app = [one("/gw/orders", "authenticated")]
    kept, taken = app[0], one("/gw/orders", "authenticated", rewrite={"strip_prefix": "/gw"})
    assert drift(app, [kept], root_path="/gw") == drift(app, [taken], root_path="/gw") == []
    assert drift(app, [{**taken, "access": "public"}], root_path="/gw") == [
        'GET /gw/orders: access: the app has "authenticated", the edge has "public"'
    ]
    assert drift(app, [taken]) != [], "an app without a root path does not serve that"
