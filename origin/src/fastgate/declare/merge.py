"""Merge declarations: of one object, of what encloses it, of what is nearer.

In: members of the edge's route document, as two declarations say them. Out: what holds, or a
`ValueError` where neither of the two is to be preferred. Nothing is read from objects here.
"""

import json
from collections.abc import Mapping

OPEN = ("public", "optional")
"""Those that let everybody in."""

OF_KNOWN_CALLERS = ("scopes", "require", "issuers", "require_bound")
"""What is asked of a known caller, and not where every caller is let in."""


def over(farther: Mapping[str, object], nearer: Mapping[str, object]) -> dict[str, object]:
    """Return what holds where both are declared: the nearer declaration counts, member by member.

    One that asks something of callers and says no access wants a caller, where the farther one
    opens.
    """
    return {**farther, **nearer, **implied(farther, nearer)}


def together(inner: Mapping[str, object], outer: Mapping[str, object]) -> dict[str, object]:
    """Return what two declarations say, one of an object and one of what is wrapped around it.

    The outer one counts, member by member, and does not open what the other asks
    something of callers for.
    """
    members = over(inner, outer)
    return {**members, "access": "authenticated"} if contradictory(members) else members


def added(earlier: Mapping[str, object], later: Mapping[str, object]) -> dict[str, object]:
    """Return what two marks of one object say, which hold wherever that object is served.

    Raises:
        ValueError: they say different things of a member, or one opens what the other asks
            something of callers for.

    """
    members = {**earlier, **later}
    names = [name for name in later if name in earlier and not _same(earlier[name], later[name])]
    if implied(earlier, later) or implied(later, earlier) or contradictory(members):
        names.append("access")
    if names:
        raise ValueError(
            f"at_edge: this object was marked with {_written(earlier)}, and now with "
            f"{_written(later)}, but its mark holds wherever it is served. Write two functions, "
            "routers or apps, or mark what wraps one of them, as functools.partial(…) does; if "
            "both marks are meant, say all in one"
        )
    return members


def implied(farther: Mapping[str, object], nearer: Mapping[str, object]) -> Mapping[str, object]:
    """Return the access that is meant below what opens, and not said; nothing if none is."""
    meant = "access" not in nearer and asks_of_callers(nearer) and farther.get("access") in OPEN
    return {"access": "authenticated"} if meant else {}


def asks_of_callers(members: Mapping[str, object]) -> bool:
    """Whether members ask something of callers, so that they mean known ones."""
    return "scopes" in members or any(members.get(name) for name in OF_KNOWN_CALLERS)


def contradictory(members: Mapping[str, object]) -> bool:
    """Whether members let everybody in, and ask something of callers."""
    return members.get("access") in OPEN and any(members.get(name) for name in OF_KNOWN_CALLERS)


def _same(one: object, other: object) -> bool:
    """Whether two values are the same in the policy, where 1 is not true."""
    try:
        return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)
    except (TypeError, ValueError):
        return False  # the policy has no such value


def _written(members: Mapping[str, object]) -> str:
    return ", ".join(f"{name}={value!r}" for name, value in members.items())
