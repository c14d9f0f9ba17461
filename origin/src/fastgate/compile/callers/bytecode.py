"""Find in a function's bytecode what it does with a variable, and whether it only reads a name.

Input: the code of a function. Output: for each variable that it reads, the attributes that it reads
from that variable directly. None of the code is run.
"""

import dis
from collections.abc import Collection, Mapping
from functools import lru_cache
from types import CodeType
from typing import TypeAlias

Chain: TypeAlias = tuple[str, ...]
"""Attributes that are read one from another: `("settings", "get")` for `x.settings.get`, `()` for
`x` alone."""

_ONLY_NAMED = ("__name__", "__qualname__", "__doc__", "__module__")
_MAX_CHAIN = 3
_READS_ATTRIBUTE = ("LOAD_ATTR", "LOAD_METHOD")
_BETWEEN = ("CACHE", "COPY_FREE_VARS", "EXTENDED_ARG", "RESUME", "PRECALL", "NOP")


@lru_cache(maxsize=4096)
def reads_of(code: CodeType) -> Mapping[str, frozenset[Chain]]:
    """Return what code, including its inner functions, reads of each variable, by name.

    Local variables of inner functions are left out.
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
                continue  # the cell is passed to an inner function
            following = steps[number + 1 : number + 1 + _MAX_CHAIN] if name is names[-1] else []
            if following and following[0].opname.startswith("LOAD_SUPER"):
                continue
            found.setdefault(str(name), set()).add(_chain(following))
    return {name: frozenset(chains) for name, chains in found.items()}


def only_names_it(reads: Collection[Chain]) -> bool:
    """Whether code does no more with a function than to read its names and its docstring."""
    return bool(reads) and all(each and each[0] in _ONLY_NAMED for each in reads)


def names_in(code: CodeType) -> set[str]:
    """Return the names of attributes and globals in code, including its inner functions."""
    inner = (each for each in code.co_consts if isinstance(each, CodeType))
    return {*code.co_names}.union(*(names_in(each) for each in inner))


def _chain(following: list[dis.Instruction]) -> Chain:
    chain: list[str] = []
    for step in following:
        if step.opname not in _READS_ATTRIBUTE:
            break
        chain.append(str(step.argval))
    return tuple(chain)
