"""The templates and paths in front of a router: mounts, and the root path of the app.

Input: the mounts that have led to a router, and the scope of a request. Output: a `Prefix`. It
compares nothing: `routes.check` does.
"""

from typing import NamedTuple

from starlette.routing import BaseRoute, Router
from starlette.types import Scope

PREFIX_KEY = "fastgate.prefix"
"""The key of the ASGI scope that holds the `Prefix` of the router that now chooses."""


class Base(NamedTuple):
    """The root path with which the first router behind the server was called."""

    root_path: str = ""
    """The `root_path` of its scope."""
    own: str | None = ""
    """The root path with which the templates of its app begin; empty if there is none.

    None until the first router is entered, if the guard cannot find the app.
    """


class Prefix(NamedTuple):
    """The part in front of the templates of one router: mounts and root paths."""

    template: str | None
    """None if everything below was judged as a whole: a mounted app without visible routes."""
    root_path: str
    """The `root_path` that the mounts in front of the router have put into the scope."""
    rest: str = ""
    """The rest of the path, decoded, which the router has to match."""
    mount: BaseRoute | None = None
    """The mount that led to the router."""
    router: Router | None = None
    """The router, if it is known."""
    base: Base = Base()
    """The root paths at the first router."""

    def above(self, scope: Scope) -> str | None:
        """Return the template in front of a router that chooses for this scope; None if unknown."""
        return self.template if scope.get("root_path", "") == self.root_path else None

    def below(self, mount: BaseRoute, scope: Scope, router: Router | None = None) -> "Prefix":
        """Return the prefix of the app behind a mount.

        Args:
            mount: a mount that has matched, or a host, which removes nothing from the path.
            scope: the scope that it would pass on.
            router: the router behind it, if it is known.

        """
        root_path: str = scope.get("root_path", "")
        path: str = getattr(mount, "path", "")
        matched = root_path.removeprefix(self.root_path)
        # The value of a parameter appears as text in `root_path`.
        fits = matched == path or ("{" in path and matched.startswith("/"))
        whole = root_path == self.root_path + matched and self.rest.startswith(matched)
        template = self.template
        if template is not None:
            template = template + path if fits and whole else UNKNOWN
        rest = self.rest[len(matched) :]
        return self._replace(
            template=template, root_path=root_path, rest=rest, mount=mount, router=router
        )


WHOLE = Prefix(None, "")
"""The prefix within an app that was judged as a whole."""
UNKNOWN = "?"
"""The template in front of a router that is unknown. No template begins with this."""
LOST = Prefix(UNKNOWN, "")
AGAIN = Prefix(UNKNOWN, "again")
"""The prefix of a router that must not choose for this request, or not again. Something other than
its mounts, its app and the server has set `root_path`, and so changes the path that it matches."""
