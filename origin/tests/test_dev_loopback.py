"""Servers for development accept requests from this machine only, and from no foreign page."""

import json
from collections.abc import Iterator
from typing import Any, Literal

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route, WebSocketRoute
from starlette.types import Message, Scope
from starlette.websockets import WebSocket
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from fastgate.dev.loopback import LoopbackOnly
from tests.serving import sent, uvicorn_serving

METHODS = ["GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE", "PURGE"]
PAGE = "http://127.0.0.1:7676"
LOCAL = ("Host", "127.0.0.1")
JSON = ("Content-Type", "application/json")
FORM = ("Content-Type", "application/x-www-form-urlencoded")

Address = tuple[str, int]
Fields = list[tuple[str, str]]


async def _reached(_request: Request) -> PlainTextResponse:
    return PlainTextResponse("reached")


async def _echo(websocket: WebSocket) -> None:
    await websocket.accept()
    await websocket.send_text("reached")
    await websocket.close()


def protected() -> LoopbackOnly:
    routes = [
        Route("/", _reached, methods=METHODS),
        Route("/token", _reached, methods=METHODS),
        WebSocketRoute("/socket", _echo),
    ]
    return LoopbackOnly(Starlette(routes=routes), origins=[PAGE], form_paths=["/token"])


@pytest.fixture(scope="module", params=["h11", "httptools"])
def address(request: pytest.FixtureRequest) -> Iterator[Address]:
    http: Literal["h11", "httptools"] = request.param
    with uvicorn_serving(protected(), http=http) as address:
        yield address


def assert_refused(status: int, rest: str, why: str) -> None:
    assert status == 403
    head, _, body = rest.partition("\r\n\r\n")
    assert "content-type: application/problem+json" in head.lower()
    assert "cache-control: no-store" in head.lower()
    problem = json.loads(body)
    assert problem["type"] == "urn:fastgate:problem:not-local"
    assert problem["status"] == 403
    assert why in problem["detail"]
    assert "reached" not in body


LOCAL_HOSTS = [
    *("127.0.0.1", "127.0.0.1:7676", "127.9.8.7", "localhost", "localhost:7676", "LOCALHOST"),
    *("LocalHost:1", "shop.localhost", "a.b.LOCALHOST:7676", "[::1]", "[::1]:7676"),
]
FOREIGN_HOSTS = [
    *("evil.example", "evil.example:7676", "localhost.evil.example", "127.0.0.1.evil.example"),
    *("evillocalhost", ".localhost", "a..localhost", "localhost.", "localhost.:7676"),
    *("127.0.0.1.", "shop.localhost.", "0.0.0.0", "[::]", "10.0.0.1", "128.0.0.1", "[::2]", "::1"),
    *("[127.0.0.1]", "[::1", "::1]", "[::1]evil.example", "[::1].localhost", "[::1%25lo]"),
    *("localhost:evil.example", "localhost:1:2", "localhost:123456", "localhost:-1", "localhost:"),
    *("127.1", "2130706433", "0x7f000001", "0177.0.0.1", "127.0.0.1@evil.example"),
    *("evil.example@127.0.0.1", "localhost/evil", "localhost, evil.example", "localhost evil", ""),
    *("evil.example#.localhost", "evil.example/.localhost", "l\xf6calhost", "\xb2.localhost"),
]


@pytest.mark.parametrize("host", LOCAL_HOSTS)
def test_every_name_of_this_machine_is_accepted(address: Address, host: str) -> None:
    assert sent(address, "GET", "/", [("Host", host)])[0] == 200


@pytest.mark.parametrize("host", FOREIGN_HOSTS)
def test_a_page_whose_name_resolves_to_this_machine_is_refused(address: Address, host: str) -> None:
    status, rest = sent(address, "GET", "/", [("Host", host)])
    if status != 400:  # servers refuse some of them
        assert_refused(status, rest, "is not a name of this machine")
    for origin in (f"http://{host}", PAGE):
        status, _ = sent(address, "POST", "/", [("Host", host), ("Origin", origin), JSON], b"{}")
        assert status in (400, 403)


