"""Keys over a real socket: fetched once, renewed, and kept while the edge fails."""

import asyncio
import gzip
import ssl
import threading
import time
from collections.abc import Callable

import httpx
import pytest

from fastgate import KeysUnavailable
from fastgate.keys.source import MAX_DOCUMENT_BYTES, EdgeKeys
from tests.edge import Edge
from tests.serving import JwksServer

pytestmark = pytest.mark.anyio

Trouble = Callable[[JwksServer], object]


# If a response will come, it may take long, because the machine may be busy. If none will come,
# no test has to wait for it.
PATIENCE, IMPATIENCE = 30.0, 0.2


class Clock:
    """Seconds that pass only when the test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def edge_keys(server: JwksServer, clock: Clock) -> EdgeKeys:
    return EdgeKeys(server.url, clock=clock, timeout=PATIENCE)


def says_html(server: JwksServer) -> None:
    server.body = b"<!doctype html><title>Sorry</title>"


def says_nothing(server: JwksServer) -> None:
    server.body = b""


def has_no_keys(server: JwksServer) -> None:
    server.body = b'{"keys": []}'


def fails(server: JwksServer) -> None:
    server.status = 500


def redirects(server: JwksServer) -> None:
    server.status, server.headers = 302, {"Location": "/elsewhere"}


def is_silent(server: JwksServer) -> None:
    server.before_response = lambda: time.sleep(5)


def trickles(server: JwksServer) -> None:
    # It never pauses long enough for a timeout, and never ends.
    server.chunk_bytes, server.after_chunk = 1, lambda: time.sleep(0.02)


def is_endless(server: JwksServer) -> None:
    server.body = server.body[:-1] + b" " * MAX_DOCUMENT_BYTES + b"}"


def is_a_bomb(server: JwksServer) -> None:
    server.body, server.headers = gzip.compress(server.body), {"Content-Encoding": "gzip"}


def is_down(server: JwksServer) -> None:
    server.close()
    server.close = lambda: None  # type: ignore[method-assign]


def expect(keys: EdgeKeys, trouble: Trouble | None) -> None:
    """Wait for the edge as long as its present fault requires."""
    keys._timeout = IMPATIENCE if trouble in (is_silent, trickles) else PATIENCE


TROUBLES: list[Trouble] = [
    *(says_html, says_nothing, has_no_keys, fails, redirects),
    *(is_silent, trickles, is_endless, is_a_bomb, is_down),
]


async def test_keys_are_fetched_on_the_first_request_and_then_kept(
    edge: Edge, jwks_server: JwksServer
) -> None:
    keys = edge_keys(jwks_server, clock := Clock())
    assert jwks_server.hits == 0
    for clock.now in (1000.0, 1001.0, 1299.9):
        assert set(await keys.current()) == {edge.kid}
    assert jwks_server.paths == ["/.well-known/fastgate/jwks.json"]


async def test_many_requests_at_once_cause_one_fetch(edge: Edge, jwks_server: JwksServer) -> None:
    jwks_server.before_response = lambda: time.sleep(0.05)
    keys = edge_keys(jwks_server, Clock())
    found = await asyncio.gather(*(keys.current() for _ in range(50)))
    assert all(edge.kid in key_set for key_set in found)
    assert jwks_server.hits == 1


async def test_a_request_that_goes_away_does_not_take_the_fetch_with_it(
    edge: Edge, jwks_server: JwksServer
) -> None:
    jwks_server.before_response = lambda: time.sleep(0.05)
    keys = edge_keys(jwks_server, Clock())
    impatient = asyncio.create_task(keys.current())
    patient = asyncio.create_task(keys.current())
    await asyncio.sleep(0.01)
    impatient.cancel()
    assert set(await patient) == {edge.kid}
    assert jwks_server.hits == 1


async def test_a_slow_edge_does_not_block_the_event_loop(jwks_server: JwksServer) -> None:
    released = threading.Event()
    jwks_server.before_response = lambda: released.wait(PATIENCE)
    fetch = asyncio.create_task(edge_keys(jwks_server, Clock()).current())
    for _ in range(50):
        await asyncio.sleep(0.001)
        assert not fetch.done(), "the loop was blocked until the response arrived"
    released.set()
    assert await fetch


async def test_stale_keys_serve_while_fresh_ones_are_fetched(
    edge: Edge, jwks_server: JwksServer
) -> None:
    keys = edge_keys(jwks_server, clock := Clock())
    await keys.current()
    jwks_server.publish((rotated := Edge()).jwks)
    clock.now += 300
    assert set(await keys.current()) == {edge.kid}
    assert set(await keys.refreshed()) == {rotated.kid}, "the fetch that was already running"
    assert jwks_server.hits == 2


@pytest.mark.parametrize("trouble", TROUBLES, ids=lambda trouble: str(trouble.__name__))
async def test_without_keys_nothing_passes_until_the_edge_recovers(
    edge: Edge, jwks_server: JwksServer, trouble: Trouble
) -> None:
    keys = edge_keys(jwks_server, clock := Clock())
    trouble(jwks_server)
    expect(keys, trouble)
    with pytest.raises(KeysUnavailable):
        await keys.current()
    hits = jwks_server.hits
    for _ in range(5):
        with pytest.raises(KeysUnavailable):
            await keys.current()
    assert jwks_server.hits == hits, "fetched again without a pause"
    if trouble is not is_down:
        jwks_server.before_response = jwks_server.after_chunk = lambda: None
        jwks_server.publish(edge.jwks)
        clock.now += 2
        expect(keys, None)
        assert set(await keys.current()) == {edge.kid}


@pytest.mark.parametrize("trouble", TROUBLES, ids=lambda trouble: str(trouble.__name__))
async def test_the_last_good_keys_serve_for_an_hour_and_no_longer(
    edge: Edge, jwks_server: JwksServer, trouble: Trouble
) -> None:
    keys = edge_keys(jwks_server, clock := Clock())
    await keys.current()
    trouble(jwks_server)
    expect(keys, trouble)
    clock.now += 3599
    assert set(await keys.current()) == {edge.kid}
    clock.now += 1
    with pytest.raises(KeysUnavailable):
        await keys.current()


async def test_no_redirect_is_followed(jwks_server: JwksServer) -> None:
    redirects(jwks_server)
    with pytest.raises(KeysUnavailable):
        await edge_keys(jwks_server, Clock()).current()
    assert "/elsewhere" not in jwks_server.paths


async def test_a_flood_of_unknown_kids_causes_one_fetch_per_cool_down(
    jwks_server: JwksServer,
) -> None:
    keys = edge_keys(jwks_server, clock := Clock())
    await keys.current()
    await asyncio.gather(*(keys.refreshed() for _ in range(100)))
    assert jwks_server.hits == 2
    clock.now += 29.9
    await keys.refreshed()
    assert jwks_server.hits == 2
    clock.now += 0.1
    await asyncio.gather(*(keys.refreshed() for _ in range(100)))
    assert jwks_server.hits == 3


async def test_a_new_key_is_found_by_the_first_token_that_names_it(
    edge: Edge, jwks_server: JwksServer
) -> None:
    keys = edge_keys(jwks_server, Clock())
    await keys.current()
    jwks_server.publish(edge.jwks, (rotated := Edge()).jwks)
    assert set(await keys.refreshed()) == {edge.kid, rotated.kid}


async def test_a_failed_fetch_for_a_new_key_keeps_the_old_ones(
    edge: Edge, jwks_server: JwksServer
) -> None:
    keys = edge_keys(jwks_server, Clock())
    await keys.current()
    has_no_keys(jwks_server)
    assert set(await keys.refreshed()) == {edge.kid}
    assert set(await keys.current()) == {edge.kid}


@pytest.mark.parametrize(
    "url",
    [
        *("https://edge.example:99999/jwks", "https://xn--a.com/jwks", "http://127.0.0.1:99999/"),
        *("https://[::1/jwks", "no-scheme", "http://a..b/", "gopher://edge.example/"),
    ],
)
async def test_a_wrong_address_never_raises_another_exception(
    url: str, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(KeysUnavailable):
        await EdgeKeys(url, timeout=PATIENCE).current()
    (record,) = caplog.records
    assert record.message in {"keys not renewed: unreachable", "keys not renewed: not-fetched"}
    assert record.__dict__["fastgate"]["url"] == url
    assert record.__dict__["fastgate"]["error"]


async def test_the_trust_store_is_not_read_on_the_event_loop(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    readers: list[int] = []
    read = httpx.create_ssl_context

    def recorded() -> ssl.SSLContext:
        readers.append(threading.get_ident())
        return read()

    monkeypatch.setattr("fastgate.keys.source.httpx.create_ssl_context", recorded)
    clock = Clock()
    keys = EdgeKeys("https://127.0.0.1:1/jwks", clock=clock, timeout=PATIENCE)
    for _ in range(2):
        with pytest.raises(KeysUnavailable):
            await keys.current()
        clock.now += 10
    assert len(readers) == 1
    assert readers[0] != threading.get_ident()


async def test_plain_http_reads_no_trust_store(
    edge: Edge, jwks_server: JwksServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fastgate.keys.source.httpx.create_ssl_context", None)
    assert edge.kid in await EdgeKeys(jwks_server.url, timeout=PATIENCE).current()
