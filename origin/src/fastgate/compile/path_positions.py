"""Write the path parameters in the conditions of a route by their positions, not by their names.

Input: a route document, and the rules of its policy. Output: the same document, whose conditions
are equal to those of another route exactly if they compare the same segments of the path, whatever
the two call them.
"""

from collections.abc import Mapping
from typing import TypeAlias

from fastgate.compile.endpoints.route_ids import rewritten_path
from fastgate.path_template import convertors

_BY_PATH = ("equals_path", "contains_path")
_WITH_CONDITIONS = ("require", "issuers", "mcp", "shadow")
_NO_RULES: Mapping[str, object] = {}

Document: TypeAlias = dict[str, object]


def by_position(route: Document, rules: Mapping[str, object] = _NO_RULES) -> Document:
    """Return a route whose conditions name path parameters by their position: `{parameter 1}`.

    The position is that in the path that the app receives. A parameter that this path lacks keeps
    its name. A rule that compares path parameters is followed by what it compares.

    Args:
        route: the route document; it is not changed.
        rules: the conditions under `rules` of the policy, by their names.

    """
    path, rewrite = str(route.get("path")), route.get("rewrite")
    if isinstance(rewrite, Mapping):
        path = rewritten_path(path, rewrite)
    positions = {name: f"{{parameter {at}}}" for at, name in enumerate(convertors(path), 1)}
    written = _Positions(positions, rules)
    return {
        name: written.in_place(value, ()) if name in _WITH_CONDITIONS else value
        for name, value in route.items()
    }


class _Positions:
    """The positions of the parameters of one route."""

    def __init__(self, positions: Mapping[str, str], rules: Mapping[str, object]) -> None:
        self._positions, self._rules = positions, rules

    def in_place(self, value: object, followed: tuple[str, ...]) -> object:
        """Return a value with the positions; `followed` are the rules that it is part of."""
        if isinstance(value, (list, tuple)):
            return [self.in_place(each, followed) for each in value]
        if not isinstance(value, Mapping):
            return value
        found = {name: self.in_place(each, followed) for name, each in value.items()}
        if isinstance(test := value.get("claim"), Mapping):
            found["claim"] = {name: self._renamed(name, each) for name, each in test.items()}
        rule = value.get("rule")
        if isinstance(rule, str) and rule in self._rules and rule not in followed:
            condition = self.in_place(self._rules[rule], (*followed, rule))
            if condition != self._rules[rule]:
                found["compares"] = condition
        return found

    def _renamed(self, test: str, expected: object) -> object:
        known = test in _BY_PATH and isinstance(expected, str)
        return self._positions.get(str(expected), expected) if known else expected
