"""The claims of the caller's token that the policy forwards, as endpoints read them.

Input: the forwarded claims of one request, and the id of its route. Output: a mapping that raises
an error with the line to write where the policy forwards no such claim. A silent None would let a
check pass that nobody had configured. If callers share the response, only the claims that they have
in common are in it. It reads no request.
"""

import json
from collections.abc import Iterable, Mapping
from copy import copy
from typing import Any, NoReturn, Self

from pydantic import JsonValue

from fastgate.audience import FACTS, meant_word


class NotForwarded(KeyError):
    """The app reads something of the caller's token that the policy does not forward for the route.

    It is a mistake in the app or the policy, and not a refusal: the client receives a 500. The
    message has the line to write.

    Args:
        route: the id of the route in the policy.
        name: the name of the claim, or `groups`.
        entry: the entry that the list `forward` lacks.

    """

    def __init__(self, route: str, name: str, entry: str) -> None:
        super().__init__(route, name, entry)
        self.route, self.name, self.entry = route, name, entry

    def __str__(self) -> str:
        """Return the message; that of a `KeyError` would be in quotes."""
        return (
            f'the route "{self.route}" does not forward "{self.name}": write '
            f'forward=[{self.entry}] in its at_edge mark, or "forward": [{self.entry}] in the '
            "policy"
        )


def claim_not_forwarded(route: str, name: object) -> NotForwarded:
    """Return the error for a claim."""
    return NotForwarded(route, str(name), json.dumps({"claim": str(name)}, ensure_ascii=False))


def groups_not_forwarded(route: str) -> NotForwarded:
    """Return the error for the groups."""
    return NotForwarded(route, "groups", '"groups"')


class ForwardedClaims(dict[str, JsonValue]):
    """The claims that the policy forwards for one route, by the names that it gives them.

    A forwarded claim that the token lacks is None. A claim that is not forwarded is not in it, and
    reading it raises `NotForwarded`, also with `get`. It cannot be changed. It is a `dict` because
    serializers know no other mapping.
    """

    __slots__ = ("_route",)

    def __init__(
        self, claims: Mapping[str, JsonValue] | Iterable[tuple[str, JsonValue]], route: str = ""
    ) -> None:
        if claims:  # most routes forward none
            dict.__init__(self, claims)
        self._route = route

    def __missing__(self, name: str) -> NoReturn:
        """Refuse to read a claim that is not forwarded. Raises `NotForwarded`."""
        raise claim_not_forwarded(self._route, name)

    def get(self, name: str, default: Any = None, /) -> Any:  # noqa: ANN401
        """Return the claim, or `default` if the token lacks it.

        Raises:
            NotForwarded: the policy does not forward the claim. The default of other mappings
                would hide that.

        """
        value = self[name]
        return default if value is None else value

    def copy(self) -> Self:
        """Return a copy that refuses the same as this."""
        return copy(self)

    def _groups_missing(self) -> NotForwarded:
        """Return the error for the groups, which are not forwarded either."""
        return groups_not_forwarded(self._route)

    def __repr__(self) -> str:
        """Return the names. The values may be personal data, and this may be logged."""
        return f"<forwarded claims {sorted(self)}>"

    def __reduce__(self) -> tuple[object, ...]:
        """Allow copies."""
        return type(self), (dict(self), self._route)

    def _refuse_change(self, *_: object, **__: object) -> NoReturn:
        raise TypeError("the claims of a caller cannot be changed")

    __setitem__ = __delitem__ = __ior__ = _refuse_change
    clear = pop = popitem = setdefault = update = _refuse_change


_WHO = {
    "tenant": "the callers of one tenant",
    "roles": "callers with the same roles",
    "groups": "callers with the same groups",
    "caller": "the requests of one caller",
}
_ENTRIES = {
    "subject": "caller",
    "roles": "roles",
    "groups": "groups",
    "forwarded_groups": "groups",
    "tenant": "tenant",
}
"""What of an `Identity` an audience can have in common, with its entry in `audience`."""


class NotShared(LookupError):
    """The app reads something of the caller that the callers who share the response do not share.

    The endpoint has `at_edge(cache=EdgeCache(…))`, and a response that depended on more than the
    audience would reach a caller it was not made for. It is a mistake in the app and not a refusal:
    the client receives a 500. The message has the line to write.

    Args:
        route: the id of the route in the policy.
        name: what was read: a member of `Identity`, or `claims["…"]`.
        shared: what the callers have in common, as in `Transaction.shared`.
        entry: the entry that `audience` lacks, as Python; None if no audience can have it.

    """

    def __init__(self, route: str, name: str, shared: frozenset[str], entry: str | None) -> None:
        super().__init__(route, name, shared, entry)
        self.route, self.name, self.shared, self.entry = route, name, shared, entry

    def __str__(self) -> str:
        """Return the message."""
        written = [written_fact(each) for each in sorted(self.shared)]
        who = [_WHO.get(each, f"callers with the same {each}") for each in sorted(self.shared)]
        audience = f"[{', '.join(written)}]" if written else '"public"'
        if len(written) == 1 and self.shared <= _WORDS:
            audience = written[0]
        what = f"this route's response is shared by {' and '.join(who) or 'all callers'}"
        if self.entry is None:
            remedy = "no audience can have it in common; remove cache from its at_edge mark"
        else:
            remedy = f"write audience=[{', '.join((*written, self.entry))}] to add it"
        return (
            f'{what} (EdgeCache(audience={audience}) on the route "{self.route}"), so the app '
            f"cannot read {self.name}: {remedy}"
        )


_WORDS = frozenset(("tenant", "roles", "caller"))
"""The facts that are an audience without a list."""


def written_fact(fact: str) -> str:
    """Return a name in `tctx.shared` as an entry of `audience`."""
    name = fact.removeprefix("claim:")
    if not name.startswith("/"):
        written = json.dumps(name, ensure_ascii=False)
        # As an entry, such a text would be a word, or refused.
        is_ambiguous = name != fact and (name in (*FACTS, "public") or meant_word(name))
        return f"claim({written})" if is_ambiguous else written
    steps = [step.replace("~1", "/").replace("~0", "~") for step in name[1:].split("/")]
    return f"claim({json.dumps(steps, ensure_ascii=False)})"


def not_shared(route: str, name: str, shared: frozenset[str]) -> NotShared:
    """Return the error for a member of `Identity`."""
    if name == "issuer":
        return NotShared(route, name, shared, '"tenant"')
    entry = _ENTRIES.get(name)
    return NotShared(route, name, shared, None if entry is None else json.dumps(entry))


class SharedClaims(ForwardedClaims):
    """The claims that the callers who share a response have in common.

    Reading another claim raises `NotShared`, also with `get`.
    """

    __slots__ = ("_shared",)

    def __init__(self, claims: Mapping[str, JsonValue], route: str, shared: frozenset[str]) -> None:
        super().__init__(claims, route)
        self._shared = shared

    def __missing__(self, name: str) -> NoReturn:
        """Refuse to read a claim that is not shared. Raises `NotShared`."""
        shown = json.dumps(str(name), ensure_ascii=False)
        raise NotShared(
            self._route, f"claims[{shown}]", self._shared, written_fact(f"claim:{name}")
        )

    def __reduce__(self) -> tuple[object, ...]:
        """Allow copies."""
        return type(self), (dict(self), self._route, self._shared)
