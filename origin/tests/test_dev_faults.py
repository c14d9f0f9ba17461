"""What `fastgate dev` says when it cannot start, and that nothing is left then."""

import ast
import signal
import subprocess
import sys
from pathlib import Path
from socket import create_server

import pytest

import fastgate
from fastgate.dev.edge.process import ENDED
from fastgate.dev.policy.compile_app import Job, NotCompiled, compile_in_a_process
from fastgate.dev.policy.in_force import State
from fastgate.dev.policy.local import Addresses
from fastgate.dev.ports import bound, free_address
from fastgate.dev.session import _request_in
from fastgate.dev.terminal import Terminal
from fastgate.wrong_call import WrongCall
from tests.dev_session import APP, environment, free_port, is_served, run, serving, until

ADDRESSES = Addresses("http://127.0.0.1:7676", "http://127.0.0.1:9080")
_WITHOUT = """
import sys
sys.modules[{name!r}] = None
from fastgate.__main__ import main
sys.exit(main(["dev"]))
"""


def test_an_app_that_fails_on_import_shows_its_own_traceback(tmp_path: Path) -> None:
    (tmp_path / "main.py").write_text("import json\njson.loads('{')\n", "utf-8")
    ports = [free_port() for _ in range(3)]
    options = ("--port", "--app-port", "--provider-port")
    ran = run(tmp_path, *(f"{name}={port}" for name, port in zip(options, ports, strict=True)))
    assert ran.returncode == 1
    assert ran.stderr.startswith("Traceback (most recent call last):")
    assert 'main.py", line 2' in ran.stderr
    assert "JSONDecodeError" in ran.stderr
    assert "fastgate" not in ran.stderr.replace(str(tmp_path), "")
    assert not any(map(is_served, ports))


@pytest.mark.parametrize("option", ["--port", "--app-port", "--provider-port"])
def test_a_port_in_use_is_named_with_its_option(tmp_path: Path, option: str) -> None:
    (tmp_path / "main.py").write_text(APP, "utf-8")
    with create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        others = {"--port": "0", "--app-port": "0", "--provider-port": "0", option: str(port)}
        ran = run(tmp_path, *(f"{name}={each}" for name, each in others.items()))
    assert ran.returncode == 2
    assert ran.stderr == (
        f"port {port} is in use: end the program that uses it, or choose another one with "
        f"{option}\n"
    )


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("--port", "--app-port"),
        ("--port", "--provider-port"),
        ("--app-port", "--provider-port"),
    ],
)
def test_two_equal_ports_are_named_with_their_options(
    tmp_path: Path, first: str, second: str
) -> None:
    """Nothing listens on the port, so a look at one port after the other would not find it."""
    (tmp_path / "main.py").write_text(APP, "utf-8")
    port = free_port()
    others = dict.fromkeys(("--port", "--app-port", "--provider-port"), 0)
    chosen = {**others, first: port, second: port}
    ran = run(tmp_path, *(f"{name}={each}" for name, each in chosen.items()))
    assert ran.returncode == 2
    assert ran.stderr == f"{first} and {second} are both {port}: choose another {second}\n"


def test_a_number_that_is_no_port_is_refused() -> None:
    for port in (-1, 65_536, 10**9):
        with pytest.raises(WrongCall, match="choose one with --port"):
            bound(port, "--port")
    assert free_address(0, "--port").startswith("127.0.0.1:")


def test_without_an_app_it_says_where_it_looked(tmp_path: Path) -> None:
    ran = run(tmp_path)
    assert ran.returncode == 2
    assert "there is no app in" in ran.stderr


