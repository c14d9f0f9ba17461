"""Compare the rules of an MCP server with those of the edge.

Input: the members `mcp` of the app's route and of the edge's. Output: one line for each difference.
"""

import json
from collections.abc import Iterator, Mapping

from fastgate.declare.static_access import texts_in
from fastgate.declare.values.mcp import KINDS

_NOTHING: Mapping[str, object] = {}


def mcp_differences(app: object, edge: object, *, everything: bool) -> Iterator[str]:
    """Yield each difference between the members `mcp` of two routes.

    Args:
        app: the member to which the app compiles.
        edge: the member of the policy.
        everything: whether what only the edge has (limits, methods, …) is a difference, too.

    """
    ours, theirs = _mapping(app), _mapping(edge)
    if not ours or not theirs:
        if ours or (theirs and everything):
            side = "app" if ours else "edge"
            yield f"mcp: only the {side} has rules for tools, resources and prompts"
        return
    for kind in KINDS:
        mine, yours = _mapping(ours.get(kind)), _mapping(theirs.get(kind))
        for name in sorted(mine.keys() | yours.keys()):
            word = f'{kind.removesuffix("s")} "{name}"'
            if name not in yours:
                yield f"{word}: only the app has a rule for it (the edge hides it)"
            elif name not in mine:
                yield f"{word}: only the edge has a rule for it"
            else:
                for line in _of_rules(_mapping(mine[name]), _mapping(yours[name]), everything):
                    yield f"{word}: {line}"
    for member in ("methods", "list", "max_body"):
        one, other = ours.get(member) or None, theirs.get(member) or None
        if _same(one, other) or (one is None and not everything):
            continue
        yield f"mcp.{member}: the app has {_shown(one)}, the edge has {_shown(other)}"


def _of_rules(
    mine: Mapping[str, object], yours: Mapping[str, object], everything: bool
) -> Iterator[str]:
    ours, theirs = {*texts_in(mine.get("scopes"))}, {*texts_in(yours.get("scopes"))}
    for scope in sorted(ours - theirs):
        yield f'only the app requires the scope "{scope}"'
    for scope in sorted(theirs - ours):
        yield f'only the edge requires the scope "{scope}"'
    for member in sorted((mine.keys() | yours.keys()) - {"scopes"}):
        one, other = mine.get(member) or None, yours.get(member) or None
        if member == "limits":
            one, other = _sorted(one), _sorted(other)
        of_callers = member == "require"
        if _same(one, other) or (one is None and not of_callers and not everything):
            continue
        yield f"{member}: the app has {_shown(one)}, the edge has {_shown(other)}"


def _sorted(value: object) -> object:
    return sorted(texts_in(value)) or None


def _mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, Mapping) else _NOTHING


def _same(one: object, other: object) -> bool:
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)


def _shown(value: object) -> str:
    return "nothing" if value is None else json.dumps(value, ensure_ascii=False, sort_keys=True)
