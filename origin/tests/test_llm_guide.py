"""Follows docs/guides/protect-an-llm-endpoint.md: its app, its client, and what that prints."""

import os
import re
import subprocess
import sys
from pathlib import Path

from tests.dev_session import environment, serving

PAGE = Path(__file__).parents[2] / "docs" / "guides" / "protect-an-llm-endpoint.md"


def blocks(language: str) -> list[str]:
    """Return the blocks of code of the page."""
    fence = re.compile(rf"^```{language}\n(.*?)^```", re.DOTALL | re.MULTILINE)
    return fence.findall(PAGE.read_text("utf-8"))


def test_the_guide_prints_what_it_says(tmp_path: Path) -> None:
    app, client = blocks("python")
    start, export = blocks("sh")
    (printed,) = blocks("text")
    assert start == "fastgate dev main:app\n"
    (tmp_path / "main.py").write_text(app, "utf-8")
    (tmp_path / "client.py").write_text(client, "utf-8")
    with serving(tmp_path, "main:app") as session:
        session.until_ready()
        # Other ports than those of the page may be free.
        provider = f"http://127.0.0.1:{session.provider_port}"
        shell = export.replace(":7676", f":{session.port}")
        shell = shell.replace("fastgate token ada", f"fastgate token ada --provider {provider}")
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        ran = subprocess.run(  # noqa: S603 the page
            ["bash", "-euo", "pipefail", "-c", f"{shell}\npython client.py"],  # noqa: S607
            cwd=tmp_path,
            env=environment(PATH=path),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert (ran.returncode, ran.stdout) == (0, printed), ran.stderr
