"""Conditions on callers: their JSON in the policy, and whether they hold.

Input: a condition that `vocabulary` has made, and the facts of one request. Output: the JSON that
the policy has for it (`rules.<name>` in the reference), and whether it holds. This is the Python
version of `src/authorize/conditions.rs`; a test compares both. It reads no request.
"""

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, NoReturn, TypeAlias

from pydantic import JsonValue

from fastgate.edge_only import Handler, NeverRead
from fastgate.identity import Identity
from fastgate.path_values import is_parameter

Scalar: TypeAlias = str | int | bool
"""A value that a claim can be compared with."""


_WITHOUT_DEPENDS = NeverRead(
    "a condition has no effect on a parameter, and is never read from a request. Write "
    "`caller: Annotated[Identity, Depends(requires(…))]`"
)


class Facts(NamedTuple):
    """What conditions are evaluated for."""

    identity: Identity
    parameters: Mapping[str, object]
    """The path parameters, as Starlette's convertors give them."""
    knows_roles: bool = True
    """Whether a role that the identity lacks is one that the caller lacks."""
    knows_scopes: bool = True
    """The same for scopes."""
    knows_groups: bool = True
    """The same for groups. If not, they cannot be read."""
    nests_claims: bool = False
    """Whether a claim in nested objects is in them, as in a token, and not a member of its own."""


class Condition(ABC):
    """A condition on a caller. It is immutable, and equals every condition with the same JSON."""

    __slots__ = ()

    @abstractmethod
    def document(self) -> dict[str, JsonValue]:
        """Return the condition as the policy writes it."""

    @abstractmethod
    def holds(self, facts: Facts) -> bool | None:
        """Whether it holds; None if that depends on something that the edge did not forward."""

    def parts(self) -> tuple["Condition", ...]:
        """Return the conditions that it combines."""
        return ()

    def __eq__(self, other: object) -> bool:
        """Compare the JSON, where 1 is not true."""
        if not isinstance(other, Condition):
            return NotImplemented
        return canonical(self.document()) == canonical(other.document())

    def __hash__(self) -> int:
        return hash(canonical(self.document()))

    @classmethod
    def __get_pydantic_core_schema__(cls, source: object, handler: Handler) -> NoReturn:
        """Refuse a condition as the type or the metadata of a parameter."""
        _WITHOUT_DEPENDS.__get_pydantic_core_schema__(source, handler)

    def __bool__(self) -> NoReturn:
        """Refuse `role("a") and role("b")`, of which Python would keep only the last.

        FastAPI comes here for a parameter with `Depends(role("a"))`.
        """
        raise TypeError(
            "a condition is not true or false: write all_of(…), any_of(…) or not_(…); as a "
            f"dependency write Depends(requires({self!r}))"
        )

    # FastAPI's own errors would not tell what to write. For type checkers a condition has neither.
    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> NoReturn:
            """Refuse `dependencies=[role("a")]`, of which FastAPI reads the `dependency`."""
            if name == "dependency":
                raise AttributeError(self._needs_depends())
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

        @property
        def __signature__(self) -> NoReturn:
            """Refuse `Depends(role("a"))`, of which FastAPI reads the parameters."""
            raise TypeError(self._needs_depends())

        def __call__(self, *_: object, **__: object) -> NoReturn:
            """Refuse `role("a")` as a decorator."""
            raise TypeError(self._needs_depends())

    def _needs_depends(self) -> str:
        return f"a condition is not a dependency: write Depends(requires({self!r}))"

    @abstractmethod
    def __repr__(self) -> str:
        """Return the condition as an app writes it, in the words of `vocabulary`."""


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Member(Condition):
    """A scope, a role or a group of the caller."""

    kind: str
    name: str

    @property
    def is_scope(self) -> bool:
        """Whether it is a scope."""
        return self.kind == "scope"

    def __repr__(self) -> str:
        return f"{self.kind}({self.name!r})"

    def document(self) -> dict[str, JsonValue]:
        """Return the condition as the policy writes it."""
        return {self.kind: self.name}

    def holds(self, facts: Facts) -> bool | None:
        """Whether it holds; None if the edge did not forward what that depends on."""
        identity = facts.identity
        if self.kind == "group":
            groups = identity.forwarded_groups if facts.knows_groups else None
            return None if groups is None else self.name in groups
        if self.kind == "scope":
            return self.name in identity.scopes if facts.knows_scopes else None
        return self.name in identity.roles if facts.knows_roles else None


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Combined(Condition):
    """All or any of several conditions."""

    kind: str
    conditions: tuple[Condition, ...]

    def __repr__(self) -> str:
        return f"{self.kind}_of({', '.join(map(repr, self.conditions))})"

    def document(self) -> dict[str, JsonValue]:
        """Return the condition as the policy writes it."""
        return {self.kind: [each.document() for each in self.conditions]}

    def holds(self, facts: Facts) -> bool | None:
        """Whether it holds; None if the edge did not forward what that depends on."""
        decisive = self.kind == "any"
        undecided = False
        for each in self.conditions:
            found = each.holds(facts)
            if found is decisive:
                return decisive
            undecided = undecided or found is None
        return None if undecided else not decisive

    def parts(self) -> tuple[Condition, ...]:
        """Return the conditions that it combines."""
        return self.conditions


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Negated(Condition):
    """The opposite of a condition."""

    condition: Condition

    def __repr__(self) -> str:
        return f"not_({self.condition!r})"

    def document(self) -> dict[str, JsonValue]:
        """Return the condition as the policy writes it."""
        return {"not": self.condition.document()}

    def holds(self, facts: Facts) -> bool | None:
        """Whether it holds; None if the edge did not forward what that depends on."""
        found = self.condition.holds(facts)
        return None if found is None else not found

    def parts(self) -> tuple[Condition, ...]:
        """Return the conditions that it combines."""
        return (self.condition,)


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class ClaimTest(Condition):
    """The test of a claim."""

    name: str | tuple[str, ...]
    test: str
    expected: Scalar | tuple[Scalar, ...]

    def __repr__(self) -> str:
        name, expected = (
            [*each] if isinstance(each, tuple) else each for each in (self.name, self.expected)
        )
        method = "is_in" if self.test == "in" else self.test
        return f"claim({name!r}).{method}({expected!r})"

    def document(self) -> dict[str, JsonValue]:
        """Return the condition as the policy writes it."""
        name: JsonValue = self.name if isinstance(self.name, str) else [*self.name]
        expected: JsonValue = (
            [*self.expected] if isinstance(self.expected, tuple) else self.expected
        )
        return {"claim": {"name": name, self.test: expected}}

    def holds(self, facts: Facts) -> bool | None:
        """Whether it holds; None if the edge did not forward what that depends on."""
        found: object = facts.identity.claims
        for step in self._steps(nested=facts.nests_claims):
            if not isinstance(found, Mapping) or step not in found:
                return None
            found = found[step]
        return _TESTS[self.test](found, self, facts)

    def _steps(self, *, nested: bool) -> tuple[str, ...]:
        """Return the names that lead to the claim, each within the object before it."""
        return self.name if nested and isinstance(self.name, tuple) else (name_in_app(self.name),)


