"""FastAPI runs the most specific frontend of all routers."""

from pathlib import Path
from typing import Any

import pytest
from fastapi import APIRouter, FastAPI

from fastgate import at_edge, guard
from fastgate.compile.policy import compile_routes
from fastgate.testing import AsCaller
from tests.edge import Edge

pytestmark = pytest.mark.skipif(
    not hasattr(FastAPI, "frontend"), reason="this FastAPI serves no frontends"
)


def files(at: Path, name: str) -> Path:
    (at / name).mkdir()
    (at / name / "page.txt").write_text(name)
    return at / name


@pytest.mark.parametrize("first", [False, True])
def test_a_routers_frontend_beside_one_at_the_root(
    edge: Edge, as_caller: AsCaller, tmp_path: Path, *, first: bool
) -> None:
    app = FastAPI(openapi_url=None)
    at_edge(below="/{path:path}", access="public")(app)
    router: Any = at_edge(access="authenticated")(APIRouter(prefix="/admin"))
    router.frontend("/", directory=files(tmp_path, "admin"))
    if first:
        app.include_router(router)
    app.frontend("/", directory=files(tmp_path, "all"))
    if not first:
        app.include_router(router)
    found = {route["path"]: route["access"] for route in compile_routes(app)}
    assert found["/admin/{path:path}"] == found["/admin"] == "authenticated"
    assert found["/{path:path}"] == "public"
    guard(app, edge.settings(strict=True))
    with as_caller(app, "ada") as client:
        assert client.get("/admin/page.txt").text == "admin"
        assert client.get("/page.txt").text == "all"


def test_a_path_with_its_own_frontend_is_not_served_by_an_outer_one(
    edge: Edge, as_caller: AsCaller, tmp_path: Path
) -> None:
    app: Any = at_edge(access="public")(FastAPI(openapi_url=None))
    app.frontend("/a", directory=files(tmp_path, "all"))
    app.frontend("/a/admin", directory=files(tmp_path, "admin"))
    at_edge(below="/a/admin", access="authenticated")(app)
    found = {route["path"]: route["access"] for route in compile_routes(app)}
    assert found["/a/admin/{path:path}"] == "authenticated"
    assert found["/a/{path:path}"] == "public"
    guard(app, edge.settings(strict=True))
    with as_caller(app, "ada") as client:
        assert client.get("/a/admin/page.txt").text == "admin"
