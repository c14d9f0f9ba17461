"""What every test may ask for."""

from collections.abc import Iterator

import pytest

from fastgate import refusals
from tests.edge import Edge
from tests.serving import JwksServer

pytest_plugins = ["pytester"]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(autouse=True)
def _no_record_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """Refusals of no guard share one log, which is silent for a minute after twenty of a kind."""
    monkeypatch.setattr(refusals, "_OF_NO_GUARD", refusals.RefusalLog())


@pytest.fixture
def edge() -> Edge:
    return Edge()


@pytest.fixture
def jwks_server(edge: Edge) -> Iterator[JwksServer]:
    server = JwksServer()
    server.publish(edge.jwks)
    yield server
    server.close()
