"""A stand-in for each test, and Fastly's command-line tool that talks to it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from fastly_api.running import Running, running
from programs import FastlyCli, project
from pushing import Pushing
from rotating import Rotating


@pytest.fixture
def api() -> Iterator[Running]:
    """Run a stand-in."""
    with running() as stand_in:
        yield stand_in


@pytest.fixture
def fastly(api: Running, tmp_path: Path) -> FastlyCli:
    """Return the command-line tool in the folder of a new service."""
    (tmp_path / "home").mkdir()
    return FastlyCli(project(tmp_path / "edge"), tmp_path / "home", api.environment())


@pytest.fixture
def shop(api: Running, tmp_path: Path) -> Pushing:
    """Return a published service without a policy."""
    return Pushing(api, tmp_path)


@pytest.fixture
def rotating(api: Running, tmp_path: Path) -> Iterator[Rotating]:
    """Return a published service without keys."""
    service = Rotating(api, tmp_path)
    with service.serving():
        yield service
