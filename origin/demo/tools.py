"""An MCP server with five tools, each with a rule of its own.

Input: messages of MCP that came through the edge, which has checked them. Output: the state of a
few orders, in memory.

    fastgate dev demo.tools:app --app-dir origin
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from mcp.server import MCPServer
from mcp.server.transport_security import TransportSecuritySettings

from fastgate import Mcp, Settings, at_edge, guard, role, tool_rule

EDGE = "tools.example.com"

server = MCPServer("orders")
_orders = {1: "sent", 2: "packed", 3: "open"}


@server.tool(meta=tool_rule())
def ping() -> str:
    """Say that the server is there."""
    return "pong"


@server.tool(meta=tool_rule(scopes=["orders:read"]))
def get_order(order_id: int) -> str:
    """Return the state of an order."""
    return _orders.get(order_id, "unknown")


@server.tool(meta=tool_rule(scopes=["orders:read"]))
def find_orders(state: str) -> list[int]:
    """Return the numbers of the orders in a state."""
    return [number for number, its in _orders.items() if its == state]


@server.tool(meta=tool_rule(scopes=["orders:write"]))
def pack_order(order_id: int) -> str:
    """Pack an open order, and return its state."""
    if _orders.get(order_id) == "open":
        _orders[order_id] = "packed"
    return get_order(order_id)


@server.tool(meta=tool_rule(scopes=["orders:write"], require=role("admin")))
def cancel_order(order_id: int) -> str:
    """Cancel an order that is not sent yet, and return its state."""
    if _orders.get(order_id) in ("open", "packed"):
        _orders[order_id] = "cancelled"
    return get_order(order_id)


@server.resource("orders://{order_id}", meta=tool_rule(scopes=["orders:read"]))
def order(order_id: str) -> str:
    """Return an order as text."""
    return f"order {order_id}: {get_order(int(order_id))}"


@server.prompt()
def summary() -> str:
    """Ask for a summary."""
    return "Summarize my orders."


RULES = Mcp(prompts={"summary": tool_rule()}, list="all")
"""Lists also show the tools that the caller can use after it asks for more scopes."""


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[None]:
    """Run the sessions of the MCP server as long as the app."""
    async with server.session_manager.run():
        yield


app = FastAPI(title="Tools", docs_url=None, redoc_url=None, openapi_url=None, lifespan=lifespan)
tools = server.streamable_http_app(
    stateless_http=True,
    transport_security=TransportSecuritySettings(
        allowed_hosts=[EDGE, "127.0.0.1:*", "localhost:*"]
    ),
)
app.mount("/", at_edge(access="authenticated", mcp=RULES)(tools))
guard(app, Settings(edge=f"https://{EDGE}", audience="tools"))
