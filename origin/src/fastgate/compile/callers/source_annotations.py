"""Read from source code the annotations that `functools.wraps` has replaced.

Input: a function with the annotations of the function that it wraps. Output: the dependencies in
the annotations of its own parameters, as they are written, and whether all of them could be read.
None of the code is run: see `source_values`.
"""

import ast
import linecache
from collections.abc import Iterator
from functools import lru_cache
from types import CodeType, FunctionType
from typing import Annotated, Any, Literal, NamedTuple

import fastapi
import pydantic
from fastapi import param_functions, params
from fastapi.params import Depends, Security

from fastgate.compile.callers.dependency_tree import dependencies_in
from fastgate.compile.callers.object_graph import mro_of
from fastgate.compile.callers.source_values import UNKNOWN, Names, names_of
from fastgate.declare.static_access import attribute, is_a
from fastgate.dependencies import Caller, FastgateScheme, fastgate
from fastgate.identity import Identity
from fastgate.requires import Requires

_SECURITY = (fastapi.Security, params.Security)
_DEPENDS = (fastapi.Depends, params.Depends, *_SECURITY)
_PLAIN = (
    ast.Dict,
    ast.List,
    ast.Tuple,
    ast.Set,
    ast.JoinedStr,
    ast.UnaryOp,
    ast.Compare,
    ast.Lambda,
)
"""Expressions that are never a dependency, regardless of their contents."""
_FIELDS = (param_functions.__name__, pydantic.Field.__module__)
"""The modules of functions that describe a parameter and require no caller."""
_MAX_NAMES = 50
"""The maximum number of local variables to follow: one may refer to itself."""
Def = ast.FunctionDef | ast.AsyncFunctionDef


class ParameterRequirement(NamedTuple):
    """The requirements in the annotation of one parameter."""

    name: str
    dependencies: list[Depends]
    unread: str
    """The annotation as it is written, if it may require more than could be read."""


def requirements_in_source(function: object) -> Iterator[ParameterRequirement]:
    """Yield what the annotations of a function's parameters require, as in its source."""
    code: Any = attribute(function, "__code__")
    known: Any = attribute(function, "__globals__")
    if not is_a(code, CodeType) or not code.co_argcount + code.co_kwonlyargcount:
        return
    within = _definition(code, known)
    if not within:
        return
    names = names_of(function, within[:-1])
    arguments = within[-1].args
    for each in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs):
        if each.annotation is not None:
            annotation = _Annotation(names)
            annotation.read(each.annotation)
            if annotation.found or annotation.identity:
                yield annotation.requirement(each.arg, ast.unparse(each.annotation))


def _definition(code: CodeType, known: dict[str, object]) -> tuple[Def, ...]:
    """Return the functions in the source that contain some code, its own function last."""
    try:
        text = "".join(linecache.getlines(code.co_filename, known))
        return _definitions(text).get((code.co_name, code.co_firstlineno), ())
    except (OSError, SyntaxError, ValueError, RecursionError, MemoryError):
        return ()


@lru_cache(maxsize=32)
def _definitions(text: str) -> dict[tuple[str, int], tuple[Def, ...]]:
    found: dict[tuple[str, int], tuple[Def, ...]] = {}
    left: list[tuple[ast.AST, tuple[Def, ...]]] = [(ast.parse(text), ())]
    while left:
        node, within = left.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            within = (*within, node)
            line = min([node.lineno, *(each.lineno for each in node.decorator_list)])
            found[node.name, line] = within
        left += [(child, within) for child in ast.iter_child_nodes(node)]
    return found


