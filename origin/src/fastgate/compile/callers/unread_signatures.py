"""Find dependencies that require callers in signatures that FastAPI does not read.

Input: the endpoint of a route, and its tree of dependencies. Output: functions and classes within
it that require more than the tree does. FastAPI reads one signature of each callable: that of the
innermost function behind `functools.wraps`, or `__signature__`, or that of a class, but not of its
instances. None of the code is run.
"""

import inspect
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from itertools import chain
from types import FunctionType, MethodType
from typing import Annotated, NamedTuple, get_args, get_origin

from fastapi.dependencies.utils import get_typed_annotation
from fastapi.params import Depends
from starlette.endpoints import HTTPEndpoint, WebSocketEndpoint
from starlette.routing import BaseRoute

from fastgate.compile.callers.bytecode import reads_of
from fastgate.compile.callers.called_functions import called_by, defaults_of
from fastgate.compile.callers.dependency_tree import (
    Dependant,
    callers_required_by,
    dependant_of_listed,
    dependencies_in,
    flatten,
    scopes_for,
)
from fastgate.compile.callers.object_graph import mro_of
from fastgate.compile.callers.requirements import Callers
from fastgate.compile.callers.source_annotations import requirements_in_source
from fastgate.declare.lookup import call_of, is_router, layers
from fastgate.declare.router_marks import RouterMark
from fastgate.declare.static_access import attribute, is_a, own
from fastgate.dependencies import FastgateScheme

_MAX_FUNCTIONS = 200
"""The maximum number of functions to examine for one endpoint or dependency."""
_HANDLERS = ("get", "head", "post", "put", "patch", "delete", "options", "trace")
_SOCKET_HANDLERS = ("on_connect", "on_receive", "on_disconnect")


class UnreadRequirement(NamedTuple):
    """A function or class with a requirement on callers that FastAPI does not read."""

    target: object
    callers: Callers
    is_referenced: bool
    """Whether a function of the route refers to it, as opposed to being a wrapper of it."""
    unread: str = ""
    """An annotation that requires callers and cannot be read completely, as it is written."""
    dependencies: tuple[Depends, ...] = ()
    """The dependencies in its signature."""


def unread_requirements(target: object, dependant: Dependant) -> Iterator[UnreadRequirement]:
    """Yield the unread requirements on callers in an endpoint or its dependencies.

    Args:
        target: the endpoint; None for a mounted app.
        dependant: the tree of its dependencies; None if it has none.

    """
    run = {id(each.call): each.call for each in flatten(dependant)}
    called: list[tuple[object, tuple[str, ...]]] = [(target, ())] if target is not None else []
    called += [
        (each.call, scopes_for(each))
        for each in flatten(dependant)
        if not isinstance(each.call, RouterMark)
    ]
    given = callers_required_by(flatten(dependant))
    for call, scopes in called:
        for layer, is_referenced in _within(call, given):
            for written in _unread_in(layer):
                yield UnreadRequirement(layer, Callers(), is_referenced, written)
            required = [*_not_run_in(layer, run, given)]
            callers = _callers_of(required)
            if layer is FastgateScheme or (is_a(layer, type) and FastgateScheme in mro_of(layer)):
                callers = Callers(known=True)  # the class itself, not an instance
            if callers.known:
                every = tuple(dict.fromkeys((*callers.scopes, *scopes)))
                callers = replace(callers, scopes=every)
            missing = callers.beyond(given)
            if missing.names():
                missing = replace(missing, known=callers.known)
                yield UnreadRequirement(layer, missing, is_referenced, dependencies=tuple(required))


def unread_dependencies(target: object, dependant: Dependant) -> Iterator[tuple[object, Depends]]:
    """Yield the dependencies in unread signatures, each with the function or class that has it.

    Args:
        target: as for `unread_requirements`.
        dependant: as for `unread_requirements`.

    """
    run = {id(each.call): each.call for each in flatten(dependant)}
    for call in (*run.values(), *(() if target is None else (target,))):
        for layer, _ in () if is_a(call, RouterMark) else _within(call, Callers()):
            for each in _not_run_in(layer, run, Callers()):
                yield layer, each


def _within(call: object, given: Callers) -> Iterator[tuple[object, bool]]:
    """Yield the layers of a callable, and then the functions that they call.

    A function whose signature is read, and that requires callers, passes them to what it calls.
    """
    left, seen = [(call, False)], dict[int, object]()
    while left and len(seen) < _MAX_FUNCTIONS:
        target, is_referenced = left.pop(0)
        origin = get_origin(target)
        made_of = target if origin is None or origin is Annotated else origin
        for layer in layers(made_of, mounted=False):
            if id(layer) in seen or is_router(layer) or is_a(layer, BaseRoute):
                continue
            seen[id(layer)] = layer
            yield layer, is_referenced
            if (created := _object_of(layer)) is not None and id(created) not in seen:
                seen[id(created)] = created
                yield created, is_referenced
            if attribute(layer, "__wrapped__") is not None and not is_a(layer, FunctionType):
                left.append((call_of(layer), is_referenced))
            if is_referenced or not _passes_callers_on(layer, given):
                left += [(each, True) for each in called_by(layer)]


def _object_of(layer: object) -> object:
    """Return the object of a method; None for what has none, and for a class, an app or a route."""
    found = attribute(layer, "__self__") if is_a(layer, MethodType) else None
    return None if is_a(found, type, BaseRoute) or is_router(found) else found


