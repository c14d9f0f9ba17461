"""The workflow that `fastgate init` writes: each command, its rights, and every name in it."""

import json
import re
import shlex
import tomllib
from dataclasses import replace
from pathlib import Path, PurePosixPath

import pytest

from fastgate.init.documents import manifest
from fastgate.init.provider import Provider
from fastgate.init.repository import app_in, install_command, name_in
from fastgate.init.workflow import Deployed, workflow
from fastgate.wrong_call import WrongCall
from tests.init_projects import APP, Discovery, init
from tests.projects import fastgate_in

BUILD = "[build-system]\nrequires = ['poetry-core']\n"
POETRY = "[tool.poetry]\nname = 'a'\n"
NO_PACKAGE = "[tool.poetry]\npackage-mode = false\n"
DEPLOYED = Deployed(PurePosixPath("."), None, False, "pip install .", None, [])


def jobs_of(text: str) -> tuple[str, str, str]:
    """Return what is before the jobs, the first job and the second one."""
    head, rest = text.split("\n  check:\n")
    check, deploy = rest.split("\n  deploy:\n")
    return head, check, deploy


def commands_in(job: str) -> list[str]:
    """Return the commands of a job that are one line."""
    found = re.findall(r"^ +(?:- )?run: ([^|].*)$", job, re.MULTILINE)
    return [json.loads(each) if each.startswith('"') else each for each in found]


def test_a_change_is_compared_and_checked_and_then_deployed() -> None:
    head, check, deploy = jobs_of(workflow(DEPLOYED))
    assert [each.partition(" #")[0] for each in commands_in(check)] == [
        "pip install .",
        "pip install edge/wheels/*.whl",
        "fastgate drift edge/policy.json",
        "fastgate check edge/policy.json --publish --manifest edge/fastly.toml",
    ]
    assert commands_in(deploy)[2:] == [
        'cd edge && fastly compute publish --non-interactive --comment "$GITHUB_SHA"',
        "fastgate push edge/policy.json --yes",
    ]
    assert "permissions: {}" in head
    assert check.count("permissions: ") == deploy.count("permissions: ") == 1
    assert "permissions: { contents: read }" in check
    assert "permissions: { contents: read }" in deploy
    assert "secrets." not in head + check
    steps = deploy.split("      - ")
    assert ["secrets." in step for step in steps] == [
        "fastly compute publish" in step or "fastgate push" in step for step in steps
    ]
    assert "github.event_name == 'push' &&" in deploy
    assert "github.ref == format('refs/heads/{0}', github.event.repository.default" in deploy
    assert "environment: production\n" in deploy
    assert "concurrency: fastgate-deploy\n" in deploy
    used = re.findall(r"uses: (\S+)", check + deploy)
    assert len(used) == 4
    assert all(re.fullmatch(r"actions/[a-z-]+@[0-9a-f]{40}", each) for each in used)


def test_push_and_check_know_the_options(tmp_path: Path) -> None:
    """The tool fails in another way if it does not know an option."""
    _, check, deploy = jobs_of(workflow(replace(DEPLOYED, stage=PurePosixPath("s.json"))))
    for command in (commands_in(check)[-1], commands_in(deploy)[-1]):
        ran = fastgate_in(tmp_path, *shlex.split(command)[1:])
        assert ran.returncode == 2
        assert "s.json: " in ran.stderr


@pytest.mark.parametrize(
    "folder",
    ["a #b", "a: b", "it's", 'a"b', "a\\b", "on", "1.0", "- a", "{a}", "a\N{GRINNING FACE}", "é"],
)
def test_names_are_quoted(folder: str) -> None:
    deployed = replace(
        DEPLOYED, folder=PurePosixPath(folder), app=f"{folder}/main.py:app", is_factory=True
    )
    text = workflow(deployed)
    quoted = json.dumps(folder, ensure_ascii=False)
    assert f"working-directory: {quoted} }}\n" in text
    (drift,) = [each for each in commands_in(text) if each.startswith("fastgate drift")]
    assert shlex.split(drift) == [
        *("fastgate", "drift", "--factory", f"{folder}/main.py:app", "edge/policy.json")
    ]
    (line,) = re.findall(r"run: (.*fastgate drift.*)", text)
    assert line.startswith('"') or not set(line) & set("#\\'{}\"")


@pytest.mark.parametrize(
    "name", ["a\nb", "a\rb", "a\x85b", "a\u2028b", "a\udcffb", "a\x7f", "a${{b"]
)
def test_names_that_github_would_read_otherwise_are_refused(name: str) -> None:
    with pytest.raises(WrongCall, match="rename the file or the folder"):
        workflow(replace(DEPLOYED, folder=PurePosixPath(name)))
    with pytest.raises(WrongCall, match="rename the file or the folder"):
        workflow(replace(DEPLOYED, app=f"{name}.py"))


