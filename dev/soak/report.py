"""Print the results of a soak test as tables."""

from collections import Counter
from collections.abc import Sequence
from statistics import median

from load import Load, Result

# The allowed growth of the edge's memory: the allocator is not exact, and each key of the provider
# leaves a few entries in Viceroy's cache.
GROWTH, GROWTH_MIB = 0.05, 8.0

# The load begins with a burst, which is not representative.
WARM_SECONDS = 5.0

Memory = Sequence[tuple[float, float]]  # time, MiB
Disturbance = tuple[str, float, float]  # what, from, to


def percentiles(results: Sequence[Result]) -> str:
    times = sorted(result.milliseconds for result in results)
    if not times:
        return "– | – | –"
    return " | ".join(
        f"{times[min(len(times) - 1, int(len(times) * at))]:.1f}" for at in (0.5, 0.95, 0.99)
    )


def latencies(load: Load, disturbances: Sequence[Disturbance], begin: float) -> None:
    print("\n| disturbance | at, s | | requests | p50, ms | p95 | p99 |")
    print("| --- | --- | --- | ---: | ---: | ---: | ---: |")
    for what, start, end in disturbances:
        around = max(10.0, min(end - start, 60.0))
        for phase, low, high in (
            ("before", start - around, start),
            ("during", start, end),
            ("after", end, end + around),
        ):
            low = max(low, begin + WARM_SECONDS)
            some = [result for result in load.results if low <= result.sent < high]
            at = f"{low - begin:.0f}–{high - begin:.0f}"
            print(f"| {what} | {at} | {phase} | {len(some)} | {percentiles(some)} |")


def statuses(load: Load) -> None:
    print("\n| request | responses |")
    print("| --- | --- |")
    for name in dict.fromkeys(kind.name for kind in [*load.kinds, *filter(None, [load.rotated])]):
        counts = Counter(result.status for result in load.results if result.kind.name == name)
        print(
            f"| {name} | {', '.join(f'{n} × {status}' for status, n in sorted(counts.items()))} |"
        )


def memory(series: Memory, begin: float, seconds: float) -> bool:
    """Prints the series. Returns whether the last quarter is no higher than the second."""

    def quarter(number: int) -> float:
        low = begin + seconds * number / 4
        return median([mib for at, mib in series if low <= at < low + seconds / 4] or [0.0])

    second, last = quarter(1), quarter(3)
    step = max(1, len(series) // 20)
    shown = " ".join(f"{mib:.0f}" for _, mib in series[::step])
    every = seconds * step / max(1, len(series))
    print(f"\nmemory of the edge, MiB, every {every:.0f} s: {shown}")
    level = last <= second + max(second * GROWTH, GROWTH_MIB)
    print(
        f"second quarter {second:.1f} MiB, last quarter {last:.1f} MiB: {'level' if level else 'GROWS'}"
    )
    return level


def wrong(load: Load, begin: float) -> bool:
    """Prints the unexplained responses. Returns whether there were none."""
    found = load.wrong()
    print(f"\n{len(load.results)} requests, {len(found)} wrong responses")
    for result in found[:20]:
        about = "" if result.right else ", about another caller or unreadable"
        print(f"  {result.sent - begin:.1f} s: {result.kind.name}: {result.status}{about}")
    return not found
