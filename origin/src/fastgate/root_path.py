"""Know what a `root_path` does to the path on its way from the edge to the app.

In: an ASGI scope, and the path that the edge signed. Out: the other paths that the edge may have
signed for it, and the scope with the path that it did sign. What runs is always the signed path.

There are two ways, and the path tells which one is possible. A proxy behind the edge may have taken
the root path off: then it is signed, and its templates begin with it. Or the server has put it in
front, as uvicorn does with its `--root-path`: then it was never on the wire, and is taken off again
where the edge has signed the path without it.
"""

from typing import NamedTuple
from urllib.parse import unquote

from starlette.types import Scope

from fastgate.route import PREFIX_KEY, root_template
from fastgate.routing import root_path_of


class RootPath(NamedTuple):
    """What may have become of the root path of one request: one of the two, or neither."""

    taken_off: str = ""
    """What a proxy may have taken off; empty if nothing."""
    put_on: str = ""
    """What the server may have put in front; empty if nothing."""

    def other_paths(self, raw_path: bytes) -> tuple[bytes, ...]:
        """Return what the signed path may be where it is not `raw_path`."""
        if self.taken_off:
            return (self.taken_off.encode("ascii") + raw_path,)
        rest = _without(self.put_on, raw_path) if self.put_on else None
        return () if rest is None else (rest,)


def root_path_at(scope: Scope, app: object) -> RootPath:
    """Return what may have become of the root path on the way to a guard.

    Args:
        scope: the request, as it stands at the guard. In an app that another one has mounted the
            root path is that of the mount, which nobody has taken off or put on.
        app: the guarded app, which may have a root path of its own.

    """
    from_scope: str = scope.get("root_path", "")
    root = from_scope or root_path_of(app)
    # With an escape in it, it has more than one spelling.
    if not root or not root.isascii() or "%" in root or scope.get(PREFIX_KEY) is not None:
        return RootPath()
    if root_template({**scope, "root_path": root}):
        return RootPath(put_on=from_scope)
    return RootPath(taken_off=root)


def take_root_off(scope: Scope, signed_path: str, root: RootPath) -> None:
    """Give the app the path that was signed, if the server has put the root path in front of it.

    `root_path` stays: the app's own URLs begin with it (`request.url_for`, `/docs`).
    """
    below, signed = below_root(scope, root), signed_path.encode()
    if scope.get("raw_path") != signed and below.get("raw_path") == signed:
        scope["path"], scope["raw_path"] = below["path"], signed


def below_root(scope: Scope, root: RootPath) -> Scope:
    """Return the scope as it was on the wire, if the server has put the root path in front."""
    raw_path = scope.get("raw_path")
    if not root.put_on or not isinstance(raw_path, bytes):
        return scope
    rest = _without(root.put_on, raw_path)
    path = scope["path"][len(root.put_on) :]
    return scope if rest is None else {**scope, "path": path, "raw_path": rest}


def taken_off(scope: Scope, signed_path: str, root: RootPath) -> str:
    """Return what a proxy has taken off, now that the signed path is known; empty if nothing."""
    whole = root.taken_off + scope["path"]
    return root.taken_off if root.taken_off and unquote(signed_path) == whole else ""


def _without(root: str, raw_path: bytes) -> bytes | None:
    prefix = root.encode("ascii")
    rest = raw_path[len(prefix) :]
    return rest if raw_path.startswith(prefix) and rest.startswith(b"/") else None
