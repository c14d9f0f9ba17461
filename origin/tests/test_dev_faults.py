"""What `fastgate dev` says when it cannot start, and that nothing is left then."""

import ast
import json
import signal
import subprocess
import sys
import tomllib
from pathlib import Path
from socket import create_server
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import fastgate
from fastgate.dev.edge.manifest import local_manifest, local_server_of
from fastgate.dev.edge.toml_text import toml_document
from fastgate.dev.policy.compile_app import Job, NotCompiled, compile_in_a_process
from fastgate.dev.policy.in_force import State
from fastgate.dev.policy.local import Addresses, UnusableBase, audiences_of, backends_of, local_base
from fastgate.dev.ports import bound, free_address
from fastgate.dev.session import _request_in
from fastgate.dev.terminal import Terminal
from fastgate.wrong_call import WrongCall
from tests.dev_session import APP, command, environment, free_port, is_served, serving, until

ADDRESSES = Addresses("http://127.0.0.1:7676", "http://127.0.0.1:9080")
_WITHOUT = """
import sys
sys.modules[{name!r}] = None
from fastgate.__main__ import main
sys.exit(main(["dev"]))
"""


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603 this package
        command(*arguments),
        cwd=folder,
        capture_output=True,
        text=True,
        env=environment(),
        timeout=90,
        check=False,
    )


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


def test_a_base_policy_works_on_this_machine(tmp_path: Path) -> None:
    (tmp_path / "main.py").write_text(APP, "utf-8")
    folder = tmp_path / "edge"
    folder.mkdir()
    (folder / "policy.base.json").write_text(json.dumps(BASE), "utf-8")
    (folder / "blocked.json").write_text(
        '{"entries": [{"op": "create", "prefix": "127.0.0.0/8", "action": "BLOCK"}]}', "utf-8"
    )
    (folder / "fastly.toml").write_text(MANIFEST, "utf-8")
    with serving(tmp_path) as session:
        session.until_ready()
        assert session.state()["error"] is None, session.output
        for issuer in ("main", "staff"):
            token = session.token("orders:read", issuer=issuer)
            response = session.get("/orders/7", token)
            assert (response.status_code, response.json()["order"]) == (200, 7)
            assert session.get("/orders/7", session.token(issuer=issuer)).status_code == 403
        # The base policy is read again, too, although it is no file of the app.
        session.edit(lambda text: text.replace('"edge"', '"egde"'), "edge/policy.base.json")
        until(lambda: session.state()["error"], "the fault is not noticed", 20)
        assert "egde" in session.state()["error"]
        assert session.get("/health").status_code == 200


BASE: dict[str, Any] = {
    "$schema": "https://example.com/policy.schema.json",
    "edge": {"issuer": "https://api.example.com", "hosts": ["api.example.com"]},
    "issuers": {
        "main": {
            "preset": "auth0",
            "issuer": "https://acme.eu.auth0.com/",
            "backend": "auth0",
            "audiences": ["https://api.example.com"],
        },
        "staff": {
            "issuer": "https://login.example.com",
            "backend": "login",
            "audiences": ["https://api.example.com"],
            "introspection": {
                "endpoint": "https://login.example.com/introspect",
                "client_id": "edge",
                "secret": "introspection-secret",
            },
        },
    },
    "origins": {
        "orders": {
            "audience": "orders",
            "key": "k",
            "regions": {"eu": {}, "us": {}},
            "selection": {"default_region": "eu"},
            "backends": {"eu-1": {"region": "eu"}, "us-1": {"region": "us"}},
        }
    },
}
MANIFEST = """
manifest_version = 3
name = "orders"
language = "other"

[local_server.backends.eu-1]
url = "https://eu.example.com"

[local_server.acls]
blocked = "blocked.json"

[local_server.geolocation]
format = "inline-toml"

[local_server.geolocation.addresses."127.0.0.1"]
country_code = "DE"

[[local_server.kv_stores.fastgate]]
key = "policy"
data = "never served"
"""


def test_the_local_policy_has_nothing_of_the_service() -> None:
    local = local_base(BASE, ADDRESSES, "")
    text = json.dumps(local)
    assert "example.com" not in text.replace('"https://api.example.com"', "")  # an audience
    assert "auth0" not in text
    assert "introspection" not in text
    assert "$schema" not in local
    assert local["edge"] == {"issuer": ADDRESSES.edge, "hosts": ["127.0.0.1", "localhost"]}
    assert [*audiences_of(local)] == ["main", "staff"]
    assert backends_of(local) == {"orders": ["eu-1", "us-1"]}
    assert BASE["origins"]["orders"]["key"] == "k"  # the file's own document is not changed


@pytest.mark.parametrize("section", ["edge", "origins", "issuers"])
@pytest.mark.parametrize("value", [[], "text", 1, None, True])
def test_a_base_of_another_form_is_refused_with_its_place(section: str, value: object) -> None:
    with pytest.raises(UnusableBase, match=rf"\$\.{section} is not an object"):
        local_base({section: value}, ADDRESSES, "")
    if section != "edge":
        with pytest.raises(UnusableBase, match=rf"\$\.{section}\.a is not an object"):
            local_base({section: {"a": value}}, ADDRESSES, "")


_TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
_TABLES = st.recursive(
    _TEXTS | st.integers(-(2**63), 2**63 - 1) | st.booleans() | st.floats(allow_nan=False),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_TEXTS, inner, max_size=4),
    max_leaves=8,
)


@given(st.dictionaries(_TEXTS, _TABLES, max_size=4))
def test_a_table_is_read_as_it_was_written(table: dict[str, object]) -> None:
    assert tomllib.loads(toml_document(table)) == table


@given(st.dictionaries(_TEXTS, _TEXTS), _TEXTS)
def test_a_manifest_has_what_it_was_made_from(backends: dict[str, str], path: str) -> None:
    text = local_manifest({"acls": {path: path}}, backends, Path("p.json"), Path("k.json"))
    section = tomllib.loads(text)["local_server"]
    assert section["backends"] == {name: {"url": url} for name, url in backends.items()}
    assert section["acls"] == {path: path}
    assert section["kv_stores"] == {"fastgate": [{"key": "policy", "file": "p.json"}]}


def test_files_of_a_manifest_are_found_from_another_folder(tmp_path: Path) -> None:
    file = tmp_path / "fastly.toml"
    file.write_text(MANIFEST, "utf-8")
    section = local_server_of(file)
    assert section["acls"] == {"blocked": str(tmp_path / "blocked.json")}
    text = local_manifest(section, {"app": "http://127.0.0.1:1"}, None, tmp_path / "keys.json")
    made = tomllib.loads(text)["local_server"]
    assert made["backends"] == {"app": {"url": "http://127.0.0.1:1"}}
    assert made["geolocation"] == section["geolocation"]
    assert "never served" not in text


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


def test_a_route_that_the_page_hides_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    paths = ("/__fastgate", "/__fastgate/state", "/__fastgates", "/x/__fastgate/")
    Terminal(sys.stdout).policy(State(routes=[{"path": path} for path in paths]))
    shown = capsys.readouterr().out
    assert [path for path in paths if f"has the path {path}, so" in shown] == [*paths[:2]]
