"""Find callers in a signature that FastAPI does not read: they are not asked for then.

In: what a route runs, and its tree of dependencies. Out: functions and classes within it that ask
for more than the tree does. FastAPI reads one signature of each: that of the innermost function
that `functools.wraps` tells of, or `__signature__`, or that of a class, not of its instances.
Nothing is judged here, and nothing is run.
"""

import inspect
import sys
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from itertools import chain
from types import CodeType, FunctionType, MethodType, ModuleType
from typing import Annotated, Any, NamedTuple, get_args, get_origin

from fastapi.dependencies.utils import get_typed_annotation
from fastapi.params import Depends
from starlette.endpoints import HTTPEndpoint, WebSocketEndpoint
from starlette.routing import BaseRoute

from fastgate.compile.callers.bytecode import Chain, names_in, reads_of
from fastgate.compile.callers.dependency_tree import (
    Callers,
    Dependant,
    asked_by,
    dependant_of_listed,
    dependencies_in,
    flat,
)
from fastgate.compile.callers.object_graph import mro_of
from fastgate.compile.callers.source_annotations import asked_in_source
from fastgate.declare.at_edge import Inherited
from fastgate.declare.lookup import call_of, is_router, layers
from fastgate.declare.static_access import attribute, is_a, own
from fastgate.dependencies import FastgateScheme

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
    unread: str = ""
    """An annotation that asks for callers, as it is written, of which not all can be read."""


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
        for layer, held in _within(call, given):
            for written in _unread_in(layer):
                yield Unasked(layer, Callers(), held, written)
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


def _within(call: object, given: Callers) -> Iterator[tuple[object, bool]]:
    """Yield what a call is made of, and then what that holds and calls.

    What asks for callers in the signature that is read hands them on to what it holds.
    """
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
            if attribute(layer, "__wrapped__") is not None and not is_a(layer, FunctionType):
                left.append((call_of(layer), held))
            if held or not _hands_on(layer, given):
                left += [(each, True) for each in _held_by(layer)]


def _hands_on(layer: object, given: Callers) -> bool:
    """Whether a function, or what an object calls, has callers by its own signature to hand on."""
    while is_a(layer, partial, MethodType):
        layer = attribute(layer, "func" if is_a(layer, partial) else "__func__")
    function = layer if is_a(layer, FunctionType, type) else call_of(layer)
    if not is_a(function, FunctionType):
        return False
    # What wraps another function by `functools.wraps` is given what that one asks for.
    wrapped = attribute(function, "__wrapped__")
    asked_of = function if wrapped is None else wrapped
    asking = _parameters_of(asked_of, _annotations_of(asked_of))
    used = reads_of(attribute(function, "__code__"))
    for name, asked in asking.items():
        callers = _callers_of(asked)
        asks = (callers.known and given.known) or (callers.anybody and given.anybody)
        if asks and (wrapped is not None or name in used):
            return True
    return False


def _parameters_told(function: object) -> Mapping[str, object]:
    """Return the parameters of the signature that a function is given by hand; none without."""
    signature = attribute(function, "__signature__")
    return signature.parameters if isinstance(signature, inspect.Signature) else {}


def _parameters_of(function: object, annotations: Mapping[str, object]) -> dict[str, list[Depends]]:
    """Return what the parameters of a function, or the members of a class, ask for, by name."""
    found = {
        name: [*_depended_on(_resolved(annotation, function))]
        for name, annotation in annotations.items()
    }
    for name, default in _defaults_of(function) if is_a(function, FunctionType) else ():
        if isinstance(default, Depends):
            kind = _resolved(annotations.get(name), function)
            found.setdefault(name, []).append(_with_type(default, kind))
    return found


def _held_by(layer: object) -> Iterator[object]:
    """Yield the functions that one calls: of its closure, defaults, arguments or attributes.

    Those in containers are not among them: a table of endpoints, which is not called. The arguments
    of a partial function are no such table.
    """
    held = list[object]()
    if is_a(layer, FunctionType):
        held += (default for _, default in _defaults_of(layer))
        held += _used_of_closure(layer)
    elif is_a(layer, partial):
        held += (*(attribute(layer, "args") or ()),)  # type: ignore[misc]
        held += (attribute(layer, "keywords") or {}).values()  # type: ignore[attr-defined]
        held += [part for each in held for part in _parts_of(each)]
    elif is_a(layer, MethodType):
        held += _used_of_object(attribute(layer, "__self__"), attribute(layer, "__func__"))
    elif not is_a(layer, type):
        for function in (*[*layers(layer, mounted=False)][1:], call_of(layer)):
            held += _used_of_object(layer, function)
    for each in held:
        if is_a(each, FunctionType, MethodType, partial) or is_a(call_of(each), FunctionType):
            yield each


