"""Read what FastAPI runs in place of dependencies: `app.dependency_overrides`.

In: a route's tree of dependencies, and whatever has its overrides. Out: the tree that is run, and
what each override leaves out of what the dependency in its place asks of callers, or that FastAPI
could not run it. Nothing is judged here, and nothing is run but `get` of the overrides.
"""

import copy
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

from fastapi.params import Security

from fastgate.compile.cache import cached
from fastgate.compile.callers.dependency_tree import (
    A_KNOWN_CALLER,
    Callers,
    Dependant,
    asked_by,
    dependant_of_listed,
    flat,
)

_DEEPEST = 50
"""How deep a tree is followed: overrides that ask for each other have no end."""

_Replace = Callable[[Any], object]
"""Returns what FastAPI calls in place of a dependency: that itself, if it has no override."""


class Lessened(NamedTuple):
    """An override that asks less of callers than the dependency that it replaces."""

    original: object
    override: object
    asked: tuple[str, ...]
    """What is left out: scopes, and `A_KNOWN_CALLER`."""


class Unusable(NamedTuple):
    """An override that FastAPI cannot call: what depends on the replaced one gets an error."""

    original: object
    override: object
    why: str


@dataclass(frozen=True, slots=True)
class Run:
    """What is run before an endpoint."""

    dependant: Dependant
    lessened: tuple[Lessened, ...] = ()
    unusable: tuple[Unusable, ...] = ()


def override_in(app: object) -> _Replace | None:
    """Return what tells the overrides of an app, or of another provider; None if it has none.

    FastAPI takes any object that is true and has `get`.
    """
    overrides: Any = getattr(app, "dependency_overrides", None)
    try:
        get = overrides.get if overrides else None
    except Exception:  # FastAPI cannot read it either
        return None
    if not callable(get):
        return None

    def replace(call: object) -> object:
        try:
            return get(call, call)
        except Exception:  # as above
            return call

    return replace


def run_of(dependant: Dependant, view: object, app: object) -> Run:
    """Return what FastAPI runs for a route of `app`, overrides in place.

    Args:
        dependant: the tree of the route; None if it has none.
        view: the route, or its inclusion.
        app: the app that serves it. A WebSocket route does not tell whose overrides it has.

    """
    if dependant is None:
        return Run(None)
    provider = getattr(view, "dependency_overrides_provider", None)
    override = cached(override_in, app if provider is None else provider)
    if override is None:
        return Run(dependant)
    reading = _Reading(override)
    found = reading.replaced(dependant, 0)
    return Run(found, tuple(reading.lessened), tuple(reading.unusable))


class _Reading:
    """One tree that is read with overrides in place."""

    def __init__(self, override: _Replace) -> None:
        self._override = override
        self.lessened: list[Lessened] = []
        self.unusable: list[Unusable] = []

    def replaced(self, dependant: Dependant, depth: int) -> Dependant:
        """Return a tree with overrides in place, as FastAPI's `solve_dependencies` follows it.

        It is the very tree if no override occurs in it.
        """
        if depth > _DEEPEST:
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
        scopes = [*(each.parent_oauth_scopes or ()), *(each.own_oauth_scopes or ())]
        built = _built(override, tuple(dict.fromkeys(scopes)), each.path)
        if isinstance(built, str):
            self.unusable.append(Unusable(each.call, override, built))
            return each
        run = copy.copy(self.replaced(built, depth + 1))
        run.name = each.name
        before, now = (_asked_within(part) for part in (each, run))
        less = [repr(scope) for scope in before.scopes if scope not in now.scopes]
        if before.known and not now.known:
            less = [A_KNOWN_CALLER, *less]
        if less:
            self.lessened.append(Lessened(each.call, override, tuple(less)))
        return run


def _asked_within(dependant: Dependant) -> Callers:
    return asked_by((dependant, *flat(dependant)))


def _built(override: object, scopes: tuple[str, ...], path: object) -> Dependant:
    """Return the tree of one override, or, as a text, why FastAPI cannot make one.

    It is made once for all routes: of their paths it depends on the parameters alone.
    """
    names = sorted(set(re.findall("{(.*?)}", path))) if isinstance(path, str) else ()

    def build(call: Any) -> Dependant:  # noqa: ANN401
        template = "/" + "/".join(f"{{{name}}}" for name in names)
        try:
            listed = Security(call, scopes=list(scopes))
            if listed.dependency is None:
                return "None is no function"
            (built,) = dependant_of_listed((listed,), template).dependencies
        except Exception as error:
            return str(error).partition(". ")[0] or type(error).__name__
        return built

    return cached(build, override, (scopes, tuple(names)), name="override")
