"""`fastgate dev` when a process of the app ends by itself, or does not end."""

import shutil
import signal
import time
from pathlib import Path

import httpx
import pytest

from fastgate.dev.policy.compile_app import Job, NotCompiled, compile_in_a_process
from tests.dev_session import APP, is_served, serving, until

DIES = '\n\n@app.get("/die")\n@at_edge(access="public")\ndef die() -> None:\n    os._exit(3)\n'
STARTS_NOT = """
import contextlib


@contextlib.asynccontextmanager
async def lifespan(_app: FastAPI):
    raise RuntimeError("no database")
    yield


app.router.lifespan_context = lifespan
"""


def job(folder: Path) -> Job:
    return Job(None, str(folder), None, "http://127.0.0.1:7676", "http://127.0.0.1:9080")


def test_a_reload_that_fails_in_any_way_is_shown_and_can_be_corrected(tmp_path: Path) -> None:
    """The import ends its process, and the files of the session are gone."""
    (tmp_path / "main.py").write_text(APP, "utf-8")
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    with serving(tmp_path, TMPDIR=str(temporary)) as session:
        session.until_ready()
        until(lambda: session.get("/health").status_code == 200, "is not served", 20)
        session.edit(lambda text: text + "\nimport os\nos._exit(0)\n")
        until(lambda: "(exit code 0)" in (session.state()["error"] or ""), "is not shown", 30)
        assert session.get("/health").status_code == 200
        session.edit(lambda text: text.replace("os._exit(0)", ""))
        until(lambda: session.state()["error"] is None, "is not corrected", 30)
        (made,) = temporary.glob("fastgate-dev-*")
        shutil.rmtree(made)
        session.edit(lambda text: text + "\n")
        until(lambda: f"{made} is gone" in (session.state()["error"] or ""), "is not shown", 30)
        assert "Traceback" not in session.output
        assert session.ended(signal.SIGTERM) == 0
        until(lambda: not any(map(is_served, session.ports)), "something is left running", 10)


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_a_reload_whose_import_hangs(tmp_path: Path, sent: signal.Signals) -> None:
    (tmp_path / "main.py").write_text(APP, "utf-8")
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    with serving(tmp_path, TMPDIR=str(temporary)) as session:
        session.until_ready()
        hanging = "import pathlib, time\npathlib.Path('hangs').touch()\ntime.sleep(100)\n"
        session.edit(lambda text: f"{text}\n{hanging}")
        until((tmp_path / "hangs").exists, "does not reload", 30)
        before = time.monotonic()
        assert session.ended(sent) == 0
        assert time.monotonic() - before < 15
        assert "Traceback" not in session.output
        assert not any(temporary.glob("fastgate-dev-*"))
        until(lambda: not any(map(is_served, session.ports)), "something is left running", 10)


def test_an_app_that_ends_is_named_and_starts_again_after_a_change(tmp_path: Path) -> None:
    (tmp_path / "main.py").write_text(f"import os\n{APP}{DIES}", "utf-8")
    with serving(tmp_path) as session:
        session.until_ready()
        until(lambda: session.get("/health").status_code == 200, "is not served", 20)
        httpx.get(f"{session.edge}/die", timeout=10)
        said = "the app has ended (exit code 3)"
        until(lambda: said in (session.state()["ended"] or ""), "is not noticed", 10)
        assert said in session.output
        for _ in range(3):
            response = httpx.get(f"{session.edge}/health", timeout=5)
            assert response.status_code == 503
            assert said in response.json()["detail"]
        body = {"Authorization": f"Bearer {session.token('orders:read')}"}
        assert httpx.get(f"{session.edge}/orders/1", headers=body, timeout=5).status_code == 503
        session.edit(lambda text: text + "\n")
        until(lambda: session.get("/health").status_code == 200, "does not start again", 30)
        assert session.state()["ended"] is None


def test_an_app_that_does_not_start_is_named(tmp_path: Path) -> None:
    (tmp_path / "main.py").write_text(APP + STARTS_NOT, "utf-8")
    with serving(tmp_path) as session:
        session.until_ready()
        until(lambda: session.state()["ended"], "is not noticed", 20)
        assert "no database" in session.output
        assert httpx.get(f"{session.edge}/health", timeout=5).status_code == 503
        session.edit(lambda text: text.replace("raise RuntimeError", "print"))
        until(lambda: session.get("/health").status_code == 200, "does not start again", 30)


def test_an_app_that_does_not_react_is_ended(tmp_path: Path) -> None:
    blocked = '\n\n@app.get("/b")\n@at_edge(access="public")\nasync def b() -> None:\n'
    blocked += "    import time\n    open('blocked', 'w')\n    time.sleep(100)\n"
    (tmp_path / "main.py").write_text(APP + blocked, "utf-8")
    with serving(tmp_path) as session:
        session.until_ready()
        until(lambda: session.get("/health").status_code == 200, "is not served", 20)
        with pytest.raises(httpx.TimeoutException):
            httpx.get(f"{session.edge}/b", timeout=1)
        assert (tmp_path / "blocked").exists()
        assert session.ended(signal.SIGTERM) == 0
        until(lambda: not any(map(is_served, session.ports)), "something is left running", 10)


def test_an_app_that_starts_a_process_on_import_is_compiled(tmp_path: Path) -> None:
    starts = "import subprocess\nstarted = subprocess.Popen(['sleep', '50'])\n"
    shows = "open('started', 'w').write(str(started.pid))\n"
    place = f"import os\nos.chdir({str(tmp_path)!r})\n"
    (tmp_path / "main.py").write_text(starts + place + shows + APP)
    before = time.monotonic()
    assert compile_in_a_process(job(tmp_path)).policy is not None
    assert time.monotonic() - before < 40
    state = Path(f"/proc/{(tmp_path / 'started').read_text()}/stat")
    until(lambda: not state.exists() or " Z " in state.read_text(), "is left running", 5)


@pytest.mark.parametrize(
    ("source", "how"),
    [
        ("import os\nos._exit(0)\n", "exit code 0"),
        ("import os\nos._exit(3)\n", "exit code 3"),
        ("import os\nos.kill(os.getpid(), 9)\n", "signal 9"),
    ],
)
def test_an_import_that_ends_its_process_is_named(tmp_path: Path, source: str, how: str) -> None:
    (tmp_path / "main.py").write_text(f"import sys\nprint('the log', file=sys.stderr)\n{source}")
    with pytest.raises(NotCompiled, match=rf"ended the process \({how}\)"):
        compile_in_a_process(job(tmp_path))
