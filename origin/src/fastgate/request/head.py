"""Read the identity header and the request head from an ASGI scope.

Input: a scope. Output: the values of `Fastgate-Identity`, removed from the scope, and the
`RequestHead` that they are compared with. It reads the bytes of the request line, never a URL
rebuilt from them.
"""

from starlette.types import Scope

from fastgate import errors
from fastgate.routes.root_path import Arrival
from fastgate.verify import RequestHead

HEADER = b"fastgate-identity"
_ROOT_PATH_FIELDS = (b"daphne-root-path", b"script-name", b"x-script-name")
"""Fields by which a client can set `root_path` on some servers; the edge never sends them."""
_LENGTHS = frozenset(map(len, (HEADER, *_ROOT_PATH_FIELDS)))


def asks_for(path: str | None, scope: Scope, arrival: Arrival) -> bool:
    """Whether a request is for this path, which needs no header. Compares byte for byte."""
    return (
        path is not None
        and scope["type"] == "http"
        and scope["method"] in ("GET", "HEAD")
        and path in arrival.paths
        and (arrival.raw_paths is None or path.encode("ascii") in arrival.raw_paths)
    )


def take_headers(scope: Scope) -> list[bytes]:
    """Remove every spelling of the header from the scope; return the values of the exact one.

    Fields that would set a `root_path` are removed, too. The spelling with an underscore is not our
    header, but a WSGI bridge would turn it into our header.
    """
    kept: list[tuple[bytes, bytes]] = []
    found: list[bytes] = []
    for field in scope["headers"]:
        name = field[0]
        # The length alone excludes most names.
        if len(name) not in _LENGTHS:
            kept.append(field)
            continue
        normalized = name.lower().replace(b"_", b"-")
        if normalized != HEADER and normalized not in _ROOT_PATH_FIELDS:
            kept.append(field)
        elif name.lower() == HEADER:
            found.append(field[1])
    scope["headers"] = kept
    return found


def only(found: list[bytes]) -> bytes:
    """Return the value of the only header. Raises `HeaderMissing` or `HeaderRepeated`."""
    if not found:
        raise errors.HeaderMissing
    if len(found) > 1:
        raise errors.HeaderRepeated
    return found[0]


def head_of(scope: Scope, arrival: Arrival, host: bytes | None) -> RequestHead:
    """Return the head as it arrived, with this one `Host`.

    Raises `PathMismatch` if the app would read another path.
    """
    # A WebSocket starts as a GET (RFC 6455 §4.1). ASGI does not report the method.
    websocket = scope["type"] == "websocket"
    method = "GET" if websocket else scope["method"]
    query: bytes = scope["query_string"]
    if arrival.raw_paths is None:
        paths = arrival.paths
        return RequestHead(method, None, query, host, decoded_paths=paths, websocket=websocket)
    if not arrival.raw_paths:
        raw_path = scope["raw_path"]
        found = raw_path.decode("latin-1") if isinstance(raw_path, bytes) else None
        raise errors.PathMismatch(found=found)
    first, *others = arrival.raw_paths
    # In half the time of the class: this runs for every request.
    return tuple.__new__(RequestHead, (method, first, query, host, tuple(others), (), websocket))
