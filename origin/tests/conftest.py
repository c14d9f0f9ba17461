"""What every test may ask for."""

from collections.abc import Iterator

import pytest

from tests.edge import Edge
from tests.serving import JwksServer

pytest_plugins = ["pytester"]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def edge() -> Edge:
    return Edge()


@pytest.fixture
def jwks_server(edge: Edge) -> Iterator[JwksServer]:
    server = JwksServer()
    server.publish(edge.jwks)
    yield server
    server.close()
