"""Follows docs/guides/protect-an-mcp-server.md: its app, and the policy that it prints."""

import json
import re
import subprocess
import sys
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "guides" / "protect-an-mcp-server.md"


def blocks(language: str) -> list[str]:
    """Return the blocks of code of the page."""
    fence = re.compile(rf"^```{language}\n(.*?)^```", re.DOTALL | re.MULTILINE)
    return fence.findall(PAGE.read_text("utf-8"))


def test_the_app_of_the_guide_compiles_to_the_policy_that_it_shows(tmp_path: Path) -> None:
    (app,), (command,), (policy,) = (blocks(language) for language in ("python", "sh", "json"))
    (tmp_path / "main.py").write_text(app, "utf-8")
    program, *arguments = command.split()
    assert program == "python"
    printed = subprocess.run(  # noqa: S603 - the page
        [sys.executable, *arguments],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert printed.returncode == 0, printed.stderr
    assert json.loads(printed.stdout) == json.loads(policy)
