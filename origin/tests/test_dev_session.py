"""`fastgate dev` as a developer uses it: one process, real sockets, the real guest."""

import json
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path

import httpx
import pytest
from websockets.sync.client import connect

from tests.dev_session import (
    APP,
    Session,
    command,
    environment,
    free_port,
    is_served,
    serving,
    until,
)


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    folder = tmp_path_factory.mktemp("dev")
    (folder / "main.py").write_text(APP, "utf-8")
    hostile = "http://127.0.0.1:1"
    with serving(folder, FASTGATE_EDGE=hostile, FASTGATE_LOCAL_EDGE=hostile) as started:
        started.until_ready()
        yield started


def test_it_says_what_listens_where_and_how_to_begin(session: Session) -> None:
    for line in (
        f"edge      {session.edge}",
        f"page      {session.edge}/__fastgate/",
        f"app       http://127.0.0.1:{session.app_port}",
        f"provider  http://127.0.0.1:{session.provider_port}",
        f"curl -i {session.edge}/orders/1 -H",
        "policy    3 routes are in force",
    ):
        assert line in session.output
    assert "hint: this app has no guard" not in session.output


def test_callers_are_told_apart(session: Session) -> None:
    response = session.get("/orders/1", session.token("orders:read"))
    assert (response.status_code, response.json()) == (200, {"order": 1, "for": "ada"})
    assert session.get("/orders/1", session.token("orders:write")).status_code == 403
    assert session.get("/orders/1").status_code == 401
    assert session.get("/orders/1", session.token("orders:read") + "x").status_code == 401
    other = session.token("orders:read", audience="https://other.example")
    assert session.get("/orders/1", other).status_code == 401
    assert session.get("/health").status_code == 200
    until(lambda: "200  GET  /orders/1  forwarded  ada" in session.output, "is not shown", 5)
    until(lambda: "403  GET  /orders/1" in session.output, "is not shown", 5)


def test_the_app_refuses_what_bypasses_the_edge(session: Session) -> None:
    for path in ("/orders/1", "/health", "/__fastgate/state"):
        response = httpx.get(
            f"http://127.0.0.1:{session.app_port}{path}",
            headers={
                "Host": f"127.0.0.1:{session.port}",
                "Fastgate-Identity": "e30.e30.",
                "X-Forwarded-For": "127.0.0.1",
                "Authorization": f"Bearer {session.token('orders:read')}",
            },
        )
        assert response.status_code == 401
        assert "not-from-the-edge" in response.text


def test_websockets_pass(session: Session) -> None:
    with connect(f"ws://127.0.0.1:{session.port}/echo", proxy=None) as opened:
        opened.send("hello")
        assert opened.recv() == "hello"


