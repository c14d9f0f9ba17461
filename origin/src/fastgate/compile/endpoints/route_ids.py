"""The access, the methods and the id of the route that an endpoint has at the edge.

In: `Endpoint`s. Out: the members of their route documents that are told by rule. The policy is
written by these rules, and the guard of a strict app compares by the same. Nothing is judged here.
"""

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence

from fastgate.compile.endpoints.listing import Endpoint, Kind
from fastgate.declare.at_edge import ACCESS, METHODS, OPAQUE
from fastgate.declare.formerly import FORMERLY
from fastgate.declare.merge import OF_KNOWN_CALLERS, asks_of_callers, over
from fastgate.path_template import comparable
from fastgate.routes.framework import WEBSOCKET
from fastgate.routes.route_names import UNNAMED

_LONGEST_ID = 64


def access_of(endpoint: Endpoint) -> object:
    """Return `access` as the edge is to write it.

    It is what the endpoint declares; otherwise what its dependencies tell or what it inherits,
    whichever lets fewer callers in.
    """
    if "access" in endpoint.declared:
        return endpoint.declared["access"]
    told = "authenticated" if endpoint.callers.known else "optional"
    said = access_said(endpoint)
    if said is None or not says_callers(endpoint):
        return said or told
    return max(told, said, key=ACCESS.index)


def access_said(endpoint: Endpoint) -> object:
    """Return the access of which marks tell, by the endpoint's own word or by what it inherits.

    What asks something of callers wants a caller. None where nothing is said.
    """
    members = over(endpoint.inherited, endpoint.declared)
    return members.get("access", "authenticated" if asks_of_callers(members) else None)


def says_callers(endpoint: Endpoint) -> bool:
    """Whether the endpoint itself says who may call it, by its dependencies."""
    return endpoint.callers.known or endpoint.callers.anybody


def members_of(endpoint: Endpoint) -> dict[str, object]:
    """Return the declared members of the route document, inherited ones among them."""
    access = access_of(endpoint)
    dropped = ("methods",) if access == "authenticated" else ("methods", *OF_KNOWN_CALLERS)
    inherited = {key: value for key, value in endpoint.inherited.items() if key not in dropped}
    listed = inherited.pop("scopes", ())
    asked = (*(listed if isinstance(listed, (list, tuple)) else ()), *endpoint.callers.scopes)
    scopes = {"scopes": list(dict.fromkeys(asked))} if asked else {}
    members = {**scopes, **inherited, **endpoint.declared, "access": access}
    # The app's own affair: the edge has one name for a route, and no mounts.
    return {name: value for name, value in members.items() if name not in (FORMERLY, OPAQUE)}


def rewritten(path: str, rewrite: Mapping[str, object]) -> str:
    """Return the template of what the edge forwards, as `RewriteDocument` in rewrite.rs says."""
    if isinstance(template := rewrite.get("template"), str):
        return template
    stripped = path.removeprefix(str(rewrite.get("strip_prefix") or ""))
    return str(rewrite.get("add_prefix") or "") + stripped


def methods_of(endpoint: Endpoint) -> list[str]:
    """Return the methods that the edge is to let through."""
    wanted: object = endpoint.methods
    if wanted is None:
        wanted = endpoint.declared.get("methods", endpoint.inherited.get("methods"))
    return [name for name in METHODS if isinstance(wanted, (list, tuple)) and name in wanted]


def requests_of(endpoint: Endpoint) -> list[str]:
    """Return the kinds of request that the route is for: its methods, or `WEBSOCKET`."""
    return [WEBSOCKET] if endpoint.kind is Kind.WEBSOCKET else methods_of(endpoint)


def run_for(endpoint: Endpoint) -> Sequence[str]:
    """Return the kinds of request that the app has an endpoint for, whatever that then answers.

    A route without methods takes them all, and a mount the handshakes of WebSockets, too.
    """
    if endpoint.kind is Kind.HTTP and not getattr(endpoint.route, "methods", None):
        return METHODS
    if endpoint.kind is Kind.APP and endpoint.route is not None:
        return (*METHODS, WEBSOCKET)
    return requests_of(endpoint)


def named(found: Iterable[Endpoint]) -> list[Endpoint]:
    """Return those of an app's endpoints that the edge has a route for."""
    return [
        endpoint
        for endpoint in found
        if endpoint.kind not in (Kind.BELOW, Kind.NOTHING) and access_of(endpoint) != UNNAMED
    ]


def ids_of(served: Sequence[Endpoint]) -> list[str]:
    """Return an id for each of an app's named endpoints, for policy and log.

    It is what the author calls it, by `at_edge(id=…)` or an operation id, or is made of the method
    and the template. No route behind it changes it: an id that is given twice is the first one's.
    Names of functions and of parameters do not count.
    """
    taken: set[str] = set()
    ids: list[str] = []
    for endpoint in served:
        given = endpoint.declared.get("id") or endpoint.operation_id
        name = given_id(str(given)) if given else ""
        if not name or name in taken:
            name = derived_id(requests_of(endpoint), endpoint.template)
        taken.add(name)
        ids.append(name)
    return ids


def given_id(text: str) -> str:
    """Return the id that an author's name for an endpoint becomes."""
    return _fitting(_slug(text))


def derived_id(methods: Sequence[str], template: str) -> str:
    """Return `get-orders--int` for GET /orders/{order_id:int}.

    The first method is enough: no other route of the same template has it. Where letters have to
    be left out, a digest of the template tells it from others.
    """
    method = next(iter(methods), "any").lower()
    template = comparable(template)
    plain = _PLAIN.fullmatch(template)
    if plain or template == "/":
        return _fitting("-".join((method, *_parts(template))))
    digest = hashlib.sha256(template.encode()).hexdigest()[:8]
    return _fitting(f"{method}-{_slug(template)}-{digest}")


_PLAIN = re.compile(r"(?:/(?:[a-z0-9_]+|\{:[a-z]+\}))+")


def _parts(template: str) -> list[str]:
    # A parameter is what follows two hyphens: `/orders/{:int}` and `/orders/int` differ.
    parts = template.replace("{:", "-").replace("}", "").split("/")[1:]
    return [part for part in parts if part]


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9_]+", "-", text.lower()).strip("-") or "root"


def _fitting(name: str) -> str:
    if len(name) <= _LONGEST_ID:
        return name
    return f"{name[: _LONGEST_ID - 9]}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"
