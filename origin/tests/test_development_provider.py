"""A client that a developer adds to the development provider gets a token with its scopes."""

import base64
import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode
from urllib.request import Request, urlopen

import pytest

IDP = Path(__file__).parents[2] / "dev" / "idp"

pytestmark = [
    pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed"),
    pytest.mark.skipif(not (IDP / "node_modules").exists(), reason="the provider is not installed"),
]


@pytest.fixture
def issuer(tmp_path: Path) -> Iterator[str]:
    """Start a copy of the provider with one more client, and return its issuer."""
    for file in IDP.glob("*.mjs"):
        shutil.copy(file, tmp_path)
    (tmp_path / "node_modules").symlink_to(IDP / "node_modules")
    clients = tmp_path / "clients.mjs"
    first = "export const CLIENTS = {\n"
    text = clients.read_text()
    assert first in text
    added = "  'my-app': { scope: 'books:read books:write', claims: { groups: ['mine'] } },\n"
    clients.write_text(text.replace(first, first + added))
    with subprocess.Popen(  # noqa: S603
        ["node", str(tmp_path / "provider.mjs"), "--port", "0", "--exit-with-stdin"],  # noqa: S607
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as provider:
        assert provider.stdin is not None
        assert provider.stdout is not None
        yield json.loads(provider.stdout.readline())["issuer"]
        provider.stdin.close()


def test_a_client_with_scopes_of_its_own_needs_one_line(issuer: str) -> None:
    form = {"grant_type": "client_credentials", "scope": "books:read books:write"}
    credentials = base64.b64encode(b"my-app:my-app-secret").decode()
    request = Request(  # noqa: S310
        f"{issuer}/token",
        data=urlencode(form).encode(),
        headers={"Authorization": f"Basic {credentials}"},
    )
    with urlopen(request, timeout=10) as response:  # noqa: S310
        token: str = json.load(response)["access_token"]
    payload = token.split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    assert claims["scope"] == "books:read books:write"
    assert claims["groups"] == ["mine"]
