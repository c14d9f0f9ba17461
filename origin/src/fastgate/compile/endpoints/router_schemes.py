"""Find endpoints that a mark opens although a router around them checks callers in its own way.

Input: an `Endpoint`. Output: faults, each with what to do about it. The routers' dependencies that
count are security schemes of FastAPI or of other libraries, and functions that get scopes. The
author of the endpoint may not know of them. None of the code is run.
"""

import ast
import json
import operator
import sys
from collections.abc import Iterable, Iterator
from itertools import takewhile
from pathlib import Path
from types import FunctionType

from fastapi.params import Depends, Security

from fastgate.compile.callers.dependency_tree import Dependant, callers_required_by, flatten
from fastgate.compile.endpoints.endpoint import Endpoint
from fastgate.compile.endpoints.locations import location_of, name_of
from fastgate.compile.endpoints.route_ids import (
    access_of,
    checked_by_app,
    has_caller_dependency,
    is_undeclared,
)
from fastgate.declare.members import APP_CHECKS
from fastgate.declare.merge import OPEN
from fastgate.declare.provenance import dependencies_of
from fastgate.declare.router_marks import RouterMark
from fastgate.declare.schemes import scheme_of
from fastgate.declare.static_access import attribute, is_a, texts_in
from fastgate.requires import Requires
from fastgate.routes.framework import router_of

_PLACE = "\0"
"""What is replaced in a remedy: no name has it."""


def router_scheme_faults(endpoint: Endpoint) -> Iterator[tuple[str, str]]:
    """Yield each dependency that leaves open who may call an endpoint that a mark opens."""
    access = access_of(endpoint)
    if access not in OPEN:
        return
    yield from _checks_that_are_not_run(endpoint)
    if endpoint.tree is None:
        return
    tops, named = _tops(endpoint), checked_by_app(endpoint)
    undecided = _undecided(endpoint, tops)
    found = {id(each): why for each, why in undecided if not {*_names_in(each)} <= named}
    if not found:
        return
    if "access" not in endpoint.declared:
        if has_caller_dependency(endpoint) or is_undeclared(endpoint):
            return  # its callers decide, or its schemes are found to be undecided
        for each in tops:
            if why := found.get(id(each), ""):
                yield _fault(
                    each.call,
                    endpoint,
                    f'inherits access="{access}", but depends on {{}}, which {why}',
                    'declare on the endpoint itself who may call it: at_edge(access="…"); or name '
                    f"the dependency in a mark, also of a router or path: {_naming(each, access)}",
                )
        return
    # FastAPI puts the dependencies of routers before those of the route, and these first of all.
    listed = [each for each in tops if each.name is None]
    by_routers = listed[: len(listed) - _number_of_own(endpoint)]
    confirmed = {
        id(each.call)
        for top in tops
        if not any(top is other for other in by_routers)
        for each in (top, *flatten(top))
    }
    for each in by_routers:
        why = found.get(id(each), "")
        if why and id(each.call) not in confirmed:
            yield _fault(
                each.call,
                endpoint,
                f'declares access="{access}", but a router or app around it depends on {{}}, '
                f"which {why}",
                f"{_PLACE}repeat the dependency on the endpoint itself, "
                f"dependencies=[Depends({_PLACE})], if it "
                f'may have access="{access}" all the same: FastAPI runs it once; or move the '
                f"endpoint to a router without that dependency, declare {_naming(each, access)} "
                'if the app alone checks it, or at_edge(access="authenticated")',
            )


def _checks_that_are_not_run(endpoint: Endpoint) -> Iterator[tuple[str, str]]:
    """Yield a fault if a mark opens the endpoint for checks that FastAPI does not run for it.

    A mark of more than the endpoint may name more than runs, as a login runs no check, unless
    dependencies of the routers and apps around it are not run.
    """
    run = {
        name
        for top in _tops(endpoint)
        for each in (top, *flatten(top))
        for name in (*_names_in(each), name_of(each.call))
    }
    own = texts_in(endpoint.declared.get(APP_CHECKS))
    missing = [each for each in own if each not in run]
    if "access" not in endpoint.declared and not own:
        named = checked_by_app(endpoint)
        around = {
            name_of(each.dependency) if scheme is None else scheme.name
            for it in _around(endpoint)
            for each in _written_on(it)
            for scheme in (scheme_of(each.dependency),)
        }
        missing = sorted((named & around) - run)
        if endpoint.listed and not named & run:
            missing = sorted(named)
    if missing:
        names = ", ".join(map(_quoted, missing))
        yield (
            f'has access="{access_of(endpoint)}" by a mark with app_checks=[{names}], but '
            "FastAPI does not run that for it: it runs dependencies of routers and apps neither "
            "for mounted apps nor for Starlette routes, nor for routes that were added before them",
            "let the endpoint depend on it, or declare on the endpoint or the mounted app itself "
            'who may call it, without app_checks: at_edge(access="…")',
        )


def undecided_names(endpoint: Endpoint) -> list[str]:
    """Return the names of the dependencies of an endpoint that leave open who may call it."""
    undecided = _undecided(endpoint, _tops(endpoint))
    return [*dict.fromkeys(name for each, _ in undecided for name in _names_in(each))]


