"""Tell how FastAPI reads the parameters of an endpoint and of its dependencies.

In: a tree of dependencies. Out: the type of each path parameter, as far as the edge can compare it.
Nothing is judged here, and nothing is run.
"""

import inspect
from uuid import UUID

from fastgate.callers import Dependant, flat


def path_types(dependant: Dependant) -> dict[str, tuple[str, ...]]:
    """Return by which types each path parameter is read: `int`, `float`, `uuid`, `str`, `other`."""
    found: dict[str, tuple[str, ...]] = {}
    for each in () if dependant is None else (dependant, *flat(dependant)):
        for parameter in each.path_params:
            kind = _kind_of(parameter.field_info.annotation)
            found[parameter.alias] = (*found.get(parameter.alias, ()), kind)
    return found


def _kind_of(annotation: object) -> str:
    if not inspect.isclass(annotation) or issubclass(annotation, bool):
        return "other"
    kinds = {UUID: "uuid", int: "int", float: "float"}
    plain = "str" if annotation is str else "other"
    return next((kind for base, kind in kinds.items() if issubclass(annotation, base)), plain)
