"""Find dependencies on callers in the fields of models that endpoints read from requests.

Input: an endpoint's tree of dependencies. Output: the fields with `Depends(…)`, if what that
contains requires callers. FastAPI runs dependencies of parameters only. The client chooses the
value of a field.
"""

import dataclasses
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, NamedTuple, get_args, get_origin, get_type_hints

from fastapi.params import Depends
from pydantic import BaseModel

from fastgate.compile.cache import cached
from fastgate.compile.callers.dependency_tree import (
    Dependant,
    callers_required_by,
    dependant_of_listed,
    dependencies_in,
    flatten,
    read_from_the_request,
)
from fastgate.declare.static_access import attribute, is_a, own

_NAMES_FIELDS = frozenset(("__required_keys__", "_field_defaults"))
"""What the class of a `TypedDict` or a `NamedTuple` has."""
_MAX_TYPES = 1000
"""The maximum number of types to examine for one endpoint."""


class FieldDependency(NamedTuple):
    """A dependency in a field of a model."""

    model: object
    name: str
    tree: Dependant
    """The dependency, as FastAPI would run it, and those below it."""


def dependencies_in_fields(dependant: Dependant) -> Iterator[FieldDependency]:
    """Yield the fields with dependencies on callers in the models that a tree reads.

    Args:
        dependant: the tree; None if it has none.

    """
    for each in all_dependencies_in_fields(dependant):
        if callers_required_by(flatten(each.tree)).are_any:
            yield each


def all_dependencies_in_fields(dependant: Dependant) -> Iterator[FieldDependency]:
    """Yield the fields with any dependency; otherwise as `dependencies_in_fields`."""
    tree = () if dependant is None else (dependant, *flatten(dependant))
    read = (parameter for each in tree for parameter in read_from_the_request(each))
    left = [parameter.field_info.annotation for parameter in read]
    seen = dict[int, object]()
    while left and len(seen) < _MAX_TYPES:
        kind = left.pop(0)
        if id(kind) in seen:
            continue
        seen[id(kind)] = kind
        left += get_args(kind)
        for alias in (kind, get_origin(kind)):
            if type(alias).__name__ == "TypeAliasType":
                left.append(getattr(alias, "__value__", None))
        model = kind if is_a(kind, type) else get_origin(kind)
        for name, annotation, found in cached(_fields_of, model):
            left.append(annotation)
            for tree in found:
                yield FieldDependency(model, name, tree)


def _fields_of(model: Any) -> list[tuple[str, object, list[Dependant]]]:  # noqa: ANN401
    """Return the fields of a model, each with its type and its dependencies."""
    every = list[tuple[str, object, list[Dependant]]]()
    for name, annotation, metadata in _annotated_fields_of(model):
        written = [each for each in metadata if isinstance(each, Depends)]
        trees = (_tree_of(each, annotation) for each in (*written, *dependencies_in(annotation)))
        every.append((name, annotation, [tree for tree in trees if tree is not None]))
    return every


def _annotated_fields_of(model: Any) -> Iterator[tuple[str, object, tuple[object, ...]]]:  # noqa: ANN401
    if not is_a(model, type):
        return
    if issubclass(model, BaseModel):
        for name, field in model.model_fields.items():
            yield name, field.annotation, (*field.metadata, field.default)
    elif dataclasses.is_dataclass(model) or not _NAMES_FIELDS.isdisjoint(own(model)):
        try:
            hints = get_type_hints(model, include_extras=True)
        except Exception:  # an annotation may contain an undefined name
            return
        for name, annotation in hints.items():
            yield name, annotation, (attribute(model, name),)


def _tree_of(depends: Depends, kind: object) -> Dependant:
    """Return the tree of one dependency; None if FastAPI cannot read it."""
    if depends.dependency is None:
        if not callable(kind):
            return None
        depends = replace(depends, dependency=kind)
    try:
        return dependant_of_listed((depends,), "/")
    except Exception:  # FastAPI would fail as well
        return None
