"""The claims of the caller's token that the policy forwards, as endpoints read them.

Input: the forwarded claims of one request, and the id of its route. Output: a mapping that raises
an error with the line to write where the policy forwards no such claim. A silent None would let a
check pass that nobody had configured. It reads no request.
"""

import json
from collections.abc import Iterable, Mapping
from typing import Any, NoReturn

from pydantic import JsonValue


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
        super().__init__(claims)
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
