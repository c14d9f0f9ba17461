"""`requires(…)` that no route depends on: the command line reports each, and no other."""

import sys
from pathlib import Path

import pytest

from fastgate import requires
from fastgate.__main__ import main
from fastgate.declare.recorded_calls import recording

HEAD = """
import copy
import enum
import functools
from typing import Annotated, Any, Generic, TypeVar
from fastapi import APIRouter, Depends, FastAPI, Security, WebSocket
from fastapi.requests import HTTPConnection
from fastapi.security import SecurityScopes
from pydantic import BaseModel
from starlette.endpoints import HTTPEndpoint
from fastgate import (
    Caller, Identity, all_of, any_of, at_edge, claim, group, not_, requires, role, scope
)
app = FastAPI(openapi_url=None)

def closure(target):
    async def run(scope, receive, send):
        await target(scope, receive, send)
    return run
"""

USED = """
@app.get("/parameter")
def parameter(caller: Identity = Depends(requires(role="parameter"))): ...

Admin = Annotated[Identity, Depends(requires(role="alias"))]

@app.get("/alias")
def alias(caller: Admin): ...

@app.get("/alias-again")
def alias_again(caller: Admin): ...

Same = Annotated[Identity, Depends(requires(role="alias"))]

@app.get("/same")
def same(caller: Same): ...

@app.get("/route", dependencies=[Depends(requires(role="route"))])
def of_route(): ...

@app.get("/security")
def security(caller: Annotated[Identity, Security(requires(role="security"), scopes=["a"])]): ...

def nested(caller: Annotated[Identity, Depends(requires(role="nested"))]): ...
def outer(inner: Annotated[None, Depends(nested)]): ...

@app.get("/nested", dependencies=[Depends(outer)])
def of_nested(): ...

@app.get("/partial", dependencies=[Depends(functools.partial(requires(role="partial")))])
def of_partial(): ...

@app.get("/method", dependencies=[Depends(requires(role="method").__call__)])
def of_method(): ...

T = TypeVar("T")

class Repository(Generic[T]):
    def __init__(self, caller: Annotated[Identity, Depends(requires(role="generic"))]): ...

@app.get("/generic")
def of_generic(repository: Annotated[Repository[int], Depends(Repository)]): ...

@app.websocket("/socket")
async def socket(socket: WebSocket, caller: Identity = Depends(requires(role="socket"))): ...

inner = APIRouter(dependencies=[Depends(requires(role="inner router"))])
inner.get("/inner")(lambda: 1)
router = APIRouter(prefix="/router", dependencies=[Depends(requires(role="router"))])
router.include_router(inner, dependencies=[Depends(requires(role="inclusion"))])
app.include_router(router)

copied = APIRouter(prefix="/copied", dependencies=[Depends(requires(role="copied"))])
copied.get("/x")(lambda: 1)
app.include_router(copy.deepcopy(copied))

mounted = FastAPI(openapi_url=None, dependencies=[Depends(requires(role="app"))])
mounted.get("/x")(lambda: 1)
app.mount("/mounted", mounted)

listed = FastAPI(openapi_url=None, dependencies=[Depends(requires(role="listed"))])
AT_EDGE = {"access": "authenticated", "methods": ["GET"]}
listed.mount("/x", at_edge(**AT_EDGE, require={"role": "listed"})(closure(None)))
app.mount("/listed", listed)

def hidden(name):
    sub = FastAPI(openapi_url=None)
    sub.get("/x", dependencies=[Depends(requires(role=name))])(lambda: 1)
    return sub

app.mount("/opaque", at_edge(**AT_EDGE, require=role("opaque"), opaque=True)(
    hidden("opaque")
))
app.mount("/wrapped", at_edge(**AT_EDGE, require=role("wrapped"))(
    closure(hidden("wrapped"))
))

def needs(name):
    return Depends(requires(role=name))

for number, name in enumerate(("one", "two", "one")):
    app.get(f"/of-{number}", dependencies=[needs(name)])(lambda: 1)

RUN = requires(role="run")
HELPED = requires(role="helped")
TABLE = {"run": requires(role="table")}

async def run(connection: HTTPConnection, scopes: SecurityScopes):
    return await RUN(connection, scopes)

async def run_later(connection: HTTPConnection, scopes: "SecurityScopes"):
    return await TABLE.get("run")(connection, scopes)

async def help_with(connection, scopes):
    return await HELPED(connection, scopes)

async def run_with_help(connection: HTTPConnection, scopes: SecurityScopes):
    return await help_with(connection, scopes)

async def run_with_own_scopes(connection: HTTPConnection):
    return await requires(role="own")(connection, SecurityScopes())

class Run:
    def __init__(self, *needs):
        self.needs = needs

    async def __call__(self, connection: HTTPConnection, scopes: SecurityScopes):
        for need in self.needs:
            await need(connection, scopes)

both = Run(requires(role="first"), requires(role="second"))
its_own = (run, run_later, run_with_help, run_with_own_scopes, both)

@app.get("/run", dependencies=[Depends(each) for each in its_own])
async def runs(caller: Caller): ...

@app.get("/runs-itself")
async def runs_itself(connection: HTTPConnection, caller: Caller):
    await BY_ENDPOINT(connection, SecurityScopes())

BY_ENDPOINT = requires(role="by endpoint")

original = requires(role="original")
app.dependency_overrides[original] = requires(role="original", scope="more")
app.get("/overridden", dependencies=[Depends(original)])(lambda: 1)

in_override = Run(requires(role="in the override"))

async def replaced(caller: Caller): ...

async def override(caller: Caller, connection: HTTPConnection, scopes: SecurityScopes):
    await in_override.__call__(connection, scopes)

app.dependency_overrides[replaced] = override
app.get("/replaced", dependencies=[Depends(replaced)])(lambda: 1)

FIRST = requires(role="shared")
SECOND = requires(role="shared")
First = Annotated[Identity, Depends(FIRST)]
Second = Annotated[Identity, Depends(SECOND)]

@app.get("/shared")
def shared(caller: First): ...

@app.get("/shared-too")
def shared_too(caller: Second): ...

BY_METHOD = requires(role="by method")

@at_edge(access="authenticated", require=role("by method"))
class View(HTTPEndpoint):
    async def get(self, request):
        await BY_METHOD(request, SecurityScopes())

app.add_route("/view", View)

PASSED = requires(role="passed")

async def check(request, need):
    await need(request, SecurityScopes())

async def check_for(request, need):
    await check(request, need)

@app.get("/passes")
async def passes(connection: HTTPConnection, caller: Caller):
    await check_for(connection, PASSED)

moved = APIRouter(dependencies=[Depends(requires(role="moved"))])
moved.mount("/moved", at_edge(**AT_EDGE, require={"role": "moved"})(closure(None)))
app.router.routes.append(moved.routes[0])
"""

