"""Each app goes from `fastgate init` to a working `fastgate dev`; nobody edits JSON."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import fastmcp
import httpx2
import pytest
from mcp import Client, MCPError
from mcp.client.streamable_http import streamable_http_client
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from company import AUDIENCE, Company
from helpers import FILES, Dev, bearer, dev, init, project

HINTS = {"fastmcp_server": "hint: 1 of 1 routes pass the client's token on"}


@pytest.fixture
def served(request: pytest.FixtureRequest, tmp_path: Path, company: Company) -> Path:
    """Return the folder of an app after `fastgate init`."""
    folder = project(request.param, tmp_path)
    hint = HINTS.get(request.param, "")
    ran = init(folder, company)
    assert (ran.returncode, ran.stderr.partition(" to the app")[0]) == (0, hint), ran.stdout
    assert {each.name for each in (folder / "edge").iterdir()} == {*FILES}
    return folder


def of(name: str) -> pytest.MarkDecorator:
    """Run a test on one app."""
    return pytest.mark.parametrize("served", [name], indirect=True, ids=[name])


@of("routers")
def test_routers_with_prefixes(served: Path) -> None:
    with dev(served) as running:
        assert running.get("/").json() == {"name": "Orders"}
        assert running.get("/openapi.json").json()["info"]["title"] == "Orders"
        assert running.statuses("/health", None) == [404]
        reader, admin = running.token("ada", "orders:read"), running.token("ada", "orders:admin")
        assert running.statuses("/v1/orders/", None, admin, reader) == [401, 403, 200]
        assert [each["number"] for each in running.get("/v1/orders/", reader).json()] == [1]
        assert running.statuses("/v1/orders/2", reader) == [404]
        assert running.get("/v1/orders/1/articles/1", reader).json() == "paper"
        assert running.get("/v1/customers/me", reader).json() == {"name": "ada"}
        assert running.post("/v1/orders/", ["ink"], reader).status_code == 403
        writer = running.token("bob", "orders:read", "orders:write")
        assert running.post("/v1/orders/", ["ink"], writer).status_code == 201
        both = running.token("eve", "orders:admin", roles=["admin"])
        assert running.statuses("/v1/admin/totals", reader, admin, both) == [403, 403, 200]
        direct = running.client.get(f"{running.app}/v1/orders/", headers=bearer(reader))
        assert direct.status_code == 401


@of("single_page")
def test_a_single_page_app_with_its_api(served: Path) -> None:
    with dev(served) as running:
        page = running.get("/")
        assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
        for path in ("/notes/7", "/notes/", "/settings/a/b"):
            assert running.get(path).text == page.text
        assert "api/session" in running.get("/assets/page.js").text
        assert running.statuses("/assets/page.css", None) == [200]
        assert running.statuses("/assets/none.js", None) == [404]
        ada, writer = running.token(), running.token("ada", "notes:write")
        assert running.get("/api/session").json() == {"name": None}
        assert running.get("/api/session", ada).json() == {"name": "ada"}
        assert running.statuses("/api/notes", None, ada) == [401, 200]
        written = [running.post("/api/notes", {"text": "hi"}, each) for each in (ada, writer)]
        assert [each.status_code for each in written] == [403, 201]
        assert running.get("/api/notes/1", ada).json() == {"text": "hi"}
        unknown = running.get("/api/unknown")
        assert (unknown.status_code, unknown.json()) == (404, {"detail": "Not Found"})
        assert running.statuses("/api/docs", None) == [200]


@of("websockets_graphql")
def test_websockets_and_graphql(served: Path) -> None:
    with dev(served) as running:
        assert running.statuses("/", None) == [200]
        asyncio.run(_chat(running))
        asyncio.run(_subscribe(running))
        query = {"query": "{ me rooms { name messages } }"}
        tokens = None, running.token(), running.token("ada", "rooms:read")
        answers = [running.post("/graphql", query, token) for token in tokens]
        assert [each.status_code for each in answers] == [401, 403, 200]
        rooms = [{"name": "lobby", "messages": ["ada: hello", "bob: hi"]}]
        assert answers[-1].json() == {"data": {"me": "ada", "rooms": rooms}}


async def _chat(running: Dev) -> None:
    url = f"{running.edge.replace('http', 'ws')}/rooms/lobby"
    for token, status in ((None, 401), (running.token("ada", "rooms:read"), 403)):
        with pytest.raises(InvalidStatus) as refused:
            await connect(url, additional_headers=bearer(token))
        assert refused.value.response.status_code == status
    fields = [bearer(running.token(name, "rooms:write")) for name in ("ada", "bob")]
    async with (
        connect(url, additional_headers=fields[0]) as ada,
        connect(url, additional_headers=fields[1]) as bob,
    ):
        await ada.send("hello")
        assert await ada.recv() == "ada: hello"
        assert await bob.recv() == "ada: hello"
        await bob.send("hi")
        assert await ada.recv() == "bob: hi"


async def _subscribe(running: Dev) -> None:
    url = f"{running.edge.replace('http', 'ws')}/graphql"
    fields = bearer(running.token("ada", "rooms:read"))
    protocol = "graphql-transport-ws"
    async with connect(url, additional_headers=fields, subprotocols=[protocol]) as socket:  # type: ignore[list-item]
        await socket.send('{"type": "connection_init"}')
        assert json.loads(await socket.recv())["type"] == "connection_ack"
        payload = {"query": "subscription { count(upTo: 2) }"}
        await socket.send(json.dumps({"id": "1", "type": "subscribe", "payload": payload}))
        messages = [json.loads(await socket.recv()) for _ in range(3)]
        assert [each["type"] for each in messages] == ["next", "next", "complete"]


@of("mcp_server")
def test_an_mcp_server(served: Path) -> None:
    with dev(served) as running:
        assert running.get("/").json() == {"name": "Notes"}
        reader, caller = running.token("ada", "notes:read"), running.token("ada", "tools:call")
        assert running.statuses("/notes", None, caller, reader) == [401, 403, 200]
        assert [running.post("/tools/mcp", {}, token).status_code for token in (None, reader)] == [
            401,
            403,
        ]
        assert running.statuses("/docs", None) == [404]
        asyncio.run(_call_tools(f"{running.edge}/tools/mcp", bearer(caller)))
        assert running.get("/notes", reader).json() == ["buy paper", "call Bob", "sleep"]


async def _call_tools(url: str, fields: dict[str, str]) -> None:
    async with (
        httpx2.AsyncClient(headers=fields, timeout=30) as http,
        Client(streamable_http_client(url, http_client=http)) as client,
    ):
        tools = await client.list_tools()
        assert [each.name for each in tools.tools] == ["search_notes", "add_note"]
        assert not (await client.call_tool("add_note", {"text": "sleep"})).is_error
        found = await client.call_tool("search_notes", {"word": "sleep"})
        assert found.structured_content == {"result": ["sleep"]}


@of("fastmcp_server")
def test_a_server_of_fastmcp(served: Path) -> None:
    verifier = {"ISSUER": "{provider}", "JWKS": "{provider}/jwks", "AUDIENCE": AUDIENCE}
    with dev(served, verifier) as running:
        url = f"{running.edge}/mcp"
        assert running.post("/mcp", {}).status_code == 401
        reader, writer = running.token("ada"), running.token("bob", "notes:write")
        admin = running.token("eve", "archive:read", roles=["admin"])
        for client in (_official, _of_fastmcp):
            asyncio.run(_read_notes(client(url, reader)))
            asyncio.run(_write_notes(client(url, writer)))
            asyncio.run(_administer(client(url, admin)))
        direct = running.client.post(f"{running.app}/mcp", json={}, headers=bearer(admin))
        assert direct.status_code == 401


_Session = AbstractAsyncContextManager[Any]
_UNKNOWN = "Unknown tool: {}"
_SCOPES = "The token does not have the required scopes"


@asynccontextmanager
async def _official(url: str, token: str) -> AsyncIterator[Any]:
    async with (
        httpx2.AsyncClient(headers=bearer(token), timeout=30) as http,
        Client(streamable_http_client(url, http_client=http)) as client,
    ):
        yield client


@asynccontextmanager
async def _of_fastmcp(url: str, token: str) -> AsyncIterator[Any]:
    async with fastmcp.Client(url, auth=token, timeout=30) as client:
        yield client


async def _read_notes(session: _Session) -> None:
    async with session as client:
        assert await _tools(client) == ["search_notes"]
        assert await _call(client, "search_notes", word="Bob") == ["call Bob"]
        for name in ("remove_note", "nothing"):
            assert await _refusal(client, name, text="call Bob") == _UNKNOWN.format(name)
        assert await _refusal(client, "add_note", text="sleep") == _SCOPES
        assert await _refusal(client, "archive_count") == _SCOPES
        with pytest.raises(MCPError, match=_SCOPES):
            await client.read_resource("archive://archive/a")


async def _write_notes(session: _Session) -> None:
    async with session as client:
        assert await _tools(client) == ["add_note", "search_notes"]
        assert await _call(client, "add_note", text="sleep") == "sleep"
        assert await _call(client, "search_notes", word="sleep") == ["sleep"]


async def _administer(session: _Session) -> None:
    async with session as client:
        assert await _tools(client) == ["archive_count", "remove_note", "search_notes"]
        assert await _call(client, "remove_note", text="sleep") is None
        assert await _call(client, "search_notes", word="sleep") == []
        assert await _call(client, "archive_count") == 7
        read = await client.read_resource("archive://archive/a")
        assert getattr(read, "contents", read)[0].text == "the entry a"
        assert await _refusal(client, "add_note", text="sleep") == _SCOPES


async def _tools(client: Any) -> list[str]:
    listed = await client.list_tools()
    return sorted(tool.name for tool in getattr(listed, "tools", listed))


async def _call(client: Any, name: str, **arguments: object) -> object:
    called = await client.call_tool(name, arguments)
    assert not called.is_error
    return (called.structured_content or {}).get("result")


async def _refusal(client: Any, name: str, **arguments: object) -> str:
    with pytest.raises(MCPError) as caught:
        await client.call_tool(name, arguments)
    return str(caught.value)
