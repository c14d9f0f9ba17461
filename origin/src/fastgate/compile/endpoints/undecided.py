"""Find the dependencies of an endpoint that leave open who may call it.

Input: an `Endpoint`. Output: such dependencies, why they leave it open, and the names by which
`app_checks` of a mark names them. They are security schemes of FastAPI or of other libraries, and
functions that get scopes. None of the code is run.
"""

import json
from collections.abc import Iterable

from fastapi.params import Depends, Security

from fastgate.compile.callers.dependency_tree import Dependant, callers_required_by, flatten
from fastgate.compile.endpoints.endpoint import Endpoint
from fastgate.compile.endpoints.locations import name_of
from fastgate.compile.endpoints.route_ids import readers_of_tokens
from fastgate.declare.provenance import dependencies_of
from fastgate.declare.router_marks import RouterMark
from fastgate.declare.schemes import scheme_of
from fastgate.declare.static_access import attribute, is_a
from fastgate.requires import Requires
from fastgate.routes.framework import router_of


def undecided_names(endpoint: Endpoint) -> list[str]:
    """Return the names of the dependencies of an endpoint that leave open who may call it."""
    found = undecided_among(endpoint, top_dependencies(endpoint))
    return [*dict.fromkeys(name for each, _ in found for name in names_in(each))]


def opening(endpoint: Endpoint, access: object = "public") -> str:
    """Return the members of a mark that leaves all checks of an endpoint to the app.

    It names all of them, because a mark with other names would replace this one. A token arrives
    with `access="optional"`, and not with `"public"`.
    """
    opened = "optional" if readers_of_tokens(endpoint) else access
    schemes = [each.name for each in endpoint.callers.schemes]
    names = ", ".join(map(quoted, dict.fromkeys((*schemes, *undecided_names(endpoint)))))
    return f'access="{opened}"' + (f", app_checks=[{names}]" if names else "")


def undecided_among(endpoint: Endpoint, tops: Iterable[Dependant]) -> list[tuple[Dependant, str]]:
    """Return those of an endpoint's dependencies that leave open who may call it, each with why."""
    around = [each for it in (*surroundings(endpoint), endpoint.route) for each in written_on(it)]
    securities = {id(each.dependency) for each in around if isinstance(each, Security)}
    found = [(each, _why_undecided(each, is_security=id(each.call) in securities)) for each in tops]
    return [(each, why) for each, why in found if why]


def top_dependencies(endpoint: Endpoint) -> list[Dependant]:
    """Return the dependencies of an endpoint, without those below them."""
    run = () if endpoint.tree is None else endpoint.tree.dependencies
    return [each for each in run if not is_a(each.call, RouterMark)]


def surroundings(endpoint: Endpoint) -> list[object]:
    """Return the routers, inclusions and apps around an endpoint, the nearest first."""
    holders = (each for it in endpoint.holders for each in (it, router_of(it)))
    return [*reversed((*holders, *endpoint.routers))]


def written_on(around: object) -> list[Depends]:
    """Return the dependencies that a router or app lists, or `include_router(…)`."""
    inclusion = attribute(around, "include_context")
    return dependencies_of(around if inclusion is None else inclusion)


def names_in(top: Dependant) -> list[str]:
    """Return the names by which `app_checks` of a mark names a dependency: those of its schemes."""
    schemes = [scheme_of(each.call) for each in (top, *flatten(top))]
    return [each.name for each in schemes if each is not None] or [name_of(top.call)]


def own_name(call: object) -> str:
    """Return the name by which `app_checks` of a mark names one dependency, without those below."""
    scheme = scheme_of(call)
    return name_of(call) if scheme is None else scheme.name


def quoted(name: str) -> str:
    """Return a name as it is written in a mark."""
    return json.dumps(name, ensure_ascii=False)


def _why_undecided(top: Dependant, *, is_security: bool) -> str:
    """Return what a dependency of a router says about callers; empty if it says nothing."""
    parts = (top, *flatten(top))
    required = callers_required_by(parts)
    if required.own or required.anybody:
        return ""  # it is Fastgate's own, and other faults are about it
    schemes = [scheme for each in parts if (scheme := scheme_of(each.call)) is not None]
    if any(each.requires_token for each in schemes):
        return "requires a token"
    if schemes:
        return f"leaves open who may call: {schemes[0].shown} {schemes[0].undecided}"
    # A `requires(…)` that comes here is about a region, which an open access leaves in force.
    others = [each for each in parts if not is_a(each.call, Requires)]
    gets_scopes = any(each.security_scopes_param_name is not None for each in others)
    if is_security or gets_scopes or any(each.own_oauth_scopes for each in parts):
        return "may refuse callers, as Security(…) says, in a way that the edge does not know"
    return ""
