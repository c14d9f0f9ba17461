"""The official client of MCP, unmodified, through the gate to an app with an MCP server.

The app is `demo.tools`, started by `fastgate dev`: a real client, the real guest, real sockets.
Rows O10 and O11 of docs/attacks.md.
"""

import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from mcp.shared.exceptions import MCPError
from mcp.types import TextContent

from tests.dev_session import Session, serving
from tests.mcp_client import client_with, registered_client

pytestmark = pytest.mark.anyio

APP = Path(__file__).parents[1] / "demo" / "tools.py"
RESOURCE = "https://tools.example.com/mcp"
BASE = {
    "edge": {"issuer": "https://tools.example.com", "hosts": ["tools.example.com"]},
    "origins": {"app": {"backend": "app", "audience": "tools", "resource": RESOURCE}},
    "issuers": {
        "idp": {"issuer": "https://idp.example.com", "backend": "idp", "audiences": [RESOURCE]}
    },
}


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    folder = tmp_path_factory.mktemp("tools")
    (folder / "main.py").write_bytes(APP.read_bytes())
    (folder / "edge").mkdir()
    (folder / "edge" / "policy.base.json").write_text(json.dumps(BASE), "utf-8")
    with serving(folder) as started:
        started.until_ready()
        yield started


def text(content: object) -> str:
    assert isinstance(content, list)
    (only,) = content
    assert isinstance(only, TextContent)
    return only.text


async def test_a_client_finds_the_issuer_and_asks_for_what_it_needs(session: Session) -> None:
    resource = f"{session.edge}/mcp"
    metadata = f"{session.edge}/.well-known/oauth-protected-resource/mcp"
    issuer = f"http://127.0.0.1:{session.provider_port}/idp"
    async with registered_client(session, "idp") as (client, sent):
        assert sent.answers == [
            ("POST", resource, 401),
            ("GET", metadata, 200),
            (
                "GET",
                f"http://127.0.0.1:{session.provider_port}"
                "/.well-known/oauth-authorization-server/idp",
                200,
            ),
            ("POST", f"{issuer}/token", 200),
            ("POST", resource, 200),
        ]
        assert sent.challenges == [f'Bearer resource_metadata="{metadata}"']
        listed = {tool.name for tool in (await client.list_tools()).tools}
        assert listed == {"ping", "get_order", "find_orders", "pack_order"}  # without cancel_order
        assert text((await client.call_tool("ping")).content) == "pong"
        assert len(sent.grants) == 1

        # It lacks scopes, and asks once for all that it has and needs.
        got = await client.call_tool("get_order", {"order_id": 1})
        assert text(got.content) == "sent"
        packed = await client.call_tool("pack_order", {"order_id": 3})
        assert text(packed.content) == "packed"
        assert [each.get("scope") for each in sent.grants] == [
            None,
            ["orders:read"],
            ["orders:read orders:write"],
        ]
        assert all(each["resource"] == [resource] for each in sent.grants)
        assert sent.challenges[1:] == [
            f'Bearer error="insufficient_scope", scope="{scope}", resource_metadata="{metadata}"'
            for scope in ("orders:read", "orders:write")
        ]
        found = await client.read_resource("orders://1")
        assert getattr(found.contents[0], "text", None) == "order 1: sent"
        assert (await client.get_prompt("summary")).messages


async def test_a_tool_for_others_is_refused_like_one_that_does_not_exist(session: Session) -> None:
    async with registered_client(session, "idp") as (client, sent):
        before = len(sent.answers)
        for name in ("cancel_order", "absent"):
            with pytest.raises(MCPError, match=f"Unknown tool: {name}"):
                await client.call_tool(name, {"order_id": 3})
        assert [status for _, _, status in sent.answers[before:]] == [200, 200]


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_a_caller_with_the_role_uses_it(session: Session, mode: str) -> None:
    token = session.token("orders:write", issuer="idp", roles=["admin"])
    async with client_with(session, token, mode) as client:
        assert "cancel_order" in {tool.name for tool in (await client.list_tools()).tools}
        cancelled = await client.call_tool("cancel_order", {"order_id": 2})
        assert text(cancelled.content) == "cancelled"


def test_a_token_for_another_resource_is_refused(session: Session) -> None:
    message = {"jsonrpc": "2.0", "id": 1, "method": "ping"}
    fields = {"accept": "application/json, text/event-stream"}
    for audience, status in ((f"{session.edge}/mcp", 200), (session.edge, 401), (RESOURCE, 401)):
        token = session.token(issuer="idp", audience=audience)
        answer = httpx.post(
            f"{session.edge}/mcp",
            json=message,
            headers={**fields, "authorization": f"Bearer {token}"},
        )
        assert answer.status_code == status, answer.text


def test_the_app_runs_only_messages_that_the_edge_judged(session: Session) -> None:
    url = f"http://127.0.0.1:{session.app_port}/mcp"
    assert httpx.post(url, json={"jsonrpc": "2.0", "id": 1, "method": "ping"}).status_code == 401


async def test_without_a_base_policy_the_whole_edge_is_the_resource(tmp_path: Path) -> None:
    (tmp_path / "main.py").write_bytes(APP.read_bytes())
    with serving(tmp_path) as started:
        started.until_ready()
        async with registered_client(started) as (client, sent):
            assert text((await client.call_tool("find_orders", {"state": "sent"})).content) == "1"
            metadata = f"{started.edge}/.well-known/oauth-protected-resource"
            assert sent.challenges[0] == f'Bearer resource_metadata="{metadata}"'
