"""A base policy with odd values: `fastgate dev --base FILE` says what is wrong, in one line."""

import contextlib
import copy
import json
import os
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from hypothesis import given, settings
from hypothesis import strategies as st

from fastgate import at_edge
from fastgate.compile.policy import CannotCompile, compile_routes
from fastgate.dev.edge.manifest import local_manifest
from fastgate.dev.policy.base_check import checked_base
from fastgate.dev.policy.local import Addresses, UnusableBase, backends_of, local_base
from fastgate.dev.session import _provider
from fastgate.json_documents import document_at, rules_of
from fastgate.stage import Stage
from fastgate.wrong_call import WrongCall
from tests.dev_session import APP, run
from tests.test_dev_local import BASE as LOCAL_BASE

TARGET = Path(os.environ.get("CARGO_TARGET_DIR", Path(__file__).parents[2] / "target"))
TOOL = TARGET / "debug" / "fastgate-tool"
ADDRESSES = Addresses("http://127.0.0.1:7676", "http://127.0.0.1:9080")
BASE: dict[str, Any] = {
    **LOCAL_BASE,
    "limits": {"calls": {"key": ["subject"], "rate": 10, "per": 60}},
    "groups": {"staff": {"claim": "groups", "values": ["staff"]}},
    "rules": {"staff": {"group": "staff"}},
}
ODD: list[object] = [
    *(None, True, 0, -1, 1e300, 2**64, "", " ", "a\nb", "\x00", "\x7f", "é", "a" * 300, "My.P"),
    *([], [""], [1], ["a", "a"], [[]], {}, {"": {}}, {"a": 1}, {"a\n": {}}, {"a": {"a": {}}}),
]
needs_tool = pytest.mark.skipif(not TOOL.exists(), reason="cargo build --bin fastgate-tool")