def test_each_app_of_a_repository_has_a_workflow(tmp_path: Path, openid: Discovery) -> None:
    (tmp_path / ".git").mkdir()
    for name in ("backend", "back office"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "main.py").write_text(APP)
        ran = init(tmp_path / name, openid)
        assert ran.returncode == 0, ran.stderr
    files = {each.name: each.read_text() for each in (tmp_path / ".github/workflows").iterdir()}
    assert {*files} == {"fastgate-backend.yml", "fastgate-back-office.yml"}
    assert 'name: "Fastgate (backend)"' in files["fastgate-backend.yml"]
    assert "concurrency: fastgate-deploy-back-office" in files["fastgate-back-office.yml"]
    assert "environment: production-backend" in files["fastgate-backend.yml"]


@pytest.mark.parametrize(
    ("file", "text"),
    [
        (None, ""),
        ("Pipfile", ""),
        ("environment.yml", ""),
        ("requirements/base.txt", "sqlalchemy"),
        ("requirements-prod.txt", "sqlalchemy"),
        ("pyproject.toml", NO_PACKAGE + BUILD),
    ],
)
def test_a_workflow_that_does_not_know_what_the_app_depends_on_says_so(
    file: str | None, text: str, tmp_path: Path, openid: Discovery
) -> None:
    (tmp_path / "main.py").write_text(APP)
    if file is not None:
        (tmp_path / file).parent.mkdir(exist_ok=True)
        (tmp_path / file).write_text(text)
    says = "The workflow does not know what your app depends on"
    place = "`run: pip install fastapi` in .github/workflows/fastgate.yml"
    for _ in range(2):
        ran = init(tmp_path, openid)
        assert ran.returncode == 0, ran.stderr
        assert says in ran.stdout
        assert place in ran.stdout
        assert file is None or f"{file} says in another way" in ran.stdout
    workflow = tmp_path / ".github/workflows/fastgate.yml"
    workflow.write_text(workflow.read_text().replace("pip install fastapi", "make install"))
    assert says not in init(tmp_path, openid).stdout


def test_folders_with_similar_names_have_workflows_of_their_own(
    tmp_path: Path, openid: Discovery
) -> None:
    (tmp_path / ".git").mkdir()
    folders = ["order_api", "order-api", "api", "order_api/api", 'q"uote', "back\\slash", "a,b"]
    for name in folders:
        (tmp_path / name).mkdir()
        (tmp_path / name / "main.py").write_text(APP)
        for _ in range(2):
            ran = init(tmp_path / name, openid)
            assert ran.returncode == 0, ran.stderr
            assert "does not compare this app" not in ran.stdout, name
    texts = [each.read_text() for each in (tmp_path / ".github/workflows").iterdir()]
    for name in folders:
        line = f"working-directory: {json.dumps(name)} }}"
        assert len([text for text in texts if line in text]) == 1, name
    for kind in (r"environment: (.+)", r"concurrency: (.+)", r"name: \"Fastgate \((.+)\)\""):
        assert len({re.findall(kind, text)[0] for text in texts}) == len(folders)


def test_a_workflow_of_another_folder_is_no_workflow_of_this_one() -> None:
    outer = replace(DEPLOYED, folder=PurePosixPath("api"))
    inner = replace(DEPLOYED, folder=PurePosixPath("shop/api"))
    assert outer.is_in(workflow(outer))
    assert not outer.is_in(workflow(inner))
    assert not inner.is_in(workflow(outer))
    by_hand = "run: fastgate drift edge/policy.json\n  working-directory: {}\n"
    for each in ("api", "./api/", "'api'", '"api"', "api # the app"):
        assert outer.is_in(by_hand.format(each)), each
    assert outer.is_in("run: cd api && fastgate drift edge/policy.json\n")


def test_an_app_below_its_project_file(tmp_path: Path, openid: Discovery) -> None:
    (tmp_path / ".git").mkdir()
    (tmp_path / "pyproject.toml").write_text(
        '[project]\nname = "Big"\n[build-system]\nrequires = []\n'
    )
    (tmp_path / "src").mkdir()
    (tmp_path / "src/main.py").write_text(APP)
    ran = init(tmp_path, openid, "--app-dir", "src")
    assert ran.returncode == 0, ran.stderr
    text = (tmp_path / ".github/workflows/fastgate-src.yml").read_text()
    assert "pip install .." in commands_in(text)
    assert 'name = "big"' in (tmp_path / "src/edge/fastly.toml").read_text()


