"""Read the identity header and the request head from an ASGI scope.

Input: a scope. Output: the values of `Fastgate-Identity`, removed from the scope, and the
`RequestHead` that they are compared with. It reads the bytes of the request line, never a URL
rebuilt from them.
"""

from typing import NamedTuple

from starlette.types import Scope

from fastgate import errors
from fastgate.request.sending import OPTIONAL_LENGTHS
from fastgate.routes.host import HOST
from fastgate.routes.root_path import Arrival
from fastgate.verify import RequestHead

HEADER = b"fastgate-identity"
_ROOT_PATH_FIELDS = (b"daphne-root-path", b"script-name", b"x-script-name")
"""Fields by which a client can set `root_path` on some servers; the edge never sends them."""
_HOST_LENGTH = len(HOST)
_LENGTHS = OPTIONAL_LENGTHS.union(map(len, (HEADER, HOST, *_ROOT_PATH_FIELDS)))
"""The lengths of all names that the guard looks for."""
_tuple = tuple.__new__
"""Makes a named tuple in half the time of its class."""


class Taken(NamedTuple):
    """What the guard needs of the fields of a request, read once."""

    found: list[bytes]
    """The values of `Fastgate-Identity`, in its exact spelling."""
    host: bytes | None
    """The one `Host`, as `host_of` returns it."""
    has_optional: bool
    """Whether a name has the length of a field that `request.sending` reads."""


def asks_for(path: str | None, scope: Scope, arrival: Arrival) -> bool:
    """Whether a request is for this path, which needs no header. Compares byte for byte."""
    return (
        path is not None
        and scope["type"] == "http"
        and scope["method"] in ("GET", "HEAD")
        and path in arrival.paths
        and (arrival.raw_paths is None or path.encode("ascii") in arrival.raw_paths)
    )


def take_headers(scope: Scope) -> Taken:
    """Remove every spelling of the header from the scope; return what the guard needs of the rest.

    Fields that would set a `root_path` are removed, too. The spelling with an underscore is not our
    header, but a WSGI bridge would turn it into our header.
    """
    kept = list(scope["headers"])
    found: list[bytes] = []
    hosts: list[bytes] = []
    has_optional = False
    # The length alone excludes most names.
    for field in [field for field in kept if len(field[0]) in _LENGTHS]:
        name = field[0]
        if name == HEADER:  # the usual spelling
            found.append(field[1])
            kept.remove(field)
        elif len(name) == _HOST_LENGTH:
            if name.lower() == HOST:
                hosts.append(field[1])
        elif len(name) in OPTIONAL_LENGTHS:
            has_optional = True
        else:
            normalized = name.lower().replace(b"_", b"-")
            if normalized == HEADER or normalized in _ROOT_PATH_FIELDS:
                kept.remove(field)
                if name.lower() == HEADER:
                    found.append(field[1])
    scope["headers"] = kept
    return _tuple(Taken, (found, hosts[0] if len(hosts) == 1 else None, has_optional))


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
    return _tuple(RequestHead, (method, first, query, host, tuple(others), (), websocket))
