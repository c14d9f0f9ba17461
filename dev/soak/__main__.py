"""The gate under load while everything around it changes: `make soak`, ten minutes.

    .venv/bin/python dev/soak [--seconds 600] [--rate 40]

The release guest runs on Viceroy in front of the demo app on uvicorn, with a provider of its own.
While requests are sent at a steady rate, the provider rotates its signing key every minute and is
unavailable for a while; a policy is pushed and reverted, a shadow policy is stored and removed; the
origin restarts. Every response is compared with the policy and keys in force at that time. Exits 0
if no response was wrong and the edge's memory does not grow, else 1.

Only these deviations are allowed:
- 503 with the newest key of the provider, until the edge may fetch it: while the provider is
  unavailable, and for one cool-down after that and after a rotation;
- 503 for a token signed with an unpublished key, while the provider is unavailable;
- the former policy, for ten seconds after a push;
- 502, 503 and 504 while the origin restarts.
"""

import argparse
import asyncio
import sys
import time

import load
import report
import services
from load import Kind, Load
from provider import Provider
from services import COOL_DOWN, WORK, Edge, Process, SoakError

# A sandbox reads its policies again every ten seconds. Two more are for requests under way.
POLL_SECONDS = 12.0
# After a fetch of keys, successful or not, the edge does not fetch again for one cool-down.
COOL_SECONDS = COOL_DOWN + 2.0
SETTLE_SECONDS = 3.0
AWAY = ("newest key", "forged")