BUILT = '[project]\nname = "a"\n[build-system]\nrequires = []\n'
UV = "pip install uv==0.13.9 && "
SYNC = 'UV_PROJECT_ENVIRONMENT="$pythonLocation" uv sync'


@pytest.mark.parametrize(
    ("files", "command"),
    [
        ({}, "pip install fastapi"),
        ({"app/requirements.txt": ""}, "pip install -r requirements.txt"),
        ({"requirements.txt": ""}, "pip install -r ../requirements.txt"),
        ({"app/requirements.txt": "", "pyproject.toml": BUILT}, "pip install -r requirements.txt"),
        ({"pyproject.toml": BUILT}, "pip install .."),
        ({"app/pyproject.toml": BUILT}, "pip install ."),
        ({"app/setup.py": ""}, "pip install ."),
        ({"app/setup.py": "", "app/pyproject.toml": "[tool.ruff]\n"}, "pip install ."),
        ({"app/pyproject.toml": f"{POETRY}{BUILD}"}, "pip install ."),
        ({"app/pyproject.toml": POETRY}, "pip install fastapi"),
        ({"app/pyproject.toml": f"{NO_PACKAGE}{BUILD}"}, "pip install fastapi"),
        (
            {"app/pyproject.toml": f'[project]\nname = "a"\n{NO_PACKAGE}{BUILD}'},
            f"{UV}uv pip install --system -r pyproject.toml",
        ),
        ({"app/Pipfile": "", "pyproject.toml": BUILT}, "pip install fastapi"),
        ({"pyproject.toml": "[tool.ruff]\n"}, "pip install fastapi"),
        ({"app/pyproject.toml": "[tool.ruff]\n", "pyproject.toml": BUILT}, "pip install .."),
        (
            {"pyproject.toml": '[project]\nname = "a"\n'},
            f"{UV}uv pip install --system -r ../pyproject.toml",
        ),
        (
            {"app/pyproject.toml": BUILT, "app/uv.lock": ""},
            f"{UV}{SYNC} --frozen --no-dev --inexact",
        ),
        (
            {"pyproject.toml": BUILT, "uv.lock": ""},
            f"{UV}{SYNC} --project .. --frozen --no-dev --inexact",
        ),
        (
            {
                "app/pyproject.toml": BUILT,
                "pyproject.toml": "[tool.uv.workspace]\nmembers = ['app']\n",
                "uv.lock": "",
            },
            f"{UV}{SYNC} --frozen --no-dev --inexact",
        ),
        (
            {"app/pyproject.toml": BUILT, "pyproject.toml": BUILT, "uv.lock": ""},
            "pip install .",
        ),
    ],
)
def test_the_nearest_file_says_what_is_installed(
    files: dict[str, str], command: str, tmp_path: Path
) -> None:
    root = tmp_path / "root"
    (root / "app").mkdir(parents=True)
    (tmp_path / "requirements.txt").write_text("outside of the repository")
    for name, text in files.items():
        (root / name).write_text(text)
    assert install_command(root / "app", root) == command


def test_the_name_of_the_nearest_project(tmp_path: Path) -> None:
    (tmp_path / "app").mkdir()
    assert name_in(tmp_path / "app", tmp_path) == "app"
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "Outer_1"\n')
    assert name_in(tmp_path / "app", tmp_path) == "outer-1"
    (tmp_path / "app/pyproject.toml").write_text('[project]\nname = "\N{GRINNING FACE}"\n', "utf-8")
    assert name_in(tmp_path / "app", tmp_path) == "app"


def test_an_absolute_path_of_an_app_is_relative_in_the_workflow(tmp_path: Path) -> None:
    assert app_in(tmp_path, f"{tmp_path}/web.py:app") == "web.py:app"
    assert app_in(tmp_path, "shop.main:app") == "shop.main:app"
    with pytest.raises(WrongCall, match="go to its folder"):
        app_in(tmp_path / "other", f"{tmp_path}/web.py")


def test_the_manifest_is_toml_whatever_the_names_are() -> None:
    name = 'a"\\\n\x7f\N{GRINNING FACE}'
    found = Provider("https://a.example.com", None, "https://a.example.com/jwks")
    document = tomllib.loads(manifest(name, "app.example.com", {name: found}, "two words"))
    assert document["name"] == name
    for table in (document["setup"], document["local_server"]):
        assert [*table["backends"]] == ["two words", name]


@pytest.mark.parametrize("name", ["a\nb = 1", "a\rb", "a\x85b", "a\u2028b", "\x7f", "\x00"])
def test_no_name_ends_a_comment_of_the_manifest(name: str) -> None:
    document = tomllib.loads(text := manifest("a", "app.example.com", {}, name))
    assert [*document["setup"]["backends"]] == [name]
    assert "backend update --name NAME\n" in text
