"""The command `fastgate`: its own commands, and those that it passes to the program in Rust."""

import json
import os
import subprocess
import sys
from pathlib import Path

import fastgate_edge
import pytest

from fastgate.commands.tool import COMMANDS

ROOT = Path(__file__).parents[2]
TOOL = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "debug" / "fastgate-tool"
INSTALLED = Path(sys.executable).with_name("fastgate")


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603
        [INSTALLED, *arguments],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | environment,
    )


def test_the_command_knows_every_command_of_the_program() -> None:
    command = [str(TOOL), "reference"]
    ran = subprocess.run(command, capture_output=True, check=True)  # noqa: S603
    output = json.loads(ran.stdout)
    words = {each["name"] for each in output["commands"]["commands"]}
    assert words == set(COMMANDS)


def test_the_help_lists_the_commands_of_both() -> None:
    ran = run("--help")
    assert ran.returncode == 0
    for word in ("policy", "drift", "doctor", "init", "guest", *COMMANDS):
        assert f"\n    {word} " in ran.stdout, word


def test_the_program_gets_its_arguments_as_they_are() -> None:
    ran = run("schema")
    assert (ran.returncode, ran.stderr) == (0, "")
    assert json.loads(ran.stdout) == json.loads((ROOT / "policy.schema.json").read_text())
    assert run("check", "--help").stdout.startswith("Check whether a policy is valid")
    missing = run("check", "/no/such/policy.json")
    assert missing.returncode == 2
    assert "/no/such/policy.json" in missing.stderr


def test_an_unknown_command_is_refused_with_the_list() -> None:
    ran = run("chekc")
    assert ran.returncode == 2
    assert "invalid choice: 'chekc'" in ran.stderr
    assert "check" in ran.stderr


def test_without_the_wheel_it_says_what_to_install(tmp_path: Path) -> None:
    (tmp_path / "fastgate_edge.py").write_text("raise ModuleNotFoundError('not installed')\n")
    ran = run("check", PYTHONPATH=str(tmp_path))
    assert ran.returncode == 2
    assert ran.stderr.startswith("`fastgate check` is a program of the wheel fastgate-edge")


def test_in_a_checkout_that_is_not_built_it_says_what_to_run(tmp_path: Path) -> None:
    ran = run("check", CARGO_TARGET_DIR=str(tmp_path))
    assert ran.returncode == 2
    assert "run `make guest edge` in" in ran.stderr


def test_a_program_is_found_where_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert fastgate_edge.program("fastgate-tool") == TOOL
    monkeypatch.setenv("CARGO_TARGET_DIR", str(tmp_path))
    with pytest.raises(fastgate_edge.NotBuilt):
        fastgate_edge.guest()


def test_a_reader_that_ends_early_causes_no_traceback(tmp_path: Path) -> None:
    (tmp_path / "main.py").write_text(
        "from fastapi import FastAPI\nfrom fastgate import at_edge\n"
        'app = at_edge(access="public")(FastAPI())\n'
    )
    read, write = os.pipe()
    os.close(read)
    ran = subprocess.run(
        [sys.executable, "-m", "fastgate", "policy", "main:app"],
        cwd=tmp_path,
        stdout=write,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    os.close(write)
    assert (ran.returncode, "Traceback" in ran.stderr) == (1, False), ran.stderr
