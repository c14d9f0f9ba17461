"""Follows docs/guides/quickstart.md.

`make quickstart-test` uses the programs of the checkout, and free ports. With `FASTGATE_WHEELS=1`
(`make wheel-tests`) it is literal: an empty folder and environment, the wheels in dist/, the ports
of the page, and neither cargo nor node on the PATH; the time until the last request is limited.
"""

import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "guides" / "quickstart.md").read_text()
WITH_WHEELS = os.environ.get("FASTGATE_WHEELS") == "1"
LONGEST = 60
"""Seconds from the installation to the last response, on two cores."""
PORTS = {"7676": "--port", "8000": "--app-port", "9080": "--provider-port"}


def blocks(language: str) -> list[str]:
    """Return the blocks of code of the page, without their indentation."""
    found = re.findall(rf"^ {{3}}```{language}\n(.*?)^ {{3}}```", PAGE, re.DOTALL | re.MULTILINE)
    return [re.sub(r"^ {3}", "", each, flags=re.MULTILINE) for each in found]


def shell(
    command: str, folder: Path, environment: dict[str, str]
) -> subprocess.CompletedProcess[str]:
    """Run lines of a shell."""
    return subprocess.run(
        ["bash", "-euo", "pipefail", "-c", command],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def free_ports() -> dict[str, str]:
    """Return a free port for each one of the page."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in PORTS]
    found = {name: str(each.getsockname()[1]) for name, each in zip(PORTS, sockets, strict=True)}
    for each in sockets:
        each.close()
    return found


class Reader:
    """Somebody who follows the page."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.began = time.monotonic()
        self.ports = {port: port for port in PORTS} if WITH_WHEELS else free_ports()
        self.environment = {
            name: value
            for name, value in os.environ.items()
            if name
            in ("HOME", "LANG", "TMPDIR", "PIP_INDEX_URL", "PIP_CONFIG_FILE", "CARGO_TARGET_DIR")
        }
        self.environment["FASTGATE"] = str(ROOT)
        if WITH_WHEELS:
            self.environment["PATH"] = self._path_without_compilers()
            self._install()
        else:
            checkout = [ROOT / "origin" / "src", ROOT / "wheel" / "src"]
            self.environment["PYTHONPATH"] = os.pathsep.join(map(str, checkout))
            self.environment["PATH"] = (
                f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
            )
        (folder / "main.py").write_text(blocks("python")[0])

    def run(self, command: str) -> subprocess.CompletedProcess[str]:
        """Run a line of the page, with this reader's ports."""
        for port, own in self.ports.items():
            command = command.replace(f":{port}", f":{own}")
        provider = f"--provider http://127.0.0.1:{self.ports['9080']}"
        command = re.sub(r"\$\((fastgate token [^)]*)\)", rf"$(\1 {provider})", command)
        return shell(command, self.folder, self.environment)

    def start(self) -> subprocess.Popen[bytes]:
        """Run `fastgate dev`."""
        command = ["fastgate", "dev"]
        if not WITH_WHEELS:
            command += [text for port, own in self.ports.items() for text in (PORTS[port], own)]
        program = shutil.which("fastgate", path=self.environment["PATH"])
        assert program is not None
        command[0] = program
        return subprocess.Popen(command, cwd=self.folder, env=self.environment)

    def _install(self) -> None:
        made = shell(blocks("sh")[0], self.folder, self.environment)
        assert made.returncode == 0, made.stderr
        self.environment["PATH"] = f"{self.folder}/.venv/bin{os.pathsep}{self.environment['PATH']}"

    def _path_without_compilers(self) -> str:
        folder = self.folder.parent / "path"
        folder.mkdir()
        for name in ("bash", "curl"):
            found = shutil.which(name)
            assert found is not None
            (folder / name).symlink_to(found)
        # Not a link: a Python finds its library by the path of its program.
        python = folder / "python3"
        python.write_text(
            f'#!{shutil.which("bash")}\nexec "{getattr(sys, "_base_executable", sys.executable)}" "$@"\n'
        )
        python.chmod(0o755)
        for name in ("cargo", "rustc", "node", "npm"):
            assert shutil.which(name, path=str(folder)) is None
        return str(folder)


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    folder = tmp_path_factory.mktemp("quickstart") / "orders"
    folder.mkdir()
    found = Reader(folder)
    running = found.start()
    try:
        yield found
    finally:
        running.terminate()
        running.wait(30)


def test_the_page_is_short() -> None:
    assert len(PAGE.splitlines()) <= 60


def test_every_request_has_the_status_that_the_page_says(reader: Reader) -> None:
    lines = blocks("sh")[1].splitlines()
    assert len(lines) == 5
    until = time.monotonic() + LONGEST
    while reader.run("curl -s http://127.0.0.1:7676/").stdout != '"hello"':
        assert time.monotonic() < until, "the edge does not respond"
        time.sleep(0.1)
    for line in lines:
        command, _, status = line.rpartition("#")
        ran = reader.run(command)
        assert ran.returncode == 0, ran.stderr
        assert ran.stdout.startswith(f"HTTP/1.1 {status.strip()} "), (line, ran.stdout)
    took = time.monotonic() - reader.began
    print(f"from an empty folder to the last response: {took:.1f} s")
    assert not WITH_WHEELS or took <= LONGEST


def test_the_page_of_the_edge_is_there(reader: Reader) -> None:
    (address,) = re.findall(r"<(http://127\.0\.0\.1:7676/__fastgate/)>", PAGE)
    assert "<title>Fastgate" in reader.run(f"curl -s {address}").stdout
