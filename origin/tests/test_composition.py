"""However an app is composed, a closing mark counts for everything that it closes, or is refused.

Apps are generated as data, built, compiled, and called at each path to see what runs. The same
examples in every run; `make fuzz-python` looks for new ones (`FASTGATE_FUZZ` is how many).
"""

import asyncio
import functools
import traceback
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI, routing
from fastapi.exceptions import FastAPIError
from hypothesis import event, given, note
from starlette.routing import compile_path
from starlette.types import Message

import fastgate
from fastgate.compile.policy import CannotCompile, RouteDocument, compile_routes
from fastgate.path_template import Template
from tests.composed import built
from tests.compositions import (
    Composition,
    Group,
    Leaf,
    Mark,
    Way,
    compositions,
    leaves_of,
    own_leaves,
    paths_of,
    possible_marks,
)
from tests.fuzzing import drawing

PACKAGE = str(Path(fastgate.__file__).parent)
INCLUDES_MOUNTS = hasattr(routing, "_IncludedRouter")
"""Older FastAPI passes nothing on from a router to Starlette routes."""
FUZZ = drawing(100)


def kind_of(error: CannotCompile) -> str:
    """Return the first fault, without the object that it is about."""
    return " ".join(error.faults[0].what.split(":")[0].split(" of ")[0].split()[:6])


def compiled(composition: Composition) -> tuple[FastAPI, list[RouteDocument]] | None:
    """Build and compile; None if it was refused by the package itself."""
    try:
        app = built(composition)
        return app, compile_routes(app)
    except CannotCompile as error:
        event(f"refused: {kind_of(error)}")
    except FastAPIError:
        event("refused: by FastAPI itself")
    except (TypeError, ValueError) as error:
        if not traceback.extract_tb(error.__traceback__)[-1].filename.startswith(PACKAGE):
            raise
        event("refused: at_edge")
    return None


async def leaves_run(app: FastAPI, path: str, *, socket: bool) -> tuple[list[str], bool]:
    """Call an app without a guard; return which leaves ran, and whether a dependency refused."""
    ran, statuses = list[str](), list[object]()
    received: list[Message] = [{"type": "websocket.connect" if socket else "http.request"}]

    async def receive() -> Message:
        return received.pop() if received else {"type": "websocket.disconnect", "code": 1000}

    async def send(message: Message) -> None:
        statuses.append(message.get("status", message.get("code")))

    http: dict[str, Any] = {"type": "websocket"} if socket else {"type": "http", "method": "GET"}
    scope = {"path": path, "query_string": b"", "headers": [], "root_path": "", "ran": ran}
    await app({**scope, **http}, receive, send)
    return ran, bool({401, 1008} & {*statuses})


def route_of(routes: list[RouteDocument], path: str, *, socket: bool) -> RouteDocument | None:
    """Return the route that the edge finds: the most specific one."""
    found = [
        (template, route)
        for template, route in ((Template.parse(str(route["path"])), route) for route in routes)
        if bool(route.get("websocket")) == socket and compile_path(template.source)[0].match(path)
    ]
    if not found:
        return None
    return functools.reduce(lambda one, two: two if two[0].goes_before(one[0]) else one, found)[1]


def is_as_closed(route: RouteDocument, marks: list[Mark]) -> bool:
    """Whether a route requires what one mark requires; of several marks, at least the remainder."""
    rules = [{"rule": mark.value} for mark in marks if not mark.depends]
    scopes = {mark.value for mark in marks if mark.depends}
    scopes_required = route.get("scopes") or []
    assert isinstance(scopes_required, list)
    if not marks:
        return route["access"] == "public" and not scopes_required and "require" not in route
    return (
        route["access"] == "authenticated"
        and {*scopes_required} == scopes
        and (route.get("require") in rules if rules else "require" not in route)
    )


