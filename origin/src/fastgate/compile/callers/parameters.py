"""Read how FastAPI parses the parameters of an endpoint and of its dependencies.

Input: a tree of dependencies. Output: the type of each path parameter, as far as the edge can
compare it, and the parameters whose type is unknown. This module checks nothing and runs no code of
the app.
"""

import inspect
from collections.abc import Iterator
from typing import ForwardRef
from uuid import UUID

from fastgate.compile.callers.dependency_tree import Dependant, flatten, read_from_the_request
from fastgate.edge_only import reads_who_is_calling


def path_types(dependant: Dependant) -> dict[str, tuple[str, ...]]:
    """Return the types of each path parameter: `int`, `float`, `uuid`, `str`, or `other`."""
    found: dict[str, tuple[str, ...]] = {}
    for each in _whole(dependant):
        for parameter in each.path_params:
            kind = _kind_of(parameter.field_info.annotation)
            found[parameter.alias] = (*found.get(parameter.alias, ()), kind)
    return found


def undefined_parameters(dependant: Dependant) -> Iterator[str]:
    """Yield the parameters whose annotation contains an undefined name, as written."""
    for each in _whole(dependant):
        for parameter in read_from_the_request(each):
            annotation = parameter.field_info.annotation
            if reads_who_is_calling(annotation) is None:
                yield f"{parameter.name}: {_shown(annotation)}"


def _whole(dependant: Dependant) -> tuple[Dependant, ...]:
    return () if dependant is None else (dependant, *flatten(dependant))


def _shown(annotation: object) -> str:
    if isinstance(annotation, ForwardRef):
        return annotation.__forward_arg__
    return annotation.__qualname__ if inspect.isclass(annotation) else str(annotation)


def _kind_of(annotation: object) -> str:
    if not inspect.isclass(annotation) or issubclass(annotation, bool):
        return "other"
    kinds = {UUID: "uuid", int: "int", float: "float"}
    plain = "str" if annotation is str else "other"
    return next((kind for base, kind in kinds.items() if issubclass(annotation, base)), plain)
