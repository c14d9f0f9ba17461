"""Apply `app.dependency_overrides` to a tree of dependencies, as FastAPI does for a request.

Input: a route's tree of dependencies, and the app or other provider of overrides. Output: the tree
with overrides applied, the overrides that require less of callers than the originals, and those
that FastAPI could not call. Only the `get` of the overrides is run.
"""

import copy
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

from fastapi.params import Security

from fastgate.compile.cache import cached
from fastgate.compile.callers.dependency_tree import (
    Dependant,
    callers_required_by,
    dependant_of_listed,
    flatten,
    scopes_for,
)
from fastgate.compile.callers.requirements import Callers

_MAX_DEPTH = 50
"""The maximum depth of a tree: overrides that depend on each other have no end."""

_Replace = Callable[[Any], object]
"""Returns the override of a dependency, or the dependency itself if it has none."""


class WeakeningOverride(NamedTuple):
    """An override that requires less of callers than the dependency that it replaces."""

    original: object
    override: object
    missing: tuple[str, ...]
    """The missing requirements, as in `Callers.names`."""


class UncallableOverride(NamedTuple):
    """An override that FastAPI cannot call, so that a request fails."""

    original: object
    override: object
    why: str


@dataclass(frozen=True, slots=True)
class EffectiveDependencies:
    """The dependencies that FastAPI runs before an endpoint."""

    dependant: Dependant
    weakened: tuple[WeakeningOverride, ...] = ()
    uncallable: tuple[UncallableOverride, ...] = ()


def override_in(app: object) -> _Replace | None:
    """Return a function that looks up the overrides of an app; None if it has none.

    FastAPI accepts any object that is true and has a `get`.
    """
    overrides: Any = getattr(app, "dependency_overrides", None)
    try:
        get = overrides.get if overrides else None
    except Exception:  # FastAPI would fail as well
        return None
    if not callable(get):
        return None

    def replace(call: object) -> object:
        try:
            return get(call, call)
        except Exception:  # FastAPI would fail as well
            return call

    return replace


def effective_dependencies(
    dependant: Dependant, view: object, app: object
) -> EffectiveDependencies:
    """Return the dependencies that FastAPI runs for a route of `app`, with overrides applied.

    Args:
        dependant: the tree of the route; None if it has none.
        view: the route, or its inclusion.
        app: the app that serves it. A WebSocket route has no reference to its provider.

    """
    if dependant is None:
        return EffectiveDependencies(None)
    provider = getattr(view, "dependency_overrides_provider", None)
    override = cached(override_in, app if provider is None else provider)
    if override is None:
        return EffectiveDependencies(dependant)
    reading = _Replacement(override)
    found = reading.replaced(dependant, 0)
    return EffectiveDependencies(found, tuple(reading.weakened), tuple(reading.uncallable))


class _Replacement:
    """The state of applying overrides to one tree."""

    def __init__(self, override: _Replace) -> None:
        self._override = override
        self.weakened: list[WeakeningOverride] = []
        self.uncallable: list[UncallableOverride] = []

    def replaced(self, dependant: Dependant, depth: int) -> Dependant:
        """Return a tree with overrides applied, in the order of FastAPI's `solve_dependencies`.

        The same tree is returned if it has no overrides.
        """
        if depth > _MAX_DEPTH:
            return dependant
        used = [self._used(each, depth) for each in dependant.dependencies]
        if all(one is each for one, each in zip(used, dependant.dependencies, strict=True)):
            return dependant
        found = copy.copy(dependant)
        found.dependencies = used
        return found

    def _used(self, each: Dependant, depth: int) -> Dependant:
        override = self._override(each.call)
        if override is each.call:
            return self.replaced(each, depth + 1)
        built = _built(override, tuple(dict.fromkeys(scopes_for(each))), each.path)
        if isinstance(built, str):
            self.uncallable.append(UncallableOverride(each.call, override, built))
            return each
        run = copy.copy(self.replaced(built, depth + 1))
        run.name = each.name
        before, now = (_asked_within(part) for part in (each, run))
        if less := before.beyond(now).names():
            self.weakened.append(WeakeningOverride(each.call, override, tuple(less)))
        return run


def _asked_within(dependant: Dependant) -> Callers:
    return callers_required_by((dependant, *flatten(dependant)))


def _built(override: object, scopes: tuple[str, ...], path: object) -> Dependant:
    """Return the tree of one override, or the reason why FastAPI cannot build one, as a string.

    It is built once for all routes; only the parameters of their paths matter.
    """
    names = sorted(set(re.findall("{(.*?)}", path))) if isinstance(path, str) else ()

    def build(call: Any) -> Dependant:  # noqa: ANN401
        template = "/" + "/".join(f"{{{name}}}" for name in names)
        try:
            listed = Security(call, scopes=list(scopes))
            if listed.dependency is None:
                return "None is not a function"
            (built,) = dependant_of_listed((listed,), template).dependencies
        except Exception as error:
            return str(error).partition(". ")[0] or type(error).__name__
        return built

    return cached(build, override, (scopes, tuple(names)), name="override")
