"""Fixtures for all tests."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi import FastAPI

from fastgate import guard, refusal_log
from fastgate.dev.provider.app import DevelopmentProvider
from tests import development_provider
from tests.edge import Edge
from tests.init_projects import Discovery, discovery, shop_in
from tests.serving import JwksServer

pytest_plugins = ["pytester"]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(autouse=True)
def _fresh_refusal_log(monkeypatch: pytest.MonkeyPatch) -> None:
    """Start with a new log: without a guard, all share one that limits records per minute."""
    monkeypatch.setattr(refusal_log, "_WITHOUT_GUARD", refusal_log.RefusalLog())


@pytest.fixture
def module(tmp_path: Path, request: pytest.FixtureRequest) -> str:
    """Return the name of a module that the test loads from `tmp_path`; forget it afterwards."""
    name = "app_" + "".join(each for each in request.node.name if each.isalnum())
    request.addfinalizer(lambda: sys.modules.pop(name, None))
    request.addfinalizer(lambda: sys.path.remove(str(tmp_path)))  # noqa: PT021
    return name


@pytest.fixture
def edge() -> Edge:
    return Edge()


@pytest.fixture
def ran() -> list[str]:
    """Return the list to which endpoints add their names when they run."""
    return []


@pytest.fixture
def app(edge: Edge) -> FastAPI:
    """Return an app without routes, and with a guard."""
    app = FastAPI(openapi_url=None)
    guard(app, edge.settings())
    return app


@pytest.fixture
def jwks_server(edge: Edge) -> Iterator[JwksServer]:
    server = JwksServer()
    server.publish(edge.jwks)
    yield server
    server.close()


@pytest.fixture(scope="module")
def provider() -> Iterator[DevelopmentProvider]:
    """Run a development provider, for all tests of a module."""
    with development_provider.serving() as provider:
        yield provider


@pytest.fixture
def dev(provider: DevelopmentProvider) -> str:
    """Return the URL of one of its issuers."""
    return provider.issuers["dev"].url


@pytest.fixture
def openid() -> Iterator[Discovery]:
    """Serve the discovery document of a provider, which the test may change."""
    with discovery() as found:
        yield found


@pytest.fixture
def shop_folder(tmp_path: Path) -> Path:
    """Return the folder of an app in a repository, for `fastgate init`."""
    return shop_in(tmp_path)
