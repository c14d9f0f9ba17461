"""Find endpoints that a mark opens although a router around them checks callers in its own way.

Input: an `Endpoint`. Output: faults, each with what to do about it. The routers' dependencies that
count are security schemes of FastAPI or of other libraries, and functions that get scopes. The
author of the endpoint may not know of them. None of the code is run.
"""

import operator
from collections.abc import Iterable, Iterator
from itertools import takewhile
from types import FunctionType

from fastapi.params import Depends

from fastgate.compile.callers.dependency_tree import (
    Dependant,
    callers_required_by,
    flatten,
    own_scopes,
    scopes_for,
)
from fastgate.compile.endpoints.endpoint import Endpoint
from fastgate.compile.endpoints.locations import assigned, location_of
from fastgate.compile.endpoints.route_ids import (
    access_of,
    checked_by_app,
    has_caller_dependency,
    is_undeclared,
    schemes_run,
)
from fastgate.compile.endpoints.undecided import (
    names_in,
    opening,
    quoted,
    surroundings,
    top_dependencies,
    undecided_among,
    written_on,
)
from fastgate.compile.endpoints.undeclared import mark_for
from fastgate.declare.merge import OPEN
from fastgate.declare.provenance import dependencies_of
from fastgate.declare.router_marks import RouterMark
from fastgate.declare.static_access import attribute, is_a, texts_in
from fastgate.routes.framework import router_of

_PLACE = "\0"
"""What is replaced in a remedy: no name has it."""


def router_scheme_faults(endpoint: Endpoint) -> Iterator[tuple[str, str]]:
    """Yield each dependency that leaves open who may call an endpoint that a mark opens."""
    access = access_of(endpoint)
    if access not in OPEN or endpoint.tree is None:
        return
    tops, named = top_dependencies(endpoint), checked_by_app(endpoint)
    undecided = undecided_among(endpoint, tops)
    found = {id(each): why for each, why in undecided if not {*names_in(each)} <= named}
    if not found:
        return
    opened = mark_for(endpoint, opening(endpoint, access))
    closed = mark_for(endpoint, 'access="authenticated"')
    if "access" not in endpoint.declared:
        if has_caller_dependency(endpoint) or is_undeclared(endpoint):
            return  # its callers decide, or its schemes are found to be undecided
        for each in tops:
            if why := found.get(id(each), ""):
                yield _fault(
                    each.call,
                    endpoint,
                    f'inherits access="{access}", but depends on {{}}, which {why}',
                    "name it in a mark, also of a router or path, if the app alone checks it: "
                    f"{opened}; or declare {closed} if every caller needs a token",
                )
        return
    by_routers = _of_routers(endpoint, tops)
    repeated = opening(endpoint, access).partition(",")[0]
    run = schemes_run(endpoint)
    is_of_passwords = bool(run) and all(each.reads_password for each in run)
    checked = "" if is_of_passwords else f"declare {opened} if the app alone checks it, "
    confirmed = {id(each.call) for each in _others(tops, by_routers)}
    for each in by_routers:
        why = found.get(id(each), "")
        if why and id(each.call) not in confirmed:
            yield _fault(
                each.call,
                endpoint,
                f'declares access="{access}", but a router or app around it depends on {{}}, '
                f"which {why}",
                f"{_PLACE}repeat the dependency on the endpoint itself, "
                f"dependencies=[{_repeated(each)}], if it "
                f"may have {repeated} all the same: FastAPI runs it once; or move the endpoint to "
                f"a router without that dependency, {checked}or declare {closed}",
            )


def replaced_scope_faults(endpoint: Endpoint) -> Iterator[tuple[str, str]]:
    """Yield each dependency of a router whose scopes the mark of an endpoint leaves out.

    The author of the endpoint may not know of them. Fastgate's own have another fault.
    """
    if access_of(endpoint) in OPEN or endpoint.callers.own or "scopes" not in endpoint.declared:
        return
    tops, declared = top_dependencies(endpoint), texts_in(endpoint.declared["scopes"])
    by_routers = _of_routers(endpoint, tops)
    known = {
        *declared,
        *(scope for each in _others(tops, by_routers) for scope in scopes_for(each)),
    }
    required = [(each, _scopes_of(each)) for each in by_routers]
    every = [*dict.fromkeys((*declared, *(scope for _, scopes in required for scope in scopes)))]
    for each, scopes in required:
        if lost := [scope for scope in scopes if scope not in known]:
            shown, listed = (", ".join(map(quoted, part)) for part in (lost, every))
            yield _fault(
                each.call,
                endpoint,
                f"declares scopes without {shown}, but a router or app around it depends on {{}}, "
                "which requires that",
                f"{_PLACE}declare {mark_for(endpoint, f'scopes=[{listed}]')}, or repeat the "
                f"dependency on the endpoint itself, dependencies=[Security({_PLACE}, "
                f"scopes=[{', '.join(map(quoted, scopes))}])], if the declared scopes are meant "
                "in place of these",
            )


