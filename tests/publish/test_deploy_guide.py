"""Follows docs/guides/deploy.md, from `init` to `curl`, with a stand-in for Fastly's API.

What differs from the page: nobody answers questions (`--yes`), no domain is asked whether it answers
(`--status-check-off`), `curl` asks the local edge, which serves what was published, and the app gets the edge's keys in a
setting, since the address from which it would fetch them does not exist.
"""

import contextlib
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
from company import Company
from fastly_api.on_viceroy import served
from fastly_api.running import Running
from fastly_api.state import Service
from programs import FASTLY, ROOT, edge, project
from test_publish import free_address

GUIDES = ROOT / "docs" / "guides"
HOST = "orders-edge.edgecompute.app"


def blocks(page: str, language: str) -> list[str]:
    """Return blocks of code, without their indentation."""
    found = re.findall(rf"^ {{3}}```{language}\n(.*?)^ {{3}}```", page, re.DOTALL | re.MULTILINE)
    return [re.sub(r"^ {3}", "", each, flags=re.MULTILINE) for each in found]


class Reader:
    """Somebody who follows the page."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self.folder = folder
        folders = [str(Path(sys.executable).parent), str(FASTLY.parent), os.environ["PATH"]]
        sources = [str(ROOT / "origin" / "src"), str(ROOT / "wheel" / "src")]
        self.environment = {
            **environment,
            "HOME": str(folder),
            "GITHUB_SHA": "of-a-test",
            "PATH": os.pathsep.join(folders),
            "PYTHONPATH": os.pathsep.join(sources),
        }

    def run(self, command: str) -> str:
        """Run a block of the page; return its output."""
        command = re.sub(r"fastgate push (?!.*--yes)", "fastgate push --yes ", command)
        command = command.replace("compute publish", "compute publish --status-check-off")
        ran = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", command],
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert ran.returncode == 0, f"{command}\n{ran.stdout}\n{ran.stderr}"
        return ran.stdout

    @contextlib.contextmanager
    def serving(self, address: str, keys: str) -> Iterator[None]:
        """Run the app."""
        command = [sys.executable, "-m", "uvicorn", "main:app", "--port", address.split(":")[1]]
        main = self.folder / "main.py"
        main.write_text(main.read_text().replace("Settings(", f"Settings(keys={keys}, "))
        app = subprocess.Popen(command, cwd=self.folder, env=self.environment)
        try:
            deadline = time.monotonic() + 30
            while app.poll() is None and time.monotonic() < deadline:
                with contextlib.suppress(httpx.ConnectError):
                    httpx.get(f"http://{address}/")
                    break
                time.sleep(0.05)
            yield
        finally:
            app.terminate()
            app.wait()


def test_the_page_ends_with_an_edge_that_answers(api: Running, tmp_path: Path) -> None:
    page = (GUIDES / "deploy.md").read_text().partition("\n## A new policy\n")[0]
    init, check, publish, fill, curl = blocks(page, "sh")
    (guarded,) = blocks(page, "python")
    folder, address = tmp_path / "orders", free_address()
    folder.mkdir()
    app = blocks((GUIDES / "quickstart.md").read_text(), "python")[0]
    app, replaced = re.subn(r"^guard\(.*\n", lambda _: guarded, app, flags=re.MULTILINE)
    assert replaced == 1
    (folder / "main.py").write_text(app)
    company = Company()
    with company.running(tmp_path):
        tools = {name: os.environ[name] for name in ("CARGO_TARGET_DIR",) if name in os.environ}
        environment = {**tools, **api.environment("of-a-test"), **company.environment}
        reader = Reader(folder, environment)
        reader.run(init)
        reader.run(check)
        reader.run(publish)
        reader.run(fill)
        service = next(iter(api.state.services.values()))
        assert service.active
        assert service.active.domains == [HOST]
        reader.run(check)
        (log,) = re.findall(r"^```sh\n(.*?)^```", page, re.DOTALL | re.MULTILINE)
        reader.run(log.replace("--service-id ID", f"--service-id {service.id}"))
        assert service.active
        assert [each.name for each in service.active.logging] == ["fastgate"]
        before = len(service.versions)
        for command in deployment(folder / ".github" / "workflows" / "fastgate.yml"):
            reader.run(command)
        assert [each.active for each in service.versions[before:]] == [True]
        answer = _curl(reader, api, company, curl, address)
    assert answer == ["200", "401", "403", "200"]


def test_a_second_service_gets_stores_of_its_own(api: Running, tmp_path: Path) -> None:
    page = (GUIDES / "deploy.md").read_text()
    section = page.partition("\n## Several services\n")[2].partition("\n## ")[0]
    publish, create, link = blocks(section, "sh")
    reader = Reader(tmp_path, api.environment("of-a-test"))
    services: list[Service] = []
    for name in ("orders", "orders-stage"):
        folder = project(tmp_path / name, name)
        if services:
            manifest = (folder / "fastly.toml").read_text()
            stores = "[setup.kv_stores.fastgate]\n\n[setup.secret_stores.fastgate]\n"
            assert stores in manifest
            (folder / "fastly.toml").write_text(manifest.replace(stores, ""))
        reader.folder = folder
        reader.run(publish.replace("orders-stage", name))
        services.append(api.state.service(name))
    reader.run(create)
    reader.environment["KV_STORE"] = api.state.kv_store("orders-stage").id
    reader.environment["SECRET_STORE"] = api.state.secret_store("orders-stage").id
    reader.run(link)
    linked = [
        {(each.name, each.resource_type, each.resource_id) for each in service.active.links}
        for service in services
        if service.active
    ]
    assert [len(each) for each in linked] == [2, 2]
    assert {each[:2] for each in linked[0]} == {each[:2] for each in linked[1]}
    assert not linked[0] & linked[1]


def deployment(workflow: Path) -> list[str]:
    """Return the commands with which the workflow of `init` deploys what was checked."""
    job = workflow.read_text().partition("\n  deploy:\n")[2]
    steps = re.findall(r"- name: (.*)\n +run: (.*)\n", job)
    commands = [run for name, run in steps if name in ("Publish the package", "Push the policy")]
    assert len(commands) == 2
    return commands


def _curl(reader: Reader, api: Running, company: Company, command: str, address: str) -> list[str]:
    service = next(iter(api.state.services.values()))
    assert service.active
    url, app = f"http://{address}", free_address()
    of = {"app.example.com": f"http://{app}", "idp.example.com": company.address}
    backends = {each.name: of[each.members["address"]] for each in service.active.backends}
    compiled, folder = ROOT / "target" / "compiled", reader.folder.parent / "served"
    folder.mkdir()
    with (
        served(api.state, service, backends, folder, edge(), address, compiled),
        httpx.Client(base_url=url, headers={"Host": HOST}) as client,
        reader.serving(app, client.get("/.well-known/fastgate/jwks.json").text),
    ):
        first = reader.run(command.replace(f"https://{HOST}", f"-sS -H 'Host: {HOST}' {url}"))
        assert json.loads(first.rpartition("\n")[2]) == "hello"
        statuses = [first.split()[1]]
        audience = "https://api.example.com"
        tokens = None, company.token(audience), company.token(audience, "orders:read")
        for token in tokens:
            fields = {"Authorization": f"Bearer {token}"} if token else {}
            statuses.append(str(client.get("/orders/7", headers=fields).status_code))
    return statuses
