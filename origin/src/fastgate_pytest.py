"""The pytest plugin: call a guarded app as any caller, through the real guard.

    def test_ada_reads_her_order(as_caller):
        ada = as_caller(app, sub="ada", scopes=["orders:read"])
        assert ada.get("/orders/7").status_code == 200

pytest loads this module wherever the package is installed. It therefore imports nothing until a
test uses a fixture. The fixtures are implemented in `fastgate.testing`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fastgate.testing import AsCaller, EdgeDoctor


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option `fastgate_app` to pytest's configuration."""
    text = 'the guarded app of as_caller("ada"), as for uvicorn: "package.module:app"'
    parser.addini("fastgate_app", text, default="")


@pytest.fixture(scope="session")
def as_caller(request: pytest.FixtureRequest) -> Iterator[AsCaller]:
    """Call a guarded app as any caller: `as_caller(app, sub="ada", scopes=["orders:read"])`.

    Or send one request as a caller: `client.get("/me", auth=as_caller("ada", of=app))`. The scope
    is `session`, so that fixtures of every scope may use it.
    """
    from fastgate.testing import AsCaller, restore_keys

    yield AsCaller(str(request.config.getini("fastgate_app")))
    restore_keys()


@pytest.fixture(scope="session")
def edge_doctor() -> EdgeDoctor:
    """Send every probe to an app that the test serves; see `fastgate.doctor.examine`."""
    from fastgate.testing import examined

    return examined