def _parts_of(container: object) -> Iterator[object]:
    if type(container) in (list, tuple):
        yield from container  # type: ignore[misc]
    elif type(container) is dict:
        yield from container.values()


def _used_of_object(target: object, function: object) -> Iterator[object]:
    """Yield what one of its methods uses of an object."""
    code: Any = attribute(function, "__code__")
    if is_a(target, type, BaseRoute) or is_router(target) or not is_a(code, CodeType):
        return
    chains = reads_of(code).get(code.co_varnames[0], ()) if code.co_argcount else ()
    if () in chains:  # by itself: another name or another function may read any attribute
        names = names_in(code)
        yield from (value for name, value in list(own(target).items()) if name in names)
    else:
        yield from _used_of(target, chains)


def _used_of_closure(function: object) -> Iterator[object]:
    """Yield what a function uses of its closure."""
    code: Any = attribute(function, "__code__")
    reads = reads_of(code)
    closure: Any = attribute(function, "__closure__") or ()
    for name, cell in zip(code.co_freevars, closure, strict=False):
        try:
            yield from _used_of(cell.cell_contents, reads.get(name, ()))
        except ValueError:
            continue  # its variable has no value yet


def _used_of(value: object, chains: Collection[Chain]) -> Iterator[object]:
    """Yield a value, if more is done with it than to read attributes, and what these are."""
    is_function = is_a(value, FunctionType, MethodType, partial)
    if () in chains or (is_function and any(each[0] not in _ONLY_NAMED for each in chains)):
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


def _unread_in(layer: object) -> Iterator[str]:
    """Yield the annotations of a function that ask for callers, and cannot be read."""
    if is_a(layer, FunctionType) and _has_those_of_another(layer):
        for asked in asked_in_source(layer):
            callers = _callers_of(asked.dependencies) if asked.unread else Callers()
            # With a signature of its own, that is what FastAPI reads.
            read = asked.name in _parameters_told(layer)
            if not read and (callers.known or callers.anybody):
                yield asked.unread


def _has_those_of_another(function: object) -> bool:
    """Whether `functools.wraps` has put another function's annotations in place of its own."""
    wrapped = attribute(function, "__wrapped__")
    return wrapped is not None and _annotations_of(function) == _annotations_of(wrapped)


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
            yield from _unmet(_written_in(kind), run, given)
        yield from _unmet(_members_of(layer), run, given)
    for part in parts:
        if is_a(part, FunctionType):
            yield from _unmet(_written_in(part), run, given)


def _unmet(
    asked: Iterable[Depends], run: Mapping[int, object], given: Callers
) -> Iterator[Depends]:
    for each in asked:
        scopes = getattr(each, "scopes", None) or ()
        if each.dependency is not None and not (
            id(each.dependency) in run and {*scopes} <= {*given.scopes}
        ):
            yield each


def _written_in(target: object) -> Iterator[Depends]:
    """Yield the dependencies in the signature of a function, or in the annotations of a class."""
    annotations = _annotations_of(target)
    if is_a(target, FunctionType) and _has_those_of_another(target):
        annotations = {}
        for asked in asked_in_source(target):
            yield from asked.dependencies
    yield from chain.from_iterable(_parameters_of(target, annotations).values())


def _members_of(kind: object) -> Iterator[Depends]:
    """Yield the dependencies that are the values of a class's members.

    What no annotation makes a field may be kept for others, if there is an `__init__`.
    """
    kinds = mro_of(kind)[:-1]
    initialized = any("__init__" in own(each) for each in kinds)
    seen = set[str]()
    for each in kinds:
        annotations = _annotations_of(each)
        for name, value in own(each).items():
            counts = name not in seen and (name in annotations or not initialized)
            if counts and is_a(value, Depends):
                yield _with_type(value, _resolved(annotations.get(name), each))  # type: ignore[arg-type]
        seen |= own(each).keys()


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
