"""Merge declarations of one object, of its wrappers, and of the apps and routers around it.

Input: members of the edge's route document from two declarations. Output: the members in effect, or
a `ValueError` if the two contradict each other. This module reads nothing from objects.
"""

import json
from collections.abc import Mapping

OPEN = ("public", "optional")
"""The values of `access` that allow every caller."""

CALLER_REQUIREMENTS = ("scopes", "require", "authentication", "issuers", "require_bound")
"""Members that require something of a known caller. They have no meaning if every caller is
allowed."""


def merge_inherited(
    farther: Mapping[str, object], nearer: Mapping[str, object]
) -> dict[str, object]:
    """Return the members in effect for nested declarations; the nearer one counts per member.

    If the nearer one requires something of callers without an `access`, and the farther one allows
    every caller, the access is `authenticated`.
    """
    return {**farther, **nearer, **implied_access(farther, nearer)}


def merge_layers(inner: Mapping[str, object], outer: Mapping[str, object]) -> dict[str, object]:
    """Return the members in effect for an object and its wrapper.

    The wrapper's declaration counts, member by member. It cannot open what the object restricts.
    """
    if not inner and not outer:
        return {}
    members = merge_inherited(inner, outer) if inner and outer else {**inner, **outer}
    return {**members, "access": "authenticated"} if contradictory(members) else members


def merge_marks(earlier: Mapping[str, object], later: Mapping[str, object]) -> dict[str, object]:
    """Return the members of two marks of one object, which hold wherever the object is served.

    Raises:
        ValueError: the marks have different values for a member, or one allows every caller and
            the other requires a known one.

    """
    members = {**earlier, **later}
    names = [name for name in later if name in earlier and not _same(earlier[name], later[name])]
    if implied_access(earlier, later) or implied_access(later, earlier) or contradictory(members):
        names.append("access")
    if names:
        raise ValueError(
            f"at_edge: this object was marked with {_written(earlier)}, and now with "
            f"{_written(later)}, but an object has one mark, which holds wherever it is served. "
            "Write two functions, routers or apps, or mark a wrapper of one of them, such as "
            "functools.partial(…); if you mean both marks, write all members in one"
        )
    return members


def implied_access(
    farther: Mapping[str, object], nearer: Mapping[str, object]
) -> Mapping[str, object]:
    """Return `access` if the nearer members require a caller without saying so; otherwise empty."""
    is_implied = (
        "access" not in nearer and farther.get("access") in OPEN and requires_known_caller(nearer)
    )
    return {"access": "authenticated"} if is_implied else {}


def requires_known_caller(members: Mapping[str, object]) -> bool:
    """Whether members require something of callers, so that only known callers qualify."""
    return "scopes" in members or any(members.get(name) for name in CALLER_REQUIREMENTS)


def contradictory(members: Mapping[str, object]) -> bool:
    """Whether members allow every caller and also require a known one."""
    return members.get("access") in OPEN and any(members.get(name) for name in CALLER_REQUIREMENTS)


def _same(one: object, other: object) -> bool:
    """Whether two values are the same in JSON, where 1 is not true."""
    try:
        return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)
    except (TypeError, ValueError):
        return False  # JSON cannot express the value


def _written(members: Mapping[str, object]) -> str:
    return ", ".join(f"{name}={value!r}" for name, value in members.items())
