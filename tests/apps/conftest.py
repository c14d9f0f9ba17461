"""The provider for which `fastgate init` is run."""

from collections.abc import Iterator

import pytest

from company import Company, running_company


@pytest.fixture(scope="session")
def company() -> Iterator[Company]:
    """Run the provider of a company."""
    with running_company() as provider:
        yield provider
