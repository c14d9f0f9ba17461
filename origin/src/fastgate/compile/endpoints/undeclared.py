"""Say what to write for an endpoint that does not declare who may call it.

Input: an `Endpoint`. Output: the remedy, with a mark that the developer can write: an endpoint of a
library can only be marked by its path.
"""

from collections.abc import Iterable

from fastapi import FastAPI

from fastgate.compile.endpoints.endpoint import Endpoint, Kind, is_mounted_library_object
from fastgate.compile.endpoints.locations import assigned, is_in_library
from fastgate.compile.endpoints.route_ids import is_page_of_fastapi
from fastgate.compile.endpoints.undecided import opening, undecided_names
from fastgate.declare.static_access import attribute, is_a
from fastgate.routes.framework import signed_root_of

_TAKE_A_CALLER = "take `caller: Caller`, or `AnyCaller` if anonymous callers are allowed; "
_DECLARE = (
    'if the endpoint needs no caller, declare at_edge({0}) or access="authenticated", or '
    'access="none" if no client of the edge may call it; for a whole app or '
    'path write at_edge({1})(app) or at_edge(below="/…", {1})(app)'
)
_FORWARDED = (
    '; if the app itself reads the token, at_edge(access="authenticated", forward_token=True)'
)
_DECLARE_IN_LIBRARY = (
    'declare it by its path: {mark}, or "authenticated"; or "none" if it needs no route at the edge'
)
_DECLARE_MOUNT = (
    'declare who may call it: at_edge(access="public")({name}(…)), or "authenticated"; or "none" '
    "if it needs no route at the edge"
)
DECLARE_DOCS_CALLERS = (
    'declare who may read FastAPI\'s own pages: guard(app, settings, docs="public"), or '
    '"authenticated"; or create the app without them, FastAPI(openapi_url=None)'
)


def remedy_for_callers(endpoint: Endpoint) -> str:
    """Return what to declare for an endpoint without a security scheme."""
    if is_page_of_fastapi(endpoint):
        return DECLARE_DOCS_CALLERS
    is_opaque = endpoint.kind is Kind.APP and is_a(endpoint.source, FastAPI)
    if is_opaque or is_mounted_library_object(endpoint):
        kind = type(endpoint.source).__name__
        return _DECLARE_MOUNT.format(name=kind if is_opaque else endpoint.name)
    members = opening(endpoint)
    if _is_marked_by_path(endpoint):
        return _DECLARE_IN_LIBRARY.format(mark=mark_for(endpoint, members))
    around = members if undecided_names(endpoint) else 'access="…"'
    return f"{_TAKE_A_CALLER}{_DECLARE.format(members, around)}{_FORWARDED}"


def remedy_for_pages(pages: Iterable[Endpoint], members: str = 'access="…"') -> str:
    """Return what to declare for pages of FastAPI, with the mounted apps that have them.

    The declaration of the outermost app leaves out those below dependencies on known callers.
    """
    mounted: dict[int, str] = {}
    for page in pages:
        holders = [each for each in page.holders if is_a(each, FastAPI)]
        if holders and holders[-1] is not holders[0]:
            mount = page.template.removesuffix(str(attribute(page.route, "path")))
            place, name = assigned(holders[-1]) or (f"mounted at {mount}", "…")
            mounted[id(holders[-1])] = f"at_edge({members})({name}), {place}"
    if not mounted:
        return DECLARE_DOCS_CALLERS
    apps = "; ".join(mounted.values())
    return f"{DECLARE_DOCS_CALLERS}; or declare who may call the mounted app: {apps}"


def mark_for(endpoint: Endpoint, members: str) -> str:
    """Return the mark of an endpoint, as code: by its path if it is in a library."""
    if _is_marked_by_path(endpoint):
        return f'at_edge(below="{_path_in_app(endpoint)}", {members})(app)'
    return f"at_edge({members})"


def _path_in_app(endpoint: Endpoint) -> str:
    """Return the template as the outermost app declares it: without its root path."""
    return endpoint.template.removeprefix(signed_root_of(next(iter(endpoint.holders), None)))


def _is_marked_by_path(endpoint: Endpoint) -> bool:
    path = _path_in_app(endpoint)
    return path.startswith("/") and not path.endswith("/") and is_in_library(endpoint.source)