def _members(claim: object) -> Sequence[object]:
    """Return the values of a claim: the members of a list, or itself. Null and objects have none.

    This is `members` in src/identity/claims.rs.
    """
    if isinstance(claim, list):
        return claim
    return () if claim is None or isinstance(claim, dict) else (claim,)


def _same(value: object, wanted: object) -> bool:
    """Compare with the type. In Python 1 equals 1.0 and True; in the policy it does not."""
    return type(value) is type(wanted) and value == wanted


def _is_in(value: object, wanted: object) -> bool:
    return isinstance(wanted, tuple) and any(_same(value, each) for each in wanted)


def _parameter(test: ClaimTest, facts: Facts) -> object:
    return facts.parameters.get(str(test.expected))


_TESTS: Mapping[str, Callable[[object, ClaimTest, Facts], bool]] = {
    "equals": lambda value, test, _: _same(value, test.expected),
    "in": lambda value, test, _: _is_in(value, test.expected),
    "contains": lambda value, test, _: any(_same(each, test.expected) for each in _members(value)),
    "equals_path": lambda value, test, facts: is_parameter(_parameter(test, facts), value),
    "contains_path": lambda value, test, facts: any(
        is_parameter(_parameter(test, facts), each) for each in _members(value)
    ),
}


def canonical(document: object) -> str:
    """Return JSON that is the same for equal documents, whatever the order of their members."""
    return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def name_in_app(claim: str | Sequence[str]) -> str:
    """Return the name by which the app reads a claim that a condition needs.

    It is the name of the claim; for one in nested objects its JSON Pointer (RFC 6901), `/org/id`.
    """
    if isinstance(claim, str):
        return claim
    return "".join("/" + step.replace("~", "~0").replace("/", "~1") for step in claim)


def conjuncts(condition: Condition) -> Iterator[Condition]:
    """Yield the conditions that all have to hold, without the `all_of` around them."""
    if isinstance(condition, Combined) and condition.kind == "all":
        for each in condition.conditions:
            yield from conjuncts(each)
    else:
        yield condition
