"""Read from an ASGI scope what the guard judges: the identity header, and the request's head.

In: a scope. Out: the values of `Fastgate-Identity`, taken out of it, and the `RequestHead` that
they are compared with. It reads the bytes of the request line, never a URL rebuilt from them.
"""

from urllib.parse import unquote

from starlette.types import Scope

from fastgate import errors
from fastgate.root_path import RootPath
from fastgate.verify import RequestHead

HEADER = b"fastgate-identity"
_HEADER_LENGTH = len(HEADER)


def asks_for(path: str | None, scope: Scope) -> bool:
    """Whether a request is for one of the two paths that need no header, byte for byte."""
    return (
        path is not None
        and scope["type"] == "http"
        and scope["method"] in ("GET", "HEAD")
        and scope["path"] == path
        and scope.get("raw_path") in (None, path.encode("ascii"))
    )


def take_headers(scope: Scope) -> list[bytes]:
    """Take every spelling of the header out of the scope; return the values of the true one.

    The underscore twin is no header of ours, but becomes one behind a WSGI bridge.
    """
    kept: list[tuple[bytes, bytes]] = []
    found: list[bytes] = []
    for field in scope["headers"]:
        name = field[0]
        # By their length most names are told apart already.
        if len(name) != _HEADER_LENGTH or name.lower().replace(b"_", b"-") != HEADER:
            kept.append(field)
        elif name.lower() == HEADER:
            found.append(field[1])
    scope["headers"] = kept
    return found


def only(found: list[bytes]) -> bytes:
    """Return the one header that there is. Raises `HeaderMissing` or `HeaderRepeated`."""
    if not found:
        raise errors.HeaderMissing
    if len(found) > 1:
        raise errors.HeaderRepeated
    return found[0]


def head_of(scope: Scope, root: RootPath) -> RequestHead:
    """Return what arrived. Raises `PathMismatch` if the app would read another path than that."""
    # A WebSocket starts as a GET (RFC 6455 §4.1); ASGI does not repeat it.
    websocket = scope["type"] == "websocket"
    method = "GET" if websocket else scope["method"]
    query = scope["query_string"]
    raw_path = scope.get("raw_path")
    if raw_path is None:  # ASGI leaves it to the server
        path: str = scope["path"]
        decoded = (path, root.taken_off + path)
        return RequestHead(method, None, query, decoded_paths=decoded, websocket=websocket)
    # Routing reads `path`, the edge judged `raw_path`: one must still be the other, decoded.
    if not isinstance(raw_path, bytes) or not raw_path.isascii():
        raise errors.PathMismatch
    text = raw_path.decode("ascii")
    if (unquote(text) if "%" in text else text) != scope["path"]:
        raise errors.PathMismatch(found=text)
    return RequestHead(method, raw_path, query, root.other_paths(raw_path), websocket=websocket)