DECLARED = 'at_edge(access="authenticated", methods=["GET"])'
IN_USE = 'app.get("/x", dependencies=[Depends('
LOST = {
    "decorator": """
def needs(need):
    def decorate(function):
        @functools.wraps(function)
        def wrapper(*args, **kwargs):
            assert need
            return function(*args, **kwargs)
        return wrapper
    return decorate

@app.get("/x")
@needs(requires(role="lost"))
def x(caller: Caller): ...
""",
    "body of the endpoint": """
LOST = requires(role="lost")

@app.get("/x")
def x(caller: Caller):
    return LOST
""",
    "class": """
LOST = requires(role="lost")

class Service:
    def __init__(self):
        self.need = LOST

@app.get("/x")
def x(caller: Caller, service: Annotated[Service, Depends()]): ...
""",
    "field": """
class Body(BaseModel):
    need: Any = requires(role="lost")

@app.post("/x")
def x(caller: Caller, body: Body): ...
""",
    "registry": """
class Registry:
    def __init__(self):
        self.known = {}

    def add(self, need):
        self.known["x"] = need

    def get(self):
        return self.known["x"]

registry = Registry()
registry.add(requires(role="lost"))

def need():
    return registry.get()

@app.get("/x", dependencies=[Depends(need)])
def x(caller: Caller): ...
""",
    "enumeration": """
class Need(enum.Enum):
    ADMIN = requires(role="lost")

def need():
    return Need.ADMIN.value

@app.get("/x", dependencies=[Depends(need)])
def x(caller: Caller): ...
""",
    "static method": """
LOST = requires(role="lost")

class Need:
    @staticmethod
    def admin():
        return LOST

def need():
    return Need.admin()

@app.get("/x", dependencies=[Depends(need)])
def x(caller: Caller): ...
""",
    "Starlette endpoint": """
@at_edge(access="authenticated")
async def x(request, caller=requires(role="lost")): ...

app.add_route("/x", x)
""",
    "public Starlette endpoint": """
@at_edge(access="public")
async def x(request, caller=Depends(requires(role="lost"))): ...

app.add_route("/x", x)
""",
    "opaque mount": """
sub = FastAPI(openapi_url=None)

@sub.get("/x")
def x(caller: Caller = requires(role="lost")): ...

app.mount("/sub", at_edge(access="authenticated", methods=["GET"], opaque=True)(sub))
""",
    "wrapped mount": f"""
sub = FastAPI(openapi_url=None)
LOST = requires(role="lost")

def need():
    return LOST

@sub.get("/x", dependencies=[Depends(need)])
def x(): ...

app.mount("/sub", {DECLARED}(closure(sub)))
""",
    "router that is not included": """
router = APIRouter(dependencies=[Depends(requires(role="lost"))])
router.get("/x")(lambda: 1)
""",
    "and": """
Both = Annotated[Identity, Depends(requires(role="lost") and requires(role="other"))]

@app.get("/x")
def x(caller: Both): ...
""",
    "unused alias": 'Lost = Annotated[Identity, Depends(requires(role="lost"))]\n',
    "dependency that is returned": """
LOST = requires(role="lost")

def need():
    return Depends(LOST)

@app.get("/x", dependencies=[Depends(need)])
def x(caller: Caller): ...
""",
    "equal to one in use": """
app.get("/x", dependencies=[Depends(requires(role="lost"))])(lambda: 1)
LOST = [requires(role="lost")]
""",
    "thrown away by a decorator": """
app.get("/x", dependencies=[Depends(requires(role="lost"))])(lambda: 1)

@app.get("/y")
@(lambda need: lambda function: function)(requires(role="lost"))
def y(caller: Caller): ...
""",
    "statement": """
app.get("/x", dependencies=[Depends(requires(role="lost"))])(lambda: 1)
requires(role="lost")
""",
    "router whose name is used again": """
app.get("/x", dependencies=[Depends(requires(role="lost"))])(lambda: 1)
router = APIRouter(dependencies=[Depends(requires(role="lost"))])
router = APIRouter()
app.include_router(router)
""",
    "list that is replaced": """
app.get("/x", dependencies=[Depends(requires(role="lost"))])(lambda: 1)
router = APIRouter(dependencies=[Depends(requires(role="lost"))])
router.dependencies = []
""",
    "and, with an equal one in use": """
app.get("/x", dependencies=[Depends(requires(role="lost"))])(lambda: 1)
Both = Annotated[Identity, Depends(requires(role="lost") and requires(role="other"))]

@app.get("/y")
def y(caller: Both): ...
""",
    "equal to a copy in use": """
app.get("/x", dependencies=[Depends(copy.copy(requires(role="lost")))])(lambda: 1)
LOST = [requires(role="lost")]
""",
    "twice in one line": """
LOST = [
    requires(role="lost") for _ in range(2)
]
""",
}
"""Ways to lose a requirement; the last line with `requires(role="lost")` is to be named."""

