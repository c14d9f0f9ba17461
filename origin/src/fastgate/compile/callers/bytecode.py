"""Read from its bytecode what a function does with a variable: whether it only names it.

In: the code of a function. Out: for each variable that it reads the attributes that are read from
it directly. Nothing is run.
"""

import dis
from collections.abc import Mapping
from functools import lru_cache
from types import CodeType
from typing import TypeAlias

Chain: TypeAlias = tuple[str, ...]
"""Attributes that are read one from another: `("settings", "get")` of `x.settings.get`, `()` of
`x` by itself."""

_LONGEST = 3
_READS_ATTRIBUTE = ("LOAD_ATTR", "LOAD_METHOD")
_BETWEEN = ("CACHE", "COPY_FREE_VARS", "EXTENDED_ARG", "RESUME", "PRECALL", "NOP")


@lru_cache(maxsize=4096)
def reads_of(code: CodeType) -> Mapping[str, frozenset[Chain]]:
    """Return what code, and the functions that it makes, read of each variable by its name.

    Local variables of the functions that it makes are their own, and are left out.
    """
    found: dict[str, set[Chain]] = {}
    for inner in code.co_consts:
        if isinstance(inner, CodeType):
            for name, chains in reads_of(inner).items():
                if name in inner.co_freevars:
                    found.setdefault(name, set()).update(chains)
    cells = {*code.co_cellvars, *code.co_freevars}
    steps = [each for each in dis.get_instructions(code) if each.opname not in _BETWEEN]
    for number, step in enumerate(steps):
        in_cell = "DEREF" in step.opname
        loads = step.opname.startswith(("LOAD_", "STORE_FAST_LOAD_FAST"))
        if not loads or not (in_cell or "FAST" in step.opname):
            continue
        names = step.argval if isinstance(step.argval, tuple) else (step.argval,)
        for name in names:
            if not in_cell and name in cells:
                continue  # it is handed to a function that is made here
            following = steps[number + 1 : number + 1 + _LONGEST] if name is names[-1] else []
            if following and following[0].opname.startswith("LOAD_SUPER"):
                continue
            found.setdefault(str(name), set()).add(_chain(following))
    return {name: frozenset(chains) for name, chains in found.items()}


def names_in(code: CodeType) -> set[str]:
    """Return the names of attributes and globals in code, and in the functions that it makes."""
    inner = (each for each in code.co_consts if isinstance(each, CodeType))
    return {*code.co_names}.union(*(names_in(each) for each in inner))


def _chain(following: list[dis.Instruction]) -> Chain:
    chain: list[str] = []
    for step in following:
        if step.opname not in _READS_ATTRIBUTE:
            break
        chain.append(str(step.argval))
    return tuple(chain)