@pytest.mark.parametrize("hosts", [[], ["localhost", "localhost"], ["localhost", "evil.example"]])
def test_there_is_exactly_one_host(address: Address, hosts: list[str]) -> None:
    status, rest = sent(address, "GET", "/", [("Host", host) for host in hosts])
    if status != 400:  # h11 refuses it
        assert_refused(status, rest, "exactly one Host")


@pytest.mark.parametrize(
    "origin",
    [
        *("https://evil.example", "null", "NULL", "", "http://evil.example:7676", "file://"),
        *("http://127.0.0.1:3000", "http://localhost:7676", "https://127.0.0.1:7676"),
        *("http://127.0.0.1:7676/", "http://127.0.0.1:76760", "http://127.0.0.1:7676.evil.example"),
        *("http://127.0.0.1:7676@evil.example", "http://evil.example#http://127.0.0.1:7676"),
        *("http://127.0.0.1:7676, https://evil.example", "127.0.0.1", "chrome-extension://abc"),
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_foreign_origin_is_refused(address: Address, method: str, origin: str) -> None:
    for site in ([], [("Sec-Fetch-Site", "same-origin")], [("Sec-Fetch-Site", "same-site")]):
        fields = [LOCAL, JSON, ("Origin", origin), *site]
        assert_refused(*sent(address, method, "/", fields), "A page of ")


def test_an_origin_occurs_once(address: Address) -> None:
    for name, value in (("Origin", PAGE), ("Sec-Fetch-Site", "same-origin")):
        fields = [LOCAL, (name, value), (name, value)]
        assert_refused(*sent(address, "GET", "/", fields), "may occur once")


@pytest.mark.parametrize(
    ("host", "origin"),
    [
        ("localhost:9080", PAGE),
        ("127.0.0.1:9080", PAGE.upper()),
        ("localhost:9080", "http://localhost:9080"),
        ("LOCALHOST:9080", "http://localhost:9080"),
        ("[::1]:9080", "http://[::1]:9080"),
    ],
)
def test_pages_of_the_same_origin_and_of_the_list_are_accepted(
    address: Address, host: str, origin: str
) -> None:
    for site in ([], [("Sec-Fetch-Site", "same-site")], [("Sec-Fetch-Site", "same-origin")]):
        for method in ("GET", "POST", "OPTIONS"):
            fields = [("Host", host), JSON, ("Origin", origin), *site]
            assert sent(address, method, "/", fields)[0] == 200


@pytest.mark.parametrize(
    ("site", "with_page", "without"),
    [
        ("same-origin", 200, 200),
        ("none", 200, 200),
        ("same-site", 200, 403),  # a page on another port: without Origin, no one knows which
        ("cross-site", 403, 403),
        ("Cross-Site", 403, 403),
        ("", 403, 403),
        ("unheard-of", 403, 403),
    ],
)
def test_the_site_of_a_page_counts(
    address: Address, site: str, with_page: int, without: int
) -> None:
    fields = [LOCAL, ("Sec-Fetch-Site", site)]
    for more, expected in (([], without), ([("Origin", PAGE)], with_page)):
        status, rest = sent(address, "GET", "/", [*fields, *more])
        assert status == expected
        if expected == 403:
            assert_refused(status, rest, "Sec-Fetch-Site")


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "PURGE"])
def test_what_changes_state_has_a_type_that_needs_a_preflight(
    address: Address, method: str
) -> None:
    for kind in ("application/json", "Application/JSON; charset=utf-8"):
        assert sent(address, method, "/", [LOCAL, ("Content-Type", kind)], b"{}")[0] == 200
    wrong: list[Fields] = [
        [],
        [FORM],
        [("Content-Type", "text/plain")],
        [("Content-Type", "multipart/form-data; boundary=a")],
        [("Content-Type", "text/plain; application/json")],
        [("Content-Type", "text/plain, application/json")],
        [("Content-Type", "application/jsonp")],
        [("Content-Type", "")],
        [JSON, JSON],
        [("Content-Type", "text/plain"), JSON],
    ]
    for types in wrong:
        refused = sent(address, method, "/", [LOCAL, *types], b"{}")
        assert_refused(*refused, "Send Content-Type: application/json.")


