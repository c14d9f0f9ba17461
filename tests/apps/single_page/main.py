"""A single-page app, its static files and its API in one app."""

from pathlib import Path

from fastapi import FastAPI
from fastapi.responses import FileResponse
from fastapi.staticfiles import StaticFiles
from fastgate import Settings, at_edge, guard

from api import api

STATIC = Path(__file__).parent / "static"

app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
app.mount("/api", api)
app.mount("/assets", at_edge(access="public")(StaticFiles(directory=STATIC / "assets")))


@app.get("/favicon.ico", include_in_schema=False)
@at_edge(access="public")
async def show_icon() -> FileResponse:
    return FileResponse(STATIC / "favicon.svg")


@app.get("/{client_path:path}", include_in_schema=False)
@at_edge(access="public")
async def show_page(client_path: str) -> FileResponse:
    """Serve the page for every path that its own router knows: `/notes/7`."""
    return FileResponse(STATIC / "index.html")


guard(
    app,
    Settings(edge="https://notes.example.com", audience="notes", backend_host="app.example.com"),
)
