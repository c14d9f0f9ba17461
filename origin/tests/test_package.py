"""The published files: a wheel and an sdist that contain the package and can be installed."""

import email
import subprocess
import sys
import tarfile
import tomllib
import venv
import zipfile
from email.message import Message
from pathlib import Path

import pytest

import fastgate

PROJECT = Path(__file__).parents[1]
PACKAGE = Path(fastgate.__file__).parent
PAGE = PACKAGE / "dev" / "page" / "static"
MODULES = {
    *(str(path.relative_to(PACKAGE)) for path in (*PACKAGE.rglob("*.py"), *PAGE.iterdir())),
    "py.typed",
}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build both with the project's own back end, as any front end would, without a network."""
    directory = tmp_path_factory.mktemp("dist")
    build = "import sys, hatchling.build as b; print(b.build_sdist(sys.argv[1]))\n"
    build += "print(b.build_wheel(sys.argv[1]))"
    command = [sys.executable, "-c", build, str(directory)]
    subprocess.run(command, cwd=PROJECT, check=True, capture_output=True)  # noqa: S603
    return directory


@pytest.fixture(scope="module")
def wheel(built: Path) -> Path:
    (wheel,) = built.glob("fastgate-*-py3-none-any.whl")
    return wheel


def metadata(wheel: Path) -> Message:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        return email.message_from_bytes(archive.read(name))


def test_the_wheel_holds_the_package_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        (entry,) = (name for name in names if name.endswith("/entry_points.txt"))
        assert b"[pytest11]\nfastgate = fastgate_pytest" in archive.read(entry)
    packaged = {name.removeprefix("fastgate/") for name in names if name.startswith("fastgate/")}
    assert packaged == MODULES
    assert "fastgate_pytest.py" in names
    ours = ("fastgate/", "fastgate-", "fastgate_pytest.py")
    assert all(name.startswith(ours) for name in names)


def test_the_sdist_holds_the_sources_and_no_tests(built: Path) -> None:
    (sdist,) = built.glob("fastgate-*.tar.gz")
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {"pyproject.toml", "README.md", "LICENSE", "PKG-INFO"} <= names
    assert {f"src/fastgate/{module}" for module in MODULES} <= names
    assert not any(name.startswith(("tests/", "demo/", "bench/")) for name in names)


def test_the_licence_is_that_of_the_repository_and_comes_with_the_wheel(
    wheel: Path,
) -> None:
    text = (PROJECT.parent / "LICENSE").read_bytes()
    assert (PROJECT / "LICENSE").read_bytes() == text
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith("/licenses/LICENSE"))
        assert archive.read(name) == text
    assert metadata(wheel).get_all("License-File") == ["LICENSE"]


def test_the_metadata_names_the_dependencies(wheel: Path) -> None:
    said = metadata(wheel)
    required = {
        line.partition(";")[0].strip()
        for line in said.get_all("Requires-Dist", [])
        if "extra" not in line
    }
    assert required == {
        *("anyio>=4", "cryptography>=45", "fastapi>=0.133", "httpx>=0.28", "pydantic>=2.9"),
        "starlette>=1.0.1",
    }
    assert said["Requires-Python"] == ">=3.11"
    classifiers = said.get_all("Classifier", [])
    for version in ("3.11", "3.12", "3.13", "3.14"):
        assert f"Programming Language :: Python :: {version}" in classifiers
    assert "Typing :: Typed" in classifiers


def pins(file: str) -> dict[str, str]:
    """Return the exact versions in a requirements file, and in those that it includes."""
    found: dict[str, str] = {}
    for line in (PROJECT / file).read_text().splitlines():
        name, _, version = line.partition("==")
        if line.startswith("-r "):
            found |= pins(line.removeprefix("-r "))
        elif version:
            found[name] = version
    return found


def test_the_oldest_set_is_the_lower_bound_of_each_dependency() -> None:
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
    oldest = pins("requirements-oldest.txt")
    for dependency in project["dependencies"]:
        name, _, bound = dependency.partition(">=")
        bound = (
            bound if "." in bound else f"{bound}.0"
        )  # 45.0.1 is the first release of cryptography 45.0
        assert f"{oldest[name]}.".startswith(f"{bound}."), dependency


def test_the_documents_name_the_versions_that_are_tested() -> None:
    page = PROJECT.parent / "docs" / "concepts" / "route-comparison.md"
    says = " ".join(page.read_text().split())
    oldest, newest = pins("requirements-oldest.txt"), pins("requirements-dev.txt")
    fastapi = oldest["fastapi"].removesuffix(".0")
    assert f"FastAPI {fastapi} and Starlette {oldest['starlette']} are the oldest" in says
    between = [pins(f"requirements-{name}.txt")["fastapi"] for name in ("middle", "later")]
    assert f"({', '.join(between)})" in says
    assert f"{newest['fastapi']} with Starlette {newest['starlette']}, the newest" in says


def test_the_package_needs_only_the_named_dependencies() -> None:
    """The imports of production load neither pytest nor a server."""
    probe = "import sys, fastgate, fastgate.__main__; print(*sys.modules)"
    command = [sys.executable, "-W", "ignore", "-c", probe]
    ran = subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603
    loaded = {name.partition(".")[0] for name in ran.stdout.split()}
    assert not loaded & {"jwt", "pytest", "uvicorn", "httptools", "websockets"}


def test_the_plugin_imports_nothing_in_other_test_runs() -> None:
    probe = "import pytest, sys; before = set(sys.modules); import fastgate_pytest; "
    probe += "print(*(set(sys.modules) - before))"
    command = [sys.executable, "-W", "ignore", "-c", probe]
    ran = subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603
    assert ran.stdout.split() == ["fastgate_pytest"]


def test_the_wheel_installs_into_a_fresh_environment(wheel: Path, tmp_path: Path) -> None:
    home = tmp_path / "venv"
    # Its dependencies are those of this environment, because only the wheel is tested.
    venv.create(home, with_pip=False, symlinks=True)
    (site,) = home.glob("lib/python*/site-packages")
    ours = Path(fastgate.__file__).parents[1]
    shared = [path for path in map(Path, sys.path) if path.name == "site-packages" and path != ours]
    (site / "shared.pth").write_text("\n".join(map(str, shared)))
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index"]
    subprocess.run([*pip, "--target", str(site), str(wheel)], check=True)  # noqa: S603
    code = "import fastgate; print(fastgate.__file__, fastgate.guard.__name__)"
    python = home / "bin" / "python"
    ran = subprocess.run([python, "-I", "-c", code], check=True, capture_output=True, text=True)  # noqa: S603
    assert ran.stdout.split() == [str(site / "fastgate" / "__init__.py"), "guard"]
    helped = subprocess.run([python, "-m", "fastgate", "--help"], capture_output=True, check=True)  # noqa: S603
    assert b"doctor" in helped.stdout
