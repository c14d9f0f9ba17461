"""Values of a stage, by the rules of the tool, for `init`, `policy`, `drift` and `dev`."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from fastgate.dev.policy.local import Addresses, local_base, with_values
from fastgate.stage import Stage, escaped, names_in, stage_of
from fastgate.wrong_call import WrongCall
from tests.dev_session import APP as GUARDED_APP
from tests.dev_session import command, environment, free_port, serving, until
from tests.init_projects import Discovery, init
from tests.projects import fastgate_in

STAGED = {
    "edge": {"issuer": "${ISSUER}", "hosts": "${HOSTS}"},
    "origins": {"app": {"audience": "orders", "backend": "app"}},
    "issuers": {
        "main": {"issuer": "https://${TENANT}.example.com", "backend": "idp", "audiences": ["a"]}
    },
}
CASES = Path(__file__).parents[2] / "tests" / "data" / "stage_values.json"
"""Those that the tool passes, too."""
VALUES = {"ISSUER": "https://api.example.com", "HOSTS": ["api.example.com"], "TENANT": "acme"}


@pytest.mark.parametrize("case", json.loads(CASES.read_text()))
def test_each_case_has_its_result_or_its_faults(case: dict[str, Any]) -> None:
    variables = {f"FASTGATE_STAGE_{name}": text for name, text in case.get("variables", {}).items()}
    stage, faults = Stage(Path("stage.json"), case.get("values", {}), variables), list[str]()
    try:
        result = stage.applied(case["policy"])
    except WrongCall as error:
        faults += str(error).split("\n")
    else:
        assert result == case.get("result")
    try:
        stage.check_used(names_in(case["policy"]))
    except WrongCall as error:
        faults += str(error).split("\n")
    for fault, expected in zip(sorted(faults), sorted(case.get("faults", [])), strict=True):
        assert fault.startswith(f"{expected}: ")


def test_a_variable_that_is_not_utf_8_is_no_value() -> None:
    stage = Stage(variables={"FASTGATE_STAGE_X": "a\udcff"})
    with pytest.raises(WrongCall, match="needs a value for"):
        stage.applied({"a": "${X}"})


def test_a_value_that_is_not_used_is_a_fault() -> None:
    stage = Stage(Path("s.json"), {"A": 1, "B": 2})
    stage.check_used(["A", "B", "C"])
    with pytest.raises(WrongCall, match=r"s\.json: B is not used"):
        stage.check_used(["A"])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[]", "not an object"),
        ("{", ""),
        ('{"A": 1, "A": 2}', "duplicate"),
        ('{"a": 1}', '"a" is no name'),
        ('{"A\\n": 1}', "is no name"),
    ],
)
def test_a_stage_file_is_an_object_of_names(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "s.json").write_text(text)
    with pytest.raises(WrongCall, match=f"(?s)s.json: .*{message}"):
        stage_of(tmp_path / "s.json")
    with pytest.raises(WrongCall, match=r"none\.json"):
        stage_of(tmp_path / "none.json")


def test_what_is_escaped_is_left_as_it_was() -> None:
    document = {"a": ["${A} $${B} ${ $${", "${C}"]}
    assert names_in(document) == ["A", "C"]
    assert names_in(escaped(document)) == []
    assert Stage().applied(escaped(document)) == document


def test_the_tool_and_the_package_agree(tmp_path: Path) -> None:
    policy = {
        **STAGED,
        "routes": [{"id": "a", "path": "/", "methods": ["GET"], "access": "public"}],
    }
    (tmp_path / "policy.json").write_text(json.dumps(policy))
    (tmp_path / "stage.json").write_text(json.dumps(VALUES))
    ran = fastgate_in(tmp_path, "check", "--stage", "stage.json")
    assert ran.returncode == 0, ran.stdout
    staged = stage_of(tmp_path / "stage.json").applied(policy)
    (tmp_path / "policy.json").write_text(json.dumps(staged))
    assert fastgate_in(tmp_path, "check").returncode == 0


def test_init_leaves_the_names_of_a_base_alone(shop_folder: Path, openid: Discovery) -> None:
    assert init(shop_folder, openid).returncode == 0
    for name in ("edge/policy.json", ".github/workflows/fastgate.yml"):
        (shop_folder / name).unlink()
    (shop_folder / "edge/policy.base.json").write_text(json.dumps(STAGED))
    ran = fastgate_in(shop_folder, "init")
    assert ran.returncode == 0, ran.stderr
    assert "${ISSUER} and ${HOSTS} and ${TENANT} has no value here" in ran.stdout
    assert "FASTGATE_STAGE_ISSUER, FASTGATE_STAGE_HOSTS, FASTGATE_STAGE_TENANT" in ran.stdout
    assert json.loads((shop_folder / "edge/policy.json").read_text())["edge"] == STAGED["edge"]
    workflow = (shop_folder / ".github/workflows/fastgate.yml").read_text()
    assert "\n  FASTGATE_STAGE_TENANT: ${{ vars.FASTGATE_STAGE_TENANT }}\n" in workflow


def test_init_checks_with_a_stage_file_and_the_workflow_uses_it(
    shop_folder: Path, openid: Discovery
) -> None:
    assert init(shop_folder, openid).returncode == 0
    for name in ("edge/policy.json", ".github/workflows/fastgate.yml"):
        (shop_folder / name).unlink()
    (shop_folder / "edge/policy.base.json").write_text(json.dumps(STAGED))
    (shop_folder / "edge/production.json").write_text(json.dumps({**VALUES, "HOSTS": 7}))
    ran = fastgate_in(shop_folder, "init", "--stage", "edge/production.json")
    assert ran.returncode == 1
    assert "$.edge.hosts" in ran.stderr
    (shop_folder / "edge/production.json").write_text(json.dumps(VALUES))
    ran = fastgate_in(shop_folder, "init", "--stage", "edge/production.json")
    assert ran.returncode == 0, ran.stderr
    workflow = (shop_folder / ".github/workflows/fastgate.yml").read_text()
    assert workflow.count(" --stage edge/production.json\n") == 2
    assert "FASTGATE_STAGE_" not in workflow
    (shop_folder.parent / "outside.json").write_text(json.dumps(VALUES))
    ran = fastgate_in(shop_folder, "init", "--stage", "../outside.json")
    assert ran.returncode == 2
    assert "so a CI job has no copy of it" in ran.stderr


def test_policy_and_drift_compare_no_audience_that_differs_between_stages(tmp_path: Path) -> None:
    (tmp_path / "main.py").write_text(GUARDED_APP)
    base = {**STAGED, "origins": {"app": {"audience": "${AUDIENCE}", "backend": "app"}}}
    (tmp_path / "base.json").write_text(json.dumps(base))
    ran = fastgate_in(tmp_path, "policy", "--base", "base.json")
    assert ran.returncode == 0, ran.stdout
    assert "Settings.edge" not in ran.stderr
    (tmp_path / "policy.json").write_text(ran.stdout)
    ran = fastgate_in(tmp_path, "drift", "policy.json")
    assert ran.returncode == 0, ran.stdout


def test_what_is_other_here_needs_no_value() -> None:
    addresses = Addresses("http://127.0.0.1:1", "http://127.0.0.1:2")
    policy = {
        **STAGED,
        "origins": {"app": {"audience": "${AUDIENCE}", "backend": "app", "key": "${KEY}"}},
        "routes": [{"id": "${A}", "origin": "app"}, {"id": "${B}", "respond": {"text": "${B}"}}],
    }
    stage = Stage(variables={"FASTGATE_STAGE_AUDIENCE": "orders", "FASTGATE_STAGE_B": "b"})
    staged = with_values(policy, stage)
    assert staged is not None
    local = local_base(staged, addresses, "")
    assert local["origins"] == {"app": {"audience": "orders", "backend": "app"}}
    assert "${" not in json.dumps(local)
    with pytest.raises(WrongCall) as raised:
        with_values(policy, Stage())
    places = [line.partition(" ")[0] for line in str(raised.value).splitlines()]
    assert places == ["$.origins.app.audience", "$.routes[1].id", "$.routes[1].respond.text"]


def test_dev_names_a_value_that_it_needs(tmp_path: Path) -> None:
    (tmp_path / "main.py").write_text(GUARDED_APP)
    (tmp_path / "edge").mkdir()
    base = {**STAGED, "origins": {"app": {"audience": "${AUDIENCE}", "backend": "app"}}}
    (tmp_path / "edge/policy.base.json").write_text(json.dumps(base))
    ports = ["--port", str(free_port()), "--app-port", "0", "--provider-port", "0"]
    ran = subprocess.run(  # noqa: S603
        command(*ports),
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert ran.returncode == 2
    assert "$.origins.app.audience needs a value for ${AUDIENCE}" in ran.stderr
    assert "--stage FILE" in ran.stderr


def test_dev_serves_a_stage_and_a_change_of_its_file_is_in_force(tmp_path: Path) -> None:
    (tmp_path / "main.py").write_text(GUARDED_APP)
    (tmp_path / "edge").mkdir()
    teapot = {"id": "tea", "path": "/tea", "methods": ["GET"], "access": "public"}
    respond = {"body": "${TEXT} $${TEXT}"}
    base = {**STAGED, "routes": [{**teapot, "respond": respond}]}
    (tmp_path / "edge/policy.base.json").write_text(json.dumps(base))
    (tmp_path / "stage.json").write_text(json.dumps({**VALUES, "TEXT": "one"}))
    with serving(tmp_path, "--stage", "stage.json") as session:
        session.until_ready()
        assert session.get("/tea").text == "one ${TEXT}"
        session.edit(lambda text: text.replace("one", "two"), "stage.json")
        until(lambda: session.get("/tea").text == "two ${TEXT}", "the change is not in force")