def _quoted(name: str) -> str:
    return json.dumps(name, ensure_ascii=False)


def _tops(endpoint: Endpoint) -> list[Dependant]:
    """Return the dependencies of an endpoint, without those below them."""
    run = () if endpoint.tree is None else endpoint.tree.dependencies
    return [each for each in run if not is_a(each.call, RouterMark)]


def _undecided(endpoint: Endpoint, tops: Iterable[Dependant]) -> list[tuple[Dependant, str]]:
    around = [each for it in (*_around(endpoint), endpoint.route) for each in _written_on(it)]
    securities = {id(each.dependency) for each in around if isinstance(each, Security)}
    found = [(each, _why_undecided(each, is_security=id(each.call) in securities)) for each in tops]
    return [(each, why) for each, why in found if why]


def _fault(call: object, endpoint: Endpoint, what: str, remedy: str) -> tuple[str, str]:
    shown, place, has_name = _shown(call, endpoint)
    name_it, named = ("", shown) if has_name else ("assign it to a variable, and ", "…")
    for each in (name_it, named):
        remedy = remedy.replace(_PLACE, each, 1)
    return what.replace("{}", f"{shown} ({place})", 1), remedy


def _number_of_own(endpoint: Endpoint) -> int:
    """Return how many dependencies the route itself lists, after those of its router.

    FastAPI before 0.137 copies routes at an inclusion. The original is in the router's own list.
    """
    written = _without_marks(dependencies_of(endpoint.route))
    found = [len(written)]
    for router in _around(endpoint):
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


def _around(endpoint: Endpoint) -> list[object]:
    """Return the routers, inclusions and apps around an endpoint, the nearest first."""
    holders = (each for it in endpoint.holders for each in (it, router_of(it)))
    return [*reversed((*holders, *endpoint.routers))]


def _written_on(around: object) -> list[Depends]:
    """Return the dependencies that a router or app lists, or `include_router(…)`."""
    inclusion = attribute(around, "include_context")
    return dependencies_of(around if inclusion is None else inclusion)


def _why_undecided(top: Dependant, *, is_security: bool) -> str:
    """Return what a dependency of a router says about callers; empty if it says nothing."""
    parts = (top, *flatten(top))
    required = callers_required_by(parts)
    if required.own or required.anybody:
        return ""  # it is Fastgate's own, and other faults are about it
    schemes = [scheme for each in parts if (scheme := scheme_of(each.call)) is not None]
    if any(each.requires_token for each in schemes):
        return "requires a token"
    if schemes:
        return f"leaves open who may call: {schemes[0].shown} {schemes[0].undecided}"
    # A `requires(…)` that comes here is about a region, which an open access leaves in force.
    others = [each for each in parts if not is_a(each.call, Requires)]
    gets_scopes = any(each.security_scopes_param_name is not None for each in others)
    if is_security or gets_scopes or any(each.own_oauth_scopes for each in parts):
        return "may refuse callers, as Security(…) says, in a way that the edge does not know"
    return ""


def _names_in(top: Dependant) -> list[str]:
    """Return the names by which `app_checks` of a mark names a dependency: those of its schemes."""
    schemes = [scheme_of(each.call) for each in (top, *flatten(top))]
    return [each.name for each in schemes if each is not None] or [name_of(top.call)]


def _naming(top: Dependant, access: object) -> str:
    names = ", ".join(map(_quoted, dict.fromkeys(_names_in(top))))
    return f'at_edge(access="{access}", app_checks=[{names}])'


def _shown(call: object, endpoint: Endpoint) -> tuple[str, str, bool]:
    """Return a dependency's name, where it or its router is written, and whether it has a name."""
    if is_a(call, FunctionType, type):
        name = str(attribute(call, "__qualname__"))
        return name, location_of(call), "<" not in name
    if found := _assigned(call):
        return found[1], found[0], True
    places = []
    around = _around(endpoint)
    # A router itself is nearer to what it lists than an inclusion, which copies that.
    for each in sorted(around, key=lambda it: attribute(it, "include_context") is not None):
        if any(listed.dependency is call for listed in _written_on(each)):
            router = getattr(each, "original_router", each)
            holders = [it for it in endpoint.holders if router_of(it) is router]
            places += [found[0] for it in (router, *holders) if (found := _assigned(it))]
    return f"{type(call).__name__}(…)", next(iter(places), location_of(call)), False


def _assigned(value: object) -> tuple[str, str] | None:
    """Return where a global variable gets this value, as `file:line`, and its name."""
    for module in [*sys.modules.values()]:
        file = attribute(module, "__file__")
        for name, each in [*vars(module).items()] if isinstance(file, str) else ():
            if each is value and (line := _line_of(str(file), name)) is not None:
                return f"{file}:{line}", name
    return None


def _line_of(file: str, name: str) -> int | None:
    try:
        tree = ast.parse(Path(file).read_bytes())
    except (OSError, ValueError, SyntaxError):
        return None
    for node in ast.walk(tree):
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        if any(isinstance(each, ast.Name) and each.id == name for each in targets):
            return getattr(node, "lineno", None)
    return None
