"""Run the package's unit tests on every Python that it supports and this machine has.

    python origin/versions.py [VERSION …]

Input: the versions, by default those of `requires-python` up to the newest supported one. Output:
one line with the result for each version, also for missing ones; exit code 1 if one failed or none
was found. Each version has its own environment under `.venv-versions/`. `oldest` is the oldest
Python with the oldest dependencies that resolve; `middle` is the same with the first FastAPI that
includes routers by reference, `later` with the last one that reports no path for a Starlette route
in them. The others have the newest dependencies, from requirements-dev.txt.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

ORIGIN = Path(__file__).parent
HOMES = ORIGIN.parent / ".venv-versions"
SUPPORTED = ("3.11", "3.12", "3.13", "3.14")
OLDER = ("oldest", "middle", "later")
# These tests need binaries of the edge, or models and their clients, which need newer dependencies;
# one Python is enough for them.
IGNORED = (
    *("tests/test_edge_agrees.py", "tests/test_command.py"),
    *("tests/test_llm_guide.py", "tests/test_model_clients.py", "tests/test_budget_clients.py"),
    *("tests/test_model_regions.py", "tests/test_word_vectors.py", "tests/test_stage.py"),
)
# The package `mcp` needs newer dependencies than the older sets have.
MCP = ("tests/test_mcp_*.py", "tests/test_tool_budgets.py")
TESTS = [
    *("-q", "-p", "no:cacheprovider", "--ignore-glob=tests/test_dev_*.py"),
    *(f"--ignore={file}" for file in IGNORED),
]


def main(versions: list[str]) -> int:
    """Run the tests on each version; return the exit code."""
    verdicts = {version: verdict(version) for version in versions}
    for version, said in verdicts.items():
        print(f"{version:8} {said}")
    failed = [said for said in verdicts.values() if said.startswith("failed")]
    return 1 if failed or "passed" not in " ".join(verdicts.values()) else 0


def verdict(version: str) -> str:
    """Return the result of the tests on one version."""
    found = interpreter(SUPPORTED[0] if version in OLDER else version)
    if found is None:
        return "missing on this machine"
    home = HOMES / version
    python = home / "bin" / "python"
    if not python.exists():
        run(found, "-m", "venv", str(home))
    pip = [str(python), "-m", "pip", "install", "-q", "--disable-pip-version-check"]
    run(*pip, "-r", f"requirements-{version if version in OLDER else 'dev'}.txt")
    run(*pip, "--no-deps", "--no-build-isolation", "-e", ".")
    print(f"— {version}: {found}", flush=True)
    without = [f"--ignore-glob={files}" for files in MCP] if version in OLDER else []
    variables = {**os.environ, "PYTHONPATH": str(ORIGIN.parent / "wheel" / "src")}
    command = [str(python), "-m", "pytest", *TESTS, *without]
    tested = subprocess.run(command, cwd=ORIGIN, env=variables, check=False)
    return "passed" if tested.returncode == 0 else f"failed (pytest: {tested.returncode})"


def interpreter(version: str) -> str | None:
    """Return a Python of exactly this version; None if there is none."""
    name = f"python{version}"
    candidates = [shutil.which(name), sys.executable, *map(str, installed(name))]
    return next((path for path in candidates if path and is_version(path, version)), None)


def installed(name: str) -> list[Path]:
    """Return the interpreters of this name that version managers have installed."""
    root = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    return sorted(root.glob(f"versions/*/bin/{name}"))


def is_version(path: str, version: str) -> bool:
    """Whether this runs and has the version of its name: a shim may have no version selected."""
    code = "import sys; print('%d.%d' % sys.version_info[:2])"
    ran = subprocess.run([path, "-c", code], capture_output=True, text=True, check=False)
    return ran.returncode == 0 and ran.stdout.strip() == version


def run(*command: str) -> None:
    """Run one step, which must succeed."""
    subprocess.run(command, cwd=ORIGIN, check=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:] or [*SUPPORTED, *OLDER]))
