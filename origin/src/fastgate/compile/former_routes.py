"""Accept the former template and id of an endpoint while app and edge are deployed in turn.

Input: an app's endpoints with their `at_edge(formerly=…)`. Output: for each endpoint the former
names by which the edge may still have matched a request, and a fault for each declaration that
would mean another route. The app's router still chooses what runs, and the edge has checked this
very request; only its name for the route may be the former one.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from fastgate.compile.endpoints.endpoint import Endpoint
from fastgate.compile.endpoints.listing import endpoints
from fastgate.compile.endpoints.route_ids import (
    derived_id,
    given_id,
    ids_of,
    members_of,
    requests_of,
    routed_endpoints,
)
from fastgate.declare.formerly import FORMERLY, Former, read_former
from fastgate.declare.members import METHODS, PREFIX
from fastgate.path_template import Template, TemplateRefused, comparable
from fastgate.routes.framework import WEBSOCKET
from fastgate.routes.route_names import Accepted, Request


@dataclass(frozen=True, slots=True)
class FormerlyFault:
    """A declaration that is not accepted, and what to do about it."""

    endpoint: Endpoint
    what: str
    remedy: str


class Overlap(NamedTuple):
    """The former names that an app accepts in addition to its present routes."""

    accepted: Mapping[Request, Accepted]
    at_edge: Mapping[Request, Accepted]
    """The same with the templates of the policy, which include the prefix that the edge removes."""
    misleading: Sequence[FormerlyFault]


def overlap_of(app: object) -> Overlap:
    """Return what the endpoints of `app` declare. Raises `TypeError` if it has no routes."""
    served = routed_endpoints(endpoints(app))
    return overlap_between(served, ids_of(served))


def overlap_between(served: Sequence[Endpoint], ids: Sequence[str]) -> Overlap:
    """Return what endpoints with a route at the edge declare; `ids` are their present ids.

    A template or an id that another endpoint has now is not accepted: the edge matches that
    endpoint's requests by it.
    """
    accepted: dict[Request, Accepted] = {}
    at_edge: dict[Request, Accepted] = {}
    misleading: list[FormerlyFault] = []
    reached = _reached(served)
    for endpoint, own_id in zip(served, ids, strict=True):
        former = _read(endpoint)
        faults = list(_faults(endpoint, own_id, former, served, ids, reached))
        misleading += faults
        here = tuple(each for each in former.templates if _overlap(each, endpoint.template))
        if faults or not (here or former.ids):
            continue
        methods = _methods(endpoint)
        found = set(_spellings(former.ids))
        found |= {derived_id(methods[:1], each) for each in here}
        # A derived id belongs to another route as soon as that route has the template.
        others = frozenset(found) - set(ids)
        for prefix, known in (("", accepted), (members_of(endpoint).get(PREFIX, ""), at_edge)):
            own = Accepted(frozenset(comparable(f"{prefix}{each}") for each in here), others)
            for method in methods:
                known.setdefault((method, comparable(f"{prefix}{endpoint.template}")), own)
    return Overlap(accepted, at_edge, misleading)


def _faults(
    endpoint: Endpoint,
    own_id: str,
    former: Former,
    served: Sequence[Endpoint],
    ids: Sequence[str],
    reached: Collection[tuple[int, str]],
) -> Iterator[FormerlyFault]:
    for template in former.templates:
        written = f'declares {FORMERLY}="{template}"'
        if comparable(template) == comparable(endpoint.template):
            why = "which is its present template: names of parameters make no difference"
            yield FormerlyFault(endpoint, f"{written}, {why}", "remove it")
        elif (id(endpoint.source), template) not in reached:
            yield FormerlyFault(
                endpoint,
                f"{written}, but no request matches both that and {endpoint.template}",
                "write the full former template, including the prefixes of routers and mounts; "
                "clients "
                "of another path need a route of their own",
            )
        elif (other := _holder(template, endpoint, served)) is not None:
            yield FormerlyFault(
                endpoint,
                f"{written}, but {other} has that template now, and the edge matches its "
                "requests by it",
                f"remove {FORMERLY}: requests get 401 until the edge has the new route",
            )
    for name in former.ids:
        if not (spellings := _spellings([name])).isdisjoint(ids):
            own = own_id in spellings
            yield FormerlyFault(
                endpoint,
                f'declares {FORMERLY}="{name}", which is the id of '
                + ("the route now" if own else "another route"),
                "remove it",
            )


def _spellings(names: Iterable[str]) -> set[str]:
    """Return names as written, and as the ids that they become."""
    return {spelling for name in names for spelling in (name, given_id(name))}


def _read(endpoint: Endpoint) -> Former:
    value = endpoint.declared.get(FORMERLY)
    try:
        return Former() if value is None else read_former(value)
    except ValueError:
        return Former()  # `invalid_members` reports it


def _reached(served: Sequence[Endpoint]) -> set[tuple[int, str]]:
    """Return the former templates that overlap a present one, with the id of their function.

    A function may have several routes, each with a former template.
    """
    return {
        (id(endpoint.source), template)
        for endpoint in served
        for template in _read(endpoint).templates
        if _overlap(template, endpoint.template)
    }


def _holder(template: str, endpoint: Endpoint, served: Sequence[Endpoint]) -> Endpoint | None:
    """Return the other endpoint that has this template now, for one of the same methods."""
    # The edge signs an opening handshake as a GET.
    methods = {method.replace(WEBSOCKET, "GET") for method in _methods(endpoint)}
    for other in served:
        theirs = {method.replace(WEBSOCKET, "GET") for method in _methods(other)}
        if comparable(other.template) == comparable(template) and methods & theirs:
            return other
    return None


def _methods(endpoint: Endpoint) -> list[str]:
    return requests_of(endpoint) or list(METHODS)


def _overlap(one: str, two: str) -> bool:
    try:
        return Template.parse(one).overlaps(Template.parse(two))
    except TemplateRefused:
        return False