class Soak:
    """One run of the soak test."""

    def __init__(self, seconds: float, rate: float) -> None:
        self.seconds = seconds
        ports = [services.free_port() for _ in range(3)]
        self.edge_port, self.origin_port, idp_port = ports
        self.url = f"http://127.0.0.1:{self.edge_port}"
        self.provider = Provider(idp_port)
        self.live = services.policy(self.url, self.provider.issuer)
        self.load = Load(self.url, load.kinds(self.provider), rate)
        self.disturbances: list[report.Disturbance] = []
        self.memory: list[tuple[float, float]] = []
        self.newest_keys: list[Kind] = []
        self.begin = 0.0
        self.shadow_seen = self.shadow_gone = False

    def run(self) -> int:
        WORK.mkdir(parents=True, exist_ok=True)
        for log in WORK.glob("*.log"):
            log.unlink()
        self.provider.start()
        self.origin = services.origin(self.origin_port, self.url)
        try:
            self.edge = Edge(self.edge_port, self.origin_port, self.provider.port, self.live)
            try:
                self.origin.wait_until_it_responds(f"http://127.0.0.1:{self.origin_port}/")
                self.edge.wait_until_it_responds(f"{self.url}/")
                asyncio.run(self._everything())
                return self._report()
            finally:
                self.edge.stop()
        finally:
            self.origin.stop()
            self.provider.stop()

    async def _everything(self) -> None:
        self.begin = time.monotonic()
        self._policy_in_force = self.load.open("policy", ["items"], [200])
        self.load.rotated = load.rotated(self.provider)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.load.run(self.begin + self.seconds))
            for task in (self._rotations, self._absence, self._pushes, self._shadow, self._restart):
                tasks.create_task(task())
            tasks.create_task(self._watch_memory())

    async def _at(self, share: float) -> float:
        """Waits until this share of the time is over."""
        await asyncio.sleep(max(0.0, self.begin + self.seconds * share - time.monotonic()))
        return time.monotonic()

    def _note(self, what: str, start: float) -> None:
        print(
            f"  {start - self.begin:.0f}–{time.monotonic() - self.begin:.0f} s: {what}", flush=True
        )
        self.disturbances.append((what, start, time.monotonic()))

    async def _rotations(self) -> None:
        every = min(60.0, self.seconds / 4)
        while time.monotonic() + every < self.begin + self.seconds:
            await asyncio.sleep(every)
            window = self.load.open("rotation", ["newest key"], [503])
            self.provider.rotate()
            self.load.rotated = load.rotated(self.provider)
            self.newest_keys.append(self.load.rotated)
            window.end = time.monotonic() + COOL_SECONDS

    async def _absence(self) -> None:
        start = await self._at(0.15)
        window = self.load.open("provider unavailable", AWAY, [503])
        self.provider.stop()
        await asyncio.sleep(min(60.0, self.seconds / 6))
        self.provider.start()
        window.end = time.monotonic() + COOL_SECONDS
        self._note("provider unavailable", start)

    async def _pushes(self) -> None:
        for share, policy, status in (
            (0.4, services.closed(self.live), 401),
            (0.65, self.live, 200),
        ):
            start = await self._at(share)
            window = self.load.open("policy", ["items"], [status])
            await asyncio.to_thread(self.edge.put, "policy", policy)
            self._policy_in_force.end = time.monotonic() + POLL_SECONDS
            self._policy_in_force = window
            await asyncio.sleep(POLL_SECONDS)
            self._note("policy pushed", start)

    async def _shadow(self) -> None:
        start = await self._at(0.45)
        shadow = services.demanding(self.live)
        await asyncio.to_thread(self.edge.put, "policy.shadow", shadow)
        await self._at(0.6)
        self.shadow_seen = self.edge.lines_with_shadow > 0
        await asyncio.to_thread(self.edge.delete, "policy.shadow")
        removed = time.monotonic()
        await asyncio.sleep(POLL_SECONDS)
        self._note("shadow policy", start)
        await self._at(0.99)
        self.shadow_gone = self.edge.last_shadow < removed + POLL_SECONDS

    async def _restart(self) -> None:
        start = await self._at(0.88)
        window = self.load.open("origin restarts", None, [502, 503, 504])
        await asyncio.to_thread(self.origin.stop)
        self.origin = services.origin(self.origin_port, self.url)
        url = f"http://127.0.0.1:{self.origin_port}/"
        await asyncio.to_thread(self.origin.wait_until_it_responds, url)
        window.end = time.monotonic() + SETTLE_SECONDS
        self._note("origin restarts", start)

    async def _watch_memory(self) -> None:
        while time.monotonic() < self.begin + self.seconds:
            self.memory.append((time.monotonic(), self.edge.memory()))
            await asyncio.sleep(min(1.0, self.seconds / 100))

    def _report(self) -> int:
        report.statuses(self.load)
        report.latencies(self.load, sorted(self.disturbances, key=lambda one: one[1]), self.begin)
        warm = [one for one in self.load.results if one.sent >= self.begin + report.WARM_SECONDS]
        print(f"\nall: p50, p95, p99 in ms: {report.percentiles(warm)}")
        level = report.memory(self.memory, self.begin, self.seconds)
        shadow = self.shadow_seen and self.shadow_gone
        print(
            f"\nshadow policy: {'seen and removed' if shadow else 'NOT SEEN, OR NOT REMOVED'} in the log;",
            end=" ",
        )
        print(f"the keys were fetched {self.provider.visits} times")
        right = report.wrong(self.load, self.begin)
        # Every key that was the newest for a while has to be accepted at some time.
        accepted = {id(result.kind) for result in self.load.results if result.status == 200}
        missed = [kind for kind in self.newest_keys if id(kind) not in accepted]
        print(f"{len(self.newest_keys)} rotations, {len(missed)} keys never accepted")
        newest = bool(self.newest_keys) and not missed
        good = right and level and shadow and newest
        print("\nPASSED" if good else "\nFAILED")
        return 0 if good else 1

    origin: Process
    edge: Edge


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="dev/soak", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=600.0)
    parser.add_argument("--rate", type=float, default=40.0, help="requests a second")
    arguments = parser.parse_args()
    if arguments.seconds < 60:
        parser.error("below 60 seconds, a pushed policy is reverted before it is in force")
    try:
        return Soak(arguments.seconds, arguments.rate).run()
    except SoakError as error:
        print(f"soak: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
