"""Read how FastAPI parses the parameters of an endpoint and of its dependencies.

Input: a tree of dependencies. Output: the type of each path parameter, as far as the edge can
compare it, the request fields that are read, and the parameters whose type is unknown. This module
checks nothing and runs no code of the app.
"""

import inspect
from collections.abc import Iterator
from types import UnionType
from typing import Annotated, ForwardRef, NamedTuple, Union, get_args, get_origin
from uuid import UUID

from pydantic import AliasChoices, BaseModel
from pydantic.fields import FieldInfo

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


class ReadHeader(NamedTuple):
    """A request field that a parameter, or a field of a model that one is, reads."""

    names: tuple[str, ...]
    """In lower case; several if any of them will do."""
    required: bool
    """Whether FastAPI refuses requests without it."""


def headers_read(dependant: Dependant) -> Iterator[ReadHeader]:
    """Yield the request fields that an endpoint and its dependencies take as parameters."""
    for each in _whole(dependant):
        for parameter in each.header_params:
            info = parameter.field_info
            if (model := _model_in(info.annotation)) is None:
                names = _names_of(info, parameter.alias)
                yield ReadHeader(names, info.is_required())
                continue
            config = model.model_config
            by_alias = config.get("validate_by_alias") is not False
            by_name = config.get("validate_by_name") or config.get("populate_by_name")
            converts = getattr(info, "convert_underscores", True)
            for name, field in model.model_fields.items():
                is_converted = getattr(field, "convert_underscores", converts)
                plain = name.replace("_", "-") if is_converted else name
                required = info.is_required() and field.is_required()
                names = _names_of(field, field.alias or name) if by_alias else ()
                # FastAPI converts an alias as well if it is the name of the field.
                names = tuple(plain.lower() if each == name else each for each in names)
                named = (plain.lower(),) if by_name or not by_alias else ()
                yield ReadHeader(tuple(dict.fromkeys((*names, *named))), required)


def _names_of(info: FieldInfo, alias: str) -> tuple[str, ...]:
    """Return the names that FastAPI looks up: its alias for validation precedes the other one."""
    validated = info.validation_alias
    choices = validated.choices if isinstance(validated, AliasChoices) else [validated]
    names = [each for each in choices if isinstance(each, str) and each]
    return tuple(each.lower() for each in (names if len(names) == len(choices) else [alias]))


def _model_in(annotation: object) -> type[BaseModel] | None:
    """Return the model whose fields FastAPI reads from several request fields."""
    if get_origin(annotation) is Annotated:
        return _model_in(get_args(annotation)[0])
    if get_origin(annotation) in (Union, UnionType):
        found = [_model_in(each) for each in get_args(annotation) if each is not type(None)]
        return found[0] if len(found) == 1 else None
    is_model = inspect.isclass(annotation) and issubclass(annotation, BaseModel)
    return annotation if is_model else None  # type: ignore[return-value]


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
