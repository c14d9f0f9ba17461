"""Find marks with `app_checks` that name checks which FastAPI does not run.

Input: an `Endpoint`. Output: faults, each with what to do about it. None of the code is run.
"""

from collections.abc import Iterator

from fastgate.compile.callers.dependency_tree import flatten
from fastgate.compile.endpoints.endpoint import Endpoint
from fastgate.compile.endpoints.locations import name_of
from fastgate.compile.endpoints.route_ids import access_of, checked_by_app
from fastgate.compile.endpoints.undecided import (
    names_in,
    quoted,
    surroundings,
    top_dependencies,
    written_on,
)
from fastgate.declare.members import APP_CHECKS
from fastgate.declare.merge import OPEN
from fastgate.declare.schemes import scheme_of
from fastgate.declare.static_access import texts_in


def app_check_faults(endpoint: Endpoint) -> Iterator[tuple[str, str]]:
    """Yield a fault if a mark opens the endpoint for checks that FastAPI does not run for it.

    A mark of more than the endpoint may name more than runs, as a login runs no check, unless
    dependencies of the routers and apps around it are not run.
    """
    if access_of(endpoint) not in OPEN:
        return
    run = {
        name
        for top in top_dependencies(endpoint)
        for each in (top, *flatten(top))
        for name in (*names_in(each), name_of(each.call))
    }
    own = texts_in(endpoint.declared.get(APP_CHECKS))
    missing = [each for each in own if each not in run]
    if "access" not in endpoint.declared and not own:
        named = checked_by_app(endpoint)
        around = {
            name_of(each.dependency) if scheme is None else scheme.name
            for it in surroundings(endpoint)
            for each in written_on(it)
            for scheme in (scheme_of(each.dependency),)
        }
        missing = sorted((named & around) - run)
        if endpoint.listed and not named & run:
            missing = sorted(named)
    if missing:
        names = ", ".join(map(quoted, missing))
        yield (
            f'has access="{access_of(endpoint)}" by a mark with app_checks=[{names}], but '
            "FastAPI does not run that for it: it runs dependencies of routers and apps neither "
            "for mounted apps nor for Starlette routes, nor for routes that were added before them",
            "let the endpoint depend on it, or declare on the endpoint or the mounted app itself "
            'who may call it, without app_checks: at_edge(access="…")',
        )