REPORTED = {
    "default": '@app.get("/x")\ndef x(caller: Caller = requires(role="lost")): ...\n',
    "metadata": '@app.get("/x")\ndef x(caller: Annotated[Caller, requires(role="lost")]): ...\n',
    "returned": """
LOST = [requires(role="lost"), requires(role="other")]

def need():
    return LOST

@app.get("/x", dependencies=[Depends(need)])
def x(caller: Caller): ...
""",
    "signature that FastAPI does not read": """
@app.get("/x")
@lambda function: lambda: function()
def x(caller: Annotated[Identity, Depends(requires(role="lost"))]): ...
""",
    "field of a model": """
class Form(BaseModel):
    author: Annotated[Any, Depends(requires(role="lost"))]

@app.post("/x")
def x(caller: Caller, form: Form): ...
""",
    "optional": """
Lost = Annotated[Identity, Depends(requires(role="lost"))]

@app.get("/x")
def x(caller: Caller, other: Lost | None = None): ...
""",
    "generic alias": """
T = TypeVar("T")

class Repository(Generic[T]):
    def __init__(self, caller: Annotated[Identity, Depends(requires(role="lost"))]): ...

@app.get("/x")
def x(repository: Annotated[Repository[int], Depends()]): ...
""",
    "older route": """
@app.get("/x")
def x(caller: Caller): ...

app.router.dependencies.append(Depends(requires(role="lost")))
""",
}


