"""The words in which an app writes conditions on callers: those of the policy.

Input: names and values. Output: a `Condition`, or a `TypeError` or `ValueError` on the line that
has the mistake. What the edge refuses in a policy (`src/policy/conditions.rs`) is refused here.
"""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from fastgate.conditions import (
    ClaimTest,
    Combined,
    Condition,
    Member,
    Negated,
    Scalar,
    name_in_app,
)
from fastgate.surrogates import WHY_NONE, with_half_a_pair

MAX_DEPTH = 63
"""The greatest depth of a condition. The policy allows 64 levels, and the compiler may join several
conditions under one `all`."""
_MAX_CONDITIONS = 4096
_LONGEST_NAME = 64
"""The greatest length of a forwarded claim's name in the app, in bytes of UTF-8."""
_SCOPE = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]+")  # RFC 6749 §3.3
_INTEGERS = range(-(2**63), 2**63)


@dataclass(frozen=True, slots=True)
class Claim:
    """A claim of the caller's token, to be compared: `claim("tenant").equals("acme")`.

    A claim that the token lacks, or one of another type, equals nothing: 1 is neither 1.0 nor true.
    """

    name: str | tuple[str, ...]

    def equals(self, value: Scalar) -> Condition:
        """Require exactly this string, whole number or truth value."""
        return ClaimTest(self.name, "equals", _scalar(value))

    def is_in(self, values: Sequence[Scalar]) -> Condition:
        """Require exactly one of these values; at least one."""
        if not isinstance(values, (list, tuple)):
            raise TypeError(f"is_in takes a list of values, not {values!r}")
        if not values:
            raise ValueError("is_in takes at least one value: an empty list contains none")
        return ClaimTest(self.name, "in", tuple(_scalar(each) for each in values))

    def contains(self, value: Scalar) -> Condition:
        """Require a list with exactly this value as a member, or this value itself."""
        return ClaimTest(self.name, "contains", _scalar(value))

    def equals_path(self, parameter: str) -> Condition:
        """Require the value of this parameter of the route's path.

        A parameter with the convertor `int`, `float` or `uuid` is compared by value, any other as
        text, byte for byte.
        """
        return ClaimTest(self.name, "equals_path", _text(parameter, "a path parameter"))

    def contains_path(self, parameter: str) -> Condition:
        """Require a list with this path parameter as a member, or that value itself."""
        return ClaimTest(self.name, "contains_path", _text(parameter, "a path parameter"))


def claim(name: str | Sequence[str]) -> Claim:
    """Return a claim to compare. A list leads into nested objects: `["org", "id"]`.

    Raises:
        ValueError: the name is empty, or cannot be forwarded: it is longer than 64 bytes or
            contains control characters.

    """
    if not isinstance(name, (str, list, tuple)):
        raise TypeError(f"a claim is named by a string or a list of strings, not by {name!r}")
    steps = (name,) if isinstance(name, str) else tuple(name)
    if not steps:
        raise ValueError("the name of a claim is empty")
    steps = tuple(_text(step, "the name of a claim") for step in steps)
    found = steps[0] if len(steps) == 1 else steps
    shown = name_in_app(found)
    # The edge counts the controls of Unicode: the category Cc.
    if len(shown.encode()) > _LONGEST_NAME or any(unicodedata.category(it) == "Cc" for it in shown):
        raise ValueError(
            f"the claim {name!r} cannot be forwarded under its name: it may have {_LONGEST_NAME} "
            "bytes and no control characters. Write the condition with at_edge(require=…)"
        )
    return Claim(found)


def role(name: str) -> Condition:
    """Require this role of the caller."""
    return Member("role", _text(name, "a role"))


def group(name: str) -> Condition:
    """Require that the caller is in this group."""
    return Member("group", _text(name, "a group"))


def scope(name: str) -> Condition:
    """Require this scope of the caller's token (RFC 6749 §3.3)."""
    name = _text(name, "a scope")
    if not is_scope(name):
        raise ValueError(
            f"{name!r} is not a scope (RFC 6749 §3.3); write one scope, without spaces"
        )
    return Member("scope", name)


def all_of(*conditions: Condition) -> Condition:
    """Require all of these conditions; at least one."""
    return _bounded(Combined("all", _several(conditions, "all_of")))


def any_of(*conditions: Condition) -> Condition:
    """Require at least one of these conditions."""
    return _bounded(Combined("any", _several(conditions, "any_of")))


def not_(condition: Condition) -> Condition:
    """Require that a condition does not hold.

    The test of a claim that the token lacks does not hold, so `not_` of it does: write
    `all_of(claim("plan").is_in([…]), not_(…))` if the claim must be there.
    """
    return _bounded(Negated(*_several((condition,), "not_")))


def is_scope(text: str) -> bool:
    """Whether a text is one scope (RFC 6749 §3.3), which the values of `acr` have to be, too."""
    return _SCOPE.fullmatch(text) is not None


def _several(conditions: tuple[Condition, ...], name: str) -> tuple[Condition, ...]:
    if not conditions:
        raise ValueError(f"{name} takes at least one condition")
    for each in conditions:
        if not isinstance(each, Condition):
            raise TypeError(f'{name} takes conditions such as role("admin"), not {each!r}')
    return conditions


def _bounded(condition: Condition) -> Condition:
    level, depth, size = [condition], 0, 0
    while level:
        depth, size = depth + 1, size + len(level)
        if depth > MAX_DEPTH or size > _MAX_CONDITIONS:
            raise ValueError(
                f"a condition may be {MAX_DEPTH} levels deep and consist of {_MAX_CONDITIONS} parts"
            )
        level = [part for each in level for part in each.parts()]
    return condition


def _scalar(value: Scalar) -> Scalar:
    if isinstance(value, str):
        return _encodable(value, "a compared value")
    if type(value) not in (int, bool):
        raise TypeError(
            f"a claim is compared with a string, a whole number, True or False, not with {value!r}"
        )
    if value not in _INTEGERS:
        raise ValueError(f"{value} does not fit in 64 bits")
    return value


def _text(value: object, what: str) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{what} is a string, not {value!r}")
    if not value:
        raise ValueError(f"{what} is empty")
    return _encodable(value, what)


def _encodable(value: str, what: str) -> str:
    if with_half_a_pair(value) is not None:
        raise ValueError(f"{what} is {value!r}, {WHY_NONE}")
    return str.__str__(value)  # for a member of an enumeration, its value
