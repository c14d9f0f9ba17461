"""Edge and app decide every condition alike, for every claim in a table.

The edge is `fastgate explain`. Needs `make edge`.
"""

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote
from uuid import UUID

import pytest
from starlette.convertors import CONVERTOR_TYPES

from fastgate import Condition, Identity, all_of, any_of, claim, group, not_, role, scope
from fastgate.conditions import Facts, name_in_app
from fastgate.forwarded import ForwardedClaims
from tests.test_edge_agrees import TARGET

FASTGATE = TARGET / "debug" / "fastgate-tool"
ISSUER = "https://idp.example"
NAME = "x"
UUID_TEXT = "01234567-89ab-cdef-0123-456789abcdef"

pytestmark = pytest.mark.skipif(not FASTGATE.exists(), reason="make edge")

SCALARS: list[Any] = ["", "a", "1", "true", "null", "é", "e\u0301", 0, 1, -1, 2**53, 2**63 - 1]
SCALARS += [-(2**63), True, False]
VALUES: list[Any] = [
    *SCALARS,
    *(None, 1.0, 0.0, -0.0, 1.5, 2**64 - 1, 1e15, "A", " a", [], {}, {"a": "a"}, {"a": 1}),
    *(["a"], ["a", 1], [1.0], [True], [["a"]], [[1]], [{"a": "a"}], [None], [[], "b"]),
]
ABSENT = object()

PATHS = [
    ("int", "007"),
    ("int", "0"),
    ("int", "18446744073709551616"),
    ("float", "1"),
    ("str", "7"),
]
PATHS += [
    ("float", "01.50"),
    ("float", "0"),
    ("float", "1" + "0" * 310),
    ("str", "a"),
    ("str", "é"),
]
PATHS += [("uuid", UUID_TEXT), ("uuid", UUID_TEXT.replace("-", "").upper())]
CLAIMED: list[Any] = [
    *(
        "7",
        "007",
        "+7",
        " 7",
        "7 ",
        "7.0",
        "\u0667",
        "0",
        "-0",
        "00",
        "",
        "1",
        "1.",
        ".5",
        "1.5",
        "1.50",
    ),
    *("15e-1", "1_5", "1E0", "inf", "Infinity", "+inf", "-inf", "nan", "1e400", "+1.5", "-1", "1e"),
    *(7, 7.0, 7.5, -7, 0, 0.0, -0.0, 1, 1.0, 1.5, True, False, None, [], {}, ["7"], [7], [["7"]]),
    *("18446744073709551616", 2**64 - 1, "a", "é", "e\u0301", "A", {"p": "7"}),
    *(UUID_TEXT, UUID_TEXT.upper(), UUID_TEXT.replace("-", ""), f"{{{UUID_TEXT}}}"),
    *(f"urn:uuid:{UUID_TEXT}", f"urn:uuid:{{{UUID_TEXT}}}", f"{{urn:uuid:{UUID_TEXT}}}"),
    *(UUID_TEXT[:-1], UUID_TEXT + "0", f"{{{UUID_TEXT}", [UUID_TEXT, "7"], UUID_TEXT + "\n", "7\n"),
]

Case = tuple[Condition, Mapping[str, Any], str, str]
"""A condition, the claims of a token, and the convertor and value of the parameter `p`."""


def _claims(value: object) -> dict[str, Any]:
    return {} if value is ABSENT else {NAME: value}


def _scalar_cases() -> list[Case]:
    found: list[Case] = []
    for value in (*VALUES, ABSENT):
        tests = [
            claim(NAME).is_in(["a", 1]),
            claim(NAME).is_in([False]),
            claim([NAME, "a"]).equals(1),
        ]
        tests += [claim([NAME, "a"]).contains("a")]
        for wanted in SCALARS:
            tests += [claim(NAME).equals(wanted), claim(NAME).contains(wanted)]
        found += [
            (made, _claims(value), "str", "a") for test in tests for made in (test, not_(test))
        ]
    return found


def _path_cases() -> list[Case]:
    # Under `not`, a policy may not compare a parameter of the convertor `path`.
    whole: list[Case] = [
        (test, _claims(value), "path", path)
        for value in (*CLAIMED, "a/b", ["a/b", ""], ABSENT)
        for path in ("", "a/b", "7")
        for test in (claim(NAME).equals_path("p"), claim(NAME).contains_path("p"))
    ]
    return whole + [
        (made, _claims(value), *path)
        for value in (*CLAIMED, ABSENT)
        for path in PATHS
        for test in (claim(NAME).equals_path("p"), claim(NAME).contains_path("p"))
        for made in (test, not_(test))
    ]


