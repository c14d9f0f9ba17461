"""Follows docs/guides/protect-an-llm-endpoint.md: app, client, what that prints, and the origin."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

from tests.dev_session import Session, environment, serving
from tests.test_check import check

PAGE = Path(__file__).parents[2] / "docs" / "guides" / "protect-an-llm-endpoint.md"


def blocks(language: str) -> list[str]:
    """Return the blocks of code of the page."""
    fence = re.compile(rf"^```{language}\n(.*?)^```", re.DOTALL | re.MULTILINE)
    return fence.findall(PAGE.read_text("utf-8"))


def printed_by(session: Session, script: str, caller: str = "ada") -> tuple[int, str, str]:
    """Run a client of the page in a shell as the page says; return its code and what it wrote."""
    _, export = blocks("sh")
    # Other ports than those of the page may be free.
    provider = f"http://127.0.0.1:{session.provider_port}"
    shell = export.replace(":7676", f":{session.port}")
    shell = shell.replace("fastgate token ada", f"fastgate token {caller} --provider {provider}")
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    ran = subprocess.run(  # noqa: S603 the page
        ["bash", "-euo", "pipefail", "-c", f"{shell}\npython {script}"],  # noqa: S607
        cwd=session.folder,
        env=environment(PATH=path),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return ran.returncode, ran.stdout, ran.stderr


def test_the_guide_prints_what_it_says(tmp_path: Path) -> None:
    app, client, embeddings, embed, stored, again, endpoint, spend = blocks("python")
    start, _ = blocks("sh")
    printed, printed_of_embeddings, printed_again, printed_of_budgets = blocks("text")
    _, base = blocks("json")
    assert start == "fastgate dev main:app\n"
    clients = {"client": client, "embed": embed, "again": again, "spend": spend}
    for name, text in clients.items():
        (tmp_path / f"{name}.py").write_text(text, "utf-8")
    above, guard = app[: app.index("guard(app")], app[app.index("guard(app") :]
    (tmp_path / "main.py").write_text(f"{above}{embeddings}\n\n{guard}", "utf-8")
    with serving(tmp_path, "main:app") as session:
        session.until_ready()
        code, said, errors = printed_by(session, "client.py")
        assert (code, said) == (0, printed), errors
        code, said, errors = printed_by(session, "embed.py")
        assert (code, said) == (0, printed_of_embeddings), errors

    (tmp_path / "main.py").write_text(f"{above}{stored}\n\n{guard}", "utf-8")
    with serving(tmp_path, "main:app") as session:
        session.until_ready()
        code, said, errors = printed_by(session, "again.py", "ada --tenant acme")
        assert (code, said) == (0, printed_again), errors + session.output

    before, _, after = app.partition("@app.post")
    rest = after[after.index("\n\n\nguard(") :]
    (tmp_path / "main.py").write_text(before + endpoint.rstrip("\n") + rest, "utf-8")
    (tmp_path / "edge").mkdir()
    (tmp_path / "edge" / "policy.base.json").write_text(base, "utf-8")
    with serving(tmp_path, "main:app") as session:
        session.until_ready()
        code, said, errors = printed_by(session, "spend.py")
        assert (code, said) == (0, printed_of_budgets), errors + session.output


def test_its_origin_serves_its_models(tmp_path: Path) -> None:
    origin, _ = blocks("json")
    app = blocks("python")[0].replace("max_tokens=256,", 'max_tokens=256, affinity="conversation",')
    (tmp_path / "main.py").write_text(app, "utf-8")
    ran = subprocess.run(
        [sys.executable, "-m", "fastgate", "policy", "main:app"],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    (tmp_path / "routes.json").write_text(ran.stdout, "utf-8")
    issuer = {"issuer": "https://idp.example.com", "backend": "idp", "audiences": ["models"]}
    policy = {
        "edge": {"issuer": "https://llm.example.com", "hosts": ["llm.example.com"]},
        "issuers": {"customers": {**issuer, "claims": {"tenant": "org_id", "roles": ["roles"]}}},
        **json.loads(f"{{{origin}}}"),
    }
    base = tmp_path / "policy.base.json"
    base.write_text(json.dumps(policy), "utf-8")
    code, said = check(base, "--routes", tmp_path / "routes.json")
    assert (code, "affinity" in said) == (0, False), said
    # Without the backend of the fallback, and the one with the large model, it has none.
    backends = policy["origins"]["models"]["backends"]
    backends["gpu_eu_2"]["models"] = backends["gpu_ch"]["models"] = ["small"]
    base.write_text(json.dumps(policy), "utf-8")
    code, said = check(base, "--routes", tmp_path / "routes.json")
    assert code == 1
    assert "models.large" in said
    assert 'is served by no backend without "version" for requests of region "eu"' in said
