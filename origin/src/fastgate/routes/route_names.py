"""The names that the edge has for the routes of one app.

In: method and template of a route, as it runs. Out: its id in the app's policy, what an edge that
is older or newer than the app may call it, and whether the edge has no route for it. It judges
nothing.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import NamedTuple, TypeAlias

from fastgate.path_template import begins, comparable

UNNAMED = "none"
"""`access` of what the edge is not to name: a health check for the orchestrator, say."""

Request: TypeAlias = tuple[str, str]
"""Method (or `WEBSOCKET`) and `comparable` template, the app's own `root_path` in front."""


class Accepted(NamedTuple):
    """What the edge may still call a route that has been changed: `at_edge(formerly=…)`."""

    templates: frozenset[str] = frozenset()
    """`comparable`, without the present one."""
    ids: frozenset[str] = frozenset()
    """Without the present one."""


Unnamed: TypeAlias = Callable[[object, str, str], bool]
"""Whether the edge has no route for what runs, by method and template, as `Request` has them."""


class Names(NamedTuple):
    """What the edge calls the routes of one app."""

    root_path: str = ""
    """The app's own, where its templates begin with it."""
    former: Mapping[Request, Accepted] = MappingProxyType({})
    """What is accepted beside the present names."""
    ids: Mapping[Request, str] | None = None
    """Of a strict app: the ids that its policy gives its routes."""
    unnamed: Unnamed | None = None
    """What the edge has no route for, so that it can have judged no request by it."""

    def id_of(self, method: str, template: str, prefix: str) -> str | None:
        """Return the id of a route; None if there is none.

        Args:
            method: its method, upper case, or `WEBSOCKET`.
            template: its full template, wherever the app is mounted.
            prefix: what stood in front of the app's templates at the guard.

        """
        return (self.ids or {}).get((method, self._own(template, prefix)))

    def has_none_for(self, runs: object, method: str, template: str, prefix: str) -> bool:
        """Whether the edge has no route for what runs; the others are those of `id_of`."""
        return self.unnamed is not None and self.unnamed(runs, method, self._own(template, prefix))

    def accepted(self, method: str, template: str, prefix: str) -> Accepted:
        """Return what a route may still be called; the arguments are those of `id_of`."""
        if not self.former:
            return _NOTHING_ELSE
        return self.former.get((method, self._own(template, prefix)), _NOTHING_ELSE)

    def was(self, judged: str, accepted: Accepted, prefix: str) -> bool:
        """Whether a judged template is a former one of a route."""
        if not accepted.templates or not begins(judged, prefix):
            return False
        return self._own(judged, prefix) in accepted.templates

    def was_below(self, judged: str, method: str, mount: str, prefix: str) -> bool:
        """Whether a judged template is a former one of any route that lies below a mount now."""
        return any(
            kind == method
            and self.was(judged, accepted, prefix)
            and begins(template, self._own(mount, prefix))
            for (kind, template), accepted in self.former.items()
        )

    def _own(self, template: str, prefix: str) -> str:
        """Return how the app itself knows a template: with its own root path, without mounts."""
        return comparable(self.root_path) + comparable(template).removeprefix(comparable(prefix))


_NOTHING_ELSE = Accepted()
NO_NAMES = Names()
