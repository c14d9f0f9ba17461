"""Find the values that a function refers to in its code, without running it.

Input: a function, a method, a partial function or an object that can be called. Output: the values
of the global names, closures, imports and attributes of `self` that its bytecode loads, and its
defaults. None of the code is run.
"""

import dis
import sys
from collections.abc import Iterator, Sequence
from functools import partial
from importlib.util import resolve_name
from types import CodeType, FunctionType, MethodType, ModuleType
from typing import Any, NamedTuple

from fastgate.compile.callers.called_functions import defaults_of
from fastgate.declare.static_access import attribute, is_a, own
from fastgate.dependencies import FastgateScheme

_UNKNOWN = object()
_READS_ATTRIBUTE = ("LOAD_ATTR", "LOAD_METHOD")
_SKIPPED = ("CACHE", "PRECALL", "NOP", "EXTENDED_ARG")
_MAX_VARIABLES = 3
"""The maximum number of variables to follow, one assigned to another."""
_RETURNS = ("RETURN_VALUE", "YIELD_VALUE", "ASYNC_GEN_WRAP")


def values_used_by(layer: object) -> Iterator[object]:
    """Yield the values that a function, a method or a partial function refers to in its code.

    If it reads only an attribute of one, that attribute counts, as far as it is stored.
    """
    yield from (chain[-1] for chain in _chains_used_by(layer))


def objects_used_by(layer: object) -> Iterator[object]:
    """Yield the same values, and those whose attributes are read."""
    for chain in _chains_used_by(layer):
        yield from chain


def values_returned_by(layer: object) -> Iterator[object]:
    """Yield the same values, if the function may return or yield them, alone or in a container.

    Defaults and the arguments of a partial function count: a parameter may be returned.
    """
    yield from (used.chain[-1] for used in _used_by(layer) if used.is_returned)


class _Use(NamedTuple):
    chain: list[object]
    """A value, and the attributes that are read of it, one from another."""
    is_returned: bool


def _chains_used_by(layer: object) -> Iterator[list[object]]:
    yield from (used.chain for used in _used_by(layer))


def _used_by(layer: object) -> Iterator[_Use]:
    if is_a(layer, FunctionType):
        yield from (_Use([default], is_returned=True) for _, default in defaults_of(layer))
        yield from _used_in(attribute(layer, "__code__"), layer, _UNKNOWN)
    elif is_a(layer, MethodType):
        function = attribute(layer, "__func__")
        if is_a(function, FunctionType):
            yield from _used_in(attribute(function, "__code__"), function, layer.__self__)  # type: ignore[attr-defined]
    elif is_a(layer, partial):
        if attribute(layer, "func") is FastgateScheme.__call__:
            return  # this runs the scheme among its arguments
        arguments: Any = attribute(layer, "args"), attribute(layer, "keywords") or {}
        for each in (*arguments[0], *arguments[1].values()):
            yield _Use([each], is_returned=True)
    elif not is_a(layer, type):
        for kind in type(layer).__mro__:
            function = own(kind).get("__call__")
            if is_a(function, FunctionType):
                yield from _used_in(attribute(function, "__code__"), function, layer)
                return


def _used_in(code: Any, function: object, instance: object) -> Iterator[_Use]:  # noqa: ANN401
    """Yield what code loads by its names, including the code of functions within it."""
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
                yield _Use([value], is_returned=False)
                continue
        elif step.opname == "IMPORT_NAME":
            module = _absolute(str(step.argval), steps[:number], names)
        elif step.opname == "IMPORT_FROM":
            value = own(sys.modules.get(module)).get(step.argval, _UNKNOWN)
        if value is not _UNKNOWN:
            chain = [*_followed(value, steps[number + 1 :])]
            yield _Use(chain, _is_returned(steps, number + 1))
    for inner in code.co_consts:
        if is_a(inner, CodeType):
            yield from _used_in(inner, function, _UNKNOWN)


def _followed(value: object, steps: Sequence[dis.Instruction]) -> Iterator[object]:
    """Yield a value, and the attributes that the steps read one from another."""
    yield value
    for step in steps:
        if step.opname in _SKIPPED:
            continue
        if step.opname not in _READS_ATTRIBUTE:
            break
        name = str(step.argval)
        found = own(value).get(name) if is_a(value, ModuleType) else attribute(value, name)
        value = _UNKNOWN if found is None else found
        yield value
        if value is _UNKNOWN:
            break


def _is_returned(steps: Sequence[dis.Instruction], begin: int, depth: int = 0) -> bool:
    """Whether a value that has just been loaded is returned, also by way of a variable."""
    variable = None
    for step in steps[begin:]:
        if step.opname in _RETURNS:
            return True
        if step.opname.startswith("STORE_FAST"):
            variable = _names_in(step.argval)[0]
        is_item = step.opname == "BINARY_SUBSCR" or step.argrepr == "[]"
        if not (is_item or step.opname in _SKIPPED or step.opname.startswith(("LOAD_", "BUILD_"))):
            break
    if variable is None or depth == _MAX_VARIABLES:
        return False
    return any(
        "LOAD_FAST" in step.opname
        and variable in _names_in(step.argval)
        and _is_returned(steps, after, depth + 1)
        for after, step in enumerate(steps[begin:], begin + 1)
    )


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
