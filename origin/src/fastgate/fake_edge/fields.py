"""The header fields of a request that the app receives.

Input: the fields of the client, and the members `cache` and `request_headers` of the route. Output:
what the edge forwards (`forwarded_fields` in `src/mint.rs`): what the client sent, as the route
edits it; if the edge stores the response, only the fields by which responses may differ, those that
describe a body, and those that the route sets.
"""

from collections.abc import Iterable, Mapping

Field = tuple[bytes, bytes]

_OF_THE_EDGE = frozenset(
    (
        *(b"host", b"x-forwarded-host", b"x-forwarded-proto", b"x-request-id"),
        *(b"connection", b"content-length", b"transfer-encoding"),
    )
)
"""What the edge itself sets, and what frames the message. A test may set them in its place."""
_OF_A_BODY = frozenset((b"content-type", b"content-encoding"))


def edited(fields: Iterable[Field], edits: object) -> list[Field]:
    """Return the fields as a route changes them. `edits` are its `request_headers`."""
    changes = edits if isinstance(edits, Mapping) else {}
    assigned = {_name(name): str(value).encode() for name, value in _mapping(changes, "set")}
    dropped = {*assigned, *(_name(each) for each in _list(changes, "remove"))} - _OF_THE_EDGE
    return [*(field for field in fields if field[0].lower() not in dropped), *assigned.items()]


def fields_for_all(fields: Iterable[Field], cache: object, edits: object) -> list[Field]:
    """Return the fields for a response that callers share. `edits` are its `request_headers`."""
    received = [(name.lower(), value) for name, value in fields]
    kept = {_name(each) for each in _list(cache, "vary")} | _OF_THE_EDGE
    kept |= _OF_A_BODY if _has_body(received) else frozenset()
    return edited([field for field in received if field[0] in kept], edits)


def _has_body(fields: Iterable[Field]) -> bool:
    return any(
        name == b"transfer-encoding" or (name == b"content-length" and value.strip(b" 0"))
        for name, value in fields
    )


def _name(name: object) -> bytes:
    return str(name).lower().encode()


def _list(document: object, member: str) -> Iterable[object]:
    found = document.get(member) if isinstance(document, Mapping) else None
    return found if isinstance(found, (list, tuple)) else ()


def _mapping(document: Mapping[str, object], member: str) -> Iterable[tuple[object, object]]:
    found = document.get(member)
    return found.items() if isinstance(found, Mapping) else ()
