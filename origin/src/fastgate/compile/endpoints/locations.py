"""Name the file and line of a declaration in messages for developers.

Input: a function, a class or an object. Output: `file:line`. None of its code is run.
"""

import inspect
from types import CodeType, FunctionType

from fastgate.declare.lookup import layers
from fastgate.declare.static_access import attribute, is_a


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