@pytest.mark.parametrize(
    ("name", "remedy"),
    [
        ("fastgate_edge", "needs the wheel fastgate-edge"),
        ("uvicorn", 'install "fastapi[standard]" or uvicorn'),
    ],
)
def test_what_is_not_installed_is_named(tmp_path: Path, name: str, remedy: str) -> None:
    (tmp_path / "main.py").write_text(APP, "utf-8")
    ran = subprocess.run(  # noqa: S603 this package
        [sys.executable, "-c", _WITHOUT.format(name=name)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        env=environment(),
        check=False,
    )
    assert ran.returncode == 2
    assert remedy in ran.stderr
    assert "Traceback" not in ran.stderr


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_a_start_can_be_interrupted(tmp_path: Path, sent: signal.Signals) -> None:
    """The files of the start, with the edge's keys among them, are removed."""
    (tmp_path / "main.py").write_text(f"import time\ntime.sleep(1)\n{APP}", "utf-8")
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    with serving(tmp_path, TMPDIR=str(temporary)) as session:
        until(lambda: any(temporary.glob("fastgate-dev-*/fastly.toml")), "does not start")
        assert session.ended(sent) == 0
        assert session.output == ""
        assert not any(temporary.glob("fastgate-dev-*"))
        until(lambda: not any(map(is_served, session.ports)), "something is left running", 10)


def test_only_the_process_of_the_app_trusts_the_local_edge() -> None:
    """Nothing in the environment or in a request can: one place calls the function."""
    package = Path(fastgate.__file__).parent
    calling = [
        file.relative_to(package).as_posix()
        for file in package.rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text("utf-8")))
        if isinstance(node, ast.Call) and "trust_local_edge" in ast.dump(node.func)
    ]
    assert calling == ["dev/app_server.py"]
    assert "environ" not in (package / "local_edge.py").read_text("utf-8").split('"""', 2)[2]


def test_text_of_others_stays_in_its_line(capsys: pytest.CaptureFixture[str]) -> None:
    state = {"status": 200, "method": "GET", "recorded": {"path": "/a\n200  GET\x1b[2J\r"}}
    Terminal(sys.stdout).request(state)
    assert capsys.readouterr().out == "200  GET  /a�200  GET�[2J�\n"


def test_the_cost_of_a_use_names_what_was_used(capsys: pytest.CaptureFixture[str]) -> None:
    about = {"mcp": "tools/call export", "subject": "ada"}
    costs = [{"name": "daily", "units": 5}, {"name": "team", "units": 2000}]
    Terminal(sys.stdout).settlement({**about, "settled": "use", "budgets": costs})
    Terminal(sys.stdout).settlement({**about, "settled": "nothing"})
    assert capsys.readouterr().out.splitlines() == [
        "cost  5 of daily and 2000 of team  use  tools/call export  ada",
        "cost  nothing  tools/call export  ada",
    ]


def test_a_terminal_that_is_closed_does_not_stop_the_log() -> None:
    class Closed:
        def write(self, _text: str) -> int:
            raise BrokenPipeError

        def flush(self) -> None:
            raise BrokenPipeError

    Terminal(Closed()).line("text")  # type: ignore[arg-type]


@pytest.mark.parametrize("line", ["", "text", "fastgate :: {", "fastgate :: 1", "{}"])
def test_a_line_that_is_no_request_is_shown_as_it_is(line: str) -> None:
    assert _request_in(line) is None


def test_an_app_that_never_ends_its_import(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "main.py").write_text("import time\ntime.sleep(60)\n", "utf-8")
    monkeypatch.setattr("fastgate.dev.policy.compile_app._DEADLINE", 1)
    with pytest.raises(NotCompiled, match="without starting a server"):
        compile_in_a_process(Job(None, str(tmp_path), None, *vars_of(ADDRESSES)))


def vars_of(addresses: Addresses) -> tuple[str, str]:
    return addresses.edge, addresses.provider


def test_a_state_without_an_app_is_shown_as_well() -> None:
    assert State().as_json()["app"] is None


def test_without_an_edge_no_policy_is_said_to_be_in_force(
    capsys: pytest.CaptureFixture[str],
) -> None:
    Terminal(sys.stdout).policy(State(routes=[{"path": "/"}], error=ENDED))
    assert capsys.readouterr().out == f"{ENDED}\n"


def test_a_route_that_the_page_hides_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    paths = ("/__fastgate", "/__fastgate/state", "/__fastgates", "/x/__fastgate/")
    Terminal(sys.stdout).policy(State(routes=[{"path": path} for path in paths]))
    shown = capsys.readouterr().out
    assert [path for path in paths if f"has the path {path}, so" in shown] == [*paths[:2]]


def test_requests_during_the_start_get_no_advice_for_published_services(tmp_path: Path) -> None:
    slow = "import time, pathlib\nwhile not pathlib.Path('go').exists(): time.sleep(0.05)\n"
    (tmp_path / "main.py").write_text(slow + APP, "utf-8")
    with serving(tmp_path) as session:
        until(lambda: is_served(session.port), "the edge does not listen")
        assert session.get("/health").status_code == 503
        until(lambda: "no policy is in force yet" in session.output, "is not shown", 10)
        (tmp_path / "go").touch()
        session.until_ready()
        assert "fastgate push" not in session.output
