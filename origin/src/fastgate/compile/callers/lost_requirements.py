"""Find requirements on callers that are written where FastAPI runs no dependency.

Input: an endpoint's tree of dependencies. Output: each `requires(…)`, `fastgate` and condition that
is a default or metadata of a parameter without `Depends(…)`, and each function that refers to one,
as a function that returns it does: FastAPI runs what `Depends(…)` contains, never what that
returns. None of the code is run.
"""

import sys
from collections.abc import Iterator, Sequence
from inspect import Parameter
from types import FunctionType, MethodType
from typing import Annotated, NamedTuple, TypeAlias, get_args, get_origin

from fastapi import Depends, Security
from fastapi.security import SecurityScopes

from fastgate import vocabulary
from fastgate.compile.cache import cached
from fastgate.compile.callers.dependency_tree import (
    Dependant,
    callers_required_by,
    flatten,
    parameters_of,
    parameters_of_call,
)
from fastgate.compile.callers.requirements import Callers
from fastgate.compile.callers.used_values import objects_used_by, values_returned_by, values_used_by
from fastgate.conditions import Condition, Member, conjuncts
from fastgate.declare.lookup import layers
from fastgate.declare.static_access import attribute, is_a
from fastgate.dependencies import FastgateScheme
from fastgate.requirement import Requirement
from fastgate.requires import Requires, requires

_MAKERS = (
    *(requires, vocabulary.role, vocabulary.group, vocabulary.scope),
    *(vocabulary.all_of, vocabulary.any_of, vocabulary.not_),
)
"""The functions that return requirements and conditions."""
_MAX_DEPTH = 20
_MAX_FUNCTIONS = 50
"""The maximum number of functions to examine for one dependency."""
_MAX_PARTS = 1000
_Function: TypeAlias = tuple[object, list[object], bool]
"""A function, the values that it refers to, and whether it runs requirements itself."""
_PACKAGES = ("fastgate", "fastapi", "starlette", "pydantic")


class LostRequirement(NamedTuple):
    """A requirement that FastAPI does not run."""

    shown: str
    """The requirement as it is written, or a word for it."""
    where: str
    """The parameter or function that has it."""


def lost_requirements(target: object, dependant: Dependant) -> Iterator[LostRequirement]:
    """Yield the requirements in an endpoint and its dependencies that nothing enforces.

    Args:
        target: the endpoint; None for a mounted app.
        dependant: the tree of its dependencies; None if it has none.

    """
    tree = () if dependant is None else (dependant, *flatten(dependant))
    for each in tree:
        for name, parameter in parameters_of(each).items():
            for found in _written_on(parameter):
                yield LostRequirement(_shown(found), f"the parameter {name}")
    given = callers_required_by(flatten(dependant))
    for each in tree:
        if each.call is not None and each.call is not target:
            for found, holder, is_returned in cached(_handed_on, each.call):
                if is_returned or not _is_enforced(found, given):
                    yield LostRequirement(_shown(found), f"the function {_name_of(holder)}")
                    break


def _written_on(parameter: Parameter) -> Iterator[object]:
    """Yield the requirements in the annotation and the default of a parameter."""
    for each in (parameter.default, *metadata_in(parameter.annotation)):
        if (found := _requirement_in(each)) is not None:
            yield found


def metadata_in(annotation: object, depth: int = 0) -> Iterator[object]:
    """Yield the metadata in an annotation, and in the types that it consists of."""
    if depth > _MAX_DEPTH:
        return
    parts: tuple[object, ...] = get_args(annotation)
    if get_origin(annotation) is Annotated:
        parts, metadata = parts[:1], parts[1:]
        yield from metadata
    for alias in (annotation, get_origin(annotation)):
        if type(alias).__name__ == "TypeAliasType":
            parts = (*parts, getattr(alias, "__value__", None))
    for part in parts:
        yield from metadata_in(part, depth + 1)


def _handed_on(call: object) -> list[tuple[object, object, bool]]:
    """Return each requirement that a dependency refers to, and the function that does.

    Each has whether that function returns it. A function that runs requirements itself is left out,
    and so is one that refers to `Depends` or `Security`: it writes dependencies.
    """
    every = list[tuple[object, object, bool]]()
    for layer, values, runs in cached(_functions_of, call):
        found = () if runs else [each for value in values for each in _requirements_in(value)]
        if found:
            values_returned = values_returned_by(layer)
            returned = {id(it) for value in values_returned for it in _requirements_in(value)}
            every += ((each, layer, id(each) in returned) for each in found)
    return every


