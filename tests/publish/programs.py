"""The programs that the tests run: Fastly's command-line tool, and those of this repository."""

import io
import json
import os
import subprocess
import tarfile
from collections.abc import Mapping
from pathlib import Path

from fastly_api.state import Package

ROOT = Path(__file__).parents[2]
FASTLY = ROOT / "tests" / "fastly_api" / "node_modules" / ".bin" / "fastly"


def program(name: str) -> Path:
    """Return the path of a program; `make publish-tests` builds them and says where they are."""
    path = os.environ.get(name)
    assert path, f"{name} is not set: run make publish-tests"
    return (ROOT / path).resolve(strict=True)


def guest() -> Path:
    """Return the path of the guest."""
    return program("FASTGATE_GUEST")


def edge() -> Path:
    """Return the path of the local edge."""
    return program("FASTGATE_EDGE")


def run(*command: str | Path, content: str = "") -> str:
    """Run a program of this repository; return its standard output."""
    ran = subprocess.run(command, input=content, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def package() -> Package:
    """Return a package with the guest."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        tar.add(guest(), "shop/bin/main.wasm")
    content = packed.getvalue()
    return Package(content=content, name="shop", language="", hashsum="", files_hash="")


class FastlyCli:
    """Fastly's command-line tool, in a folder, with variables that lead to the stand-in only."""

    def __init__(self, folder: Path, home: Path, environment: Mapping[str, str]) -> None:
        self.folder = folder
        self._environment = {**environment, "HOME": str(home)}
        self._environment.setdefault("PATH", os.environ["PATH"])

    def attempt(self, *arguments: str, content: str = "") -> subprocess.CompletedProcess[str]:
        """Run a command, which may fail."""
        assert FASTLY.exists(), "the Fastly CLI is not installed: run make publish-tests"
        return subprocess.run(
            [FASTLY, *arguments],
            cwd=self.folder,
            env=self._environment,
            input=content,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def __call__(self, *arguments: str, content: str = "") -> str:
        """Run a command that succeeds; return its output."""
        ran = self.attempt(*arguments, content=content)
        assert ran.returncode == 0, f"{ran.stdout}\n{ran.stderr}"
        return ran.stdout

    def publish(self, *arguments: str) -> str:
        """Build, package and deploy, without questions."""
        return self("compute", "publish", "--non-interactive", "--status-check-off", *arguments)


PROJECT = """\
manifest_version = 3
name = "{name}"
language = "other"

[scripts]
build = {build}

[setup.backends.origin]
address = "origin.example.com"
port = 443

[setup.backends.idp]
address = "idp.example.com"
port = 443

[setup.kv_stores.fastgate]

[setup.secret_stores.fastgate]
"""


def project(folder: Path, name: str = "shop-gate") -> Path:
    """Write the manifest of a service whose build script copies the guest."""
    folder.mkdir()
    build = f"mkdir -p bin && cp '{guest()}' bin/main.wasm"
    (folder / "fastly.toml").write_text(PROJECT.format(name=name, build=json.dumps(build)))
    return folder