@pytest.mark.parametrize(
    "fields",
    [
        {"Host": "evil.example"},
        {"Host": "localhost.evil.example"},
        {"Origin": "https://evil.example"},
        {"Origin": "http://127.0.0.1:3000", "Sec-Fetch-Site": "same-site"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
def test_pages_of_other_sites_reach_neither_the_page_nor_the_provider(
    session: Session, fields: dict[str, str]
) -> None:
    provider = f"http://127.0.0.1:{session.provider_port}"
    gets = [
        *(f"{session.edge}/__fastgate{path}" for path in ("", "/", "/state", "/events")),
        f"{provider}/dev/.well-known/openid-configuration",
        f"{provider}/__fastgate/state",
    ]
    posts = [
        f"{session.edge}/__fastgate/tokens/dev",
        f"{provider}/dev/tokens",
        f"{provider}/dev/token",
    ]
    for url in gets:
        response = httpx.get(url, headers=fields)
        assert response.status_code == 403, url
        assert "access-control-allow-origin" not in response.headers
    for url in posts:
        response = httpx.post(url, headers=fields, json={"subject": "ada"})
        assert response.status_code == 403, url
        assert "access_token" not in response.text


def test_a_form_of_another_page_gets_no_token(session: Session) -> None:
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data"):
        response = httpx.post(
            f"{session.edge}/__fastgate/tokens/dev",
            headers={"Content-Type": kind},
            content=b'{"subject": "ada"}',
        )
        assert response.status_code == 403


def test_the_host_that_counts_is_the_one_that_the_client_sends(session: Session) -> None:
    for fields in (
        "Host: evil.example\r\nX-Forwarded-Host: localhost\r\nForwarded: host=localhost\r\n",
        "Host: evil.example\r\nConnection: host\r\n",
        "Host: localhost\r\nOrigin: http://evil.example\r\nConnection: origin\r\n",
        "Host:\r\n",
    ):
        response = sent(session, f"GET /__fastgate/state HTTP/1.1\r\n{fields}")
        assert response.split(b" ")[1] == b"403", fields
    for head in (
        "GET /__fastgate/state HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n",
        "GET /__fastgate/state HTTP/1.1\r\n",
        "GET /__fastgate/state HTTP/1.0\r\n",
        "GET http://evil.example/__fastgate/state HTTP/1.1\r\nHost: localhost\r\n",
    ):
        response = sent(session, head)
        assert response.split(b" ")[1] == b"400", head
        assert b'"routes"' not in response
    target = f"http://127.0.0.1:{session.port}/__fastgate/state"
    response = sent(session, f"GET {target} HTTP/1.1\r\nHost: evil.example\r\n")
    assert response.split(b" ")[1] == b"400"


def test_a_body_that_is_no_caller_is_refused(session: Session) -> None:
    nested = b'{"subject": "a", "claims": ' + b'{"a": ' * 50_000 + b"1" + b"}" * 50_001
    bodies = [(each, 400) for each in (nested, b'{"subject": "a\\ud800"}', b"\xff", b"[]")]
    for body, status in (*bodies, (b"x" * 5_000_000, 413)):
        response = httpx.post(
            f"{session.edge}/__fastgate/tokens/dev",
            content=body,
            headers={"Content-Type": "application/json"},
        )
        assert response.status_code == status


def test_a_changed_name_leads_to_the_guest_and_not_to_the_page(session: Session) -> None:
    state = b'"routes"'
    for target in (
        *("//__fastgate/state", "/%5f%5ffastgate/state", "/x/../__fastgate/state"),
        *("/__FASTGATE/state", "/__fastgate%2fstate", "/__fastgatestate", "/__fastgate;/state"),
        *("/__fastgate/../state", "/__fastgate/..%2fstatic", "/__fastgate/..", "/__fastgate/%00"),
        *("/__fastgate/..%2fapp.py", "/__fastgate/C:%5cx.html", "/__fastgate//etc/x.html"),
    ):
        response = sent(session, f"GET {target} HTTP/1.1\r\nHost: 127.0.0.1:{session.port}\r\n")
        assert response.split(b" ")[1] in (b"400", b"401", b"403", b"404"), target
        assert state not in response


def sent(session: Session, head: str) -> bytes:
    with socket.create_connection(("127.0.0.1", session.port), 30) as connection:
        connection.sendall(f"{head}Connection: close\r\n\r\n".encode("latin-1"))
        return b"".join(iter(lambda: connection.recv(65_536), b""))


def test_many_streams_and_a_slow_reader_stop_nobody(session: Session) -> None:
    opened = []
    try:
        for _ in range(60):
            connection = socket.create_connection(("127.0.0.1", session.port), 10)
            connection.sendall(b"GET /__fastgate/events HTTP/1.1\r\nHost: localhost\r\n\r\n")
            opened.append(connection)
        for _ in range(60):
            assert session.get("/health").status_code == 200
        assert session.get("/__fastgate/").status_code == 200
    finally:
        for connection in opened:
            connection.close()


def test_the_stream_has_each_request_with_its_steps(session: Session) -> None:
    with httpx.stream("GET", f"{session.edge}/__fastgate/events", timeout=20) as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        session.get("/health?stream")
        for line in stream.iter_lines():
            event = json.loads(line.removeprefix("data: ")) if line.startswith("data: ") else {}
            request = event.get("request", {})
            if request.get("recorded", {}).get("path") == "/health":
                assert request["status"] == 200
                assert request["steps"]
                return


def test_changes_faults_and_corrections(session: Session) -> None:
    session.edit(
        lambda text: (
            text + '\n\n@app.get("/new")\n@at_edge(access="public")\n'
            'def new() -> str:\n    return "new"\n'
        )
    )
    until(lambda: session.get("/new").status_code == 200, "the new route is not in force", 30)

    good = (session.folder / "main.py").read_text("utf-8")
    session.edit(
        lambda text: text + '\n\n@app.get("/open")\ndef undeclared() -> str:\n    return "open"\n'
    )
    until(lambda: session.state()["faults"], "the fault is not shown", 30)
    fault = session.state()["faults"][0]
    assert "undeclared" in fault["where"]
    assert fault["remedy"]
    assert session.get("/new").text == '"new"'
    assert session.get("/open").status_code == 404
    until(lambda: "the former policy stays in force" in session.output, "is not shown", 5)

    shown = session.output.count("the former policy stays in force")
    time.sleep(1.5)  # it is compiled once for each change
    assert session.output.count("the former policy stays in force") == shown

    session.edit(lambda _: "raise RuntimeError('broken by an edit')\n")
    until(lambda: "broken by an edit" in (session.state()["error"] or ""), "is not shown", 30)
    assert "RuntimeError: broken by an edit" in session.output
    assert session.get("/new").status_code == 200

    session.edit(lambda _: good.replace('return "new"', 'return "newer"'))
    until(lambda: session.get("/new").text == '"newer"', "the correction is not in force", 30)
    assert session.state()["error"] is None


def test_it_ends_after_all_and_nothing_is_left(session: Session) -> None:
    with httpx.stream("GET", f"{session.edge}/__fastgate/events"):
        assert session.ended(signal.SIGINT) == 0
    assert "Traceback (most recent call last)" not in session.output.split("broken by an edit")[-1]
    until(lambda: not any(map(is_served, session.ports)), "something is left running", 10)


def test_it_is_in_force_when_it_says_so(tmp_path: Path) -> None:
    """The edge listens while the app is imported. Without a policy it would respond 503."""
    (tmp_path / "main.py").write_text(f"import time\ntime.sleep(1)\n{APP}", "utf-8")
    port = free_port()
    options = ("--app-port", "0", "--provider-port", "0", "--port", str(port))
    with subprocess.Popen(  # noqa: S603 this package
        command(*options),
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=environment(),
    ) as process:
        try:
            assert process.stdout is not None
            said = list(takewhile(lambda line: not line.startswith("edge "), process.stdout))
            # From the first line on, and the first request counts.
            response = httpx.get(f"http://127.0.0.1:{port}/health", timeout=30)
            assert (said, response.status_code, response.json()) == ([], 200, "well")
        finally:
            process.terminate()


def test_sigterm_ends_everything_and_a_killed_parent_does_too(tmp_path: Path) -> None:
    """The app has no guard, prints to standard output on import, and has a thread of its own."""
    (tmp_path / "main.py").write_text(
        "import os, threading, time\nfrom fastapi import FastAPI\nfrom fastgate import at_edge\n"
        "os.write(1, b'{ not the result')\nprint('hello')\n"
        "threading.Thread(target=time.sleep, args=(1000,), daemon=False).start()\n"
        "app = FastAPI(openapi_url=None)\n"
        "@app.get('/')\n@at_edge(access='public')\ndef index() -> str:\n    return 'well'\n",
        "utf-8",
    )
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    with serving(tmp_path, TMPDIR=str(temporary)) as session:
        session.until_ready()
        until(lambda: session.get("/").status_code == 200, "is not served", 20)
        assert "hint: this app has no guard" in session.output
        session.ended(signal.SIGKILL)
        until(lambda: not any(map(is_served, session.ports)), "something is left running", 10)
    for each in temporary.glob("fastgate-dev-*/*"):
        each.unlink()


def test_sigterm_ends_a_background_job_of_a_shell(tmp_path: Path) -> None:
    """A shell without job control starts it with SIGINT ignored."""
    (tmp_path / "main.py").write_text(
        "from fastapi import FastAPI\nfrom fastgate import at_edge\n"
        "app = FastAPI(openapi_url=None)\n"
        "@app.get('/')\n@at_edge(access='public')\ndef index() -> str:\n    return 'well'\n",
        "utf-8",
    )
    with serving(tmp_path, interrupts=signal.SIG_IGN) as session:
        session.until_ready()
        assert session.ended(signal.SIGTERM) == 0
        until(lambda: not any(map(is_served, session.ports)), "something is left running", 10)
