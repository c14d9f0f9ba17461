"""Undo what some servers do to the path: uvicorn puts its `--root-path` in front of it.

In: an ASGI scope, and the path that the edge signed. Out: the path as it was on the wire. What runs
is always the signed path: with the prefix that was signed, or without it where none was.
"""

from starlette.types import Scope


def below_root(scope: Scope) -> bytes | None:
    """Return `raw_path` without `root_path`; None where it does not begin with one."""
    root, raw_path = scope.get("root_path", ""), scope.get("raw_path")
    if not root or not isinstance(raw_path, bytes) or not scope["path"].startswith(root):
        return None
    if not root.isascii() or "%" in root:
        return None  # then it has more than one spelling
    prefix = root.encode("ascii")
    rest = raw_path[len(prefix) :]
    return rest if raw_path.startswith(prefix) and rest.startswith(b"/") else None


def take_root_off(scope: Scope, signed_path: str) -> None:
    """Give the app the path that was signed, if the server has put the root path in front of it.

    `root_path` stays: the app's own URLs begin with it (`request.url_for`, `/docs`).
    """
    signed = signed_path.encode()
    if signed != scope["raw_path"] and signed == below_root(scope):
        scope["path"] = scope["path"][len(scope["root_path"]) :]
        scope["raw_path"] = signed