def test_a_form_is_accepted_only_where_oauth_requires_it(address: Address) -> None:
    assert sent(address, "POST", "/token", [LOCAL, FORM])[0] == 200
    assert sent(address, "POST", "/token", [LOCAL, JSON])[0] == 200
    for path in ("/token/", "/"):
        assert_refused(*sent(address, "POST", path, [LOCAL, FORM]), "Content-Type")
    plain = [LOCAL, ("Content-Type", "text/plain")]
    assert_refused(*sent(address, "POST", "/token", plain), "www-form-urlencoded or application")
    foreign = [LOCAL, FORM, ("Origin", "https://evil.example")]
    assert_refused(*sent(address, "POST", "/token", foreign), "A page of ")


def test_methods_that_change_nothing_need_no_type(address: Address) -> None:
    for method in ("GET", "HEAD", "OPTIONS"):
        assert sent(address, method, "/", [LOCAL])[0] == 200


def test_websockets_follow_the_same_rules(address: Address) -> None:
    url = f"ws://{address[0]}:{address[1]}/socket"
    own = f"http://{address[0]}:{address[1]}"
    for origin in (None, own, PAGE):
        with connect(url, origin=origin, proxy=None) as socket:  # type: ignore[arg-type]
            assert socket.recv() == "reached"
    foreign: tuple[dict[str, Any], ...] = (
        {"origin": "https://evil.example"},
        {"additional_headers": {"Sec-Fetch-Site": "cross-site"}},
    )
    for arguments in foreign:
        with pytest.raises(InvalidStatus) as refused, connect(url, proxy=None, **arguments):
            pass
        assert refused.value.response.status_code == 403


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("end", "value", "expected"),
    [
        ("client", ("192.168.1.5", 50_000), 403),
        ("client", ("203.0.113.7", 50_000), 403),
        ("client", ("localhost.evil.example", 50_000), 403),
        ("client", None, 403),
        ("server", ("0.0.0.0", 7676), 403),
        ("server", ("192.168.1.5", 7676), 403),
        ("server", None, 403),
        ("server", ("/run/page.sock", None), 403),
        ("client", ("::ffff:192.168.1.5", 50_000), 403),
        ("client", ("::ffff:127.0.0.1", 50_000), 200),
        ("client", ("::1", 50_000), 200),
    ],
)
async def test_both_ends_of_a_connection_are_on_this_machine(
    end: str, value: object, expected: int
) -> None:
    messages: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request"}

    async def send(message: Message) -> None:
        messages.append(message)

    scope: Scope = {
        "type": "http",
        "method": "GET",
        "path": "/",
        "query_string": b"",
        "headers": [(b"host", b"localhost")],
        "client": ("127.0.0.1", 50_000),
        "server": ("127.0.0.1", 7676),
    }
    await protected()({**scope, end: value}, receive, send)
    assert messages[0]["status"] == expected


@pytest.mark.parametrize(
    "origins",
    [
        *(["https://evil.example"], ["null"], ["*"], [""], ["127.0.0.1:7676"], "http://127.0.0.1"),
        *(["http://127.0.0.1:7676/"], ["http://localhost."], ["ws://localhost"]),
    ],
)
def test_only_origins_of_this_machine_can_be_configured(origins: list[str]) -> None:
    with pytest.raises(ValueError, match=r"origins: .* write"):
        LoopbackOnly(Starlette(), origins=origins)
