"""Declarations on objects that are not served: the command line reports each, and no other."""

import json
from pathlib import Path

import pytest

from fastgate.__main__ import main
from fastgate.declare.recorded_calls import recording

SERVED = """
import copy
import functools
from fastapi import APIRouter, Depends, FastAPI
from fastapi.staticfiles import StaticFiles
from starlette.endpoints import HTTPEndpoint
from starlette.routing import Mount, Route
from fastgate import at_edge, guard
A = at_edge(access="authenticated", limits=["a"])
app = at_edge(access="public")(FastAPI(openapi_url=None))

@A
@app.get("/above")
def above(): ...

@app.get("/below")
@A
def below(): ...

@app.get("/wrapped")
@functools.lru_cache
@A
def wrapped(): ...

def router(path, *within):
    made = A(APIRouter(prefix=path))
    made.get("/x")(lambda: 1)
    for each in within:
        made.include_router(each)
    return made

app.include_router(router("/outer", router("/inner")))

class Service:
    @A
    @staticmethod
    def static(): ...

    @A
    @classmethod
    def of_class(cls): ...

    @A
    def method(self): ...

    def bound(self): ...

    def __call__(self): ...

app.get("/static")(Service.static)
app.get("/of-class")(Service.of_class)
app.get("/method")(Service().method)
app.get("/bound")(A(Service().bound))
app.get("/object")(A(Service()))
called = Service()
A(called.__call__)
app.get("/called")(called)
original = Service()
A(original.bound)
app.get("/copied")(copy.copy(original).bound)
app.get("/partial")(A(functools.partial(Service().bound)))

@A
class Base(HTTPEndpoint):
    async def get(self, request): ...

@A
class Endpoint(Base):
    async def get(self, request): ...

app.router.routes.append(A(Route("/starlette", Endpoint)))
app.mount("/static-files", A(StaticFiles(directory=".", check_dir=False)))
mounted = A(FastAPI(openapi_url=None))
mounted.get("/x")(lambda: 1)
app.mount("/mounted", mounted)
app.router.routes.append(A(Mount("/m", routes=[Route("/x", lambda request: None)])))
at_edge(below="/path", access="authenticated")(app)
app.get("/path/x")(lambda: 1)

@A
def dependency(): ...

used = Service()
A(used.__call__)

app.get("/depends", dependencies=[Depends(dependency), Depends(used)])(A(lambda: 1))
"""

UNSERVED = """
@A
def nothing(): ...

A(APIRouter())
A(Service().bound)
A(Service().__call__)

def without_wraps(function):
    def inner(): ...
    return inner

@A
@without_wraps
@app.get("/lost")
def lost(): ...

other = FastAPI()
at_edge(below="/x", access="none")(other)
"""


def lines_of(source: str, *starts: str) -> list[int]:
    lines = source.splitlines()
    return [1 + next(i for i, line in enumerate(lines) if line.startswith(each)) for each in starts]


def test_served_objects_are_not_reported(
    tmp_path: Path, module: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / f"{module}.py").write_text(SERVED)
    assert main(["policy", f"{module}:app", "--app-dir", str(tmp_path)]) == 0
    said = capsys.readouterr()
    assert len(json.loads(said.out)["routes"]) == 19
    assert said.err == ""


def test_each_declaration_that_no_route_has_is_named_with_its_line(
    tmp_path: Path, module: str, capsys: pytest.CaptureFixture[str]
) -> None:
    source, file = SERVED + UNSERVED, tmp_path / f"{module}.py"
    file.write_text(source)
    assert main(["policy", f"{module}:app", "--app-dir", str(tmp_path)]) == 0
    said = capsys.readouterr()
    assert '"path": "/lost", "methods": ["GET"], "access": "public"' in said.out
    written = "at_edge(access='authenticated', limits=['a']) has no effect: no route serves"
    starts = ("def nothing", "A(APIRouter())", "A(Service", "def lost", 'at_edge(below="/x')
    nothing, router, bound, lost, of_path = lines_of(source, *starts)
    (called,) = lines_of(source, "A(Service().__call__)")
    *found, remedy = said.err.splitlines()
    assert found == [
        f"{file}:{nothing - 1}: {written} nothing",
        f"{file}:{router}: {written} APIRouter",
        f"{file}:{bound}: {written} Service.bound",
        f"{file}:{called}: {written} Service.__call__",
        f"{file}:{lost - 3}: {written} without_wraps.<locals>.inner",
        f"{file}:{of_path}: at_edge(below='/x', access='none') has no effect: "
        "no route serves FastAPI",
    ]
    assert "→" in remedy
    policy = tmp_path / "policy.json"
    policy.write_text(said.out)
    assert main(["drift", f"{module}:app", str(policy), "--app-dir", str(tmp_path)]) == 0


def test_declarations_outside_of_recording_are_not_kept() -> None:
    from fastgate import at_edge

    with recording() as recorded:
        pass
    at_edge(access="public")(lambda: None)
    assert recorded.calls == []
