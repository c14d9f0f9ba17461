"""Notes for models, by MCP with the package `fastmcp`."""

from fastapi import FastAPI
from fastgate import Settings, at_edge, guard

from tools import tools

app = FastAPI(title="Notes", openapi_url=None, lifespan=tools.lifespan)
app.mount("/", at_edge(access="authenticated", forward_token=True)(tools))
guard(
    app,
    Settings(edge="https://notes.example.com", audience="notes", backend_host="app.example.com"),
)
