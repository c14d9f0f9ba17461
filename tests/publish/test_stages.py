"""Stages: one policy for several services, pushed with the values of one."""

import json

import pytest
from pushing import Pushing, policy


def test_stages(shop: Pushing) -> None:
    text = policy("/a", issuer="https://${HOST}", hosts="${HOSTS}")
    shop.write(text)
    ran = shop.attempt("push", "--yes")
    assert (ran.returncode, "$.edge.issuer" in ran.stdout) == (1, True)
    stage = shop.folder / "stage.json"
    stage.write_text(json.dumps({"HOSTS": ["shop.example.com"], "OTHER": "x"}))
    ran = shop.attempt("check", "--stage", stage)
    assert ran.returncode == 1
    assert "${HOST}" in ran.stdout
    assert "stage.json: OTHER" in ran.stdout
    stage.write_text(json.dumps({"HOSTS": ["shop.example.com"]}))
    shop("check", "--publish", "--stage", stage, FASTGATE_STAGE_HOST="shop.example.com")
    shop("push", "--yes", "--stage", stage, FASTGATE_STAGE_HOST="shop.example.com")
    assert shop.live
    assert json.loads(shop.live) == json.loads(policy("/a"))


@pytest.mark.parametrize(
    ("text", "stage", "variable", "words"),
    [
        (policy("/a", issuer="https://${HOST}"), {}, "", ["$.edge.issuer", "${HOST}"]),
        (policy("/a", issuer="https://${HOST}"), {"HOST": ""}, "x", ["stage.json: HOST", "empty"]),
        (policy("/${host}"), {}, "", ["$.routes[0].path", "without a name"]),
        (policy("/${"), {}, "", ["$.routes[0].path", "without a name"]),
        (policy("/${HOST"), {}, "x", ["$.routes[0].path", "without a name"]),
        (policy("/a").replace('"shop":', '"${HOST}":'), {}, "x", ["$.origins.${HOST}", "member"]),
        (policy("/a", hosts="${HOST}"), {"HOST": ["${X}"]}, "", ["stage.json: HOST", "again"]),
        (policy("/${HOST}"), {}, "${X}", ["FASTGATE_STAGE_HOST", "again"]),
    ],
)
def test_what_is_left_of_a_stage_is_a_fault(
    shop: Pushing, text: str, stage: dict[str, object], variable: str, words: list[str]
) -> None:
    shop.write(text)
    (shop.folder / "stage.json").write_text(json.dumps(stage))
    ran = shop.attempt("push", "--yes", "--stage", "stage.json", FASTGATE_STAGE_HOST=variable)
    assert ran.returncode == 1
    assert all(word in ran.stdout for word in words), ran.stdout
    assert shop.store.items == {}


def test_the_escape_serves_a_marker(shop: Pushing) -> None:
    text = policy("/a").replace("this is /a", "price: $${lower} $${HOST} $${")
    shop.push(text)
    assert shop.live
    answer = json.loads(shop.live)["routes"][0]["respond"]["body"]
    assert answer == "price: ${lower} ${HOST} ${"
