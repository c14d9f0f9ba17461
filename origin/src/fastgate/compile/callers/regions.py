"""The regions in which endpoints may run: lists of names, and what they have in common.

Input: the member `regions` of route documents, and lists from `requires(region=…)`. Output: lists
in which both may run. None stands for every region. An empty list stands for none: a contradiction.
"""

from collections.abc import Mapping, Sequence
from typing import TypeAlias

from fastgate.declare.static_access import texts_in

REGIONS = "regions"
"""The member of the route document."""

Regions: TypeAlias = tuple[str, ...] | None


def regions_of(members: Mapping[str, object]) -> Regions:
    """Return the regions of a route document; a malformed or empty list admits every region."""
    return texts_in(members.get(REGIONS)) or None


def in_common(one: Regions, other: Regions) -> Regions:
    """Return the regions that both admit, in the order of the first."""
    if one is None or other is None:
        return other if one is None else one
    return tuple(each for each in one if each in other)


def beyond(wanted: Regions, given: Regions) -> Regions:
    """Return the wanted regions if the given ones include others; None if not."""
    if wanted is None or (given is not None and {*given} <= {*wanted}):
        return None
    return wanted


def narrowed(members: Mapping[str, object], wanted: Regions) -> dict[str, object]:
    """Return the members of a route that runs only in these regions, and in those that it has."""
    both = in_common(regions_of(members), wanted)
    return dict(members) if both is None else {**members, REGIONS: [*both]}


def contradiction(wanted: Regions, members: Mapping[str, object]) -> tuple[str, str] | None:
    """Return the fault of an endpoint that no region may run, with what to write instead."""
    if in_common(wanted, declared := regions_of(members)) != ():
        return None
    shown = "several lists of them" if not wanted else f"{_shown(wanted)} by requires(region=…)"
    shown += "" if declared is None else f", and {_shown(declared)} by at_edge(regions=…)"
    return (
        f"requires regions that have none in common: {shown}",
        "leave one of them out, or name a region that is in both",
    )


def same_regions(one: object, other: object) -> bool:
    """Whether two values of the member mean the same: the order means nothing."""
    lists = [
        set(texts_in(it)) if isinstance(it, (list, tuple)) else it or set() for it in (one, other)
    ]
    return lists[0] == lists[1]


def _shown(regions: Sequence[str]) -> str:
    return ", ".join(f'"{each}"' for each in regions)
