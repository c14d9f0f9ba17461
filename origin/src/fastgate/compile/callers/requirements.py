"""`Callers`: what dependencies require of callers, and comparisons of such requirements.

Input: requirements that `dependency_tree` reads, and members of route documents. Output: what one
of two lacks, and the members of the route document that require the same at the edge. Conditions
are compared as sets: all of them have to hold, and each is known by its JSON.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from fastgate.compile.callers import regions as places
from fastgate.compile.callers.regions import REGIONS, Regions
from fastgate.conditions import canonical, name_in_app
from fastgate.declare.merge import OPEN
from fastgate.declare.schemes import Scheme
from fastgate.declare.static_access import texts_in
from fastgate.declare.values.edge_cache import CACHE, same_cache
from fastgate.requirement import Requirement

A_KNOWN_CALLER = "a known caller"
Members = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Callers:
    """The requirements of dependencies on callers."""

    known: bool = False
    """Whether one of them refuses anonymous callers."""
    anybody: bool = False
    """`AnyCaller` or `Depends(any_caller)` is among them."""
    scopes: tuple[str, ...] = ()
    read: tuple[str, ...] = ()
    """Scopes that functions check themselves, if nothing says that callers have to be known."""
    unchecked: tuple[str, ...] = ()
    """Scopes passed to `any_caller`, which checks none."""
    claimed: tuple[str, ...] = ()
    """Names of parameters that FastAPI would read from the request and that identify the caller."""
    dropped: tuple[str, ...] = ()
    """Requirements of a dependency that another one in the same annotation replaces, as in
    `names`: FastAPI runs only the last one."""
    called: tuple[str, ...] = ()
    """`Caller` and `AnyCaller` used like functions in `Depends(…)`, as they are written."""
    texts: tuple[str, ...] = ()
    """Scopes written as one string, of which FastAPI reads each letter as a scope."""
    conditions: tuple[str, ...] = ()
    """The JSON of each condition."""
    bound: bool = False
    """Whether the token has to be bound."""
    acr: tuple[tuple[str, ...], ...] = ()
    """Lists of accepted values of `acr`, without equal ones."""
    max_age: int | None = None
    """The greatest time since the sign-in, in seconds."""
    regions: Regions = None
    """The regions in which the endpoint runs; None if in all."""
    own: bool = False
    """Whether Fastgate's own refuse them, whose requirements no declaration replaces."""
    schemes: tuple[Scheme, ...] = ()
    """The security schemes of FastAPI among them."""

    def __or__(self, other: "Callers") -> "Callers":
        """Return the combined requirements."""
        ages = [each for each in (self.max_age, other.max_age) if each is not None]
        pairs = {name: (*getattr(self, name), *getattr(other, name)) for name in _TUPLES}
        return Callers(
            known=self.known or other.known,
            anybody=self.anybody or other.anybody,
            bound=self.bound or other.bound,
            max_age=min(ages, default=None),
            regions=places.in_common(self.regions, other.regions),
            own=self.own or other.own,
            **{name: tuple(dict.fromkeys(pair)) for name, pair in pairs.items()},
        )

    @classmethod
    def of_requirement(cls, requirement: Requirement) -> "Callers":
        """Return what one `requires(…)` requires."""
        return cls(
            known=requirement.is_of_callers,
            own=requirement.is_of_callers,
            scopes=requirement.scopes,
            conditions=tuple(canonical(each.document()) for each in requirement.conditions),
            bound=requirement.bound,
            acr=(requirement.acr,) if requirement.acr else (),
            max_age=requirement.max_age,
            regions=requirement.regions or None,
        )

    @classmethod
    def of_members(cls, members: Members) -> "Callers":
        """Return what the edge requires for a route document; malformed members require nothing."""
        max_age = (sign_in := _authentication_of(members)).get("max_age")
        return cls(
            known=members.get("access", "authenticated") not in OPEN,
            scopes=texts_in(members.get("scopes")),
            conditions=tuple(text_of(each) for each in conjuncts_of(members.get("require"))),
            bound=members.get("require_bound") is True,
            acr=(acr,) if (acr := texts_in(sign_in.get("acr"))) else (),
            max_age=max_age if type(max_age) is int else None,
            regions=places.regions_of(members),
        )

    @property
    def are_any(self) -> bool:
        """Whether a dependency receives or requires callers, or requires a region."""
        return self.known or self.anybody or self.regions is not None

    @property
    def is_more_than_known(self) -> bool:
        """Whether not every known caller meets them."""
        others = bool(self.scopes or self.conditions or self.bound or self.acr)
        return others or self.max_age is not None

    def beyond(self, given: "Callers") -> "Callers":
        """Return the requirements on callers that `given` does not include."""
        unmet_acr = [
            accepted
            for accepted in self.acr
            if not any({*each} <= {*accepted} for each in given.acr)
        ]
        is_met = given.max_age is not None and given.max_age <= (self.max_age or 0)
        return Callers(
            known=self.known and not given.known,
            scopes=tuple(each for each in self.scopes if each not in given.scopes),
            conditions=tuple(each for each in self.conditions if each not in given.conditions),
            bound=self.bound and not given.bound,
            acr=tuple(unmet_acr),
            max_age=None if is_met else self.max_age,
            regions=places.beyond(self.regions, given.regions),
        )

    def without(self, members: Iterable[str]) -> "Callers":
        """Return the requirements without those that are written in members of this name."""
        left = self
        for name in members:
            left = replace(left, **_FIELDS.get(name, {}))  # type: ignore[arg-type]
        return left

    def names(self) -> list[str]:
        """Return a word or two about each requirement, for messages."""
        found = [A_KNOWN_CALLER] if self.known else []
        found += map(repr, self.scopes)
        found += self.conditions
        found += ["a bound token"] if self.bound else []
        found += [f"acr {text_of(each)}" for each in self.acr]
        found += [] if self.max_age is None else [f"max_age {self.max_age}"]
        found += [] if self.regions is None else [f"the region {text_of(self.regions)}"]
        return found

    def added_to(self, members: Members) -> dict[str, object]:
        """Return the members of a route with conditions, sign-ins and the like added to them.

        What the conditions read is added to `forward`, so that the app can check them again.
        """
        found = places.narrowed(members, self.regions)
        declared = [*conjuncts_of(members.get("require"))]
        known = {*map(text_of, declared)}
        # The order of dependencies does not matter, so it is not that of the conditions either.
        new: list[object] = [json.loads(each) for each in sorted({*self.conditions} - known)]
        if new:
            every = [*declared, *new]
            found["require"] = every[0] if len(every) == 1 else {"all": every}
        if self.bound:
            found["require_bound"] = True
        sign_in = dict(_authentication_of(members))
        both = self | Callers.of_members(members)
        if self.acr:
            sign_in = {**sign_in, "acr": [*min(both.acr, key=lambda each: (len(each), each))]}
        if self.max_age is not None:
            sign_in["max_age"] = both.max_age
        if self.acr or self.max_age is not None:
            found["authentication"] = sign_in
        listed = members.get("forward", ())
        forward = [*listed] if isinstance(listed, (list, tuple)) else []
        written = {*map(text_of, forward)}
        read = {text_of(each): each for one in sorted(self.conditions) for each in _read_by(one)}
        if extra := [each for text, each in read.items() if text not in written]:
            found["forward"] = [*forward, *extra]
        return found


