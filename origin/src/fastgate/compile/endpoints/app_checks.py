"""Find marks with `app_checks` that name checks which are not run, or several checks by one name.

Input: an `Endpoint`, or all that are served. Output: faults, each with what to do about it. None of
the code is run.
"""

from collections.abc import Iterable, Iterator
from types import MethodType

from fastapi import FastAPI

from fastgate.compile.callers.dependency_tree import Dependant, flatten
from fastgate.compile.endpoints.endpoint import Endpoint
from fastgate.compile.endpoints.locations import assigned, location_of
from fastgate.compile.endpoints.route_ids import access_of, checked_by_app
from fastgate.compile.endpoints.undecided import own_name, quoted, surroundings, written_on
from fastgate.compile.endpoints.undeclared import remedy_for_pages
from fastgate.declare.members import APP_CHECKS
from fastgate.declare.merge import OPEN, merge_inherited
from fastgate.declare.router_marks import RouterMark
from fastgate.declare.schemes import scheme_object_of
from fastgate.declare.static_access import attribute, is_a, texts_in


def app_check_faults(endpoint: Endpoint) -> Iterator[tuple[str, str]]:
    """Yield a fault if a mark opens the endpoint for checks that FastAPI does not run for it.

    A mark of more than the endpoint may name more than runs, as a login runs no check, unless
    dependencies of the routers and apps around it are not run.
    """
    named = checked_by_app(endpoint)
    if not named or access_of(endpoint) not in OPEN:
        return
    run = {*_by_name(endpoint.tree)}
    own = texts_in(endpoint.declared.get(APP_CHECKS))
    missing = {*own} - run
    if "access" not in endpoint.declared and not own:
        listed = [each.dependency for it in surroundings(endpoint) for each in written_on(it)]
        missing = {*named}.intersection(map(own_name, listed)) - run
        if endpoint.listed and not named & run:
            missing = {*named}
    if missing := missing - {*_by_name(endpoint.written)}:
        is_page = attribute(endpoint.source, "__module__") == FastAPI.__module__
        yield (
            f"{_opened(endpoint, missing)}, but FastAPI does not run that for it: it runs "
            "dependencies of routers and apps neither for mounted apps nor for Starlette routes, "
            "nor for routes that were added before them",
            remedy_for_pages([endpoint], 'access="…", app_checks=[]')
            if is_page
            else "let the endpoint depend on it, or declare on the endpoint or the mounted app "
            'itself who may call it, without app_checks: at_edge(access="…", app_checks=[])',
        )


def overridden_check_faults(endpoint: Endpoint) -> Iterator[tuple[str, str]]:
    """Yield a fault if a mark opens the endpoint for checks that overrides replace."""
    named = checked_by_app(endpoint)
    if not named or access_of(endpoint) not in OPEN:
        return
    replaced = named & {*_by_name(endpoint.written)}
    if missing := replaced - {*_by_name(endpoint.tree)}:
        yield (
            f"{_opened(endpoint, missing)}, but dependency_overrides replaces that",
            "use overrides in tests only, or let what replaces it depend on it as well",
        )


def unclear_names(served: Iterable[Endpoint]) -> Iterator[tuple[Endpoint, str, str]]:
    """Yield each name by which one mark opens endpoints for several different dependencies."""
    first: dict[tuple[int, str], object] = {}
    reported: set[tuple[int, str]] = set()
    for endpoint in served:
        if access_of(endpoint) not in OPEN:
            continue
        # The list is the mark's own wherever it is inherited.
        mark = merge_inherited(endpoint.inherited, endpoint.declared).get(APP_CHECKS)
        named = checked_by_app(endpoint)
        for name, calls in _by_name(endpoint.tree).items() if named else ():
            key = (id(mark), name)
            for call in calls if name in named and key not in reported else ():
                other = first.setdefault(key, call)
                if _identity(other) == _identity(call):
                    continue
                reported.add(key)
                yield (
                    endpoint,
                    f"{_opened(endpoint, (name,))}, but that names several dependencies: "
                    f"{_shown(other)} and {_shown(call)}",
                    _remedy_for_names(name, (other, call)),
                )
                break


def _remedy_for_names(name: str, calls: Iterable[object]) -> str:
    schemes = [each for call in calls if (each := scheme_object_of(call)) is not None]
    if not schemes:
        return (
            "rename one of them; for several objects of one class write a subclass for each, "
            "and list both names in app_checks if the app checks both"
        )
    kind = type(schemes[-1]).__name__
    return (
        f'give it a name of its own, scheme_name="…" of {kind}, or its attribute scheme_name if a '
        "library creates it, and list that name as well, if the app checks both: "
        f'app_checks=[{quoted(name)}, "…"]'
    )


def _opened(endpoint: Endpoint, names: Iterable[str]) -> str:
    listed = ", ".join(map(quoted, sorted(names)))
    return f'has access="{access_of(endpoint)}" by a mark with app_checks=[{listed}]'


def _by_name(tree: Dependant) -> dict[str, list[object]]:
    """Return the dependencies of an endpoint, by the names that `app_checks` has for them."""
    found: dict[str, list[object]] = {}
    for each in flatten(tree):
        if not is_a(each.call, RouterMark):
            found.setdefault(own_name(each.call), []).append(each.call)
    return found


def _identity(call: object) -> tuple[int, ...]:
    """Return what is equal for two uses of one dependency: each access creates another method."""
    if (scheme := scheme_object_of(call)) is not None:
        return (id(scheme),)
    if is_a(call, MethodType):
        return (id(attribute(call, "__self__")), id(attribute(call, "__func__")))
    return (id(call),)


def _shown(call: object) -> str:
    place, name = assigned(call) or (location_of(call), own_name(call))
    return f"{name} ({place})"
