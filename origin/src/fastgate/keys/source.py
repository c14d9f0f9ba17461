"""The source of the edge's keys, and the limits of their age.

Input: an address, or a JWK Set that never changes. Output: the `KeySet` to verify with now, or
`KeysUnavailable`. It never blocks the event loop and never follows a redirect. Unverified requests
do not determine how often keys are fetched. Bad keys never replace good ones. The keys of other
gateways have the same limits.
"""

import logging
import ssl
import time
from collections.abc import Callable, Mapping
from typing import Generic, Protocol, TypedDict, TypeVar, Unpack

import anyio
import anyio.to_thread
import httpx
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from fastgate.background import Job, start
from fastgate.errors import EdgeNotConfigured, JwksRefused, KeysUnavailable
from fastgate.keys.key_set import KeySet, read_key_set
from fastgate.keys.origin import MacKey, OriginKeys

Key = TypeVar("Key")

MAX_DOCUMENT_BYTES = 65_536

_log = logging.getLogger("fastgate")


def url_fault(url: str) -> str | None:
    """Return why fetching from `url` must fail; None if it may succeed."""
    try:
        parsed = httpx.URL(url)
        host = parsed.host  # converted by IDNA (RFC 5891 §4), as for the lookup
    except (httpx.InvalidURL, ValueError) as error:
        return str(error)
    if parsed.port is not None and not 0 < parsed.port <= 65_535:
        return "its port must be a number from 1 to 65535"
    raw = parsed.raw_host
    if not host or any(not 0 < len(label) <= 63 for label in raw.rstrip(b".").split(b".")):
        return "each part of a host name must have 1 to 63 characters (RFC 1035 §2.3.4)"
    return None


class KeySource(Protocol):
    """The interface by which the middleware gets keys."""

    async def current(self) -> KeySet:
        """Return the keys to verify with now. Raises `KeysUnavailable`."""

    async def refreshed(self) -> KeySet:
        """Return the keys after a token has named an unknown one. Never raises."""


class StaticKeys:
    """Keys from the settings. They never change."""

    def __init__(self, keys: KeySet) -> None:
        self._keys = keys

    async def current(self) -> KeySet:
        """Return the keys."""
        return self._keys

    async def refreshed(self) -> KeySet:
        """Return the same keys: there is no server to fetch from."""
        return self._keys


class NoEdge:
    """The keys of an app without an edge: it verifies no header."""

    async def current(self) -> KeySet:
        """Refuse. Raises `EdgeNotConfigured`."""
        raise EdgeNotConfigured

    async def refreshed(self) -> KeySet:
        """Return no keys."""
        return {}


class Limits(TypedDict, total=False):
    """The limits of fetched keys. All times are in seconds."""

    fresh_for: float
    """The age at which keys are renewed: by default 300."""
    max_stale: float
    """The age at which keys that could not be renewed are no longer used: by default 3600."""
    cool_down: float
    """The least time between two fetches that unknown keys cause: by default 30."""
    retry_pause: float
    """The least time between a failed fetch and the next: by default 2."""
    timeout: float
    """The time limit for one whole fetch: by default 5."""
    clock: Callable[[], float]
    """A monotonic clock."""


