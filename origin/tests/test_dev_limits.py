"""The servers of `fastgate dev` on real sockets: how long a body and how many streams they take."""

import contextlib
import socket
from collections.abc import Iterator

import httpx
import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from fastgate.dev.body_limit import MAX_BODY
from fastgate.dev.page.app import MAX_STREAMS, page_app
from fastgate.dev.page.events import Events
from fastgate.dev.provider.app import DevelopmentProvider
from fastgate.dev.provider.issuer_settings import IssuerSettings
from fastgate.dev.side_server import PageAndProvider, SideServer
from tests.dev_session import until

JSON = {"Content-Type": "application/json"}


@pytest.fixture
def served() -> Iterator[tuple[str, Events]]:
    """Run the page and one issuer, as a session does."""
    listening = socket.create_server(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{listening.getsockname()[1]}"
    provider, events = DevelopmentProvider(url, {"dev": IssuerSettings(audience="a")}), Events()
    server = SideServer(PageAndProvider(page_app(events, dict, provider), provider), listening)
    server.start()
    try:
        yield url, events
    finally:
        server.stop()
        listening.close()


PATHS = ["/dev/tokens", "/dev/token", "/__fastgate/tokens/dev", "/__fastgate/state", "/nothing"]


@pytest.mark.parametrize("path", PATHS)
def test_a_long_body_is_refused_before_it_is_read(served: tuple[str, Events], path: str) -> None:
    """None of the announced bytes are sent, so a server that reads them would not respond."""
    address = httpx.URL(served[0])
    for announced in (MAX_BODY + 1, 10**18):
        with socket.create_connection((address.host, address.port or 0), 10) as connection:
            head = f"POST {path} HTTP/1.1\r\nHost: {address.host}:{address.port}\r\n"
            head += f"Content-Type: application/json\r\nContent-Length: {announced}\r\n\r\n"
            connection.sendall(head.encode())
            assert connection.recv(65_536).startswith(b"HTTP/1.1 413 ")


@pytest.mark.parametrize("path", PATHS)
def test_a_body_without_a_length_is_read_up_to_the_limit(
    served: tuple[str, Events], path: str
) -> None:
    """The body has no end, so only a limit ends it."""
    address = httpx.URL(served[0])
    with socket.create_connection((address.host, address.port or 0), 10) as connection:
        head = f"POST {path} HTTP/1.1\r\nHost: {address.host}:{address.port}\r\n"
        head += "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
        connection.sendall(head.encode())
        part = b"10000\r\n" + b" " * 0x10000 + b"\r\n"
        with contextlib.suppress(ConnectionError):  # it is closed while this sends
            for _ in range(MAX_BODY // 0x10000 + 1):
                connection.sendall(part)
        assert connection.recv(65_536).startswith(b"HTTP/1.1 413 ")


def test_a_body_of_the_greatest_length_is_read(served: tuple[str, Events]) -> None:
    body = b'{"subject": "ada"}'
    for path in ("/dev/tokens", "/__fastgate/tokens/dev"):
        for content in (body, body.ljust(MAX_BODY), iter([body[:5], body[5:]])):
            response = httpx.post(served[0] + path, content=content, headers=JSON, trust_env=False)
            assert response.status_code == 200, response.text


def test_a_websocket_is_refused_without_an_error_in_the_log(
    served: tuple[str, Events], caplog: pytest.LogCaptureFixture
) -> None:
    for path in ("/__fastgate/", "/__fastgate/events", "/__fastgate/nothing", "/dev/tokens", "/x"):
        with pytest.raises(InvalidStatus) as refused:
            connect(f"ws{served[0].removeprefix('http')}{path}", proxy=None)
        assert refused.value.response.status_code == 403
    assert not caplog.records


def test_other_machines_are_refused_before_a_body_is_read(served: tuple[str, Events]) -> None:
    headers = {**JSON, "Origin": "https://evil.example"}
    content = b" " * (MAX_BODY + 1)
    response = httpx.post(f"{served[0]}/dev/tokens", content=content, headers=headers)
    assert response.status_code == 403


def test_the_number_of_streams_is_limited_and_those_that_end_make_room(
    served: tuple[str, Events],
) -> None:
    url, events = served
    events.publish("app", text="started")
    with httpx.Client(trust_env=False, limits=httpx.Limits(max_connections=None)) as client:

        def opened(into: contextlib.ExitStack) -> httpx.Response:
            return into.enter_context(client.stream("GET", f"{url}/__fastgate/events"))

        with contextlib.ExitStack() as streams:
            read = [opened(streams).iter_lines() for _ in range(MAX_STREAMS)]
            assert all("started" in next(each) for each in read)
            for _ in range(3):
                refused = client.get(f"{url}/__fastgate/events")
                assert refused.status_code == 503
                assert refused.headers["retry-after"] == "5"
                assert f"{MAX_STREAMS} streams already" in refused.json()["error"]
            # Everything else is served meanwhile.
            assert client.get(f"{url}/__fastgate/state").status_code == 200
        with contextlib.ExitStack() as streams:
            until(lambda: opened(streams).status_code == 200, "an ended stream still counts", 10)
