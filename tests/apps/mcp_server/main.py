"""Notes for people by HTTP, and for models by MCP."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

from fastapi import FastAPI, Security
from fastgate import Caller, Settings, at_edge, fastgate, guard

from storage import notes
from tools import mcp, tools

Reader = Annotated[Caller, Security(fastgate, scopes=["notes:read"])]


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[None]:
    async with mcp.session_manager.run():
        yield


app = FastAPI(title="Notes", lifespan=lifespan)
app.mount(
    "/tools",
    at_edge(access="authenticated", scopes=["tools:call"], methods=["GET", "POST", "DELETE"])(
        tools
    ),
)


@app.get("/")
@at_edge(access="public")
async def show_name() -> dict[str, str]:
    return {"name": app.title}


@app.get("/notes")
async def list_notes(caller: Reader) -> list[str]:
    return notes


guard(
    app,
    Settings(edge="https://notes.example.com", audience="notes", backend_host="app.example.com"),
    docs="none",
)
