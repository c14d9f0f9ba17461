"""What the README says works when it is copied."""

import os
import re
import shlex
from pathlib import Path

import pytest
from fastapi import FastAPI

from fastgate.__main__ import _parser
from fastgate.compile.policy import compile_routes
from fastgate.testing import AsCaller

README = (Path(__file__).parents[1] / "README.md").read_text()


ROOT_README = (Path(__file__).parents[2] / "README.md").read_text()


def block(heading: str, readme: str = README) -> str:
    """Return the first block of Python under a heading."""
    section = readme.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    found = re.search(r"```python\n(.*?)```", section, re.DOTALL)
    assert found, heading
    return found[1]


@pytest.fixture
def app() -> FastAPI:
    names: dict[str, object] = {}
    exec(block("Guard an app"), names)  # noqa: S102
    app = names["app"]
    assert isinstance(app, FastAPI)
    return app


def test_an_app_is_guarded_in_ten_lines() -> None:
    lines = [line for line in block("Guard an app").splitlines() if line.strip()]
    assert len(lines) <= 10


def test_the_example_of_a_test_passes(app: FastAPI, as_caller: AsCaller) -> None:
    names: dict[str, object] = {"app": app}
    exec(block("Test"), names)  # noqa: S102
    example = names["test_ada_reads_her_order"]
    assert callable(example)
    example(as_caller)


def test_the_first_example_of_all_compiles() -> None:
    names: dict[str, object] = {}
    exec(block("Guard an app", ROOT_README), names)  # noqa: S102
    compiled = compile_routes(names["app"])
    assert {route["access"] for route in compiled} == {"authenticated"}


@pytest.mark.parametrize("local", ["", "yes"])
def test_the_example_of_local_development_can_be_built(
    local: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOCAL", local)
    names: dict[str, object] = {"app": FastAPI(), "os": os}
    exec("from fastgate import *\n" + block("Develop without an edge"), names)  # noqa: S102
    assert (names["local"] is None) == (local == "")


def test_nothing_is_installed_by_a_name_that_nobody_has_registered() -> None:
    root = Path(__file__).parents[2]
    pages = [root / "README.md", *root.glob("docs/**/*.md"), *root.glob("origin/**/*.md")]
    pages += [*root.glob(".github/**/*.y*ml"), root / "CHANGELOG.md"]
    for page in pages:
        text = page.read_text() if page.is_file() else ""
        found = re.search(
            r"(pip|pipx|uv|uvx|poetry)\b[^`\n|]*\b(install|add|run)\s+fastgate\b", text
        )
        assert found is None, page


def test_every_command_line_of_the_doctor_is_one() -> None:
    lines = re.findall(r"python -m fastgate (doctor [^`\n]+)", README)
    assert len(lines) == 2
    for line in lines:
        options = _parser().parse_args(shlex.split(line))
        assert (options.audience, options.path) == ("orders", "/me")