def test_requirements_in_use_are_not_reported(
    tmp_path: Path, module: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / f"{module}.py").write_text(HEAD + USED)
    assert main(["policy", f"{module}:app", "--app-dir", str(tmp_path)]) == 0
    said = capsys.readouterr()
    assert said.err == ""
    assert '"role": "alias"' in said.out


@pytest.mark.parametrize("lost", LOST.values(), ids=LOST)
def test_a_requirement_that_no_route_depends_on_is_named_with_its_line(
    tmp_path: Path, module: str, capsys: pytest.CaptureFixture[str], lost: str
) -> None:
    file = tmp_path / f"{module}.py"
    file.write_text(source := HEAD + lost)
    line = max(
        number
        for number, text in enumerate(source.splitlines(), 1)
        if 'requires(role="lost")' in text
    )
    assert main(["policy", f"{module}:app", "--app-dir", str(tmp_path)]) == 0
    said = capsys.readouterr()
    note, remedy = said.err.splitlines()
    expected = "requires(role='lost') has no effect: no route depends on it"
    if used := [at for at, text in enumerate(source.splitlines(), 1) if text.startswith(IN_USE)]:
        expected += f"; an equal one is in use at {file}:{used[0]}"
    assert note == f"{file}:{line}: {expected}"
    assert "write Depends(requires(…))" in remedy
    policy = tmp_path / "policy.json"
    policy.write_text(said.out)
    del sys.modules[module]
    assert main(["drift", f"{module}:app", str(policy), "--app-dir", str(tmp_path)]) == 0
    assert capsys.readouterr().err == said.err


@pytest.mark.parametrize("reported", REPORTED.values(), ids=REPORTED)
def test_what_is_a_fault_has_no_note(
    tmp_path: Path, module: str, capsys: pytest.CaptureFixture[str], reported: str
) -> None:
    (tmp_path / f"{module}.py").write_text(HEAD + reported)
    assert main(["policy", f"{module}:app", "--app-dir", str(tmp_path)]) == 1
    assert "no route depends on it" not in capsys.readouterr().err


TEXTS = """
router = APIRouter()

@router.get("/used")
def used(caller: Annotated[Identity, Depends(requires(role="used"))]): ...

# As if there were more annotations than `typing` keeps: older FastAPI reads this one again.
import typing
for clear in typing._cleanups:
    clear()
app.include_router(router)

@app.get("/also-used")
def also_used(caller: Annotated[Identity, Depends(requires(role="also used"))]): ...

unused = APIRouter()

@unused.get("/x")
def x(caller: Annotated[Identity, Depends(requires(role="lost"))]): ...
"""


def test_annotations_that_are_strings_have_the_line_of_their_decorator(
    tmp_path: Path, module: str, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / f"{module}.py"
    file.write_text(source := "from __future__ import annotations" + HEAD + TEXTS)
    assert main(["policy", f"{module}:app", "--app-dir", str(tmp_path)]) == 0
    note, _ = capsys.readouterr().err.splitlines()
    line = source.splitlines().index('@unused.get("/x")') + 1
    assert note.startswith(f"{file}:{line}: requires(role='lost') has no effect")


WRITTEN = """
LOST = [
    requires(role="a", group="b", scope="c", bound=True, acr=["d", "e"], max_age=0),
    requires(role("a"), role("b"), scope("c"), scope("d")),
    requires(any_of(role("a"), not_(group("b"))), claim("plan").is_in(["pro", 1, True])),
    requires(any_of(all_of(role("a"), claim(["org", "id"]).equals_path("org")), scope("c"))),
]
"""


def test_a_requirement_is_shown_as_an_app_writes_it(
    tmp_path: Path, module: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / f"{module}.py").write_text(HEAD + WRITTEN)
    assert main(["policy", f"{module}:app", "--app-dir", str(tmp_path)]) == 0
    said = capsys.readouterr().err.splitlines()
    shown = [
        line.partition(": ")[2].partition(" has no effect")[0].replace("'", '"') for line in said
    ]
    assert shown[:-1] == [line.strip().rstrip(",") for line in WRITTEN.splitlines()[2:-1]]


def test_requirements_outside_of_recording_are_not_kept() -> None:
    with recording() as recorded:
        pass
    requires(role="a")
    assert recorded.requirements == []
