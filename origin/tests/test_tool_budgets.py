"""What the uses of tools cost: the official client of MCP, through the gate to a server of MCP."""

import json
from collections.abc import Iterator

import pytest
from mcp.shared.exceptions import MCPError

from tests.dev_session import Session, serving, until
from tests.mcp_client import client_with

pytestmark = pytest.mark.anyio

APP = """
from contextlib import asynccontextmanager
from fastapi import FastAPI
from mcp.server import MCPServer
from mcp.server.transport_security import TransportSecuritySettings
from mcp.shared.exceptions import MCPError
from fastgate import Mcp, Settings, at_edge, guard, tool_rule

server = MCPServer("orders")


@server.tool(meta=tool_rule(budgets={"daily": 5, "tried": 7}))
def export(code: int) -> str:
    if code:
        raise MCPError(code, "no such order")
    return "exported"


@server.resource("orders://{order_id}", meta=tool_rule(budgets={"each": 6}))
def order(order_id: str) -> str:
    return f"order {order_id}"


@asynccontextmanager
async def lifespan(_):
    async with server.session_manager.run():
        yield


app = FastAPI(openapi_url=None, lifespan=lifespan)
hosts = TransportSecuritySettings(enable_dns_rebinding_protection=False)
tools = server.streamable_http_app(stateless_http=True, transport_security=hosts)
app.mount("/", at_edge(access="authenticated", mcp=Mcp())(tools))
guard(app, Settings(edge="https://api.example.com", audience="orders"))
"""
BASE = {
    "budgets": {
        "daily": {"tokens": 20, "window": 3600, "by": ["subject"]},
        "tried": {"micros": 10, "window": 3600, "by": ["subject"], "shadow": True},
        "each": {"tokens": 10, "window": 3600, "by": ["subject", "model"]},
    }
}


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    folder = tmp_path_factory.mktemp("tool_budgets")
    (folder / "main.py").write_text(APP, "utf-8")
    (folder / "edge").mkdir()
    (folder / "edge" / "policy.base.json").write_text(json.dumps(BASE), "utf-8")
    with serving(folder) as started:
        started.until_ready()
        yield started


def shown(session: Session, subject: str, count: int) -> list[str]:
    """Return what the terminal says that the requests of a caller cost."""

    def found() -> list[str]:
        lines = session.output.splitlines()
        return [each for each in lines if each.startswith("cost ") and each.endswith(subject)]

    until(lambda: len(found()) >= count, f"{found()} of {subject}", 5)
    return found()


async def test_a_tool_that_has_run_and_raised_an_error_costs_what_it_costs(
    session: Session,
) -> None:
    """The server makes the status 400 or 404 of these errors."""
    async with client_with(session, session.token(subject="rob")) as client:
        for code in (-32602, -32601):
            with pytest.raises(MCPError, match="no such order"):
                await client.call_tool("export", {"code": code})
        for _ in range(2):
            await client.call_tool("export", {"code": 0})
        with pytest.raises(MCPError, match=r"has 0 of 20 tokens left"):
            await client.call_tool("export", {"code": 0})
    for status in ("400", "404"):
        assert f"\n{status}  POST  /mcp  forwarded  rob" in session.output
    use = "use  tools/call export  rob"
    # The budget in shadow has too little left after the first call.
    paid = [f"cost  5 of daily and 7 of tried  {use}", *[f"cost  5 of daily  {use}"] * 3]
    assert shown(session, "rob", 4) == paid


async def test_the_resources_of_a_template_have_one_count(session: Session) -> None:
    async with client_with(session, session.token(subject="sue")) as client:
        await client.read_resource("orders://7")
        with pytest.raises(MCPError, match=r'budget "each" has 4 of 10 tokens left'):
            await client.read_resource("orders://%37?x=1")
    paid = "cost  6 of each  use  resources/read orders://7  sue"
    assert shown(session, "sue", 1) == [paid]
