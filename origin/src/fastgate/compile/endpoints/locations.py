"""Name a declaration and its file and line in messages for developers.

Input: a function, a class or an object. Output: its name, or `file:line`. None of its code is run.
"""

import ast
import inspect
import sys
from pathlib import Path, PurePath
from types import CodeType, FunctionType, MethodType

from fastgate.declare.lookup import layers
from fastgate.declare.static_access import attribute, is_a

_LIBRARIES = ("site-packages", "dist-packages")


def is_in_library(target: object) -> bool:
    """Whether a function or class is in an installed library, which a developer cannot mark."""
    return any(each in _LIBRARIES for each in PurePath(location_of(target)).parts)


def location_of(target: object) -> str:
    """Return `file:line` of a function or class, or of an object's class."""
    function = target
    for layer in layers(target, mounted=False):
        if is_a(layer, FunctionType, type):
            function = layer
    code = attribute(function, "__code__") if is_a(function, FunctionType) else None
    if is_a(code, CodeType):
        return f"{code.co_filename}:{code.co_firstlineno}"  # type: ignore[attr-defined]
    kind = function if is_a(function, type) else type(function)
    try:
        return f"{inspect.getsourcefile(kind)}:{inspect.getsourcelines(kind)[1]}"  # type: ignore[arg-type]
    except (OSError, TypeError):
        return f"{attribute(kind, '__module__')}.{attribute(kind, '__qualname__')}"


def name_of(target: object) -> str:
    """Return the name of a function or class, or of an object's class."""
    while is_a(target, MethodType):
        target = attribute(target, "__func__")
    named = target if is_a(target, FunctionType, type) else type(target)
    return str(attribute(named, "__qualname__"))


def assigned(value: object) -> tuple[str, str] | None:
    """Return where a global variable gets this value, as `file:line`, and its name."""
    for module in [*sys.modules.values()]:
        file = attribute(module, "__file__")
        for name, each in [*vars(module).items()] if isinstance(file, str) else ():
            if each is value and (line := _line_of(str(file), name)) is not None:
                return f"{file}:{line}", name
    return None


def _line_of(file: str, name: str) -> int | None:
    try:
        tree = ast.parse(Path(file).read_bytes())
    except (OSError, ValueError, SyntaxError):
        return None
    for node in ast.walk(tree):
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        if any(isinstance(each, ast.Name) and each.id == name for each in targets):
            return getattr(node, "lineno", None)
    return None
