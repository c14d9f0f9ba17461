"""The edge's own command checks what an app compiles to: `fastgate check --routes`."""

import json
import os
import subprocess
from pathlib import Path

import pytest
from fastapi import FastAPI

from fastgate import at_edge
from fastgate.__main__ import main
from fastgate.compile.policy import compile_routes

ROOT = Path(__file__).parents[2]
FASTGATE = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "debug" / "fastgate-tool"

pytestmark = pytest.mark.skipif(not FASTGATE.exists(), reason="cargo build")


def check(*arguments: Path | str) -> tuple[int, str]:
    command = [FASTGATE, "check", *arguments]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    return ran.returncode, ran.stdout + ran.stderr


@pytest.fixture
def routes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    assert main(["policy", "demo.app:app", "--app-dir", str(ROOT / "origin")]) == 0
    routes = tmp_path / "routes.json"
    routes.write_text(capsys.readouterr().out)
    return routes


def test_the_demos_routes_complete_the_base_policy(routes: Path, tmp_path: Path) -> None:
    code, said = check(ROOT / "policy.base.json", "--routes", routes)
    assert (code, said.splitlines()[-1]) == (0, f"{ROOT / 'policy.base.json'}: valid")
    base = json.loads((ROOT / "policy.base.json").read_text())
    without = tmp_path / "without.json"
    without.write_text(json.dumps({name: base[name] for name in base if name != "routes"}))
    assert check(without)[0] == 1, "without routes it is none"


def test_routes_are_added_behind_those_that_are_there(routes: Path) -> None:
    code, said = check(ROOT / "policy.json", "--routes", routes)
    assert code == 1
    assert "is the id of an earlier entry" in said
    assert check(ROOT / "policy.base.json", "--routes", routes, "--routes", routes)[0] == 1


def test_a_removed_prefix_and_three_kinds_of_requests_for_one_path_are_valid(
    tmp_path: Path,
) -> None:
    app = at_edge(prefix="/gw", access="public")(FastAPI(openapi_url=None))
    app.get("/")(endpoint)
    app.get("/graphql")(endpoint)
    app.post("/graphql")(endpoint)
    app.websocket("/graphql")(endpoint)
    app.get("/{p:path}/Ü-{name}.csv/{n:int}/" + "long/" * 20)(endpoint)
    routes = tmp_path / "routes.json"
    routes.write_text(json.dumps({"routes": compile_routes(app)}))
    assert check(ROOT / "policy.base.json", "--routes", routes)[0] == 0


async def endpoint() -> None: ...


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"routes": {}}'])
def test_a_file_without_routes_is_a_wrong_call(tmp_path: Path, content: str) -> None:
    wrong = tmp_path / "routes.json"
    wrong.write_text(content)
    code, said = check(ROOT / "policy.base.json", "--routes", wrong)
    assert code == 2
    assert str(wrong) in said
