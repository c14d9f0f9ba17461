"""The steps of docs/guides/migrate-an-app.md, on an app with the structure of the template."""

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from company import AUDIENCE, Company
from helpers import FASTGATE, Dev, bearer, dev, free_ports, init, project, running, wait_for

GUIDE = Path(__file__).parents[2] / "docs" / "guides" / "migrate-an-app.md"
ADMIN = {"username": "admin@example.com", "password": "changethis"}
HOSTS = ("--host", "api.example.com", "--origin-host", "app.example.com")
UNDECIDED = ("/api/v1/openapi.json", "/login/access-token", "/users/signup", "/health-check/")
DEVELOPMENT = {"OIDC_ISSUER": "{provider}", "OIDC_JWKS_URL": "{provider}/jwks"}
"""What step 2 sets for `fastgate dev`, which here has a provider on another port."""
EMAIL = {"email": "admin@example.com", "email_verified": True}
NO_ADDRESS = ({}, *({"email": each} for each in (None, "", ["a"], {"a": 1}, 5, "a" * 256)))
"""Claims that name nobody: the address is missing, is no text, or is one that no account has."""
ME, USERS, LOGIN = "/api/v1/users/me", "/api/v1/users/", "/api/v1/login/access-token"


def blocks(step: int, language: str) -> list[str]:
    """Return the blocks of a step of the guide."""
    section = re.split(r"^## \d+\. .*$", GUIDE.read_text(), flags=re.MULTILINE)[step]
    return re.findall(rf"^```{language}\n(.*?)^```", section, re.DOTALL | re.MULTILINE)


def apply_diff(folder: Path, step: int) -> None:
    """Apply the diff of a step, as the guide says."""
    (diff,) = blocks(step, "diff")
    command = ["git", "apply", "--unidiff-zero", "-"]
    subprocess.run(command, cwd=folder, input=diff, text=True, check=True)


def printed(folder: Path, fastgate: str, script: str) -> list[str]:
    """Run blocks of shell commands with another `fastgate`; return the lines that are printed."""
    python = shlex.quote(sys.executable)
    lines = f'fastgate() {{ {fastgate}; }}\npython() {{ {python} "$@"; }}\n{script}'
    command = ["env", "-i", f"PATH={os.environ['PATH']}", "bash", "-eu", "-c", lines]
    ran = subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True)
    return ran.stdout.splitlines()


def run_lines(folder: Path, script: str) -> None:
    """Run a block of shell commands, with the command that is tested as `fastgate`."""
    lines = f'fastgate() {{ {shlex.join(FASTGATE)} "$@"; }}\n{script}'
    subprocess.run(["bash", "-e", "-c", lines], cwd=folder, check=True)


@contextmanager
def plain_app(folder: Path, **variables: str) -> Iterator[httpx.Client]:
    """Run the app alone, without a gate."""
    (port,) = free_ports(1)
    command = [sys.executable, "-m", "uvicorn", "app.main:app", "--port", str(port)]
    log = folder / "app.log"
    with (
        running(command, folder, log, variables) as process,
        httpx.Client(base_url=f"http://127.0.0.1:{port}") as client,
    ):
        wait_for("Uvicorn running", log, process)
        yield client


def sign_in(client: httpx.Client, base: str = "") -> str:
    """Sign in with a password; return the app's own token."""
    found = client.post(f"{base}{LOGIN}", data=ADMIN)
    assert found.status_code == 200, found.text
    return str(found.json()["access_token"])


def statuses(client: httpx.Client, url: str, *tokens: str | None) -> list[int]:
    """Return the status of a GET for each token."""
    return [client.get(url, headers=bearer(token)).status_code for token in tokens]


def routes_of(folder: Path) -> list[dict[str, object]]:
    """Return the routes of the compiled policy."""
    return list(json.loads((folder / "edge" / "policy.json").read_text())["routes"])


@pytest.fixture
def backend(tmp_path: Path) -> Path:
    """Return the app as it was."""
    return project("full_stack/backend", tmp_path)


def test_init_lists_what_an_app_with_its_own_login_leaves_undecided(
    backend: Path, company: Company
) -> None:
    ran = init(backend, company, *HOSTS)
    assert (ran.returncode, ran.stderr) == (1, "")
    assert not (backend / "edge" / "policy.json").exists()
    named = re.findall(r"^\w+ \((/[^,]+),", ran.stdout, re.MULTILINE)
    assert len(named) == len(UNDECIDED)
    assert all(each.endswith(end) for each, end in zip(named, UNDECIDED, strict=True))
    assert ran.stdout.count("→") == len(UNDECIDED)


