"""Find requests for which the app would run another endpoint than the edge has checked.

Input: everything that an app serves, in its order. Output: for each such endpoint what is wrong and
what to do about it. Nothing is changed.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from fastgate.compile.callers.regions import REGIONS
from fastgate.compile.endpoints.endpoint import Endpoint, Kind
from fastgate.compile.endpoints.route_ids import (
    access_of,
    app_requests_of,
    members_of,
    requests_of,
    rewritten_path,
    routed_endpoints,
)
from fastgate.declare.members import CALLERS, PREFIX
from fastgate.declare.static_access import texts_in
from fastgate.path_template import Template, TemplateRefused, comparable
from fastgate.routes.route_names import UNNAMED, Request


class RouteConflict(NamedTuple):
    """An endpoint that the edge and the app would match differently, and what to do about it."""

    endpoint: Endpoint
    what: str
    remedy: str


def rewrite_conflicts(found: Sequence[Endpoint], root_path: str) -> Iterator[RouteConflict]:
    """Find rewrites to an endpoint with other requirements on callers; the origin runs that one."""
    runs: dict[Request, Endpoint] = {}
    for endpoint in found:
        if endpoint.kind not in (Kind.MOUNT, Kind.DECLARATION):
            for request in app_requests_of(endpoint):
                runs.setdefault((request, comparable(endpoint.template)), endpoint)
    for endpoint in routed_endpoints(found):
        rewrite = members_of(endpoint).get("rewrite")
        if not isinstance(rewrite, Mapping):
            continue
        forwarded = rewritten_path(endpoint.template, rewrite)
        paths = {comparable(forwarded), comparable(f"{root_path}{forwarded}")}
        requests = [(each, path) for path in paths for each in requests_of(endpoint)]
        others = {id(each): each for each in map(runs.get, requests) if each is not None}
        for other in others.values():
            differing = [
                name
                for name in (*CALLERS, REGIONS)
                if _required(other, name) != _required(endpoint, name)
            ]
            if differing and other is not endpoint:
                yield RouteConflict(
                    endpoint,
                    f"is rewritten to {other}, which the app then runs, but which has other "
                    f"requirements on callers: {', '.join(differing)}",
                    "declare the same for both"
                    if access_of(other) != UNNAMED
                    else "rewrite it to an endpoint that has a route at the edge",
                )


def _required(endpoint: Endpoint, member: str) -> object:
    value = members_of(endpoint).get(member)
    return sorted(texts_in(value)) if isinstance(value, (list, tuple)) else value or None


# The app runs the first endpoint that matches, the edge the most specific one. A mount receives
# every request below its path, and no other.


def route_conflicts(found: Sequence[Endpoint]) -> Iterator[RouteConflict]:
    """Find endpoints for which the app would run another one that is registered earlier.

    The earlier endpoint may have no route at the edge. A later endpoint without a route is never a
    conflict: the app runs the earlier one, or, if the later one is more specific, refuses the
    request that the edge has matched to the other route.
    """
    earlier: list[tuple[Endpoint, Template]] = []
    for endpoint in found:
        try:
            template = Template.parse(endpoint.template)
        except TemplateRefused:
            continue  # `compile.policy` reports it
        if endpoint.kind not in (Kind.MOUNT, Kind.DECLARATION) and access_of(endpoint) != UNNAMED:
            for first, its_template in earlier:
                if its_template.overlaps(template):
                    yield from _conflict(first, its_template, endpoint, template)
        if endpoint.kind is not Kind.DECLARATION:
            earlier.append((endpoint, template))


def _conflict(
    first: Endpoint, its_template: Template, second: Endpoint, template: Template
) -> Iterator[RouteConflict]:
    if first.kind is Kind.MOUNT:
        # If only some of its paths are below the mount, the mount alone responds to those: with an
        # endpoint that is more specific at the edge, too, or with its own 404 or 405.
        if its_template.covers(template):
            yield RouteConflict(
                second,
                f"is never reached: the mount {first} takes everything below its path",
                "register it before the mount, or move it to a path outside of the mount",
            )
        return
    requests = (
        app_requests_of(first) if first.kind is Kind.HTTP else requests_of(first)
    )  # mounts have a MOUNT entry
    if set(requests).isdisjoint(requests_of(second)):
        return
    prefixes = [members_of(endpoint).get(PREFIX) for endpoint in (first, second)]
    if prefixes[0] != prefixes[1] and access_of(first) != UNNAMED:
        yield RouteConflict(
            second,
            f"and {first} match the same requests in the app but have different prefixes at the "
            "edge, "
            "which cannot know which of them the app would run",
            "give both the same prefix, or paths that do not overlap",
        )
    elif its_template.matches_the_same(template):
        yield RouteConflict(
            second,
            f"is never reached: {first} matches the same requests",
            "remove one of the two, or give them different methods or paths",
        )
    elif template.goes_before(its_template):
        yield RouteConflict(
            second,
            f"is more specific than {first}, which the app tries first: the edge would check the "
            "one, "
            "and the app would run the other",
            "register the more specific one first",
        )
