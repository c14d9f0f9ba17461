"""What the edge calls each endpoint: the access, the methods and the id of its route.

In: `Endpoint`s. Out: the members of their route documents that are told by rule. The policy is
written by these rules, and the door of a strict app compares by the same. Nothing is judged here.
"""

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Sequence

from fastgate.endpoints import Endpoint, Kind

FORWARDED_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
"""What the edge ever forwards, in the order in which it is written."""

UNNAMED = "none"
"""`access` of what the edge is not to name: a health check for the orchestrator, say."""

_LONGEST_ID = 64


def access_of(endpoint: Endpoint) -> object:
    """Return `access` as the edge is to write it: declared, or told by the dependencies."""
    known = endpoint.callers.known or "scopes" in endpoint.declared
    return endpoint.declared.get("access", "authenticated" if known else "optional")


def methods_of(endpoint: Endpoint) -> list[str]:
    """Return the methods that the edge is to let through."""
    wanted = endpoint.declared.get("methods") if endpoint.methods is None else endpoint.methods
    return [
        name for name in FORWARDED_METHODS if isinstance(wanted, (list, tuple)) and name in wanted
    ]


def named(found: Iterable[Endpoint]) -> list[Endpoint]:
    """Return those of an app's endpoints that the edge has a route for."""
    return [
        endpoint
        for endpoint in found
        if endpoint.kind is not Kind.BELOW and access_of(endpoint) != UNNAMED
    ]


def ids_of(served: Sequence[Endpoint]) -> list[str]:
    """Return an id for each of an app's named endpoints, for policy and log.

    An operation id serves well, a function's name does if it is the only one, and its path makes it
    so if it is not.
    """
    names = [_slug(_wanted_id(endpoint)) for endpoint in served]
    paths = [_slug(endpoint.template) for endpoint in served]
    methods = ["-".join(methods_of(endpoint)).lower() for endpoint in served]
    for suffixes in (paths, methods):
        count = Counter(names)
        names = [
            name if count[name] == 1 else f"{name}-{suffix}"
            for name, suffix in zip(names, suffixes, strict=True)
        ]
    return [_fitting(name) for name in names]


def _wanted_id(endpoint: Endpoint) -> str:
    return str(endpoint.declared.get("id") or endpoint.operation_id or endpoint.name)


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9_]+", "-", text.lower()).strip("-") or "root"


def _fitting(name: str) -> str:
    if len(name) <= _LONGEST_ID:
        return name
    return f"{name[: _LONGEST_ID - 9]}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"
