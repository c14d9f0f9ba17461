"""An app does not start on a framework whose dispatch is not understood."""

import logging
from collections.abc import Callable

import httpx
import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute, APIRouter
from starlette.routing import Host, Mount, Route, WebSocketRoute
from starlette.testclient import TestClient

from fastgate import guard
from fastgate.routes.self_test import FrameworkNotUnderstood, understand_framework
from tests.edge import Edge

pytestmark = pytest.mark.anyio


async def test_the_installed_framework_passes() -> None:
    await understand_framework()


@pytest.mark.parametrize("kind", [Route, WebSocketRoute, Mount, Host])
async def test_a_class_of_routes_without_a_comparison_is_noticed(
    monkeypatch: pytest.MonkeyPatch, kind: type
) -> None:
    monkeypatch.setattr(kind, "__getattribute__", object.__getattribute__)
    with pytest.raises(FrameworkNotUnderstood, match=r"does not support fastapi \d.*starlette"):
        await understand_framework()


@pytest.mark.parametrize(
    "broken",
    [lambda *_: [], lambda *_: None, lambda *_: "/elsewhere"],
    ids=["list", "none", "text"],
)
async def test_a_template_that_cannot_be_determined_is_noticed(
    monkeypatch: pytest.MonkeyPatch, broken: Callable[..., object]
) -> None:
    monkeypatch.setattr("fastgate.routes.dispatch._template", broken)
    with pytest.raises(FrameworkNotUnderstood):
        await understand_framework()


async def test_if_the_self_test_fails_the_app_does_not_start_or_responds_503(
    edge: Edge, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def bypass(self: APIRouter, *asgi: object) -> None:
        for route in self.routes:
            if isinstance(route, APIRoute):
                await route.app(*asgi)  # type: ignore[arg-type]

    monkeypatch.setattr(APIRouter, "__call__", bypass)
    app = FastAPI()
    guard(app, edge.settings())
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="https://testserver"
    ) as http:
        assert [(await http.get("/")).status_code for _ in range(2)] == [503, 503]
    (record,) = caplog.records
    assert record.levelno == logging.ERROR
    assert "Install supported versions" in record.getMessage()


def test_the_test_client_raises_the_fault(edge: Edge, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fastgate.routes.dispatch._template", lambda *_: None)
    app = FastAPI()
    guard(app, edge.settings())
    with pytest.raises(FrameworkNotUnderstood), TestClient(app):
        raise AssertionError("it has started")