async def check(
    composition: Composition, app: FastAPI, routes: list[RouteDocument]
) -> dict[str, int]:
    """Compare each route, and each path at which a leaf may be served, with the composition.

    Return the number of served leaves, by whether they are closed.
    """
    sockets = {leaf.name for leaf in leaves_of(composition.root) if leaf.style == "socket"}
    paths = {str(route["path"]).replace("{path:path}", "rest") for route in routes}
    served = {"closed": 0, "open": 0}
    for path in sorted(paths.union(paths_of(composition.root))):
        leaf = next((name for name in path.split("/") if name.startswith("l")), "")
        ran, refused = await leaves_run(app, path, socket=leaf in sockets)
        assert set(ran) <= {leaf}, path
        if (ran or refused) and composition.is_decided(leaf):
            route = route_of(routes, path, socket=leaf in sockets)
            marks = composition.closings(leaf, path)
            assert route is not None, f"{path} is served, and has no route"
            assert is_as_closed(route, marks), f"{path} has {route}, and is closed by {marks}"
            served["closed" if marks else "open"] += 1
    return served


def counts_or_is_refused(composition: Composition) -> None:
    note(str(composition))
    if (made := compiled(composition)) is not None:
        served = asyncio.run(check(composition, *made))
        event("compiled: " + ", ".join(kind for kind, number in served.items() if number))


@FUZZ
@given(compositions())
def test_one_closing_mark_counts_for_all_that_it_closes(composition: Composition) -> None:
    counts_or_is_refused(composition)


@FUZZ
@given(compositions(most_marks=3))
def test_several_closing_marks_count_for_all_that_they_close(composition: Composition) -> None:
    counts_or_is_refused(composition)


# Marks that are written first, before anything is taken apart: they have to compile.


ONE = Leaf("l1", "function", "decorator")
SOCKET = Leaf("l1", "socket", "decorator")
CLASS = Leaf("l1", "class", "add_route")
PLAIN = Leaf("l1", "function", "list of Route")


def group(kind: str, how: str, *parts: Leaf | Group, name: str = "g1") -> Group:
    """Return a group that is filled, then attached at a path."""
    return Group(name, kind, parts, (Way(how, f"w{name}"),), 0)


ORDINARY = {
    "endpoint": ONE,
    "socket": SOCKET,
    "partial": Leaf("l1", "partial", "add_api_route"),
    "method": Leaf("l1", "method", "decorator"),
    "object": Leaf("l1", "object", "decorator"),
    "wrapped": Leaf("l1", "wrapped", "decorator"),
    "class": CLASS,
    "other app": Leaf("l1", "raw", "add_route"),
    "router": group("router", "include", ONE),
    "socket of a router": group("router", "include", SOCKET),
    "routers": group("router", "include", group("router", "include", ONE, name="g2")),
    "mounted": group("fastapi", "mount", ONE),
    "mounted Starlette": group("starlette", "mount", PLAIN),
    "router of a mounted app": group(
        "fastapi", "mount", group("router", "include", ONE, name="g2")
    ),
    "behind middleware": group("fastapi", "mount behind middleware", ONE),
    "mount": Group("g1", "mount", (PLAIN,), (Way("append"),)),
    "both mounts": Group("g1", "fastapi", (ONE,), (Way("mount", "w1"), Way("mount", "w2"))),
    "both inclusions": Group("g1", "router", (ONE,), (Way("include", "w1"), Way("include", "w2"))),
}


@pytest.mark.parametrize("part", ORDINARY.values(), ids=ORDINARY.keys())
def test_ordinary_apps_compile_with_each_mark_written_first(part: Leaf | Group) -> None:
    root = Group("root", "fastapi", (part, Leaf("l9", "function", "decorator")))
    for mark in [mark for mark in possible_marks(root) if mark.when == "first"]:
        composition = Composition(root, (mark,))
        # FastAPI runs dependencies only for its own routes, and does not read those of one method.
        not_run = mark.on == "root" and mark.depends and not mark.leaves <= own_leaves(root)
        if not_run or (mark.place == "inside" and part == CLASS):
            with pytest.raises(CannotCompile):
                compile_routes(built(composition))
        elif not INCLUDES_MOUNTS and mark.place == "router" and part == CLASS:
            with pytest.raises(TypeError, match="inherits nothing from its router"):
                built(composition)
        else:
            app = built(composition)
            served = asyncio.run(check(composition, app, compile_routes(app)))
            assert served["closed"], str(composition)
