"""The requests of a soak test, their allowed responses at each time, and their sender."""

import asyncio
import random
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import httpx
from provider import Provider

CALLERS = 20
IN_FLIGHT = 32
"""The maximum of concurrent requests: each needs a sandbox of its own, and so memory."""
BURSTS = 4
Judge = Callable[[Any], bool]
FORGED_IDENTITY = "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJhZG1pbiJ9.AAAA"


@dataclass(frozen=True)
class Kind:
    """A kind of request."""

    name: str
    path: str
    statuses: frozenset[int]  # the statuses when nothing is wrong
    token: str | None = None
    method: str = "GET"
    judge: Judge = lambda _: True  # whether the JSON of a 200 is for this caller
    of_caller: bool = False

    def headers(self) -> dict[str, str]:
        # A client may send the edge's header with any value. The edge removes it.
        forged = {"fastgate-identity": FORGED_IDENTITY}
        return forged if self.token is None else {**forged, "authorization": f"Bearer {self.token}"}


@dataclass
class Window:
    """A time in which some kinds may also have other statuses. It is open until it is closed."""

    why: str
    names: frozenset[str] | None  # None: all kinds
    statuses: frozenset[int]
    begin: float
    end: float = float("inf")

    def covers(self, name: str, sent: float, done: float) -> bool:
        return (
            (self.names is None or name in self.names) and self.begin <= done and sent <= self.end
        )


@dataclass(frozen=True)
class Result:
    """One request and its response. The status is 0 if there was none."""

    kind: Kind
    sent: float
    done: float
    status: int
    right: bool  # whether the app named the right caller

    @property
    def milliseconds(self) -> float:
        return (self.done - self.sent) * 1000


@dataclass
class Load:
    """Sends requests at a steady rate and stores the results."""

    base: str
    kinds: list[Kind]
    rate: float
    results: list[Result] = field(default_factory=list)
    windows: list[Window] = field(default_factory=list)
    _free: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(IN_FLIGHT))
    rotated: Kind | None = None  # the request with a token of the newest key

    def open(self, why: str, names: Iterable[str] | None, statuses: Iterable[int]) -> Window:
        covered = None if names is None else frozenset(names)
        window = Window(why, covered, frozenset(statuses), time.monotonic())
        self.windows.append(window)
        return window

    async def run(self, until: float) -> None:
        """Sends until `until`. A late request does not delay the next."""
        chosen = random.Random(1)  # the same order in every run
        limits = httpx.Limits(max_connections=IN_FLIGHT, max_keepalive_connections=IN_FLIGHT)
        async with (
            httpx.AsyncClient(limits=limits, timeout=30) as client,
            asyncio.TaskGroup() as tasks,
        ):
            # Reach the maximum of concurrent requests at once, so that their memory is in use from the start.
            for _ in range(BURSTS * IN_FLIGHT):
                tasks.create_task(self._send(client, self._next(chosen.random(), chosen)))
            due = time.monotonic()
            while due < until:
                tasks.create_task(self._send(client, self._next(chosen.random(), chosen)))
                due += 1 / self.rate
                await asyncio.sleep(max(0.0, due - time.monotonic()))

    def _next(self, share: float, chosen: random.Random) -> Kind:
        if self.rotated and share < 0.1:
            return self.rotated
        # Half of the requests are those of callers; the others are of few kinds, each frequent.
        of_callers = share < 0.6
        return chosen.choice([kind for kind in self.kinds if kind.of_caller == of_callers])

    async def _send(self, client: httpx.AsyncClient, kind: Kind) -> None:
        sent = time.monotonic()  # waiting for others counts
        status, right = 0, True
        try:
            async with self._free:
                response = await client.request(
                    kind.method, self.base + kind.path, headers=kind.headers()
                )
            status = response.status_code
            right = status != 200 or kind.judge(response.json())
        except (httpx.TransportError, ValueError) as error:
            print(f"  {kind.name}: {error!r}")
            right = False
        self.results.append(Result(kind, sent, time.monotonic(), status, right))

    def wrong(self) -> list[Result]:
        """Responses that no window explains, and responses about another caller."""
        return [result for result in self.results if not (result.right and self._explained(result))]

    def _explained(self, result: Result) -> bool:
        name, status = result.kind.name, result.status
        if status in result.kind.statuses:
            return True
        return any(
            status in window.statuses and window.covers(name, result.sent, result.done)
            for window in self.windows
        )


def kinds(provider: Provider) -> list[Kind]:
    """A fixed set: Viceroy keeps an entry for every cache key, so new ones would look like a leak."""
    found = [
        # The windows allow its statuses under the pushed policies.
        Kind("items", "/items", frozenset()),
        Kind("welcome", "/", frozenset({200}), judge=_says("message", "Welcome, stranger.")),
        Kind("no token", "/me", frozenset({401})),
        Kind("no route", "/nowhere", frozenset({404})),
        Kind("other method", "/me", frozenset({405}), method="DELETE"),
        Kind("dot segments", "/files/%2e%2e/me", frozenset({400})),
        Kind("garbage", "/me", frozenset({401}), token="garbage"),
        Kind("forged", "/me", frozenset({401}), token=provider.forged_token("forger")),
        Kind("expired", "/me", frozenset({401}), token=provider.token("late", "ES256", exp=1)),
        Kind(
            "other API", "/me", frozenset({401}), token=provider.token("lost", "RS256", aud="other")
        ),
        Kind(
            "no scope",
            "/orders/1",
            frozenset({403}),
            token=provider.token("poor", "ES256", scope="x"),
        ),
    ]
    for number in range(CALLERS):
        subject = f"caller-{number}"
        token = provider.token(subject, "RS256" if number % 2 else "ES256")
        me = _me(subject, provider.issuer)
        found.append(Kind("me", "/me", frozenset({200}), token=token, judge=me, of_caller=True))
        order = _says("ordered_by", subject)
        found.append(
            Kind(
                "order",
                f"/orders/{number}",
                frozenset({200}),
                token=token,
                judge=order,
                of_caller=True,
            )
        )
    return found


def rotated(provider: Provider) -> Kind:
    """A request with a token signed with the provider's newest key."""
    subject = "caller-of-the-newest-key"
    return Kind(
        "newest key",
        "/me",
        frozenset({200}),
        token=provider.rotated_token(subject),
        judge=_me(subject, provider.issuer),
    )


def _me(subject: str, issuer: str) -> Judge:
    return lambda body: (
        (body["subject"], body["issuer"], body["scopes"])
        == (
            subject,
            issuer,
            ["orders:read"],
        )
    )


def _says(member: str, value: str) -> Judge:
    return lambda body: bool(body[member] == value)
