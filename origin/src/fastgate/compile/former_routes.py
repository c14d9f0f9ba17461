"""Accept the former template and id of an endpoint while app and edge are deployed in turn.

In: an app's endpoints and what they declare by `at_edge(formerly=…)`. Out: for each of them what
the edge may still have judged its requests by, and each declaration that would mean another route.
The router still chooses what runs, and the edge has judged these very bytes: only the name that it
has for the route may be the former one.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from fastgate.compile.endpoints.listing import Endpoint, endpoints
from fastgate.compile.endpoints.route_ids import (
    derived_id,
    given_id,
    ids_of,
    members_of,
    named,
    requests_of,
)
from fastgate.declare.at_edge import METHODS, PREFIX
from fastgate.declare.formerly import FORMERLY, Former, read_former
from fastgate.path_template import Template, TemplateRefused, comparable
from fastgate.routes.framework import WEBSOCKET
from fastgate.routes.route_names import Accepted, Request


@dataclass(frozen=True, slots=True)
class Misleading:
    """A declaration that is not accepted, and what to do about it."""

    endpoint: Endpoint
    what: str
    remedy: str


class Overlap(NamedTuple):
    """What is accepted of an app's routes beside what they are now."""

    accepted: Mapping[Request, Accepted]
    at_edge: Mapping[Request, Accepted]
    """The same with the templates of the policy: what the edge takes off stands in front."""
    misleading: Sequence[Misleading]


def overlap_of(app: object) -> Overlap:
    """Return what the endpoints of `app` declare. Raises `TypeError` if it has no routes."""
    served = named(endpoints(app))
    return overlap_between(served, ids_of(served))


def overlap_between(served: Sequence[Endpoint], ids: Sequence[str]) -> Overlap:
    """Return what named endpoints declare; `ids` are theirs.

    A template or an id that another endpoint has now is not accepted: the edge judges that one's
    requests by it.
    """
    accepted: dict[Request, Accepted] = {}
    at_edge: dict[Request, Accepted] = {}
    misleading: list[Misleading] = []
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
        # An id that is made of the template is another route's as soon as that has the template.
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
) -> Iterator[Misleading]:
    for template in former.templates:
        said = f'declares {FORMERLY}="{template}"'
        if comparable(template) == comparable(endpoint.template):
            why = "which is what its template is now: names of parameters make no difference"
            yield Misleading(endpoint, f"{said}, {why}", "leave it out")
        elif (id(endpoint.source), template) not in reached:
            yield Misleading(
                endpoint,
                f"{said}, and no request matches both that and {endpoint.template}",
                "write the whole former template, prefixes of routers and mounts in front; clients "
                "of another path need a route of their own",
            )
        elif (other := _holder(template, endpoint, served)) is not None:
            yield Misleading(
                endpoint,
                f"{said}, which {other} has now: the edge judges the requests of that one by it",
                f"leave {FORMERLY} out: requests get 401 until the edge has the new route",
            )
    for name in former.ids:
        if not (spellings := _spellings([name])).isdisjoint(ids):
            own = own_id in spellings
            yield Misleading(
                endpoint,
                f'declares {FORMERLY}="{name}", which is the id of '
                + ("the route now" if own else "another route"),
                "leave it out",
            )


def _spellings(names: Iterable[str]) -> set[str]:
    """Return names as they are, as ids that are made by rule, and as what an author's become."""
    return {spelling for name in names for spelling in (name, given_id(name))}


def _read(endpoint: Endpoint) -> Former:
    value = endpoint.declared.get(FORMERLY)
    try:
        return Former() if value is None else read_former(value)
    except ValueError:
        return Former()  # `misspelt` says so


def _reached(served: Sequence[Endpoint]) -> set[tuple[int, str]]:
    """Return the former templates that lead somewhere, by the function that declares them.

    A function may stand behind several routes, of which each has a former template.
    """
    return {
        (id(endpoint.source), template)
        for endpoint in served
        for template in _read(endpoint).templates
        if _overlap(template, endpoint.template)
    }


def _holder(template: str, endpoint: Endpoint, served: Sequence[Endpoint]) -> Endpoint | None:
    """Return the other endpoint that has this template now, for one of the same methods."""
    # The header of an opening handshake says GET.
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
