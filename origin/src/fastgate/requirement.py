"""`Requirement`: what one `requires(…)` requires, and the checks of what an app writes there.

Input: the arguments of `requires`. Output: their values as the policy accepts them, or a
`TypeError` or `ValueError` that says what to write. It reads no request.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from fastgate import vocabulary
from fastgate.conditions import Condition, Member
from fastgate.surrogates import WHY_NONE, with_half_a_pair

_LONGEST_AGE = 366 * 24 * 3600
"""The greatest `max_age` in the policy, in seconds."""


@dataclass(frozen=True, slots=True, repr=False)
class Requirement:
    """What one `requires(…)` requires of a known caller, and of the backend."""

    conditions: tuple[Condition, ...] = ()
    """All of them have to hold. Scopes are in `scopes`."""
    scopes: tuple[str, ...] = ()
    bound: bool = False
    """Whether the token has to be bound to a key or certificate."""
    acr: tuple[str, ...] = ()
    """The accepted values of `acr`; all if empty."""
    max_age: int | None = None
    """The greatest time since the sign-in, in seconds."""
    regions: tuple[str, ...] = ()
    """The regions in which the endpoint runs; all if empty."""

    @property
    def is_of_callers(self) -> bool:
        """Whether it requires a known caller, and not only a region."""
        return replace(self, regions=()) != Requirement()

    def __repr__(self) -> str:
        """Return the requirement as a call of `requires`, with keywords where it takes them."""
        members = (*self.conditions, *(vocabulary.scope(name) for name in self.scopes))
        kinds = [each.kind for each in members if isinstance(each, Member)]
        positional, keywords = list[str](), list[str]()
        for each in members:
            if isinstance(each, Member) and kinds.count(each.kind) == 1:
                keywords.append(f"{each.kind}={each.name!r}")
            else:
                positional.append(repr(each))
        keywords += ["bound=True"] if self.bound else []
        keywords += [f"acr={[*self.acr]}"] if self.acr else []
        keywords += [] if self.max_age is None else [f"max_age={self.max_age}"]
        if self.regions:
            one = len(self.regions) == 1
            keywords.append(f"region={self.regions[0] if one else [*self.regions]!r}")
        return f"requires({', '.join((*positional, *keywords))})"


def read_acr(values: Sequence[str] | None) -> tuple[str, ...]:
    """Return the accepted values of `acr`, each once."""
    if values is None:
        return ()
    if not isinstance(values, (list, tuple)) or not all(isinstance(each, str) for each in values):
        raise TypeError(f'acr is a list of strings, acr=["urn:mfa"], not {values!r}')
    if not values:
        raise ValueError("acr is empty: list the accepted values, or leave it out")
    for each in values:
        if not vocabulary.is_scope(each):
            raise ValueError(
                f"{each!r} cannot be a value of acr_values, which spaces separate (RFC 9470 §3)"
            )
    return tuple(dict.fromkeys(map(str.__str__, values)))


def read_max_age(seconds: int | None) -> int | None:
    """Return the greatest time since the sign-in."""
    if seconds is None:
        return None
    if type(seconds) is not int:  # in Python a bool is an int
        raise TypeError(f"max_age is a whole number of seconds, not {seconds!r}")
    if not 0 <= seconds <= _LONGEST_AGE:
        raise ValueError(f"max_age is {seconds}; it must be within 0 and {_LONGEST_AGE} seconds")
    return seconds


def read_regions(names: str | Sequence[str] | None) -> tuple[str, ...]:
    """Return the names of regions, each once."""
    if names is None:
        return ()
    listed = (names,) if isinstance(names, str) else names
    if not isinstance(listed, (list, tuple)) or not all(isinstance(each, str) for each in listed):
        raise TypeError(f'region is a name or a list of names, region="eu", not {names!r}')
    if not listed or not all(listed):
        raise ValueError(f"region is {names!r}: name the regions of the policy, or leave it out")
    if with_half_a_pair(listed) is not None:
        raise ValueError(f"region is {names!r}, {WHY_NONE}")
    return tuple(dict.fromkeys(map(str.__str__, listed)))
