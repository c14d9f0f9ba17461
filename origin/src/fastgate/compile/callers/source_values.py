"""Evaluate an expression in source code, as far as possible without running it.

Input: expressions, and the names that a function can use: of its closure, of the functions around
it, of its module. Output: values, or `UNKNOWN`. Names, attributes of modules and classes, strings,
lists, their sums and items of dicts can be evaluated; parameters and the results of functions
cannot.
"""

import ast
import builtins
import sys
from collections.abc import Iterator, Mapping, Sequence
from enum import Enum
from types import ModuleType
from typing import Any

from fastgate.declare.static_access import attribute, is_a, own

UNKNOWN = object()
"""The value of an expression that would have to be run."""

_MAX_DEPTH = 20
Def = ast.FunctionDef | ast.AsyncFunctionDef


def names_of(function: object, within: Sequence[Def]) -> "Names":
    """Return the names that the annotations of a function can use.

    Args:
        function: the function.
        within: the functions around it in the source, the outermost first.

    """
    code: Any = attribute(function, "__code__")
    cells: Any = attribute(function, "__closure__") or ()
    closure = dict[str, object]()
    for name, cell in zip(code.co_freevars, cells, strict=False):
        try:
            closure[name] = cell.cell_contents
        except ValueError:
            continue  # the variable has no value yet
    known: Any = attribute(function, "__globals__") or {}
    return Names(closure, [_assigned_in(each) for each in reversed(within)], known)


class Names:
    """The names that can be used where a function is defined, with their values."""

    def __init__(
        self,
        closure: Mapping[str, object],
        around: Sequence[Mapping[str, Sequence[ast.AST | None]]],
        known: Mapping[str, object],
    ) -> None:
        self._closure, self._around, self._known = closure, around, known

    def value(self, node: ast.AST, depth: int = 0) -> Any:  # noqa: ANN401 - of any type
        """Return the value of an expression; `UNKNOWN` if it would have to be run."""
        if depth > _MAX_DEPTH:
            return UNKNOWN
        match node:
            case ast.Constant():
                return node.value
            case ast.Name():
                return self._named(node.id, depth)
            case ast.Attribute():
                return _member(self.value(node.value, depth + 1), node.attr)
            case ast.List() | ast.Tuple() | ast.Set():
                listed = self._listed(node.elts, depth)
                as_tuple = isinstance(node, ast.Tuple) and listed is not UNKNOWN
                return tuple(listed) if as_tuple else listed
            case ast.JoinedStr():
                texts = [self._text(each, depth) for each in node.values]
                return UNKNOWN if UNKNOWN in texts else "".join(texts)
            case ast.BinOp(op=ast.Add()):
                left, right = (self.value(each, depth + 1) for each in (node.left, node.right))
                alike = type(left) is type(right) and type(left) in (str, list, tuple)
                return left + right if alike else UNKNOWN
            case ast.Subscript():
                of, key = (self.value(each, depth + 1) for each in (node.value, node.slice))
                known = type(of) is dict and type(key) in (str, int)
                return of.get(key, UNKNOWN) if known else UNKNOWN
        return UNKNOWN

    def written(self, node: ast.AST) -> ast.expr | None:
        """Return the expression that was assigned to a local variable of an enclosing function."""
        if not isinstance(node, ast.Name) or node.id in self._closure:
            return None
        found = next((each[node.id] for each in self._around if node.id in each), ())
        return found[0] if len(found) == 1 and isinstance(found[0], ast.expr) else None

    def _named(self, name: str, depth: int) -> object:
        if name in self._closure:
            return self._closure[name]
        for assigned in self._around:
            if name in assigned:
                return self._assigned(name, assigned[name], depth)
        return self._known.get(name, own(builtins).get(name, UNKNOWN))

    def _assigned(self, name: str, nodes: Sequence[ast.AST | None], depth: int) -> object:
        node = nodes[0]
        if len(nodes) > 1 or node is None:
            return UNKNOWN
        if isinstance(node, ast.ImportFrom):
            imported = next(each for each in node.names if (each.asname or each.name) == name)
            module = sys.modules.get(node.module or "") if not node.level else None
            return own(module).get(imported.name, UNKNOWN) if module is not None else UNKNOWN
        return self.value(node, depth + 1)

    def _listed(self, nodes: Sequence[ast.expr], depth: int) -> Any:  # noqa: ANN401 - list, or unknown
        values = list[object]()
        for node in nodes:
            if not isinstance(node, ast.Starred):
                values.append(self.value(node, depth + 1))
                continue
            several = self.value(node.value, depth + 1)
            if type(several) not in (list, tuple):
                return UNKNOWN
            values += several
        return UNKNOWN if any(each is UNKNOWN for each in values) else values

    def _text(self, node: ast.expr, depth: int) -> Any:  # noqa: ANN401 - a string, or unknown
        if isinstance(node, ast.FormattedValue):
            if node.conversion != -1 or node.format_spec is not None:
                return UNKNOWN
            node = node.value
        value = self.value(node, depth + 1)
        return value if type(value) is str else UNKNOWN


def _member(value: object, name: str) -> object:
    if is_a(value, ModuleType):
        return own(value).get(name, UNKNOWN)
    if is_a(value, Enum):
        return own(value).get("_value_", UNKNOWN) if name == "value" else UNKNOWN
    if is_a(value, type):
        members = own(value).get("_member_map_")
        if isinstance(members, dict) and name in members:
            return members[name]
        kinds: tuple[type, ...] = vars(type)["__mro__"].__get__(value)
        return next((own(each)[name] for each in kinds if name in own(each)), UNKNOWN)
    return UNKNOWN


def _assigned_in(function: Def) -> Mapping[str, Sequence[ast.AST | None]]:
    """Return the expressions assigned to a function's own variables; None for other values."""
    found = dict[str, list[ast.AST | None]]()
    arguments = function.args
    named = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    named += [each for each in (arguments.vararg, arguments.kwarg) if each is not None]
    for argument in named:
        found.setdefault(argument.arg, []).append(None)
    for node in _statements_of(function):
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                found.setdefault(name, []).append(value)
            case ast.AnnAssign(target=ast.Name(id=name), value=value):
                found.setdefault(name, []).append(value)
            case ast.ImportFrom(names=names):
                for each in names:
                    found.setdefault(each.asname or each.name, []).append(node)
            case ast.Import(names=names):
                for each in names:
                    found.setdefault(each.asname or each.name.split(".")[0], []).append(None)
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                found.setdefault(name, []).append(None)
            case ast.ClassDef(name=name):
                found.setdefault(name, []).append(None)
            case ast.Name(id=name, ctx=ast.Store()):
                found.setdefault(name, []).append(None)
    return found


def _statements_of(function: Def) -> Iterator[ast.AST]:
    """Yield the nodes of a function, without those of functions and classes in it."""
    left: list[ast.AST] = [*function.body]
    while left:
        node = left.pop()
        yield node
        match node:
            case ast.Assign(targets=[ast.Name()], value=value):
                left.append(value)
            case ast.AnnAssign(target=ast.Name(), value=value):
                left += [value] if value is not None else []
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef() | ast.Lambda():
                continue
            case ast.ListComp() | ast.SetComp() | ast.DictComp() | ast.GeneratorExp():
                continue  # their variables are their own
            case _:
                left += ast.iter_child_nodes(node)
