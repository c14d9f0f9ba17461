"""Derive the access, the methods and the id of an endpoint's route at the edge.

Input: `Endpoint`s. Output: the members of their route documents that follow from rules. The
compiler writes the policy by these rules, and the guard of a strict app compares by them.
"""

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from types import FunctionType

from fastapi import FastAPI

from fastgate.compile.callers.dependency_tree import callers_required_by, flatten
from fastgate.compile.callers.parameters import headers_read
from fastgate.compile.callers.regions import narrowed
from fastgate.compile.endpoints.endpoint import Endpoint, Kind
from fastgate.compile.mcp.rules import mcp_document
from fastgate.declare.formerly import FORMERLY
from fastgate.declare.members import ACCESS, APP_CHECKS, METHODS, OPAQUE, TIMEOUT
from fastgate.declare.merge import CALLER_REQUIREMENTS, OPEN, merge_inherited, requires_known_caller
from fastgate.declare.schemes import AUTHORIZATION, Scheme
from fastgate.declare.static_access import attribute, is_a, plain_text, texts_in
from fastgate.declare.values.edge_cache import CACHE
from fastgate.declare.values.inference import INFERENCE
from fastgate.declare.values.mcp import MCP
from fastgate.path_template import comparable
from fastgate.routes.framework import WEBSOCKET
from fastgate.routes.route_names import UNNAMED

_MAX_ID_LENGTH = 64
_KNOWS_TOKENS = ("optional", "authenticated")
_FOR_THE_APP = (APP_CHECKS, FORMERLY, OPAQUE)


def access_of(endpoint: Endpoint) -> object:
    """Return the `access` of an endpoint's route in the policy.

    The endpoint's own declaration counts. Otherwise it is the access that its dependencies imply,
    or the one that it inherits, whichever allows fewer callers.
    """
    if "access" in endpoint.declared:
        return endpoint.declared["access"]
    implied = "authenticated" if endpoint.callers.known else "optional"
    inherited = declared_access(endpoint)
    if inherited is None or not has_caller_dependency(endpoint):
        return inherited or implied
    return max(implied, inherited, key=ACCESS.index)


def declared_access(endpoint: Endpoint) -> object:
    """Return the access that the endpoint or its surroundings declare; None without a declaration.

    Members that require something of callers imply `authenticated`.
    """
    members = merge_inherited(endpoint.inherited, endpoint.declared)
    return members.get("access", "authenticated" if requires_known_caller(members) else None)


def checked_by_app(endpoint: Endpoint) -> frozenset[str]:
    """Return the names of security schemes and dependencies that the app itself checks."""
    members = merge_inherited(endpoint.inherited, endpoint.declared)
    return frozenset(texts_in(members.get(APP_CHECKS)))


def has_caller_dependency(endpoint: Endpoint) -> bool:
    """Whether dependencies of the endpoint itself decide who may call it."""
    return endpoint.callers.known or endpoint.callers.anybody


def is_undeclared(endpoint: Endpoint) -> bool:
    """Whether nothing says who may call the endpoint."""
    callers = endpoint.callers
    if "access" in endpoint.declared or callers.known:
        return False
    # What it inherits opens nothing unless it names the schemes, which may refuse callers.
    unnamed = {each.name for each in callers.schemes} - checked_by_app(endpoint)
    if unnamed and access_of(endpoint) in OPEN and (callers.scopes or not callers.anybody):
        return True
    return not has_caller_dependency(endpoint) and declared_access(endpoint) is None


def members_of(endpoint: Endpoint) -> dict[str, object]:
    """Return the declared members of the route document, including inherited ones."""
    access = access_of(endpoint)
    dropped = ("methods",) if access == "authenticated" else ("methods", *CALLER_REQUIREMENTS)
    if "GET" not in requests_of(endpoint) or is_page_of_fastapi(endpoint):
        dropped = (*dropped, CACHE)  # it has no effect there, or was not meant for it
    if access == "public":
        dropped = (*dropped, "forward")  # the edge reads no token there
    if endpoint.kind is Kind.WEBSOCKET:
        dropped = (*dropped, TIMEOUT)  # the edge hands the connection over and does not wait
    inherited = {key: value for key, value in endpoint.inherited.items() if key not in dropped}
    listed = inherited.pop("scopes", ())
    # A declaration may open an endpoint whose scheme the app checks itself; then no scope counts.
    own = endpoint.callers.scopes if access not in OPEN or endpoint.callers.own else ()
    own = (*own, *endpoint.callers.read) if access == "authenticated" else own
    required = (*(listed if isinstance(listed, (list, tuple)) else ()), *own)
    scopes = {"scopes": list(dict.fromkeys(required))} if required else {}
    members = {**scopes, **inherited, **endpoint.declared, "access": access}
    if access == "authenticated":
        members = endpoint.callers.added_to(members)
    members = narrowed(members, endpoint.callers.regions)
    if access in _KNOWS_TOKENS and readers_of_tokens(endpoint):
        members.setdefault("forward_token", True)  # the app reads the token itself
    if members.get(CACHE, ...) is None:  # an endpoint does not store what its router does
        del members[CACHE]
    mcp = members.pop(MCP, None)
    if endpoint.mcp is not None:  # other endpoints of a mounted app only inherit it
        members[MCP] = mcp_document(endpoint.mcp, mcp)
    # These members are for the app only: the edge has one name for a route, and no mounts.
    return {name: members[name] for name in members if name not in _FOR_THE_APP}


