"""Find requirements on callers that are written where FastAPI runs no dependency.

Input: an endpoint's tree of dependencies. Output: each `requires(…)`, `fastgate` and condition that
is a default or metadata of a parameter without `Depends(…)`, and each function that refers to one,
as a function that returns it does: FastAPI runs what `Depends(…)` contains, never what that
returns. None of the code is run.
"""

import dis
import sys
from collections.abc import Iterator, Sequence
from functools import partial
from importlib.util import resolve_name
from inspect import Parameter
from types import CodeType, FunctionType, MethodType, ModuleType
from typing import Annotated, Any, NamedTuple, get_args, get_origin

from fastapi import Depends, Security

from fastgate import vocabulary
from fastgate.compile.cache import cached
from fastgate.compile.callers.called_functions import defaults_of
from fastgate.compile.callers.dependency_tree import Dependant, flatten, parameters_of
from fastgate.conditions import Condition
from fastgate.declare.lookup import layers
from fastgate.declare.static_access import attribute, is_a, own
from fastgate.dependencies import FastgateScheme
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
_UNKNOWN = object()
_READS_ATTRIBUTE = ("LOAD_ATTR", "LOAD_METHOD")
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
    for each in tree:
        if each.call is not None and each.call is not target:
            found, holder = cached(_handed_on, each.call)
            if found is not None:
                yield LostRequirement(_shown(found), f"the function {_name_of(holder)}")


def _written_on(parameter: Parameter) -> Iterator[object]:
    """Yield the requirements in the annotation and the default of a parameter."""
    for each in (parameter.default, *_metadata_in(parameter.annotation)):
        if (found := _requirement_in(each)) is not None:
            yield found


def _metadata_in(annotation: object, depth: int = 0) -> Iterator[object]:
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
        yield from _metadata_in(part, depth + 1)


def _handed_on(call: object) -> tuple[object, object]:
    """Return the first requirement that a dependency refers to, and the function that does.

    Both are None if there is none. A function that also refers to `Depends` or `Security` is left
    out: it writes dependencies.
    """
    left, seen = [*layers(call, mounted=False)], dict[int, object]()
    while left and len(seen) < _MAX_FUNCTIONS:
        layer = left.pop(0)
        if id(layer) in seen:
            continue
        seen[id(layer)] = layer
        if _is_maker(layer):
            return layer, layer
        if is_a(layer, FastgateScheme) or _is_of_framework(layer):
            continue
        values = [*_used_by(layer)]
        if any(each is Depends or each is Security for each in values):
            continue
        for each in values:
            if (found := _requirement_in(each)) is not None:
                return found, layer
            if is_a(each, FunctionType, MethodType):
                left += layers(each, mounted=False)
    return None, None


def _used_by(layer: object) -> Iterator[object]:
    """Yield the values that a function, a method or a partial function refers to in its code."""
    if is_a(layer, FunctionType):
        yield from (default for _, default in defaults_of(layer))
        yield from _used_in(attribute(layer, "__code__"), layer, _UNKNOWN)
    elif is_a(layer, MethodType):
        function = attribute(layer, "__func__")
        if is_a(function, FunctionType):
            yield from _used_in(attribute(function, "__code__"), function, layer.__self__)  # type: ignore[attr-defined]
    elif is_a(layer, partial):
        if attribute(layer, "func") is FastgateScheme.__call__:
            return  # this runs the scheme among its arguments
        yield from attribute(layer, "args")  # type: ignore[misc]
        yield from (attribute(layer, "keywords") or {}).values()  # type: ignore[attr-defined]
    elif not is_a(layer, type):
        for kind in type(layer).__mro__:
            function = own(kind).get("__call__")
            if is_a(function, FunctionType):
                yield from _used_in(attribute(function, "__code__"), function, layer)
                return


def _used_in(code: Any, function: object, instance: object) -> Iterator[object]:  # noqa: ANN401
    """Yield the values of the names that code loads, including the code of functions within it."""
    if not is_a(code, CodeType):
        return
    names: Any = attribute(function, "__globals__") or {}
    cells = _cells_of(function)
    first = code.co_varnames[0] if code.co_argcount else None
    steps = [*dis.get_instructions(code)]
    module = ""
    for number, step in enumerate(steps):
        value = _UNKNOWN
        if step.opname in ("LOAD_GLOBAL", "LOAD_NAME"):
            value = names.get(step.argval, _UNKNOWN)
        elif "DEREF" in step.opname and step.opname.startswith("LOAD"):
            value = cells.get(step.argval, _UNKNOWN)
        elif step.opname.startswith("LOAD_FAST") and first in (loaded := _names_in(step.argval)):
            value = instance
            if loaded[-1] != first:  # an attribute that follows is of another variable
                yield value
                continue
        elif step.opname == "IMPORT_NAME":
            module = _absolute(str(step.argval), steps[:number], names)
        elif step.opname == "IMPORT_FROM":
            value = own(sys.modules.get(module)).get(step.argval, _UNKNOWN)
        if value is not _UNKNOWN:
            yield _followed(value, steps[number + 1 :])
    for inner in code.co_consts:
        if is_a(inner, CodeType):
            yield from _used_in(inner, function, _UNKNOWN)


def _followed(value: object, steps: Sequence[dis.Instruction]) -> object:
    """Return the attribute that the steps read of a value, or the value if they read none."""
    for step in steps:
        if step.opname in ("CACHE", "PRECALL", "NOP", "EXTENDED_ARG"):
            continue
        if step.opname not in _READS_ATTRIBUTE:
            break
        name = str(step.argval)
        found = own(value).get(name) if is_a(value, ModuleType) else attribute(value, name)
        if found is None:
            return _UNKNOWN
        value = found
    return value


def _names_in(names: object) -> tuple[object, ...]:
    return names if isinstance(names, tuple) else (names,)


def _absolute(name: str, before: Sequence[dis.Instruction], names: Any) -> str:  # noqa: ANN401
    """Return the full name of an imported module; the level is loaded before the import."""
    level = next((each.argval for each in before[-2:-1]), 0)
    try:
        return resolve_name("." * int(level or 0) + name, names.get("__package__") or None)
    except ImportError:
        return name


def _cells_of(function: object) -> dict[str, object]:
    code: Any = attribute(function, "__code__")
    found = dict[str, object]()
    for name, cell in zip(code.co_freevars, attribute(function, "__closure__") or (), strict=False):  # type: ignore[call-overload]
        try:
            found[name] = cell.cell_contents
        except ValueError:
            continue  # the variable has no value yet
    return found


def _requirement_in(value: object) -> object:
    """Return a requirement, also one in a container or a partial function; None if there is none.

    Apps, routes and other objects are not searched.
    """
    left, count = [value], 0
    while left and count < _MAX_PARTS:
        each = left.pop()
        count += 1
        if is_a(each, FastgateScheme, Condition):
            return each
        if _is_maker(each):
            return each
        if type(each) in (list, tuple, set, frozenset):
            left += each  # type: ignore[arg-type]
        elif type(each) is dict:
            left += each.values()
    return None


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
