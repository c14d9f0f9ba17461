"""Name surrogate keys in the response of the current request: `purge` and `surrogate_keys`.

Input: keys, from an endpoint or anything that it calls. Output: the response fields
`Fastgate-Purge` and `Surrogate-Key`. The edge reads them and forwards neither. The guard makes one
`ResponseKeys` for each request, and `request.sending` adds the fields.
"""

from collections.abc import Awaitable, Generator, MutableMapping
from contextvars import ContextVar, Token
from typing import Any

PURGE_FIELD = b"fastgate-purge"
TAG_FIELD = b"surrogate-key"
MOST_KEYS = 64
"""The most keys of one kind in a response: the edge purges by no others, and stores nothing."""
LONGEST_KEY = 256
"""The greatest length of a key, in bytes."""
_HEAD_TYPES = ("http.response.start", "websocket.accept", "websocket.close")


class ResponseKeys:
    """The keys that the response of one request is to name, and whether it can still do so."""

    __slots__ = ("has_begun", "is_http", "named")

    def __init__(self, *, is_http: bool) -> None:
        self.is_http = is_http
        self.has_begun = False
        """Whether the head of the response was sent."""
        self.named: dict[bytes, dict[str, None]] | None = None
        """The keys by field, in the order in which they were named."""

    def added_to(self, message: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        """Return a message of the app, the head of its response with the fields."""
        if message["type"] not in _HEAD_TYPES:
            return message
        self.has_begun = True
        if self.named is None:
            return message
        fields = [(field, " ".join(keys).encode("ascii")) for field, keys in self.named.items()]
        return {**message, "headers": [*message.get("headers", ()), *fields]}

    def add(self, field: bytes, keys: tuple[str, ...]) -> None:
        """Name keys in a field. Raises `ValueError` if they are too many."""
        named = dict[bytes, dict[str, None]]() if self.named is None else self.named
        present = named.get(field, {})
        every = {**present, **dict.fromkeys(keys)}
        if len(every) > MOST_KEYS:
            raise ValueError(
                f"{len(every)} keys in one response; the edge reads at most {MOST_KEYS}: use one "
                "key for what belongs together"
            )
        self.named = {**named, field: every}


_current: ContextVar[ResponseKeys | None] = ContextVar("fastgate.response_keys", default=None)


def begin_keys(*, is_http: bool) -> tuple[ResponseKeys, Token[ResponseKeys | None]]:
    """Begin a request. The second result is for `end_keys`."""
    keys = ResponseKeys(is_http=is_http)
    return keys, _current.set(keys)


def end_keys(token: Token[ResponseKeys | None]) -> None:
    """End a request."""
    _current.reset(token)


class _Done:
    """The result of `purge`, which may be awaited and does nothing then."""

    __slots__ = ()

    def __await__(self) -> Generator[None, None, None]:
        yield from ()


_DONE = _Done()


def purge(*keys: str) -> Awaitable[None]:
    """Purge the stored responses with one of these surrogate keys.

    Write `await purge("orders:7")`; in an endpoint without `async`, without `await`.

    The keys become part of the response of this request, in the field `Fastgate-Purge`, whatever
    its status; the edge purges all responses of this app that named one of them by
    `surrogate_keys`. It does so when it receives the response, so call it after the change is
    stored, and before the response begins. It has no effect if the request ends with an error that
    no exception handler of the app turns into a response.

    Raises:
        RuntimeError: there is no current request of a guarded app, its response has begun, or it
            is a WebSocket. The command `fastgate purge` purges all responses of an app from outside
            of requests.
        TypeError: a key is not a string.
        ValueError: a key is not 1 to 256 printable ASCII characters without spaces; there is no
            key; or the response would have more than 64.

    """
    _name(
        "purge",
        PURGE_FIELD,
        keys,
        "the command `fastgate purge` purges all stored responses of the app from outside",
    )
    return _DONE


def surrogate_keys(*keys: str) -> None:
    """Name surrogate keys of the response of this request, by which `purge` finds it once stored.

    They become the field `Surrogate-Key`. A stored response keeps them until it is replaced.

    Raises:
        RuntimeError: there is no current request of a guarded app, its response has begun, or it
            is a WebSocket.
        TypeError: a key is not a string.
        ValueError: a key is not 1 to 256 printable ASCII characters without spaces; there is no
            key; or the response would have more than 64.

    """
    _name(
        "surrogate_keys", TAG_FIELD, keys, "call it in an endpoint or a dependency of a guarded app"
    )


def _name(function: str, field: bytes, keys: tuple[str, ...], instead: str) -> None:
    if not keys:
        raise ValueError(f'{function}() names no key; write {function}("orders:7")')
    for key in keys:
        if not isinstance(key, str):
            raise TypeError(f"{function}: {key!r} is not a string")
        is_valid = key.isascii() and key.isprintable() and " " not in key
        if not is_valid or not 0 < len(key) <= LONGEST_KEY:
            raise ValueError(
                f"{function}: {key!r} is not a key: write 1 to {LONGEST_KEY} printable ASCII "
                "characters without spaces"
            )
    current = _current.get()
    if current is None:
        raise RuntimeError(
            f"{function}(…) adds to the response of a request, and there is none, or no guard let "
            f"it in; {instead}"
        )
    if not current.is_http:
        raise RuntimeError(f"{function}(…) in a WebSocket, which has no response; {instead}")
    if current.has_begun:
        raise RuntimeError(
            f"{function}(…) adds to the response, which has begun: call it earlier; {instead}"
        )
    current.add(field, keys)
