"""Read from an ASGI scope the identity header, and the head of the request.

In: a scope. Out: the values of `Fastgate-Identity`, taken out of it, and the `RequestHead` that
they are compared with. It reads the bytes of the request line, never a URL rebuilt from them.
"""

from starlette.types import Scope

from fastgate import errors
from fastgate.routes.root_path import Arrival
from fastgate.verify import RequestHead

HEADER = b"fastgate-identity"
_MOVING = (b"daphne-root-path", b"script-name", b"x-script-name")
"""Fields by which servers and middleware let a client choose `root_path`; no edge sends them."""
_LENGTHS = frozenset(map(len, (HEADER, *_MOVING)))


def asks_for(path: str | None, scope: Scope, arrival: Arrival) -> bool:
    """Whether a request is for one of the two paths that need no header, byte for byte."""
    return (
        path is not None
        and scope["type"] == "http"
        and scope["method"] in ("GET", "HEAD")
        and path in arrival.paths
        and (arrival.raw_paths is None or path.encode("ascii") in arrival.raw_paths)
    )


def take_headers(scope: Scope) -> list[bytes]:
    """Take every spelling of the header out of the scope; return the values of the true one.

    Out with it go fields that would choose a `root_path`.

    The underscore twin is no header of ours, but becomes one behind a WSGI bridge.
    """
    kept: list[tuple[bytes, bytes]] = []
    found: list[bytes] = []
    for field in scope["headers"]:
        name = field[0]
        # By their length most names are told apart already.
        if len(name) not in _LENGTHS:
            kept.append(field)
            continue
        hyphened = name.lower().replace(b"_", b"-")
        if hyphened != HEADER and hyphened not in _MOVING:
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


def head_of(scope: Scope, arrival: Arrival) -> RequestHead:
    """Return what arrived. Raises `PathMismatch` if the app would read another path than that."""
    # A WebSocket starts as a GET (RFC 6455 §4.1); ASGI does not repeat it.
    websocket = scope["type"] == "websocket"
    method = "GET" if websocket else scope["method"]
    query = scope["query_string"]
    if arrival.raw_paths is None:
        paths = arrival.paths
        return RequestHead(method, None, query, decoded_paths=paths, websocket=websocket)
    if not arrival.raw_paths:
        raw_path = scope["raw_path"]
        found = raw_path.decode("latin-1") if isinstance(raw_path, bytes) else None
        raise errors.PathMismatch(found=found)
    first, *others = arrival.raw_paths
    return RequestHead(method, first, query, tuple(others), websocket=websocket)
