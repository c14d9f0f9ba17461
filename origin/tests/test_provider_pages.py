"""The page of each provider is complete, and what it says to write is accepted by the tool."""

import json
import re
import subprocess
import tomllib
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.test_docs import GUIDES, ROOT, TOOL, needs_tool

FOLDER = GUIDES / "providers"
PAGES = {page.stem: page for page in sorted(FOLDER.glob("*.md")) if page.name != "README.md"}
HEADINGS = [
    "At the provider",
    "The policy",
    "The backend",
    "The first token",
    "Mistakes",
    "Sources",
]
LINES = {"entra": 105}
"""The longest page, with a policy for each kind of tenant; all others have at most `MOST_LINES`."""
MOST_LINES = 68
KEYS_ELSEWHERE = {
    "firebase": "www.googleapis.com",
    "google": "www.googleapis.com",
    "google-service-account": "www.googleapis.com",
}
"""The host of the keys, if a preset knows that it is not the issuer's."""

each_page = pytest.mark.parametrize("name", PAGES)


def section(name: str, heading: str) -> str:
    """Return what is under a heading of a page."""
    return PAGES[name].read_text().partition(f"\n## {heading}\n")[2].partition("\n## ")[0]


def blocks(name: str, heading: str, language: str) -> list[str]:
    """Return the blocks of code under a heading."""
    code = rf"^```{language}\n(.*?)^```"
    return re.findall(code, section(name, heading), re.DOTALL | re.MULTILINE)


def issuers(name: str) -> dict[str, dict[str, Any]]:
    """Return the entries that a page shows for `issuers`."""
    found: dict[str, dict[str, Any]] = {}
    for block in blocks(name, "The policy", "json"):
        found |= json.loads(f"{{{block}}}")
    return found


def manifest(name: str) -> str:
    """Return the backends that a page shows for `fastly.toml`."""
    return "".join(blocks(name, "The backend", "toml"))


def policy(name: str) -> dict[str, Any]:
    """Return the smallest policy with the entries of a page."""
    return {
        "edge": {"issuer": "https://api.example.com", "hosts": ["api.example.com"]},
        "origins": {"api": {"audience": "api", "backend": "origin"}},
        "issuers": issuers(name),
        "routes": [
            {"id": "orders", "path": "/orders", "methods": ["GET"], "access": "authenticated"}
        ],
    }


def check(folder: Path, policy: dict[str, Any], manifest: str) -> tuple[int, str]:
    """Return the exit code of `fastgate check`, and what it prints."""
    (folder / "policy.json").write_text(json.dumps(policy))
    origin = (
        '[setup.backends.origin]\naddress = "app.example.com"\n'
        '[local_server.backends.origin]\nurl = "http://127.0.0.1:8000"\n'
    )
    (folder / "fastly.toml").write_text(f"{manifest}\n{origin}")
    ran = subprocess.run(  # noqa: S603
        [TOOL, "check", "policy.json", "--manifest", "fastly.toml"],
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
    )
    return ran.returncode, ran.stdout + ran.stderr


def presets() -> set[str]:
    """Return the presets that a policy can name."""
    schema = json.loads((ROOT / "policy.schema.json").read_text())
    return {each["const"] for each in schema["$defs"]["PresetName"]["oneOf"]}


def verdicts() -> set[str]:
    """Return the codes of refusals because of a token, or of keys."""
    folder = ROOT / "src" / "identity"
    code = "".join((folder / f"{name}.rs").read_text() for name in ("token_error", "key_source"))
    return set(re.findall(r'"((?:token|keys)-[a-z-]+)"', code))


def test_every_preset_has_a_page() -> None:
    assert presets() - PAGES.keys() == set()


def test_every_page_has_a_preset() -> None:
    assert PAGES.keys() - presets() == set()


@each_page
def test_a_page_has_every_section_in_order(name: str) -> None:
    text = PAGES[name].read_text()
    assert re.findall(r"^## (.*)$", text, re.MULTILINE) == HEADINGS
    assert len(text.splitlines()) <= LINES.get(name, MOST_LINES)
    assert re.search(r"^1\. ", section(name, "At the provider"), re.MULTILINE)


@each_page
def test_the_entries_of_a_page_name_its_preset(name: str) -> None:
    assert {entry["preset"] for entry in issuers(name).values()} == {name}


@needs_tool
@each_page
def test_the_policy_of_a_page_has_no_faults_or_hints(name: str, tmp_path: Path) -> None:
    code, printed = check(tmp_path, policy(name), manifest(name))
    assert (code, printed) == (0, "policy.json: valid\n")


@needs_tool
def test_a_fault_is_noticed(tmp_path: Path) -> None:
    faulty = policy("auth0")
    faulty["issuers"]["auth0"]["audiences"] = []
    assert check(tmp_path, faulty, manifest("auth0"))[0] == 1
    assert "auth0" in check(tmp_path, policy("auth0"), "")[1]


@each_page
def test_the_manifest_of_a_page_has_the_backends_of_its_policy(name: str) -> None:
    parsed = tomllib.loads(manifest(name))
    named = {entry["backend"] for entry in issuers(name).values()}
    assert parsed["setup"]["backends"].keys() == named
    assert parsed["local_server"]["backends"].keys() == named
    for entry in issuers(name).values():
        published = parsed["setup"]["backends"][entry["backend"]]
        host = published["address"]
        assert published == {"address": host, "port": 443}
        local = {"url": f"https://{host}", "override_host": host, "cert_host": host}
        assert parsed["local_server"]["backends"][entry["backend"]] == local | {"use_sni": True}
        keys = entry.get("jwks_uri", entry["issuer"])
        assert host == KEYS_ELSEWHERE.get(name, urlsplit(keys).hostname)


@each_page
def test_a_page_gets_a_token_and_sends_it(name: str) -> None:
    (commands,) = blocks(name, "The first token", "sh")
    assert re.search(r"^TOKEN=", commands, re.MULTILINE)
    sent = 'curl -i https://api.example.com/orders -H "Authorization: Bearer $TOKEN"\n'
    assert commands.endswith(sent)
    ran = subprocess.run(
        ["/bin/sh", "-n"], input=commands, capture_output=True, text=True, check=False
    )
    assert (ran.returncode, ran.stderr) == (0, "")


@each_page
def test_a_page_has_three_mistakes_with_verdicts_that_exist(name: str) -> None:
    rows = re.findall(
        r"^\| [^|]+ \| `([a-z-]+)` \| [^|]+ \|$", section(name, "Mistakes"), re.MULTILINE
    )
    assert len(rows) == 3
    assert set(rows) <= verdicts()


@each_page
def test_a_page_names_its_sources(name: str) -> None:
    sources = section(name, "Sources").strip().splitlines()
    assert sources
    assert all(re.match(r"- (<https://|.*not confirmed)", source) for source in sources)
    assert any("<https://" in source for source in sources)


def test_the_index_of_providers_lists_every_page() -> None:
    listed = set(re.findall(r"\]\(([a-z0-9-]+)\.md\)", (FOLDER / "README.md").read_text()))
    assert listed == PAGES.keys()
