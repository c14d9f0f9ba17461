"""Find who asks for callers in a signature that FastAPI does not read: nobody is asked then.

In: what a route runs, and its tree of dependencies. Out: functions and classes within it that ask
for more than the tree does. FastAPI reads one signature of each: that of the innermost function
that `functools.wraps` tells of, or `__signature__`, or that of a class, not of its instances.
Nothing is judged here, and nothing is run.
"""

import dis
import inspect
import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial
from types import CodeType, FunctionType, MethodType
from typing import Annotated, Any, NamedTuple, get_args, get_origin

from fastapi.dependencies.utils import get_typed_annotation
from fastapi.params import Depends
from starlette.endpoints import HTTPEndpoint, WebSocketEndpoint
from starlette.routing import BaseRoute

from fastgate.callers import (
    Callers,
    Dependant,
    asked_by,
    dependant_of_listed,
    dependencies_in,
    flat,
)
from fastgate.declare import Inherited
from fastgate.dependencies import FastgateScheme
from fastgate.marks import is_router, layers
from fastgate.reach import mro_of
from fastgate.source import asked_in_source
from fastgate.static import attribute, is_a, own

_MOST_FUNCTIONS = 200
"""How many functions are looked at from one that a route runs."""
_ONLY_NAMED = ("__name__", "__qualname__", "__doc__", "__module__")
_HANDLERS = ("get", "head", "post", "put", "patch", "delete", "options", "trace")
_SOCKET_HANDLERS = ("on_connect", "on_receive", "on_disconnect")


class Unasked(NamedTuple):
    """A function or class that asks something of callers, and is not read."""

    target: object
    callers: Callers
    held: bool
    """Whether it is something that a route's function holds, and not what the route is made of."""


def unasked(target: object, dependant: Dependant) -> Iterator[Unasked]:
    """Yield what asks for callers within an endpoint or its dependencies, and is not read.

    Args:
        target: the endpoint; None where it is a mounted app.
        dependant: the tree of its dependencies; None if it has none.

    """
    run = {id(each.call): each.call for each in flat(dependant)}
    called = [(target, ())] if target is not None else []
    called += [
        (each.call, (*(each.parent_oauth_scopes or ()), *(each.own_oauth_scopes or ())))
        for each in flat(dependant)
        if not isinstance(each.call, Inherited)
    ]
    given = asked_by(flat(dependant))
    for call, scopes in called:
        for layer, held in _within(call):
            asked = [*_asked_in(layer, run, given)]
            callers = _callers_of(asked)
            if layer is FastgateScheme or (is_a(layer, type) and FastgateScheme in mro_of(layer)):
                callers = Callers(known=True)  # the class, and not an instance
            if callers.known:
                every = tuple(dict.fromkeys((*callers.scopes, *scopes)))
                callers = replace(callers, scopes=every)
            missing = tuple(each for each in callers.scopes if each not in given.scopes)
            if missing or (callers.known and not given.known):
                yield Unasked(layer, replace(callers, scopes=missing), held)


def _within(call: object) -> Iterator[tuple[object, bool]]:
    """Yield what a call is made of, and then what that holds and calls."""
    left, seen = [(call, False)], dict[int, object]()
    while left and len(seen) < _MOST_FUNCTIONS:
        target, held = left.pop(0)
        origin = get_origin(target)
        made_of = target if origin is None or origin is Annotated else origin
        for layer in layers(made_of, mounted=False):
            if id(layer) in seen or is_router(layer) or is_a(layer, BaseRoute):
                continue
            seen[id(layer)] = layer
            yield layer, held
            left += [(each, True) for each in _held_by(layer)]


def _held_by(layer: object) -> Iterator[object]:
    """Yield the functions that one calls: of its closure, defaults, arguments or attributes."""
    held = list[object]()
    if is_a(layer, FunctionType):
        held += (default for _, default in _defaults_of(layer))
        held += _used_of_closure(layer)
    elif is_a(layer, partial):
        held += (*(attribute(layer, "args") or ()),)  # type: ignore[misc]
        held += (attribute(layer, "keywords") or {}).values()  # type: ignore[attr-defined]
    elif is_a(layer, MethodType):
        held += _used_of_object(attribute(layer, "__self__"), attribute(layer, "__func__"))
    elif not is_a(layer, type):
        for function in [*layers(layer, mounted=False)][1:]:
            held += _used_of_object(layer, function)
    for each in held:
        call = next((own(kind)["__call__"] for kind in type(each).__mro__ if _calls(kind)), None)
        if is_a(each, FunctionType, MethodType, partial) or is_a(call, FunctionType):
            yield each


def _calls(kind: object) -> bool:
    return "__call__" in own(kind)


