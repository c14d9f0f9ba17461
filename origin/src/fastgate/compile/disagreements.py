"""Compare endpoints with each other: the app may run another one than the edge has judged.

In: everything that an app serves, in its order. Out: for each endpoint that the edge would judge,
and of which the app would run another, what is wrong and what to do about it. Nothing is changed.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from fastgate.compile.endpoints.listing import Endpoint, Kind
from fastgate.compile.endpoints.route_ids import (
    access_of,
    members_of,
    named,
    requests_of,
    rewritten,
    run_for,
)
from fastgate.declare.at_edge import CALLERS, PREFIX
from fastgate.path_template import Template, TemplateRefused, comparable
from fastgate.routes.route_names import UNNAMED, Request


class Disagreement(NamedTuple):
    """An endpoint of which app and edge would disagree, and what to do about it."""

    endpoint: Endpoint
    what: str
    remedy: str


def misled_rewrites(found: Sequence[Endpoint], root_path: str) -> Iterator[Disagreement]:
    """Find rewrites to an endpoint that asks something else of its callers: the origin runs it."""
    runs: dict[Request, Endpoint] = {}
    for endpoint in found:
        if endpoint.kind not in (Kind.BELOW, Kind.NOTHING):
            for request in run_for(endpoint):
                runs.setdefault((request, comparable(endpoint.template)), endpoint)
    for endpoint in named(found):
        rewrite = members_of(endpoint).get("rewrite")
        if not isinstance(rewrite, Mapping):
            continue
        leads_to = rewritten(endpoint.template, rewrite)
        paths = {comparable(leads_to), comparable(f"{root_path}{leads_to}")}
        requests = [(each, path) for path in paths for each in requests_of(endpoint)]
        others = {id(each): each for each in map(runs.get, requests) if each is not None}
        for other in others.values():
            differing = [name for name in CALLERS if _asked(other, name) != _asked(endpoint, name)]
            if differing and other is not endpoint:
                yield Disagreement(
                    endpoint,
                    f"is rewritten to {other}, which is then run, and says something else of its "
                    f"callers: {', '.join(differing)}",
                    "say the same of both"
                    if access_of(other) != UNNAMED
                    else "rewrite it to an endpoint that the edge may name",
                )


def _asked(endpoint: Endpoint, member: str) -> object:
    value = members_of(endpoint).get(member)
    return sorted(map(str, value)) if isinstance(value, (list, tuple)) else value or None


# Endpoints beside each other: the app runs the first that matches, the edge the most specific. A
# mount is asked for everything below its path, and for nothing else.


def disagreements(found: Sequence[Endpoint]) -> Iterator[Disagreement]:
    """Find endpoints of which the app would run another one that stands before them.

    That may have no route at the edge. What itself has none may be in nobody's way: behind another
    one it is not run, and more specific, the app refuses what the edge has judged by the other.
    """
    earlier: list[tuple[Endpoint, Template]] = []
    for endpoint in found:
        try:
            template = Template.parse(endpoint.template)
        except TemplateRefused:
            continue  # said already of what the edge is to name
        if endpoint.kind not in (Kind.BELOW, Kind.NOTHING) and access_of(endpoint) != UNNAMED:
            for first, its_template in earlier:
                if its_template.overlaps(template):
                    yield from _disagreement(first, its_template, endpoint, template)
        if endpoint.kind is not Kind.NOTHING:
            earlier.append((endpoint, template))


def _disagreement(
    first: Endpoint, its_template: Template, second: Endpoint, template: Template
) -> Iterator[Disagreement]:
    if first.kind is Kind.BELOW:
        # Where some of its paths lie below the mount, the app answers those by the mount alone:
        # by an endpoint that the edge knows as more specific, or by the mount's own 404 or 405.
        if its_template.covers(template):
            yield Disagreement(
                second,
                f"is never reached: everything below {first} belongs to that mount",
                "declare it before the mount, or move it from below the mount's path",
            )
        return
    asked_for = run_for(first) if first.kind is Kind.HTTP else requests_of(first)  # else see BELOW
    if set(asked_for).isdisjoint(requests_of(second)):
        return
    prefixes = [members_of(endpoint).get(PREFIX) for endpoint in (first, second)]
    if prefixes[0] != prefixes[1] and access_of(first) != UNNAMED:
        yield Disagreement(
            second,
            f"and {first} match the same requests here, and stand below different prefixes at the"
            " edge, which cannot tell which of them the app would run",
            "give both the same prefix, or paths that do not overlap",
        )
    elif its_template.matches_the_same(template):
        yield Disagreement(
            second,
            f"is never reached: {first} matches the same requests",
            "remove one of the two, or give them different methods or paths",
        )
    elif template.goes_before(its_template):
        yield Disagreement(
            second,
            f"is more specific than {first}, which the app runs first: the edge would judge by the"
            " one, the app would run the other",
            "declare the more specific one first",
        )