def _repeated(top: Dependant) -> str:
    """Return a dependency as an endpoint repeats it: FastAPI runs it again for other scopes."""
    scopes = ", ".join(map(quoted, dict.fromkeys(own_scopes(top))))
    return f"Security({_PLACE}, scopes=[{scopes}])" if scopes else f"Depends({_PLACE})"


def _scopes_of(top: Dependant) -> tuple[str, ...]:
    required = callers_required_by((top, *flatten(top)))
    return tuple(dict.fromkeys((*required.scopes, *required.read)))


def _fault(call: object, endpoint: Endpoint, what: str, remedy: str) -> tuple[str, str]:
    shown, place, has_name = _shown(call, endpoint)
    name_it, named = ("", shown) if has_name else ("assign it to a variable, and ", "…")
    for each in (name_it, named):
        remedy = remedy.replace(_PLACE, each, 1)
    return what.replace("{}", f"{shown} ({place})", 1), remedy


def _of_routers(endpoint: Endpoint, tops: list[Dependant]) -> list[Dependant]:
    """Return the dependencies that the routers and apps around an endpoint list."""
    # FastAPI puts the dependencies of routers before those of the route, and these first of all.
    listed = [each for each in tops if each.name is None]
    return listed[: len(listed) - _number_of_own(endpoint)]


def _others(tops: list[Dependant], by_routers: list[Dependant]) -> Iterator[Dependant]:
    """Yield the dependencies that the endpoint itself has, and those below them."""
    for top in tops:
        if not any(top is other for other in by_routers):
            yield from (top, *flatten(top))


def _number_of_own(endpoint: Endpoint) -> int:
    """Return how many dependencies the route itself lists, after those of its router.

    FastAPI before 0.137 copies routes at an inclusion. The original is in the router's own list.
    """
    written = _without_marks(dependencies_of(endpoint.route))
    found = [len(written)]
    for router in surroundings(endpoint):
        of_router = _without_marks(dependencies_of(router))
        for route in getattr(router, "routes", None) or ():
            here = _without_marks(dependencies_of(route))
            is_original = attribute(route, "endpoint") is endpoint.source
            if is_original and _are_same(here, written[len(written) - len(here) :]):
                pairs = zip(here, of_router, strict=False)
                common = [*takewhile(lambda pair: pair[0] is pair[1], pairs)]
                found.append(len(here) - len(common))
    return min(found)


def _without_marks(listed: Iterable[Depends]) -> list[Depends]:
    return [each for each in listed if not is_a(each.dependency, RouterMark)]


def _are_same(some: list[Depends], others: list[Depends]) -> bool:
    return len(some) == len(others) and all(map(operator.is_, some, others))


def _shown(call: object, endpoint: Endpoint) -> tuple[str, str, bool]:
    """Return a dependency's name, where it or its router is written, and whether it has a name."""
    if is_a(call, FunctionType, type):
        name = str(attribute(call, "__qualname__"))
        return name, location_of(call), "<" not in name
    if found := assigned(call):
        return found[1], found[0], True
    places = []
    around = surroundings(endpoint)
    # A router itself is nearer to what it lists than an inclusion, which copies that.
    for each in sorted(around, key=lambda it: attribute(it, "include_context") is not None):
        if any(listed.dependency is call for listed in written_on(each)):
            router = getattr(each, "original_router", each)
            holders = [it for it in endpoint.holders if router_of(it) is router]
            places += [found[0] for it in (router, *holders) if (found := assigned(it))]
    return f"{type(call).__name__}(…)", next(iter(places), location_of(call)), False