def _used_of_object(target: object, function: object) -> Iterator[object]:
    """Yield the attributes of an object that one of its methods names."""
    code = attribute(function, "__code__")
    if is_a(target, type, BaseRoute) or is_router(target) or not is_a(code, CodeType):
        return
    names = {name for part in _codes(code) for name in part.co_names}  # type: ignore[arg-type]
    yield from (value for name, value in list(own(target).items()) if name in names)


def _used_of_closure(function: object) -> Iterator[object]:
    """Yield what a function's closure holds, but for what it only asks for the name of."""
    code: Any = attribute(function, "__code__")
    closure: Any = attribute(function, "__closure__") or ()
    for name, cell in zip(code.co_freevars, closure, strict=False):
        try:
            value = cell.cell_contents
        except ValueError:
            continue  # its variable has no value yet
        if is_a(value, FunctionType, MethodType) and not any(
            _uses(part, name) for part in _codes(code)
        ):
            continue
        yield value


def _codes(code: CodeType) -> Iterator[CodeType]:
    yield code
    for each in code.co_consts:
        if is_a(each, CodeType):
            yield from _codes(each)


def _uses(code: CodeType, name: str) -> bool:
    """Whether code does anything with a variable but read its name or the like."""
    if name not in code.co_freevars:
        return False
    steps = [each for each in dis.get_instructions(code) if each.opname != "CACHE"]
    for step, following in zip(steps, [*steps[1:], None], strict=True):
        if step.argval != name or not step.opname.startswith("LOAD_DEREF"):
            continue
        names = following is not None and following.opname == "LOAD_ATTR"
        if not names or following.argval not in _ONLY_NAMED:  # type: ignore[union-attr]
            return True
    return False


def _asked_in(layer: object, run: Mapping[int, object], given: Callers) -> Iterator[Depends]:
    """Yield the dependencies that a function or class asks for, and that are not run."""
    parts = [layer]
    if is_a(layer, type):
        kinds = mro_of(layer)
        names = ["__init__", "__call__"]
        names += _HANDLERS if HTTPEndpoint in kinds else ()
        names += _SOCKET_HANDLERS if WebSocketEndpoint in kinds else ()
        for name in names:
            parts.append(next((own(each)[name] for each in kinds if name in own(each)), None))
        for kind in kinds:
            yield from _of_annotations(kind, run, given)
    for part in parts:
        if is_a(part, FunctionType):
            yield from _of_annotations(part, run, given)


def _of_annotations(target: object, run: Mapping[int, object], given: Callers) -> Iterator[Depends]:
    found = list[Depends]()
    annotations = _annotations_of(target)
    wrapped = attribute(target, "__wrapped__")
    if wrapped is not None and annotations == _annotations_of(wrapped):
        annotations = {}  # `functools.wraps` has put those in place of its own
        found += asked_in_source(target)
    for annotation in annotations.values():
        found += _depended_on(_resolved(annotation, target))
    if is_a(target, FunctionType):
        for name, default in _defaults_of(target):
            if isinstance(default, Depends):
                found.append(_with_type(default, _resolved(annotations.get(name), target)))
    for each in found:
        scopes = getattr(each, "scopes", None) or ()
        if each.dependency is not None and not (
            id(each.dependency) in run and {*scopes} <= {*given.scopes}
        ):
            yield each


def _defaults_of(function: object) -> Iterator[tuple[str, object]]:
    code: Any = attribute(function, "__code__")
    defaults: Any = attribute(function, "__defaults__") or ()
    keywords: Any = attribute(function, "__kwdefaults__") or {}
    positional = code.co_varnames[: code.co_argcount]
    yield from zip(positional[len(positional) - len(defaults) :], defaults, strict=False)
    yield from keywords.items()


def _depended_on(annotation: object) -> Iterator[Depends]:
    for each in dependencies_in(annotation):
        kind = get_args(annotation)[0] if get_origin(annotation) is Annotated else None
        yield _with_type(each, kind)


def _with_type(depends: Depends, kind: object) -> Depends:
    """Return a dependency with the class that is annotated, where it names no function."""
    if depends.dependency is None and callable(kind):
        return replace(depends, dependency=kind)
    return depends


def _annotations_of(target: object) -> dict[str, object]:
    try:
        found = inspect.get_annotations(target)  # type: ignore[arg-type]
    except Exception:  # what they are made of is not there
        return {}
    return {name: value for name, value in found.items() if name != "return"}


def _resolved(annotation: object, target: object) -> object:
    if not isinstance(annotation, str):
        return annotation
    names = attribute(target, "__globals__")
    if is_a(target, type):
        names = own(sys.modules.get(str(attribute(target, "__module__"))))
    try:
        return get_typed_annotation(annotation, dict(names or {}))  # type: ignore[call-overload]
    except Exception:
        return None


def _callers_of(asked: list[Depends]) -> Callers:
    if not asked:
        return Callers()
    try:
        return asked_by(flat(dependant_of_listed(asked, "/")))
    except Exception:  # FastAPI could not run it either
        return Callers()
