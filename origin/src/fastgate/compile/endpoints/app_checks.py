"""Find marks with `app_checks` that name checks which are not run.

Input: an `Endpoint`, or all that are served. Output: faults, each with what to do about it. None of
the code is run.
"""

from collections.abc import Iterable, Iterator, Sequence

from fastapi.params import Depends

from fastgate.compile.cache import cached
from fastgate.compile.callers.dependency_tree import Dependant, dependant_of_listed, flatten
from fastgate.compile.endpoints.check_names import (
    by_name,
    closes_itself,
    identity,
    mark_of,
    names_not_run,
    names_uncalled,
    opened,
    remedy_for_unknown,
)
from fastgate.compile.endpoints.endpoint import Endpoint
from fastgate.compile.endpoints.listing import endpoints_mounted_at
from fastgate.compile.endpoints.route_ids import checked_by_app, is_page_of_fastapi
from fastgate.compile.endpoints.undecided import surroundings, written_on
from fastgate.compile.endpoints.undeclared import DECLARE_DOCS_CALLERS, remedy_for_pages
from fastgate.declare.members import APP_CHECKS
from fastgate.declare.provenance import noted_dependencies
from fastgate.declare.static_access import is_a, texts_in
from fastgate.declare.stored_marks import declared, declared_below
from fastgate.dependencies import FastgateScheme
from fastgate.requires import Requires
from fastgate.routes.framework import router_of


def app_check_faults(endpoint: Endpoint) -> Iterator[tuple[str, str]]:
    """Yield a fault if a mark of the endpoint names checks that FastAPI does not run for it.

    These are the names in a mark of the endpoint itself, and what the routers and apps around it
    list that is named or depends on what is named. A mark of more than the endpoint may name more,
    as a login runs no check.
    """
    named = _named(endpoint)
    if not named:
        return
    missing = {*texts_in(endpoint.declared.get(APP_CHECKS))} - names_run(endpoint)
    unknown = _remedy_for_unknown(missing, [endpoint]) if missing else ""
    run = {identity(each.call) for each in _written_and_run(endpoint)}
    for tree in () if APP_CHECKS in endpoint.declared else _listed_around(endpoint):
        if identity(tree.call) not in run:
            missing |= named & {*by_name((tree, *flatten(tree)))}
    if missing:
        yield (
            f"{opened(endpoint, missing)}, but FastAPI does not run that for it: it runs "
            "dependencies of routers and apps neither for mounted apps nor for Starlette routes, "
            "nor for routes that were added before them",
            _remedy_for_page(endpoint, named)
            if is_page_of_fastapi(endpoint)
            else f"{unknown}let the endpoint depend on it, or declare on the endpoint or the "
            'mounted app itself who may call it, without app_checks: at_edge(access="…", '
            "app_checks=[])",
        )
    found = names_not_run(endpoint, named - names_run(endpoint) - missing)
    for name, place in dict(found).items():
        yield (
            f"{opened(endpoint, (name,))}, but has that only in {place}, "
            "where FastAPI does not run it",
            "depend on it by Depends(…) in the signature of the endpoint itself, or in "
            "dependencies=[…]; or declare on the endpoint who may call it, without app_checks: "
            'at_edge(access="…", app_checks=[])',
        )


def _remedy_for_page(page: Endpoint, named: frozenset[str]) -> str:
    """Return what to declare for a page of FastAPI.

    Its app gets no mark without names if it has a mark already, or runs a check that is named.
    """
    app = page.holders[-1]
    for each in endpoints_mounted_at(app, ""):
        if APP_CHECKS in {*each.declared, *each.inherited} or not named.isdisjoint(names_run(each)):
            return DECLARE_DOCS_CALLERS
    return (
        DECLARE_DOCS_CALLERS
        if declared(app)
        else remedy_for_pages([page], 'access="…", app_checks=[]')
    )


def overridden_check_faults(endpoint: Endpoint) -> Iterator[tuple[str, str]]:
    """Yield a fault if overrides replace named checks, or what depends on them."""
    named = _named(endpoint)
    run = {identity(each.call) for each in flatten(endpoint.tree)} if named else set()
    replaced = [each for each in flatten(endpoint.written) if identity(each.call) not in run]
    missing = {name for each in replaced for name in by_name((each, *flatten(each)))}
    if missing := missing & named:
        yield (
            f"{opened(endpoint, missing)}, but dependency_overrides replaces that, or what "
            "depends on it",
            "use overrides in tests only, or override another dependency: FastAPI does not run "
            "what is replaced",
        )


