"""Find the functions that another function calls, from what it refers to.

Input: a function, a partial function, a method or an object that can be called. Output: the
functions among its closure, defaults, arguments and attributes, if its bytecode does more with them
than read their names. None of the code is run.
"""

from collections.abc import Collection, Iterator
from functools import partial
from types import CodeType, FunctionType, MethodType, ModuleType
from typing import Any

from starlette.routing import BaseRoute

from fastgate.compile.callers.bytecode import Chain, names_in, only_names_it, reads_of
from fastgate.declare.lookup import call_of, is_router, layers
from fastgate.declare.static_access import attribute, is_a, own


def called_by(layer: object) -> Iterator[object]:
    """Yield the functions that a function may call, from its closure, defaults or attributes.

    Functions in containers are left out: a table of endpoints, for example, is not called. The
    arguments of a partial function are followed even in containers.
    """
    found = list[object]()
    if is_a(layer, FunctionType):
        found += (default for _, default in defaults_of(layer))
        found += _used_of_closure(layer)
    elif is_a(layer, partial):
        found += (*(attribute(layer, "args") or ()),)  # type: ignore[misc]
        found += (attribute(layer, "keywords") or {}).values()  # type: ignore[attr-defined]
        found += [part for each in found for part in _parts_of(each)]
    elif is_a(layer, MethodType):
        found += _used_of_object(attribute(layer, "__self__"), attribute(layer, "__func__"))
    elif not is_a(layer, type):
        for function in (*[*layers(layer, mounted=False)][1:], call_of(layer)):
            found += _used_of_object(layer, function)
    for each in found:
        if is_a(each, FunctionType, MethodType, partial) or is_a(call_of(each), FunctionType):
            yield each


def _parts_of(container: object) -> Iterator[object]:
    if type(container) in (list, tuple):
        yield from container  # type: ignore[misc]
    elif type(container) is dict:
        yield from container.values()


def _used_of_object(target: object, function: object) -> Iterator[object]:
    """Yield the attributes of an object that one of its methods uses."""
    code: Any = attribute(function, "__code__")
    if is_a(target, type, BaseRoute) or is_router(target) or not is_a(code, CodeType):
        return
    chains = reads_of(code).get(code.co_varnames[0], ()) if code.co_argcount else ()
    if () in chains:  # the object is used as a whole, so any attribute may be read
        names = names_in(code)
        yield from (value for name, value in list(own(target).items()) if name in names)
    else:
        yield from _used_of(target, chains)


def _used_of_closure(function: object) -> Iterator[object]:
    """Yield the values that a function uses from its closure."""
    code: Any = attribute(function, "__code__")
    reads = reads_of(code)
    closure: Any = attribute(function, "__closure__") or ()
    for name, cell in zip(code.co_freevars, closure, strict=False):
        try:
            yield from _used_of(cell.cell_contents, reads.get(name, ()))
        except ValueError:
            continue  # the variable has no value yet


def _used_of(value: object, chains: Collection[Chain]) -> Iterator[object]:
    """Yield a value, if more is done with it than to read attributes, and the attributes read."""
    is_function = is_a(value, FunctionType, MethodType, partial)
    if () in chains or (is_function and chains and not only_names_it(chains)):
        yield value
    if is_function or is_a(value, type, ModuleType, BaseRoute) or is_router(value):
        return
    rests = dict[str, set[Chain]]()
    for name, *rest in filter(None, chains):
        rests.setdefault(name, set()).add((*rest,))
    if "__call__" in rests:
        yield value
    for name, after in rests.items():
        yield from _used_of(attribute(value, name), after)


def defaults_of(function: object) -> Iterator[tuple[str, object]]:
    """Yield the parameters of a function that have a default, with that default."""
    code: Any = attribute(function, "__code__")
    defaults: Any = attribute(function, "__defaults__") or ()
    keywords: Any = attribute(function, "__kwdefaults__") or {}
    positional = code.co_varnames[: code.co_argcount]
    yield from zip(positional[len(positional) - len(defaults) :], defaults, strict=False)
    yield from keywords.items()
