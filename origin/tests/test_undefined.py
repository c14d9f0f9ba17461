"""Annotations with a name that is undefined when the program runs: a fault, not a traceback.

A linter that moves imports under `if TYPE_CHECKING:` produces such annotations.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import pytest
from fastapi import Depends, FastAPI, Security, WebSocket, routing
from pydantic import BaseModel

from fastgate import AnyCaller, at_edge, fastgate, guard
from fastgate.compile.policy import CannotCompile, compile_routes
from fastgate.testing import AsCaller
from tests.edge import Edge

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from fastgate import Caller, Settings


async def needs_caller(caller: Caller) -> None: ...


async def asks_with_scopes(
    caller: Annotated[Caller, Security(fastgate, scopes=["admin"])],
) -> None: ...


async def asks_by_a_socket(socket: WebSocket, caller: Caller) -> None: ...


async def depends(user: Annotated[None, Depends(needs_caller)]) -> None: ...


async def depends_by_itself(settings: Annotated[Settings, Depends(lambda: 1)]) -> None: ...


class Incomplete(BaseModel):
    """A model with an undefined part."""

    part: NotThere  # type: ignore[name-defined]  # noqa: F821


async def reads(body: Incomplete) -> None: ...


async def reads_several(bodies: list[Incomplete]) -> None: ...


class Tree(BaseModel):
    """A model that contains itself, and one that is defined below it."""

    leaf: Leaf
    trees: list[Tree] = []


class Leaf(BaseModel):
    """A model that is defined below the one that contains it."""

    size: int


async def reads_what_is_written_later(body: Tree, caller: AnyCaller) -> int:
    return body.leaf.size


async def takes_from_a_default(settings: Settings = Depends(lambda: 1)) -> Settings:  # noqa: B008
    return settings


needs_deferred_types = pytest.mark.skipif(
    not hasattr(routing, "_IncludedRouter"), reason="older FastAPI refuses undefined types itself"
)
CASES: dict[Callable[..., Awaitable[Any]], str] = {
    needs_caller: "caller: Caller",
    asks_with_scopes: "caller: Annotated[Caller, Security(fastgate, scopes=['admin'])]",
    asks_by_a_socket: "caller: Caller",
    depends: "caller: Caller",
    depends_by_itself: "settings: Annotated[Settings, Depends(lambda: 1)]",
    reads: "body: Incomplete",
    reads_several: f"bodies: list[{__name__}.Incomplete]",
}


@needs_deferred_types
@pytest.mark.parametrize(("endpoint", "said"), CASES.items(), ids=lambda it: str(it).split()[1])
def test_a_parameter_of_an_undefined_type_is_a_fault(
    endpoint: Callable[..., Awaitable[Any]], said: str, edge: Edge
) -> None:
    app = at_edge(access="public")(FastAPI(openapi_url=None))
    (app.websocket if endpoint is asks_by_a_socket else app.post)("/x")(endpoint)
    with pytest.raises(CannotCompile) as error:
        compile_routes(app)
    (fault,) = error.value.faults
    assert fault.what.endswith(f"contains an undefined name: {said}")
    assert "not only under `if TYPE_CHECKING:`" in fault.remedy
    assert f"{endpoint.__name__} (/x, " in str(error.value)
    guard(app, edge.settings(strict=True))
    with pytest.raises(CannotCompile), AsCaller()(app):
        raise AssertionError("it has started")


@needs_deferred_types
def test_types_that_are_defined_later_or_not_read_are_no_fault(
    as_caller: AsCaller, edge: Edge
) -> None:
    app = at_edge(access="optional")(FastAPI(openapi_url=None))
    app.post("/tree")(reads_what_is_written_later)
    app.get("/default", response_model=None)(takes_from_a_default)
    assert [route["access"] for route in compile_routes(app)] == ["optional"] * 2
    guard(app, edge.settings(strict=True))
    with as_caller(app) as client:
        assert client.post("/tree", json={"leaf": {"size": 3}}).json() == 3
        assert client.get("/default").json() == 1
    app.post("/incomplete")(reads)
    with pytest.raises(CannotCompile, match="body: Incomplete"):
        compile_routes(app)
    Incomplete.model_rebuild(_types_namespace={"NotThere": int})
    assert len(compile_routes(app)) == 3