class FetchedKeys(Generic[Key]):
    """Keys from one address. They are fetched when first needed, and then renewed.

    Keys younger than `fresh_for` are used without a fetch. Older keys are still used while a fetch
    runs in the background. Keys older than `max_stale` are not used.
    """

    def __init__(self, url: str, **limits: Unpack[Limits]) -> None:
        self._url = url
        self._fresh_for = limits.get("fresh_for", 300.0)
        self._max_stale = limits.get("max_stale", 3600.0)
        self._cool_down = limits.get("cool_down", 30.0)
        self._retry_pause = limits.get("retry_pause", 2.0)
        self._timeout = limits.get("timeout", 5.0)
        self._clock = limits.get("clock", time.monotonic)
        self._tls: ssl.SSLContext | None = None
        self._keys: Mapping[str, Key] = {}
        self._fetched_at = float("-inf")
        self._failed_at = float("-inf")
        self._refreshed_at = float("-inf")
        self._fetch: Job | None = None
        self.failure: str | None = None
        """The cause of the last failed fetch, as in the log."""

    def _read(self, document: bytes) -> Mapping[str, Key]:
        """Return the keys in a document. Raises `JwksRefused`."""
        raise NotImplementedError

    @property
    def has_keys(self) -> bool:
        """Whether keys were ever fetched."""
        return bool(self._keys)

    async def current(self) -> Mapping[str, Key]:
        """Return the keys to verify with now.

        Raises:
            KeysUnavailable: there are no keys younger than `max_stale`, and a fetch has failed now
                or less than `retry_pause` ago.

        """
        if self._age() >= self._fresh_for and self._may_try():
            fetch = self._started_fetch()
            if self._age() >= self._max_stale:
                await fetch.wait()
        if self._age() >= self._max_stale:
            raise KeysUnavailable
        return self._keys

    async def refreshed(self) -> Mapping[str, Key]:
        """Fetch at most once per `cool_down`, regardless of how many unknown keys are named."""
        if self._clock() - self._refreshed_at >= self._cool_down:
            self._refreshed_at = self._clock()
            await self._started_fetch().wait()
        elif self._fetch is not None and not self._fetch.done:
            await self._fetch.wait()
        return self._keys

    def _age(self) -> float:
        return self._clock() - self._fetched_at

    def _may_try(self) -> bool:
        return self._clock() - self._failed_at >= self._retry_pause

    def _started_fetch(self) -> Job:
        """Return the running fetch, or start one. All callers share it."""
        if self._fetch is None or self._fetch.done:
            self._fetch = start(self._renew)
        return self._fetch

    async def _renew(self) -> None:
        asked_at = self._clock()
        try:
            with anyio.fail_after(self._timeout):
                keys = self._read(await self._download())
        except JwksRefused as error:
            self._failed(error.reason)
        except (httpx.HTTPError, TimeoutError) as error:
            self._failed("unreachable", error)
        except Exception as error:
            # For example an invalid name or an empty trust store. It is a 503, too, never a 500.
            self._failed("not-fetched", error)
        else:
            self._keys, self._fetched_at = keys, asked_at

    def _failed(self, cause: str, error: Exception | None = None) -> None:
        self._failed_at, self.failure = self._clock(), cause
        facts = {"url": self._url, "error": None if error is None else repr(error)}
        _log.warning("keys not renewed: %s", cause, extra={"fastgate": facts})

    async def _trust(self) -> ssl.SSLContext:
        """Return the TLS context: read once, in a thread, and never for plain HTTP."""
        if self._tls is None:
            if self._url.startswith("https:"):
                # It takes tens of milliseconds of processor and disk time.
                self._tls = await anyio.to_thread.run_sync(httpx.create_ssl_context)
            else:
                self._tls = ssl.SSLContext(
                    ssl.PROTOCOL_TLS_CLIENT
                )  # this one trusts no certificate
        return self._tls

    async def _download(self) -> bytes:
        trust = await self._trust()
        async with (
            # Proxies and credentials from the environment are ignored.
            httpx.AsyncClient(
                verify=trust, timeout=self._timeout, follow_redirects=False, trust_env=False
            ) as client,
            client.stream("GET", self._url, headers={"Accept-Encoding": "identity"}) as response,
        ):
            if response.status_code != httpx.codes.OK:
                raise JwksRefused("not-ok")
            document = bytearray()
            # The bytes are raw: a compressed bomb must not be unpacked before it is measured.
            async for chunk in response.aiter_raw():
                document += chunk
                if len(document) > MAX_DOCUMENT_BYTES:
                    raise JwksRefused("too-long")
            return bytes(document)


class EdgeKeys(FetchedKeys[Ed25519PublicKey | MacKey]):
    """Keys that the edge publishes, and those that an origin derives from them."""

    def __init__(
        self, url: str, *, origin: OriginKeys | None = None, **limits: Unpack[Limits]
    ) -> None:
        super().__init__(url, **limits)
        self._origin = origin

    def _read(self, document: bytes) -> KeySet:
        return read_key_set(document, self._origin)