_TUPLES = tuple(each.name for each in fields(Callers) if each.default == ())
_FIELDS: Mapping[str, Mapping[str, object]] = {
    "access": {"known": False, "own": False},
    "scopes": {"scopes": ()},
    "require": {"conditions": ()},
    "require_bound": {"bound": False},
    "authentication": {"acr": (), "max_age": None},
    REGIONS: {"regions": None},
}
"""The fields of `Callers` for each member of the route document, with nothing required."""
_TYPES: Mapping[str, type | tuple[type, ...]] = {
    "scopes": (list, tuple),
    "require": Mapping,
    "require_bound": bool,
    "authentication": Mapping,
    REGIONS: (list, tuple),
}
COMPARABLE = ("scopes", "require", "require_bound", "authentication", REGIONS)
"""The members whose values can be more or less than others, besides `access`."""


def covers(name: str, value: object, wanted: object) -> bool:
    """Whether a value of a member in `COMPARABLE` requires at least what another one does."""
    is_readable = value is None or isinstance(value, _TYPES[name])
    if not is_readable or not isinstance(wanted, _TYPES[name]):
        return False  # one of them is malformed
    given, required = (Callers.of_members({name: each}) for each in (value, wanted))
    return not required.beyond(given).names()


def is_same(name: str, one: object, other: object) -> bool:
    """Whether two values of a member mean the same; the order of conditions means nothing."""
    if name == "require":
        return {*map(text_of, conjuncts_of(one))} == {*map(text_of, conjuncts_of(other))}
    if name == CACHE:
        return same_cache(one, other)
    if name == REGIONS:
        return places.same_regions(one, other)
    if name == "forward" and isinstance(one, list) and isinstance(other, list):
        return {*map(text_of, one)} == {*map(text_of, other)}
    return one == other


def conjuncts_of(condition: object) -> Iterator[object]:
    """Yield the conditions that all have to hold, without the `all` around them."""
    if isinstance(condition, Mapping) and condition.keys() == {"all"}:
        listed = condition["all"]
        if isinstance(listed, (list, tuple)):
            for each in listed:
                yield from conjuncts_of(each)
            return
    if condition is not None:
        yield condition


def tests_in(condition: object) -> Iterator[Mapping[str, Any]]:
    """Yield the tests in a condition, in its order, without what combines them."""
    left = [condition]
    while left:
        each = left.pop(0)
        if isinstance(each, list):
            left = [*each, *left]
        elif isinstance(each, dict):
            left = [*(each[name] for name in ("all", "any", "not") if name in each), *left]
            yield each


def _read_by(condition: str) -> Iterator[object]:
    """Yield the entries of `forward` for everything that a condition reads."""
    for each in tests_in(json.loads(condition)):
        if "group" in each:
            yield "groups"
        if "claim" in each:
            name = each["claim"]["name"]
            entry = {"claim": name}
            yield entry if isinstance(name, str) else {**entry, "as": name_in_app(name)}


def _authentication_of(members: Members) -> Mapping[str, object]:
    found = members.get("authentication")
    return found if isinstance(found, Mapping) else {}


def text_of(value: object) -> str:
    """Return a value as JSON, or as Python shows it if JSON cannot express it."""
    try:
        return canonical(value)
    except (TypeError, ValueError):
        return repr(value)  # JSON cannot express it, so the edge refuses it
