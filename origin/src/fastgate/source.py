"""Read from its source what a function asks for whose annotations are those of another one.

In: a function to which `functools.wraps` has given the annotations of what it wraps. Out: the
dependencies in the annotations of its own parameters, as they are written. Nothing is run: names
are looked up among the globals of the function, and what is not found there is not known.
"""

import ast
import inspect
import textwrap
from collections.abc import Iterator, Mapping
from types import CodeType, FunctionType, ModuleType
from typing import Annotated, Any, get_origin

from fastapi.params import Depends, Security

from fastgate.callers import dependencies_in
from fastgate.dependencies import FastgateScheme
from fastgate.static import attribute, is_a, own


def asked_in_source(function: object) -> Iterator[Depends]:
    """Yield the dependencies of parameters that what a function wraps has not."""
    code: Any = attribute(function, "__code__")
    names = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
    try:
        read = inspect.signature(function).parameters  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return
    if not (mine := {*names} - read.keys()):
        return
    known: Any = attribute(function, "__globals__") or {}
    for parameter in _parameters_of(code):
        if parameter.arg in mine and parameter.annotation is not None:
            yield from _dependencies(parameter.annotation, known)


def _parameters_of(code: CodeType) -> Iterator[ast.arg]:
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(code)))
    except (OSError, TypeError, SyntaxError, ValueError):
        return
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.name == code.co_name:
            yield from (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)
            return


def _dependencies(annotation: ast.expr, known: Mapping[str, object]) -> Iterator[Depends]:
    found = list[Depends]()
    scopes = list[str]()
    for node in ast.walk(annotation):
        if isinstance(node, ast.keyword) and node.arg == "scopes":
            parts = (each for each in ast.walk(node.value) if isinstance(each, ast.Constant))
            scopes += (each.value for each in parts if isinstance(each.value, str))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            try:
                found += _dependencies(ast.parse(node.value, mode="eval").body, known)
            except SyntaxError:
                continue  # it is no annotation
        elif isinstance(node, (ast.Name, ast.Attribute)):
            value = _value_of(node, known)
            if is_a(value, FunctionType, FastgateScheme):
                found.append(Depends(value))  # type: ignore[arg-type]
            elif get_origin(value) is Annotated or type(value).__name__ == "TypeAliasType":
                found += dependencies_in(value)
    for each in found:
        own_scopes = [*(getattr(each, "scopes", None) or ()), *scopes]
        yield Security(each.dependency, scopes=own_scopes) if own_scopes else each


def _value_of(node: ast.AST, known: Mapping[str, object]) -> object:
    if isinstance(node, ast.Name):
        return known.get(node.id)
    if isinstance(node, ast.Attribute):
        value = _value_of(node.value, known)
        return own(value).get(node.attr) if is_a(value, ModuleType, type) else None
    return None
