"""The API of the notes, an app of its own below `/api`."""

from typing import Annotated

from fastapi import FastAPI, HTTPException, Security
from fastgate import AnyCaller, Caller, at_edge, fastgate
from pydantic import BaseModel

api = FastAPI(title="Notes", openapi_url="/openapi.json", docs_url="/docs", redoc_url=None)
at_edge(below="/docs", access="public")(api)
at_edge(below="/openapi.json", access="public")(api)
Writer = Annotated[Caller, Security(fastgate, scopes=["notes:write"])]


class Note(BaseModel):
    text: str


_notes: dict[str, list[Note]] = {}


@api.get("/session")
async def read_session(caller: AnyCaller) -> dict[str, str | None]:
    return {"name": None if caller is None else caller.subject}


@api.get("/notes")
async def list_notes(caller: Caller) -> list[Note]:
    return _notes.get(caller.subject, [])


@api.post("/notes", status_code=201)
async def write_note(note: Note, caller: Writer) -> Note:
    _notes.setdefault(caller.subject, []).append(note)
    return note


@api.get("/notes/{number:int}")
async def read_note(number: int, caller: Caller) -> Note:
    own = _notes.get(caller.subject, [])
    if not 1 <= number <= len(own):
        raise HTTPException(404, "There is no such note")
    return own[number - 1]
