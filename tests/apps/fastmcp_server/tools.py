"""The tools, over streamable HTTP at `/mcp`: some here, some of a server that is mounted."""

import os

from fastgate import role, tool_rule
from fastmcp import FastMCP
from fastmcp.server.auth import require_scopes
from fastmcp.server.auth.providers.jwt import JWTVerifier

notes = ["buy paper", "call Bob"]
archive = FastMCP("archive")
mcp = FastMCP(
    "notes",
    auth=JWTVerifier(
        jwks_uri=os.environ.get("JWKS", "https://idp.example.com/jwks"),
        issuer=os.environ.get("ISSUER", "https://idp.example.com"),
        audience=os.environ.get("AUDIENCE", "https://api.example.com"),
        algorithm="ES256",
    ),
)


@mcp.tool(meta=tool_rule())
def search_notes(word: str) -> list[str]:
    """Return the notes that contain a word."""
    return [note for note in notes if word in note]


@mcp.tool(auth=require_scopes("notes:write"))
def add_note(text: str) -> str:
    """Add a note."""
    notes.append(text)
    return text


@mcp.tool(meta=tool_rule(require=role("admin")))
def remove_note(text: str) -> None:
    """Remove a note."""
    notes.remove(text)


@archive.tool(meta=tool_rule(scopes=["archive:read"]))
def count() -> int:
    """Count what is in the archive."""
    return 7


@archive.resource("archive://{name}", meta=tool_rule(scopes=["archive:read"]))
def entry(name: str) -> str:
    """Return an entry of the archive."""
    return f"the entry {name}"


mcp.mount(archive, "archive")
tools = mcp.http_app(
    stateless_http=True, allowed_hosts=["notes.example.com", "app.example.com", "127.0.0.1"]
)
