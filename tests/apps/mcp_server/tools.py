"""The tools of the MCP server, over streamable HTTP at `/mcp` of this app."""

from fastgate import tool_rule
from mcp.server import MCPServer
from mcp.server.transport_security import TransportSecuritySettings

from storage import notes

mcp = MCPServer("notes")


@mcp.tool(meta=tool_rule())
def search_notes(word: str) -> list[str]:
    """Return the notes that contain a word."""
    return [note for note in notes if word in note]


@mcp.tool(meta=tool_rule())
def add_note(text: str) -> str:
    """Add a note."""
    notes.append(text)
    return text


tools = mcp.streamable_http_app(
    transport_security=TransportSecuritySettings(
        allowed_hosts=["notes.example.com", "app.example.com", "127.0.0.1:*", "localhost:*"]
    )
)
