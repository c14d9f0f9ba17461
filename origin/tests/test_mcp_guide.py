"""Follows docs/guides/protect-an-mcp-server.md: its app, its policy, its calls and its client."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

from tests.dev_session import environment, serving

PAGE = Path(__file__).parents[2] / "docs" / "guides" / "protect-an-mcp-server.md"


def blocks(language: str) -> list[str]:
    """Return the blocks of code of the page."""
    fence = re.compile(rf"^```{language}\n(.*?)^```", re.DOTALL | re.MULTILINE)
    return fence.findall(PAGE.read_text("utf-8"))


def run(folder: Path, script: str) -> str:
    """Run a script of the page, and return what it prints."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    ran = subprocess.run(  # noqa: S603 - the page
        ["bash", "-euo", "pipefail", "-c", script],  # noqa: S607
        cwd=folder,
        env=environment(PATH=path),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def test_the_guide_leads_from_the_app_to_a_call(tmp_path: Path) -> None:
    app, client = blocks("python")
    compiled, start, discover, call, use = blocks("sh")
    policy, base = blocks("json")
    (printed,) = blocks("text")
    (tmp_path / "main.py").write_text(app, "utf-8")
    (tmp_path / "client.py").write_text(client, "utf-8")
    assert json.loads(run(tmp_path, compiled)) == json.loads(policy)
    (tmp_path / "edge").mkdir()
    (tmp_path / "edge" / "policy.base.json").write_text(base, "utf-8")
    assert start == "fastgate dev main:app\n"
    with serving(tmp_path, "main:app") as session:
        session.until_ready()

        def here(script: str) -> str:
            """Return a script of the page for the ports of this test."""
            provider = f"127.0.0.1:{session.provider_port}"
            script = script.replace("127.0.0.1:7676", f"127.0.0.1:{session.port}")
            script = script.replace("127.0.0.1:9080", provider)
            return script.replace("fastgate token", f"fastgate token --provider http://{provider}")

        challenge, document = run(tmp_path, here(discover)).splitlines()
        metadata = f"{session.edge}/.well-known/oauth-protected-resource/mcp"
        assert challenge.lower() == f'www-authenticate: bearer resource_metadata="{metadata}"'
        assert json.loads(document)["resource"] == f"{session.edge}/mcp"
        issuer = f"http://127.0.0.1:{session.provider_port}/idp"
        assert json.loads(document)["authorization_servers"] == [issuer]
        assert "order 7 is on its way" in run(tmp_path, here(call))
        without_scope = here(call).replace("ada orders:read", "ada")
        assert '"order 7' not in run(tmp_path, without_scope)
        forbidden = run(tmp_path, here(call).replace('"get_order"', '"cancel_order"'))
        assert "Unknown tool: cancel_order" in forbidden
        assert run(tmp_path, here(use)) == printed
