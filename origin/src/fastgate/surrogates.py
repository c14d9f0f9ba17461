"""Find half of a surrogate pair in what an app declares.

Input: a value, as JSON or as an app writes it. Output: the first text in it that has half a pair.
A string of Python may have one, UTF-8 and therefore a policy may not.
"""

import re
from collections.abc import Mapping

WHY_NONE = "with half a surrogate pair; a policy has none: write whole characters"
"""What is wrong with such a text, and what to write."""

_HALF = re.compile("[\ud800-\udfff]")


def with_half_a_pair(value: object) -> str | None:
    """Return the first text, also a name of a member, with half a surrogate pair; None if none."""
    if isinstance(value, str):
        return str.__str__(value) if _HALF.search(value) else None
    parts: list[object] = []
    if isinstance(value, Mapping):
        parts = [*value.keys(), *value.values()]
    elif isinstance(value, (list, tuple, set, frozenset)):
        parts = [*value]
    return next((text for part in parts if (text := with_half_a_pair(part)) is not None), None)


def escaped(text: str) -> str:
    """Return a text that can be printed: each half of a pair is written as an escape."""
    return text.encode(errors="backslashreplace").decode()