def _combined_cases() -> list[Case]:
    conditions = [role("r"), group("g"), scope("s"), not_(role("r")), not_(group("g"))]
    conditions += [all_of(role("r"), group("g")), any_of(role("r"), not_(scope("s")))]
    conditions += [not_(any_of(role("r"), all_of(group("g"), scope("s"))))]
    conditions += [any_of(claim(NAME).equals(1), not_(claim(NAME).equals(1)))]
    tokens: list[dict[str, Any]] = [{}, {NAME: True}]
    for roles in (["r"], ["R", "rr"], "r", []):
        for groups in (["g"], [], ["x", "g"]):
            tokens += [
                {"roles": roles, "groups": groups, "scope": text} for text in ("s t", "st", "")
            ]
    return [(each, token, "str", "a") for each in conditions for token in tokens]


CASES = _scalar_cases() + _path_cases() + _combined_cases()


def by_the_edge(cases: list[Case], directory: Path) -> list[bool]:
    """Return whether the edge admits each."""
    routes: dict[str, str] = {}
    for condition, _, convertor, _ in cases:
        key = json.dumps([condition.document(), convertor])
        routes.setdefault(key, f"r{len(routes)}")
    policy = {
        "edge": {"issuer": "https://edge.example", "hosts": ["edge.example"]},
        "origins": {"app": {"backend": "origin", "audience": "orders"}},
        "issuers": {
            "idp": {
                "issuer": ISSUER,
                "backend": "idp",
                "audiences": ["orders"],
                "claims": {"roles": ["roles"], "groups": ["groups"]},
            }
        },
        "routes": [
            {
                "id": name,
                "path": f"/{name}/{{p:{json.loads(key)[1]}}}",
                "methods": ["GET"],
                "require": json.loads(key)[0],
            }
            for key, name in routes.items()
        ],
    }
    (directory / "policy.json").write_text(json.dumps(policy))
    lines = []
    for condition, claims, convertor, value in cases:
        name = routes[json.dumps([condition.document(), convertor])]
        target = f"/{name}/" + quote(value)
        headers = [["host", "edge.example"]]
        lines.append(json.dumps({"target": target, "headers": headers, "claims": claims}))
    (directory / "requests.jsonl").write_text("\n".join(lines))
    command = [str(FASTGATE), "explain", "--policy", "policy.json", "--requests", "requests.jsonl"]
    ran = subprocess.run(command, cwd=directory, capture_output=True, text=True, check=False)  # noqa: S603
    assert ran.returncode == 0, ran.stderr + ran.stdout[:2000]
    verdicts = [json.loads(line)["verdict"] for line in ran.stdout.splitlines()]
    assert {*verdicts} == {"forwarded", "condition-unmet"}
    return [verdict == "forwarded" for verdict in verdicts]


def by_the_app(case: Case) -> bool | None:
    """Return whether the app's check admits the caller to whom the edge forwards everything."""
    condition, claims, convertor, value = case
    reader = CONVERTOR_TYPES[convertor]
    nested = claims.get(NAME)
    forwarded = {NAME: nested}
    forwarded[name_in_app([NAME, "a"])] = nested.get("a") if isinstance(nested, dict) else None
    listed = {name: claims.get(name, []) for name in ("roles", "groups")}
    roles, groups = (
        frozenset([each] if isinstance(each, str) else each) for each in listed.values()
    )
    identity = Identity(
        *("ada", ISSUER, None, frozenset(str(claims.get("scope", "")).split()), "id"),
        roles=roles,
        claims=ForwardedClaims(json.loads(json.dumps(forwarded))),
        forwarded_groups=groups,
    )
    return condition.holds(Facts(identity, {"p": reader.convert(value)}))


def test_edge_and_app_decide_alike(tmp_path: Path) -> None:
    decided = by_the_edge(CASES, tmp_path)
    assert len(decided) == len(CASES) > 3000
    different = [
        (case, edge)
        for case, edge in zip(CASES, decided, strict=True)
        if by_the_app(case) is not edge
    ]
    assert different == []


def test_the_convertors_give_the_types_that_are_compared() -> None:
    found = {
        name: type(reader.convert(UUID_TEXT if name == "uuid" else "1"))
        for name, reader in CONVERTOR_TYPES.items()
    }
    assert found | {"path": str} == {
        "str": str,
        "path": str,
        "int": int,
        "float": float,
        "uuid": UUID,
    }