def _is_enforced(found: object, given: Callers) -> bool:
    """Whether dependencies that require `given` require as much as a requirement or condition."""
    if is_a(found, Condition):
        every = [*conjuncts(found)]  # type: ignore[arg-type]
        scopes = [each.name for each in every if isinstance(each, Member) and each.is_scope]
        others = [each for each in every if not (isinstance(each, Member) and each.is_scope)]
        required = Callers.of_requirement(Requirement(tuple(others), tuple(scopes)))
    elif is_a(found, Requires):
        required = Callers.of_requirement(attribute(found, "requirement"))  # type: ignore[arg-type]
    else:
        return False
    return not required.beyond(given).names()


def requirements_referred_to(target: object, dependant: Dependant) -> Iterator[object]:
    """Yield each requirement that `lost_requirements` examines, reported or not.

    Args:
        target: as for `lost_requirements`.
        dependant: as for `lost_requirements`.

    """
    tree = () if dependant is None else (dependant, *flatten(dependant))
    for dependency in tree:
        for parameter in parameters_of(dependency).values():
            yield from _written_on(parameter)
        if dependency.call is not None and dependency.call is not target:
            for _, values, _ in cached(_functions_of, dependency.call):
                for each in values:
                    yield from _requirements_in(each)


def values_of_functions_that_run_requirements(call: object) -> Iterator[object]:
    """Yield what an endpoint or a dependency refers to where it runs requirements itself.

    A function that refers to one that runs requirements may pass its own to that one.
    """
    left, running = cached(_functions_of, call), set[int]()
    while left:
        found, rest = list[_Function](), list[_Function]()
        for each in left:
            runs = each[2] or not running.isdisjoint(map(id, each[1]))
            (found if runs else rest).append(each)
        if not found:
            return
        left, running = rest, running | {id(layer) for layer, _, _ in found}
        yield from (value for _, values, _ in found for value in values)


def _functions_of(call: object) -> list[_Function]:
    """Return the functions that a dependency uses, except those that write dependencies.

    Each has the values that it refers to, and whether it runs requirements itself: if it refers to
    `SecurityScopes`, which a requirement has to be called with, or is used by a function that does.
    """
    left = [(layer, False) for layer in layers(call, mounted=False)]
    seen = dict[tuple[int, bool], object]()
    found = list[_Function]()
    while left and len(seen) < _MAX_FUNCTIONS:
        layer, runs = left.pop(0)
        if (id(layer), runs) in seen:
            continue
        seen[id(layer), runs] = layer
        if _is_maker(layer):
            found.append((layer, [layer], runs))
            continue
        if is_a(layer, FastgateScheme, Requires) or _is_of_framework(layer):
            continue
        values = [*values_used_by(layer)]
        runs = runs or _refers_to_security_scopes(layer, values)
        if runs:
            values = [*objects_used_by(layer)]
        elif any(each is Depends or each is Security for each in values):
            continue
        found.append((layer, values, runs))
        for each in values:
            if is_a(each, FunctionType, MethodType):
                left += [(inner, runs) for inner in layers(each, mounted=False)]
    return found


def _refers_to_security_scopes(layer: object, values: Sequence[object]) -> bool:
    """Whether a function refers to `SecurityScopes` in its code or in its annotations."""
    if any(each is SecurityScopes for each in values):
        return True
    if not values or is_a(layer, type):
        return False
    annotations = [each.annotation for each in cached(parameters_of_call, layer).values()]
    parts = (part for each in annotations for part in (each, *get_args(each)))
    return any(each is SecurityScopes for each in parts)


def _requirement_in(value: object) -> object:
    """Return the first requirement in a value, as `_requirements_in` does; None without one."""
    return next(_requirements_in(value), None)


def _requirements_in(value: object) -> Iterator[object]:
    """Yield a value that is a requirement, and the requirements in a container.

    Apps, routes and other objects are not searched.
    """
    left, count = [value], 0
    while left and count < _MAX_PARTS:
        each = left.pop()
        count += 1
        if is_a(each, FastgateScheme, Requires, Condition) or _is_maker(each):
            yield each
        elif type(each) in (list, tuple, set, frozenset):
            left += each  # type: ignore[arg-type]
        elif type(each) is dict:
            left += each.values()


def _is_maker(value: object) -> bool:
    return any(value is maker for maker in _MAKERS)


def _is_of_framework(function: object) -> bool:
    if is_a(function, MethodType):
        function = attribute(function, "__func__")
    if not is_a(function, FunctionType):
        return False  # the class of an object or a partial function says nothing about it
    module = str(attribute(function, "__module__")).partition(".")[0]
    return module in _PACKAGES or module in sys.stdlib_module_names


def _shown(found: object) -> str:
    if is_a(found, Requires):
        return "requires(…)"
    if is_a(found, Condition):
        return f"the condition {found!r}"
    return "fastgate" if is_a(found, FastgateScheme) else f"{_name_of(found)}(…)"


def _name_of(target: object) -> str:
    name = attribute(target, "__qualname__")
    return name if isinstance(name, str) else type(target).__qualname__
