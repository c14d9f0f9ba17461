"""Read what FastAPI runs in place of dependencies: `app.dependency_overrides`.

In: a route's tree of dependencies, and whatever has its overrides. Out: the tree that is run, and
what each override leaves out of what the dependency in its place asks of callers. Nothing is judged
here, and nothing is run.
"""

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from fastapi.params import Security

from fastgate.callers import A_KNOWN_CALLER, Dependant, asked_by, dependant_of_listed, flat
from fastgate.static import is_a

_DEEPEST = 50
"""How deep a tree is followed: overrides that ask for each other have no end."""


class Lessened(NamedTuple):
    """An override that asks less of callers than the dependency that it replaces."""

    original: object
    override: object
    asked: tuple[str, ...]
    """What is left out: scopes, and `A_KNOWN_CALLER`."""


@dataclass(frozen=True, slots=True)
class Run:
    """What is run before an endpoint."""

    dependant: Dependant
    lessened: tuple[Lessened, ...] = ()


def run_of(dependant: Dependant, view: object, app: object) -> Run:
    """Return what FastAPI runs for a route of `app`, overrides in place.

    Args:
        dependant: the tree of the route; None if it has none.
        view: the route, or its inclusion.
        app: the app that serves it. A WebSocket route does not tell whose overrides it has.

    """
    provider = getattr(view, "dependency_overrides_provider", None)
    overrides = getattr(app if provider is None else provider, "dependency_overrides", None)
    if dependant is None or not is_a(overrides, dict) or not overrides:
        return Run(dependant)
    lessened: list[Lessened] = []
    return Run(_replaced(dependant, overrides, lessened, 0), tuple(lessened))


def _replaced(
    dependant: Dependant, overrides: Mapping[object, object], lessened: list[Lessened], depth: int
) -> Dependant:
    """Return a tree with overrides in place, as FastAPI's `solve_dependencies` follows it."""
    if depth > _DEEPEST:
        return dependant
    found = copy.copy(dependant)
    found.dependencies = []
    for each in dependant.dependencies:
        used = each
        override = overrides.get(each.call, each.call)
        if override is not each.call:
            scopes = [*(each.parent_oauth_scopes or ()), *(each.own_oauth_scopes or ())]
            listed = Security(override, scopes=list(dict.fromkeys(scopes)))  # type: ignore[arg-type]
            (used,) = dependant_of_listed((listed,), each.path).dependencies
            used.name = each.name
        run = _replaced(used, overrides, lessened, depth + 1)
        if used is not each:
            before, now = (asked_by((part, *flat(part))) for part in (each, run))
            less = [repr(scope) for scope in before.scopes if scope not in now.scopes]
            if before.known and not now.known:
                less = [A_KNOWN_CALLER, *less]
            if less:
                lessened.append(Lessened(each.call, override, tuple(less)))
        found.dependencies.append(run)
    return found
