"""The commands compare the settings of an app's guard with the policy of its edge."""

import json
from pathlib import Path

import pytest
from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware

from fastgate import FastgateMiddleware, Settings
from fastgate.__main__ import main
from fastgate.guard_settings import audience_differences, cors_hints, edge_hints, settings_of

EDGE = "https://api.example.com"
SETTINGS = Settings(edge=EDGE, audience="shop")


def written(folder: Path, settings: str, *, edge: str = EDGE, audience: str = "shop") -> list[str]:
    """Write an app and a policy for it; return the arguments after the command."""
    (folder / "guarded.py").write_text(
        "from fastapi import FastAPI\n"
        "from fastgate import Caller, FastgateMiddleware, Settings, guard\n"
        "app = FastAPI(openapi_url=None)\n"
        '@app.get("/me")\n'
        "async def read_me(caller: Caller): ...\n"
        f"{settings}\n"
    )
    origins = {"main": {"backend": "origin", "audience": audience}}
    policy = {"edge": {"issuer": edge}, "origins": origins}
    (folder / "base.json").write_text(json.dumps(policy))
    routes = [{"id": "get-me", "path": "/me", "methods": ["GET"]}]
    (folder / "policy.json").write_text(json.dumps({**policy, "routes": routes}))
    return ["guarded:app", "--app-dir", str(folder)]


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delitem(__import__("sys").modules, "guarded", raising=False)
    monkeypatch.syspath_prepend(tmp_path)


GUARDED = f'guard(app, Settings(edge="{EDGE}", audience="shop"))'
AROUND = f'app = FastgateMiddleware(app, Settings(edge="{EDGE}", audience="shop"))'


@pytest.mark.parametrize("settings", [GUARDED, AROUND], ids=["guard", "middleware"])
def test_an_audience_that_no_origin_has_is_a_difference(
    settings: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = written(tmp_path, settings, audience="shops")
    assert main(["drift", *arguments, str(tmp_path / "policy.json")]) == 1
    line = (
        'Settings.audience is "shop", but origins.main.audience is "shops" in {}: write the same '
        "value on both sides (refused until both agree)"
    )
    assert capsys.readouterr().out.splitlines()[0] == line.format(tmp_path / "policy.json")
    assert main(["policy", *arguments, "--base", str(tmp_path / "base.json")]) == 1
    assert capsys.readouterr() == (
        f"{line.format(tmp_path / 'base.json')}\n",
        "guarded:app: 1 fault\n",
    )


@pytest.mark.parametrize("settings", [GUARDED, AROUND], ids=["guard", "middleware"])
def test_another_edge_is_a_hint_only(
    settings: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = written(tmp_path, settings, edge="https://staging.example.com")
    hint = 'hint: Settings.edge is "https://api.example.com" here and edge.issuer is "https://sta'
    assert main(["drift", *arguments, str(tmp_path / "policy.json")]) == 0
    printed = capsys.readouterr()
    assert printed.err.startswith(hint)
    assert printed.out.endswith("no difference\n")
    assert main(["policy", *arguments, "--base", str(tmp_path / "base.json")]) == 0
    printed = capsys.readouterr()
    assert printed.err.startswith(hint)
    assert json.loads(printed.out)["routes"]


def test_settings_that_agree_are_not_mentioned(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = written(tmp_path, GUARDED)
    assert main(["drift", *arguments, str(tmp_path / "policy.json")]) == 0
    assert main(["policy", *arguments, "--base", str(tmp_path / "base.json")]) == 0
    assert main(["policy", *arguments]) == 0
    assert capsys.readouterr().err == ""


def test_only_the_origin_that_is_named_counts() -> None:
    policy = {"origins": {"a": {"audience": "shop"}, "b": {"audience": "other"}, "c": {}, "d": 1}}
    assert audience_differences(SETTINGS, policy, None, None) == []
    assert audience_differences(SETTINGS, policy, "a", None) == []
    assert audience_differences(SETTINGS, policy, "unknown", None) == []
    (line,) = audience_differences(SETTINGS, policy, "b", "edge/policy.json")
    assert 'origins.b.audience is "other" in edge/policy.json' in line


@pytest.mark.parametrize("policy", [{}, {"origins": {}, "edge": {}}, {"origins": 1, "edge": 1}])
def test_nothing_is_compared_with_what_the_policy_does_not_have(policy: dict[str, object]) -> None:
    assert audience_differences(SETTINGS, policy, None, None) == []
    assert edge_hints(SETTINGS, policy) == []


def test_an_app_without_a_guard_has_no_settings() -> None:
    app = FastAPI()
    assert settings_of(app) is None
    app.app = app  # type: ignore[attr-defined]
    assert settings_of(app) is None
    assert audience_differences(None, {"origins": {"a": {"audience": "x"}}}, None, None) == []
    assert edge_hints(None, {"edge": {"issuer": EDGE}}) == []
    assert settings_of(FastgateMiddleware(app, SETTINGS)) is SETTINGS


def test_an_app_that_responds_to_preflights_gets_a_hint_until_the_edge_does() -> None:
    app = FastAPI()
    assert cors_hints(app, {}) == []
    app.add_middleware(CORSMiddleware, allow_origins=["https://app.example.com"])
    guarded = FastgateMiddleware(app, SETTINGS)
    policies: list[dict[str, object]] = [{}, {"groups": {"web": {}}}, {"groups": 1}]
    for policy in policies:
        for each in (app, guarded):
            (hint,) = cors_hints(each, policy)
            assert "preflights do not reach it" in hint
    rules = {"groups": {"other": {}, "web": {"cors": {"origins": ["https://app.example.com"]}}}}
    assert cors_hints(guarded, rules) == []
