"""Edge and app agree on whole requests: route, method, host, path parameters, caller and claims.

Needs `cargo build --example decide`. The same pairs in every run; `make fuzz-python` makes new ones
(`FASTGATE_FUZZ` is how many). A failure prints its seed: `agree(SEED, REQUESTS)` repeats it.
"""

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from random import SystemRandom

import pytest

from tests.fuzzing import MANY
from tests.test_edge_agrees import DECIDE
from tests.whole_requests import REFUSED_BY_RULES, REQUESTS, agree

PAIRS = MANY or 4_000
APPS = -(-PAIRS // REQUESTS)
FIRST = SystemRandom().randrange(10**9) if MANY else 0
"""The seed of the first app. Each app has the next one."""

pytestmark = pytest.mark.skipif(not DECIDE.exists(), reason="cargo build --example decide")


@pytest.fixture(scope="module")
def counts() -> Iterator[list[Future[Counter[str]]]]:
    """Every app, on all processors at once."""
    with ProcessPoolExecutor() as pool:
        yield [pool.submit(agree, seed, REQUESTS) for seed in range(FIRST, FIRST + APPS)]
        pool.shutdown(cancel_futures=True)


def test_edge_and_app_agree_on_whole_requests(counts: list[Future[Counter[str]]]) -> None:
    print(f"seeds {FIRST} to {FIRST + APPS - 1}")  # noqa: T201 - shown with a failure
    seen = sum((each.result() for each in counts), Counter[str]())
    print(dict(seen.most_common()))  # noqa: T201
    pairs = seen["pairs"]
    assert pairs >= PAIRS
    # Every part of the comparison has been made.
    for what, share in {
        "forwarded": 0.2,
        "known": 0.1,
        "claims": 0.1,
        "rules met": 0.01,
        "bound": 0.01,
        "anonymous": 0.03,
        "another host": 0.05,
        "a query": 0.05,
        "altered": 0.02,
        "refused by both": 0.05,
        "no-route": 0.03,
        "method-not-allowed": 0.02,
        "claim-not-forwardable": 0.002,
        "a token with a fault": 0.05,
        **dict.fromkeys(REFUSED_BY_RULES, 0.002),
    }.items():
        assert seen[what] > pairs * share, (what, seen)
