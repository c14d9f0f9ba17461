"""The names that the edge has for the routes of one app.

Input: method and template of a route that runs. Output: its id in the app's policy, the names that
an older or newer edge may use for it, and whether the edge has no route for it. It judges nothing.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import NamedTuple, TypeAlias

from fastgate.path_template import begins, comparable

UNNAMED = "none"
"""The `access` of an endpoint without a route at the edge."""

Request: TypeAlias = tuple[str, str]
"""Method (or `WEBSOCKET`) and `comparable` template, which begins with the app's `root_path`."""


class Accepted(NamedTuple):
    """Former names of a changed route that the edge may still use: `at_edge(formerly=…)`."""

    templates: frozenset[str] = frozenset()
    """Former templates, `comparable`, without the present one."""
    ids: frozenset[str] = frozenset()
    """Former ids, without the present one."""


Unnamed: TypeAlias = Callable[[object, str, str], bool]
"""Whether the edge has no route for an endpoint, given its method and template."""


class Names(NamedTuple):
    """The names that the edge has for the routes of one app."""

    root_path: str = ""
    """The app's own root path, if its templates begin with it."""
    former: Mapping[Request, Accepted] = MappingProxyType({})
    """Former names, which are accepted as well."""
    ids: Mapping[Request, str] | None = None
    """For a strict app: the ids of its routes in its policy."""
    unnamed: Unnamed | None = None
    """Tells for which endpoints the edge has no route, so it cannot have judged a request."""

    def id_of(self, method: str, template: str, prefix: str) -> str | None:
        """Return the id of a route; None if there is none.

        Args:
            method: its method, upper case, or `WEBSOCKET`.
            template: its full template, including the mounts of the app.
            prefix: the prefix of the app's templates at the guard.

        """
        return (self.ids or {}).get((method, self._own(template, prefix)))

    def has_none_for(self, runs: object, method: str, template: str, prefix: str) -> bool:
        """Whether the edge has no route for an endpoint. For the arguments see `id_of`."""
        return self.unnamed is not None and self.unnamed(runs, method, self._own(template, prefix))

    def accepted(self, method: str, template: str, prefix: str) -> Accepted:
        """Return the former names of a route. For the arguments see `id_of`."""
        if not self.former:
            return _NOT_RENAMED
        return self.former.get((method, self._own(template, prefix)), _NOT_RENAMED)

    def was(self, judged: str, accepted: Accepted, prefix: str) -> bool:
        """Whether a judged template is a former template of a route."""
        if not accepted.templates or not begins(judged, prefix):
            return False
        return self._own(judged, prefix) in accepted.templates

    def was_below(self, judged: str, method: str, mount: str, prefix: str) -> bool:
        """Whether a judged template is a former one of any route that is below a mount now."""
        return any(
            kind == method
            and self.was(judged, accepted, prefix)
            and begins(template, self._own(mount, prefix))
            for (kind, template), accepted in self.former.items()
        )

    def _own(self, template: str, prefix: str) -> str:
        """Return a template as the app itself has it: with its own root path, without mounts."""
        if not self.root_path and not prefix:
            return comparable(template)
        return comparable(self.root_path) + comparable(template).removeprefix(comparable(prefix))


_NOT_RENAMED = Accepted()
NO_NAMES = Names()
