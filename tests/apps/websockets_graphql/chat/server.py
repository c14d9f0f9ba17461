"""The app."""

from typing import Annotated

from fastapi import FastAPI, Security, WebSocket, WebSocketDisconnect
from fastapi.responses import HTMLResponse
from fastgate import Caller, Settings, at_edge, fastgate, guard
from strawberry.fastapi import GraphQLRouter

from chat.rooms import rooms
from chat.schema import get_context, schema

app = FastAPI(title="Chat", docs_url=None, redoc_url=None, openapi_url=None)
graphql = GraphQLRouter(schema, context_getter=get_context)
app.include_router(
    at_edge(access="authenticated", scopes=["rooms:read"])(graphql), prefix="/graphql"
)
Member = Annotated[Caller, Security(fastgate, scopes=["rooms:write"])]


@app.get("/")
@at_edge(access="public")
async def show_page() -> HTMLResponse:
    return HTMLResponse("<h1>Chat</h1>")


@app.websocket("/rooms/{name:str}")
async def chat(socket: WebSocket, name: str, caller: Member) -> None:
    await socket.accept()
    with rooms.joined(name, socket) as room:
        try:
            async for text in socket.iter_text():
                await room.send(f"{caller.subject}: {text}")
        except WebSocketDisconnect:
            pass


guard(
    app,
    Settings(edge="https://chat.example.com", audience="chat", backend_host="app.example.com"),
)