class _Annotation:
    """Collects the requirements in one annotation."""

    def __init__(self, names: Names) -> None:
        self.names = names
        self.found = list[Depends]()
        self.identity = False
        self.unread = False
        self.looked_up = 0

    def requirement(self, name: str, written: str) -> ParameterRequirement:
        if self.identity and self.unread:
            self.found.append(Depends(fastgate))
        return ParameterRequirement(name, self.found, written if self.unread else "")

    def read(self, node: ast.expr, *, part: bool = False) -> None:
        """Read an annotation, or a type within one.

        Args:
            node: the annotation.
            part: whether it is one of several types; an unknown one of several requires
                nothing.

        """
        if isinstance(node, ast.Constant):
            if isinstance(node.value, str):
                try:
                    self.read(ast.parse(node.value.strip(), mode="eval").body, part=part)
                except SyntaxError:
                    self.unread = True
        elif isinstance(node, ast.Name | ast.Attribute):
            value = self.names.value(node)
            if value is UNKNOWN and (written := self._written(node)) is not None:
                self.read(written, part=part)
            elif value is not UNKNOWN or not part:
                self._value(value)
        elif isinstance(node, ast.Subscript):
            self._subscript(node)
        elif isinstance(node, ast.BinOp):
            self.read(node.left, part=True)
            self.read(node.right, part=True)
        elif isinstance(node, ast.Tuple | ast.List):
            for each in node.elts:
                self.read(each, part=True)
        else:
            self.unread = True

    def _written(self, node: ast.expr) -> ast.expr | None:
        self.looked_up += 1
        return self.names.written(node) if self.looked_up <= _MAX_NAMES else None

    def _subscript(self, node: ast.Subscript) -> None:
        of = self.names.value(node.value)
        parts = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
        if of is Literal:
            return
        if of is not Annotated:
            self._value(of)
            for each in parts:
                self.read(each, part=True)
            return
        self.read(parts[0])
        kind = self.names.value(parts[0])
        for each in parts[1:]:
            self._metadata(each, kind)

    def _metadata(self, node: ast.expr, kind: object) -> None:
        if isinstance(node, _PLAIN):
            return
        if not isinstance(node, ast.Call):
            value = self.names.value(node)
            if value is UNKNOWN and (written := self._written(node)) is not None:
                self._metadata(written, kind)
            else:
                self._value(value, kind)
            return
        called = self.names.value(node.func)
        if any(called is each for each in _DEPENDS):
            secure = any(called is each for each in _SECURITY)
            self._depends(node, kind, secure=secure)
        elif called is UNKNOWN or not (
            is_a(called, type) or attribute(called, "__module__") in _FIELDS
        ):
            self.unread = True
            # The function may be `Security` by another name.
            for each in (*node.args, *(keyword.value for keyword in node.keywords)):
                value = self.names.value(each)
                if is_a(value, FunctionType, FastgateScheme, Requires):
                    self.found.append(Depends(value))

    def _depends(self, node: ast.Call, kind: object, *, secure: bool) -> None:
        given = {each.arg: each.value for each in node.keywords}
        first = node.args[0] if node.args else given.get("dependency")
        call: Any = self.names.value(first) if first is not None else kind
        if call is UNKNOWN or None in given:
            self.unread = True
            return
        scopes = self.names.value(given["scopes"]) if secure and "scopes" in given else ()
        listed = [scopes] if is_a(scopes, str) else scopes
        if type(listed) not in (list, tuple, set, frozenset):
            self.unread = self.unread or scopes is not None
            listed = ()
        texts = [str.__str__(each) for each in listed if is_a(each, str)]
        self.unread = self.unread or len(texts) < len(listed)
        self.found.append(Security(call, scopes=texts) if texts else Depends(call))

    def _value(self, value: Any, kind: object = None) -> None:  # noqa: ANN401 - of any type
        if value is UNKNOWN:
            self.unread = True
        elif is_a(value, Depends):
            by_kind = value.dependency is None and is_a(kind, type)
            self.found.append(_of(value, kind) if by_kind else value)
        elif is_a(value, type(Caller)) or type(value).__name__ == "TypeAliasType":
            self.found += dependencies_in(value)
        elif is_a(value, type) and Identity in mro_of(value):
            self.identity = True


def _of(depends: Depends, kind: object) -> Depends:
    scopes = depends.scopes if isinstance(depends, Security) else None
    return Security(kind, scopes=scopes) if scopes else Depends(kind)  # type: ignore[arg-type]