def _passes_callers_on(layer: object, given: Callers) -> bool:
    """Whether a function or object receives callers by its own signature and can pass them on."""
    while is_a(layer, partial, MethodType):
        layer = attribute(layer, "func" if is_a(layer, partial) else "__func__")
    function = layer if is_a(layer, FunctionType, type) else call_of(layer)
    if not is_a(function, FunctionType):
        return False
    # A wrapper by `functools.wraps` receives the parameters of the function that it wraps.
    wrapped = attribute(function, "__wrapped__")
    signature_of = function if wrapped is None else wrapped
    parameters = _parameters_of(signature_of, _annotations_of(signature_of))
    used = reads_of(attribute(function, "__code__"))
    for name, required in parameters.items():
        callers = _callers_of(required)
        receives_callers = (callers.known and given.known) or (callers.anybody and given.anybody)
        if receives_callers and (wrapped is not None or name in used):
            return True
    return False


def _explicit_parameters(function: object) -> Mapping[str, object]:
    """Return the parameters of a function's `__signature__`; empty if it has none."""
    signature = attribute(function, "__signature__")
    return signature.parameters if isinstance(signature, inspect.Signature) else {}


def _parameters_of(function: object, annotations: Mapping[str, object]) -> dict[str, list[Depends]]:
    """Return the dependencies in a function's parameters, or in a class's members, by name."""
    found = {
        name: [*_depended_on(_resolved(annotation, function))]
        for name, annotation in annotations.items()
    }
    for name, default in defaults_of(function) if is_a(function, FunctionType) else ():
        if isinstance(default, Depends):
            kind = _resolved(annotations.get(name), function)
            found.setdefault(name, []).append(_with_type(default, kind))
    return found


def _unread_in(layer: object) -> Iterator[str]:
    """Yield the annotations of a function that require callers and cannot be read."""
    if is_a(layer, FunctionType) and _has_copied_annotations(layer):
        for required in requirements_in_source(layer):
            callers = _callers_of(required.dependencies) if required.unread else Callers()
            # If the function has a `__signature__`, FastAPI reads that.
            read = required.name in _explicit_parameters(layer)
            if not read and callers.are_any:
                yield required.unread


def _has_copied_annotations(function: object) -> bool:
    """Whether `functools.wraps` has replaced a function's annotations with another's."""
    wrapped = attribute(function, "__wrapped__")
    return wrapped is not None and _annotations_of(function) == _annotations_of(wrapped)


def _not_run_in(layer: object, run: Mapping[int, object], given: Callers) -> Iterator[Depends]:
    """Yield the dependencies that a function, class or object requires and that are not run.

    An object requires what its class does to be created: FastAPI has not created it.
    """
    parts = [layer]
    if not is_a(layer, FunctionType, MethodType, partial):
        kinds = mro_of(layer if is_a(layer, type) else type(layer))
        names = ["__new__", "__init__"]
        if is_a(layer, type):
            names += ["__call__"]
            names += _HANDLERS if HTTPEndpoint in kinds else ()
            names += _SOCKET_HANDLERS if WebSocketEndpoint in kinds else ()
        for name in names:
            found = next((own(each)[name] for each in kinds if name in own(each)), None)
            parts += layers(found, mounted=False)
        for kind in kinds:
            yield from _unmet(_written_in(kind), run, given)
        yield from _unmet(_members_of(kinds[0]), run, given)
    for part in parts:
        if is_a(part, FunctionType):
            yield from _unmet(_written_in(part), run, given)


def _unmet(
    required: Iterable[Depends], run: Mapping[int, object], given: Callers
) -> Iterator[Depends]:
    for each in required:
        scopes = getattr(each, "scopes", None) or ()
        if each.dependency is not None and not (
            id(each.dependency) in run and {*scopes} <= {*given.scopes}
        ):
            yield each


def _written_in(target: object) -> Iterator[Depends]:
    """Yield the dependencies in the signature of a function, or in the annotations of a class."""
    annotations = _annotations_of(target)
    if is_a(target, FunctionType) and _has_copied_annotations(target):
        annotations = {}
        for required in requirements_in_source(target):
            yield from required.dependencies
    yield from chain.from_iterable(_parameters_of(target, annotations).values())


def _members_of(kind: object) -> Iterator[Depends]:
    """Yield the dependencies that are values of a class's members.

    If there is an `__init__`, members without an annotation are not fields and do not count.
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


def _depended_on(annotation: object) -> Iterator[Depends]:
    for each in dependencies_in(annotation):
        kind = get_args(annotation)[0] if get_origin(annotation) is Annotated else None
        yield _with_type(each, kind)


def _with_type(depends: Depends, kind: object) -> Depends:
    """Return a dependency without a function as one of the annotated class."""
    if depends.dependency is None and callable(kind):
        return replace(depends, dependency=kind)
    return depends


def _annotations_of(target: object) -> dict[str, object]:
    try:
        found = inspect.get_annotations(target)  # type: ignore[arg-type]
    except Exception:  # an annotation may contain an undefined name
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


def _callers_of(required: list[Depends]) -> Callers:
    if not required:
        return Callers()
    try:
        tree = flatten(dependant_of_listed(required, "/"))
        # An app calls functions with schemes of FastAPI by itself, and passes them the token.
        return callers_required_by(tree, with_schemes=False)
    except Exception:  # FastAPI would fail as well
        return Callers()