def names_without_checks(served: Iterable[Endpoint]) -> Iterator[tuple[Endpoint, str, str]]:
    """Yield each name in a mark that no endpoint below the mark runs."""
    first: dict[int, Endpoint] = {}
    left: dict[int, set[str]] = {}
    run: dict[int, set[str]] = {}
    below: dict[int, list[Endpoint]] = {}
    for endpoint in served:
        mark = mark_of(endpoint)
        below.setdefault(id(mark), []).append(endpoint)
        run.setdefault(id(mark), set()).update(names_run(endpoint))
        # A mark of the endpoint itself has another fault.
        if APP_CHECKS not in endpoint.declared and (named := _named(endpoint)):
            first.setdefault(id(mark), endpoint)
            # What FastAPI does not run for it is another fault.
            is_checked = next(app_check_faults(endpoint), None) is None
            left.setdefault(id(mark), set()).update(named if is_checked else ())
    for mark_id, endpoint in first.items():
        if unused := left[mark_id] - run[mark_id]:
            yield (
                endpoint,
                f"{opened(endpoint, unused)}, but no endpoint below that mark depends on it",
                f"{_remedy_for_unknown(unused, below[mark_id])}correct the name, or remove it from "
                "the mark, or let the endpoints depend on it",
            )


def _remedy_for_unknown(names: Iterable[str], below: Iterable[Endpoint]) -> str:
    parts = [each for endpoint in below for each in _written_and_run(endpoint)]
    others = [each for each in parts if not is_a(each.call, FastgateScheme, Requires)]
    return remedy_for_unknown(names, by_name(others), names_uncalled(parts))


def partly_run_checks(served: Sequence[Endpoint]) -> Iterator[tuple[Endpoint, str, str]]:
    """Yield each endpoint that is served twice, with and without a check that its mark names."""
    elsewhere: dict[int, dict[str, Endpoint]] = {}
    for endpoint in served:
        known = elsewhere.setdefault(id(endpoint.source), {})
        for name in names_run(endpoint):
            known.setdefault(name, endpoint)
    for endpoint in served:
        known = elsewhere[id(endpoint.source)]
        if missing := (_named(endpoint) & known.keys()) - names_run(endpoint):
            yield (
                endpoint,
                f"{opened(endpoint, missing)}, but runs that only as "
                f"{known[min(missing)].template}",
                "let each router and include_router(…) with this endpoint depend on it, or declare "
                "on the others who may call it, without app_checks: "
                'at_edge(access="…", app_checks=[])',
            )


def _named(endpoint: Endpoint) -> frozenset[str]:
    """Return the names in a mark that counts for the endpoint; none if it answers for itself.

    It does so if it declares its access, or if its own dependencies close what the mark opens.

    An access that a mount or its app declares counts in the same way for a mark around the mount.
    """
    if closes_itself(endpoint):
        return frozenset()
    is_declared = "access" in endpoint.declared or _is_of_outer_app(mark_of(endpoint), endpoint)
    if is_declared and APP_CHECKS not in endpoint.declared:
        return frozenset()
    return checked_by_app(endpoint)


def _is_of_outer_app(mark: object, endpoint: Endpoint) -> bool:
    """Whether a mount declares the access, and an app around the mount has these names."""
    if "access" not in endpoint.declared_by_mounts or APP_CHECKS in endpoint.declared_by_mounts:
        return False
    outer = [each for it in endpoint.holders[:-2] for each in (it, router_of(it))]
    marks = [each for it in outer for each in (declared(it), *declared_below(it).values())]
    return any(each.get(APP_CHECKS) is mark for each in marks)


def _listed_around(endpoint: Endpoint) -> Iterator[Dependant]:
    """Yield what routers and apps around an endpoint list, each as a tree of dependencies."""
    for around in surroundings(endpoint):
        for each in written_on(around):
            yield from cached(_trees_of, each)
    for each in noted_dependencies(endpoint.route):
        yield from cached(_trees_of, each)


def _trees_of(listed: Depends) -> list[Dependant]:
    tree = dependant_of_listed([listed], "/")
    return [] if tree is None else tree.dependencies  # a mark has no tree


def _written_and_run(endpoint: Endpoint) -> Iterator[Dependant]:
    yield from flatten(endpoint.tree)
    if endpoint.written is not endpoint.tree:
        yield from flatten(endpoint.written)


def names_run(endpoint: Endpoint) -> set[str]:
    """Return the names of the dependencies that FastAPI runs for an endpoint, or would run."""
    return {*by_name(_written_and_run(endpoint))}