def places(value: object, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the path of each member and element, at any depth."""
    inner: Any = value
    for name in inner if isinstance(value, dict) else range(len(inner or ())):
        yield (*path, name)
        if isinstance(inner[name], (dict, list)):
            yield from places(inner[name], (*path, name))


def changed(path: tuple[Any, ...], value: object, *, is_name: bool) -> dict[str, Any]:
    """Return the base with another value, or another name, at one place."""
    base = copy.deepcopy(BASE)
    holder: Any = base
    for name in path[:-1]:
        holder = holder[name]
    if is_name and isinstance(holder, dict):
        holder[str(value)] = holder.pop(path[-1])
    else:
        holder[path[-1]] = value
    return base


def refusal(file: Path, *lines: str) -> None:
    """Check that a refusal has one line for each fault, each with the file."""
    for each in lines:
        assert each.startswith(f"{file}: "), each
        assert "Traceback" not in each
        assert each.isprintable()


def app_with_a_rule() -> FastAPI:
    app = FastAPI(openapi_url=None)
    marked = at_edge(access="authenticated", require={"rule": "staff"})
    app.get("/x/{id}")(marked(lambda: None))
    return app


def used_as_a_session_does(file: Path) -> None:
    """Do with a base what `fastgate dev` does; it raises only what is shown in one line."""
    try:
        local = checked_base(file, Stage(), TOOL, ADDRESSES)
        _provider(local, file, ADDRESSES)
    except WrongCall as error:
        refusal(file, *str(error).split("\n"))
    # A base that becomes faulty while a session runs is read as well.
    try:
        local = local_base(document_at(file), ADDRESSES, "app")
    except UnusableBase:
        return
    with contextlib.suppress(CannotCompile):
        compile_routes(app_with_a_rule(), None, rules=rules_of(local))
    origins = backends_of(local).values()
    backends = {each: "http://127.0.0.1:9" for backends in origins for each in backends}
    tomllib.loads(local_manifest({}, backends, file, file))


@needs_tool
def test_the_base_itself_is_accepted(tmp_path: Path) -> None:
    file = tmp_path / "base.json"
    file.write_text(json.dumps(LOCAL_BASE), "utf-8")
    assert checked_base(file, Stage(), TOOL, ADDRESSES)["edge"] == {
        "issuer": ADDRESSES.edge,
        "hosts": ["127.0.0.1", "localhost"],
    }


def with_models(models: object) -> str:
    backends = {"small": {"models": models}, "rest": {}}
    return json.dumps({"origins": {"a": {"audience": "a", "backends": backends}}})


@needs_tool
def test_models_of_backends_are_left_to_the_check_of_the_whole_policy(tmp_path: Path) -> None:
    file = tmp_path / "base.json"
    file.write_text(with_models(["small"]), "utf-8")
    local = checked_base(file, Stage(), TOOL, ADDRESSES)
    assert local["origins"] == json.loads(with_models(["small"]))["origins"]
    file.write_text(with_models("small"), "utf-8")
    with pytest.raises(WrongCall, match=r"base\.json: .*models"):
        checked_base(file, Stage(), TOOL, ADDRESSES)


@needs_tool
@settings(max_examples=100, deadline=None)
@given(st.sampled_from([*places(BASE)]), st.sampled_from(ODD), st.booleans())
def test_an_odd_value_anywhere_is_refused_in_lines_or_has_no_effect(
    path: tuple[Any, ...], value: object, is_name: bool
) -> None:
    file = Path(os.environ.get("TMPDIR", "/tmp")) / f"fastgate-base-{os.getpid()}.json"  # noqa: S108
    file.write_text(json.dumps(changed(path, value, is_name=is_name)), "utf-8")
    try:
        used_as_a_session_does(file)
    finally:
        file.unlink()


ISSUER = {"issuer": "https://id.example.com", "backend": "id", "audiences": ["a"]}
TEXTS = {
    "no-json": ("{", "$"),
    "list": ("[1]", "is not a JSON object"),
    "deep": ("[" * 100_000, "nested too deeply"),
    "twice": ('{"edge": {}, "edge": {}}', "duplicate member"),
    "half": ('{"origins": {"a": {"backend": "\\ud800", "audience": "a"}}}', "surrogate"),
    "not-a-number": ('{"limits": NaN}', "not a JSON number"),
    "id": (json.dumps({"issuers": {"My.P": ISSUER}}), "$.issuers.My.P is not made of a-z"),
    "audience": (
        json.dumps({"issuers": {"p": {**ISSUER, "audiences": [""]}}}),
        "$.issuers.p.audiences is empty",
    ),
    "audiences": (
        json.dumps({"issuers": {"p": {**ISSUER, "audiences": 7}}}),
        "$.issuers.p.audiences is not a list of texts",
    ),
    "backend": (
        json.dumps({"origins": {"a": {"backend": "a\nb", "audience": "a"}}}),
        "$.origins.a.backend is not the name of a backend",
    ),
    "line-end": ('{"issuers": {"a\\nb": 1}}', "$.issuers.a�b is not an object"),
    "page": (
        json.dumps({"issuers": {"__fastgate": ISSUER}}),
        "$.issuers.__fastgate has the path of the page: name it otherwise",
    ),
    "member": ('{"egde": {}}', "$.egde does not exist here"),
}


@needs_tool
@pytest.mark.parametrize("name", TEXTS)
def test_the_command_ends_with_one_line(tmp_path: Path, name: str) -> None:
    text, what = TEXTS[name]
    (tmp_path / "main.py").write_text(APP, "utf-8")
    (tmp_path / "base.json").write_text(text, "utf-8")
    free = ("--port", "0", "--app-port", "0", "--provider-port", "0")
    ran = run(tmp_path, "--base", "base.json", *free)
    assert ran.returncode == 2
    assert ran.stderr.count("\n") == 1
    assert ran.stderr.startswith("base.json: ")
    assert what == "$" or what in ran.stderr