def test_the_commands_of_the_guide_have_what_they_need(tmp_path: Path) -> None:
    values = ("https://idp.example.com", "https://api.example.com")
    script = "".join((*blocks(1, "sh"), blocks(2, "sh")[0]))
    arguments = printed(tmp_path, "printf '%s\\n' \"$@\"", script)
    assert arguments == ["init", "--issuer", values[0], "--audience", values[1], *HOSTS]
    for name in ("provider", "auth0"):
        (tmp_path / "edge").mkdir(exist_ok=True)
        base = tmp_path / "edge" / "policy.base.json"
        base.write_text(json.dumps({"issuers": {name: {}}}))
        set_for_dev = printed(tmp_path, f"printenv {' '.join(DEVELOPMENT)}", blocks(2, "sh")[1])
        provider = f"http://127.0.0.1:9080/{name}"
        assert set_for_dev == [each.format(provider=provider) for each in DEVELOPMENT.values()]


def test_the_guide_leads_from_its_own_login_to_the_gate(backend: Path, company: Company) -> None:
    assert len(blocks(4, "sh")) == 1
    with plain_app(backend) as client:
        assert statuses(client, ME, None, sign_in(client), company.token(**EMAIL)) == [
            401,
            200,
            403,
        ]

    apply_diff(backend, 1)
    values = {
        "OIDC_ISSUER": company.issuer,
        "OIDC_JWKS_URL": f"{company.issuer}/jwks",
        "OIDC_AUDIENCE": AUDIENCE,
    }
    with plain_app(backend, **values) as client:
        tokens = sign_in(client), company.token(**EMAIL), company.token(email=ADMIN["username"])
        assert statuses(client, ME, None, *tokens) == [401, 200, 200, 403]
        other = company.token(**EMAIL, aud="https://other.example.com")
        assert statuses(client, ME, other, "a.b.c") == [403, 403]

    assert init(backend, company, *HOSTS).returncode == 1
    apply_diff(backend, 2)
    ran = init(backend, company, *HOSTS)
    assert ran.returncode == 0, ran.stdout
    assert any("forward_token" in each for each in routes_of(backend))
    with dev(backend, DEVELOPMENT) as gate:
        gate_in_front(gate)

    apply_diff(backend, 3)
    run_lines(backend, blocks(3, "sh")[0])
    assert not any("forward_token" in each for each in routes_of(backend))
    with dev(backend) as gate:
        caller_from_the_edge(gate)
        assert gate.client.post(f"{gate.edge}{LOGIN}", data=ADMIN).status_code == 200

    run_lines(backend, blocks(4, "sh")[0])
    with dev(backend) as gate:
        caller_from_the_edge(gate)
        assert gate.client.post(f"{gate.edge}{LOGIN}", data=ADMIN).status_code == 404
        new = {"email": "eve@example.com", "password": "long enough"}
        assert gate.post("/api/v1/users/signup", new).status_code in (404, 405)


def gate_in_front(gate: Dev) -> None:
    """The edge verifies tokens of the provider, and the app verifies them once more."""
    assert gate.get("/api/v1/utils/health-check/").json() is True
    assert gate.statuses("/docs", None) == [200]
    own = sign_in(gate.client, gate.edge)
    known, unverified = gate.token("a1", claims=EMAIL), gate.token("a1")
    assert gate.statuses(ME, None, own, unverified, known) == [401, 401, 403, 200]
    assert gate.get(ME, unverified).json() == {"detail": "Could not validate credentials"}
    assert statuses(gate.client, f"{gate.app}{ME}", own) == [200]
    new = {"email": "eve@example.com", "password": "long enough"}
    assert gate.post("/api/v1/users/signup", new).status_code == 200
    eve = gate.token("e1", claims={"email": "eve@example.com", "email_verified": True})
    assert gate.statuses(USERS, known, eve) == [200, 403]


def caller_from_the_edge(gate: Dev) -> None:
    """The app knows its caller by the signed header only."""
    assert gate.statuses("/docs", None) == [200]
    known = gate.token("a1", "app", claims=EMAIL)
    unscoped = gate.token("a1", claims=EMAIL)
    unverified = gate.token("a1", "app", claims={**EMAIL, "email_verified": False})
    assert gate.statuses(ME, None, unscoped, unverified, known) == [401, 403, 403, 200]
    assert gate.get(ME, known).json()["email"] == EMAIL["email"]
    assert statuses(gate.client, f"{gate.app}{ME}", known) == [401]
    for claims in NO_ADDRESS:
        unnamed = gate.token("n1", "app", claims={"email_verified": True, **claims})
        assert (gate.statuses(ME, unnamed), claims) == ([403], claims)
    eve = gate.token("e2", "app", claims={"email": "eve2@example.com", "email_verified": True})
    item = gate.post("/api/v1/items/", {"title": "pen"}, eve)
    assert item.status_code == 200, item.text
    assert gate.get("/api/v1/items/", eve).json() == {"data": [item.json()], "count": 1}
    assert gate.statuses(f"/api/v1/items/{item.json()['id']}", None, known, eve) == [401, 200, 200]
    assert gate.statuses(USERS, known, eve) == [200, 403]
