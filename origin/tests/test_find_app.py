"""An app is found as `fastapi dev` finds it, and each way not to find it is a clear error."""

from pathlib import Path
from subprocess import CompletedProcess

import pytest

from fastgate.__main__ import main
from fastgate.find_app import FILES, FoundModule, find_module
from fastgate.wrong_call import WrongCall
from tests.projects import fastgate_in

APP = "from fastapi import FastAPI\n{} = FastAPI(openapi_url=None)\n"


def write(folder: Path, **files: str) -> None:
    """Write files; `__` in a name is a slash."""
    for name, text in files.items():
        file = folder / (name.replace("__", "/") + ".py")
        file.parent.mkdir(exist_ok=True, parents=True)
        file.write_text(text)


def run(folder: Path, *arguments: str, command: str = "policy") -> CompletedProcess[str]:
    return fastgate_in(folder, command, *arguments)


@pytest.mark.parametrize("file", FILES)
def test_each_default_file_is_found_and_the_first_one_counts(file: str, tmp_path: Path) -> None:
    for each in FILES[FILES.index(file) :]:
        write(tmp_path, **{each.removesuffix(".py").replace("/", "__"): ""})
    path = tmp_path / file
    assert find_module(None, tmp_path) == FoundModule(path.stem, path.parent)


def test_packages_around_a_file_are_part_of_the_name(tmp_path: Path) -> None:
    write(tmp_path, src__shop__app__main="", src__shop__app____init__="", src__shop____init__="")
    (tmp_path / "src/shop/app/__init__.py").write_text("")
    (tmp_path / "src/shop/__init__.py").write_text("")
    expected = FoundModule("shop.app.main", tmp_path / "src")
    assert find_module("src/shop/app/main.py", tmp_path) == expected
    assert find_module("src/shop/app/main.py:own", tmp_path).import_string == "shop.app.main:own"
    assert find_module("src/shop", tmp_path) == expected
    package = find_module("src/shop/app/__init__.py", tmp_path)
    assert package == FoundModule("shop.app", tmp_path / "src")


def test_a_package_may_hold_the_app_itself(tmp_path: Path) -> None:
    write(tmp_path, shop____init__="", plain__main="")
    (tmp_path / "shop/__init__.py").write_text("")
    assert find_module("shop:app", tmp_path) == FoundModule("shop", tmp_path, "app")
    assert find_module("shop", tmp_path) == FoundModule("shop", tmp_path)
    assert find_module("plain", tmp_path) == FoundModule("main", tmp_path / "plain")
    assert find_module("./plain:own", tmp_path).import_string == "main:own"
    assert find_module("plain:own", tmp_path) == FoundModule("plain", tmp_path, "own")
    assert find_module(".", tmp_path / "plain") == FoundModule("main", tmp_path / "plain")


def test_the_entrypoint_of_the_project_counts_first(tmp_path: Path) -> None:
    write(tmp_path, main="", backend__web="")
    project = tmp_path / "pyproject.toml"
    project.write_text('[tool.fastapi]\nentrypoint = "backend.web:site"\n')
    assert find_module(None, tmp_path) == FoundModule("backend.web", tmp_path, "site")
    assert find_module("main", tmp_path) == FoundModule("main", tmp_path)
    project.write_text("[tool.other]\n")
    assert find_module(None, tmp_path).module == "main"


@pytest.mark.parametrize("text", ['entrypoint = "main"', "entrypoint = 1", "entrypoint ="])
def test_a_wrong_entrypoint_is_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(f"[tool.fastapi]\n{text}\n")
    with pytest.raises(WrongCall, match=r"pyproject.toml: "):
        find_module(None, tmp_path)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        (APP.format("app") + "api = FastAPI()\n", "app"),
        (APP.format("other") + "api = FastAPI()\n", "api"),
        (APP.format("site"), "site"),
        (APP.format("site") + "same = site\n", "same"),
        (APP.format("site") + "import app\n", "site"),
    ],
)
def test_the_app_in_a_module_is_found_by_its_name_or_its_class(
    text: str, name: str, tmp_path: Path
) -> None:
    write(tmp_path, main=f"{text}{name}.get('/chosen')(lambda: 1)\n", app="")
    ran = run(tmp_path)
    assert ran.returncode == 1
    assert "/chosen" in ran.stdout
    assert ran.stderr.startswith(f"main:{name}: ")


def test_several_apps_are_listed(tmp_path: Path) -> None:
    write(tmp_path, main=APP.format("site") + "admin = FastAPI()\n")
    ran = run(tmp_path)
    assert (ran.returncode, ran.stdout) == (2, "")
    assert ran.stderr == (
        "main has several apps, and none is called app or api: admin, site; name one: main:admin\n"
    )
    assert run(tmp_path, "main:site").returncode == 0


def test_without_an_app_the_files_are_listed(tmp_path: Path) -> None:
    ran = run(tmp_path)
    assert ran.returncode == 2
    for each in ("pyproject.toml", "[tool.fastapi]", *FILES, "package.module:app"):
        assert each in ran.stderr
    write(tmp_path, main="def create_app(): ...\n")
    assert "there is no FastAPI app in main" in (ran := run(tmp_path)).stderr
    assert "main:create_app" in ran.stderr
    assert "correct the path" in run(tmp_path, "src/main.py").stderr


@pytest.mark.parametrize(
    ("text", "last"),
    [
        ("def start():\n    return {}['x']\nstart()\n", "KeyError: 'x'"),
        ("import not_installed_anywhere\n", "No module named 'not_installed_anywhere'"),
        ("import main.part\n", "No module named 'main.part'; 'main' is not a package"),
        ("def f(:\n", "SyntaxError: invalid syntax"),
        ("import sys\nsys.exit('set DATABASE_URL')\n", "SystemExit: set DATABASE_URL"),
        ("def app():\n    raise ValueError('late')\n", "ValueError: late"),
    ],
)
def test_an_app_that_fails_shows_its_own_traceback(text: str, last: str, tmp_path: Path) -> None:
    write(tmp_path, main=text)
    ran = run(tmp_path, "main:app")
    assert (ran.returncode, ran.stdout) == (1, "")
    assert ran.stderr.rstrip().endswith(last)
    assert str(tmp_path / "main.py") in ran.stderr
    assert "fastgate" not in ran.stderr
    assert "importlib" not in ran.stderr


def test_a_file_with_the_name_of_another_module_is_refused(tmp_path: Path) -> None:
    write(tmp_path, site=APP.format("app"))
    ran = run(tmp_path, "site.py")
    assert ran.returncode == 2
    assert f"in place of {tmp_path}/site.py: rename the file" in ran.stderr


def test_policy_and_drift_find_the_app_themselves(tmp_path: Path) -> None:
    write(tmp_path, main=APP.format("app") + "@app.get('/x')\ndef x(): ...\n")
    ran = run(tmp_path)
    assert ran.returncode == 1
    assert ran.stderr == "main:app: 1 fault\n"
    (tmp_path / "policy.json").write_text('{"routes": []}')
    write(tmp_path, main=APP.format("app"))
    for options in ([], ["--strict"], ["--app-dir", "."]):
        drift = run(tmp_path, "policy.json", *options, command="drift")
        assert drift.stdout == "main:app and policy.json: no difference\n"


@pytest.mark.parametrize("arguments", [[], ["main", "--strict", "p.json", "more"], ["p", "--no"]])
def test_drift_refuses_too_few_and_too_many_arguments(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as left:
        main(["drift", *arguments])
    assert left.value.code == 2
    assert "usage: fastgate" in capsys.readouterr().err