def schemes_run(endpoint: Endpoint) -> tuple[Scheme, ...]:
    """Return the schemes of FastAPI that are run for an endpoint; overridden ones are not."""
    if not endpoint.callers.schemes:
        return ()
    return callers_required_by(flatten(endpoint.tree)).schemes


def readers_of_tokens(endpoint: Endpoint) -> list[str]:
    """Return what reads the token of a request: schemes, and parameters for `Authorization`."""
    found = [each.shown for each in schemes_run(endpoint) if each.reads_token]
    if any(AUTHORIZATION in each.names for each in headers_read(endpoint.tree)):
        found.append("the header Authorization")
    return found


def has_cacheable_responses(endpoint: Endpoint) -> bool:
    """Whether the edge can store responses of an endpoint: to GET and HEAD, and those of models."""
    return "GET" in requests_of(endpoint) or bool(endpoint.declared.get(INFERENCE))


def is_page_of_fastapi(endpoint: Endpoint) -> bool:
    """Whether FastAPI itself serves it: its schema, or a page of documentation."""
    is_function = is_a(endpoint.source, FunctionType)  # a mounted app has a module as well
    return is_function and attribute(endpoint.source, "__module__") == FastAPI.__module__


def rewritten_path(path: str, rewrite: Mapping[str, object]) -> str:
    """Return the template that the edge forwards, as `RewriteDocument` in rewrite.rs specifies."""
    if isinstance(template := rewrite.get("template"), str):
        return template
    stripped = path.removeprefix(str(rewrite.get("strip_prefix") or ""))
    return str(rewrite.get("add_prefix") or "") + stripped


def methods_of(endpoint: Endpoint) -> list[str]:
    """Return the methods that the edge forwards."""
    wanted: object = endpoint.methods
    if wanted is None:
        wanted = endpoint.declared.get("methods", endpoint.inherited.get("methods"))
    return [name for name in METHODS if isinstance(wanted, (list, tuple)) and name in wanted]


def requests_of(endpoint: Endpoint) -> list[str]:
    """Return the request methods of the route, or `WEBSOCKET`."""
    return [WEBSOCKET] if endpoint.kind is Kind.WEBSOCKET else methods_of(endpoint)


def app_requests_of(endpoint: Endpoint) -> Sequence[str]:
    """Return the request methods for which the app runs the endpoint, whatever the response is.

    A route without methods takes all of them, and a mount takes WebSocket handshakes as well.
    """
    if endpoint.kind is Kind.HTTP and not getattr(endpoint.route, "methods", None):
        return METHODS
    if endpoint.kind is Kind.APP and endpoint.route is not None:
        return (*METHODS, WEBSOCKET)
    return requests_of(endpoint)


def routed_endpoints(found: Iterable[Endpoint]) -> list[Endpoint]:
    """Return the endpoints of an app that have a route at the edge."""
    return [
        endpoint
        for endpoint in found
        if endpoint.kind not in (Kind.MOUNT, Kind.DECLARATION) and access_of(endpoint) != UNNAMED
    ]


def ids_of(served: Sequence[Endpoint]) -> list[str]:
    """Return an id for each endpoint with a route at the edge, for policy and log.

    The id is the author's, from `at_edge(id=…)` or an operation id, or is derived from the method
    and the template. A later route never changes it: the first of two equal ids keeps it. Names of
    functions and of parameters do not count.
    """
    used: set[str] = set()
    ids: list[str] = []
    for endpoint in served:
        given = endpoint.declared.get("id") or endpoint.operation_id
        name = given_id(plain_text(given)) if given else ""
        if not name or name in used:
            name = derived_id(requests_of(endpoint), endpoint.template)
        used.add(name)
        ids.append(name)
    return ids


def given_id(text: str) -> str:
    """Return the id that an author's name for an endpoint becomes."""
    return _fitting(_slug(text))


def derived_id(methods: Sequence[str], template: str) -> str:
    """Return `get-orders--int` for GET /orders/{order_id:int}.

    The first method is enough: no other route of the same template has it. If characters are
    dropped, a digest of the template makes the id unique.
    """
    method = next(iter(methods), "any").lower()
    template = comparable(template)
    plain = _PLAIN.fullmatch(template)
    if plain or template == "/":
        return _fitting("-".join((method, *_parts(template))))
    # The fault of a path with half a surrogate pair is reported with those of all other endpoints.
    digest = hashlib.sha256(template.encode(errors="surrogatepass")).hexdigest()[:8]
    return _fitting(f"{method}-{_slug(template)}-{digest}")


_PLAIN = re.compile(r"(?:/(?:[a-z0-9_]+|\{:[a-z]+\}))+")


def _parts(template: str) -> list[str]:
    # Two hyphens precede a parameter, so that `/orders/{:int}` and `/orders/int` differ.
    parts = template.replace("{:", "-").replace("}", "").split("/")[1:]
    return [part for part in parts if part]


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9_]+", "-", text.lower()).strip("-") or "root"


def _fitting(name: str) -> str:
    if len(name) <= _MAX_ID_LENGTH:
        return name
    return f"{name[: _MAX_ID_LENGTH - 9]}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"
