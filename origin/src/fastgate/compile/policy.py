"""Compile an app into the edge's route table.

In: an app. Out: the `routes` of the edge's policy, one for each endpoint, or `CannotCompile` with
everything that stands in the way: endpoints that say nothing of their callers, and routes that the
edge would judge by another rule than the one the app would run. It only reads declarations.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

from fastgate.compile.cache import caching
from fastgate.compile.caller_faults import caller_faults, lessened_faults
from fastgate.compile.callers.parameters import undefined_in
from fastgate.compile.disagreements import disagreements, misled_rewrites
from fastgate.compile.endpoints.listing import Endpoint, Kind, endpoints
from fastgate.compile.endpoints.route_ids import (
    access_of,
    ids_of,
    members_of,
    methods_of,
    named,
    requests_of,
)
from fastgate.compile.former_routes import overlap_between
from fastgate.compile.ineffective.overruled import overruled
from fastgate.compile.ineffective.unread import unread
from fastgate.compile.path_comparisons import misread_parameters
from fastgate.declare.at_edge import (
    METHODS,
    OPAQUE,
    OWN_MEMBERS,
    PREFIX,
    misspelt,
)
from fastgate.declare.openapi_extra import misread_extra
from fastgate.path_template import Template, TemplateRefused, comparable
from fastgate.routes.framework import root_path_of, routed_app
from fastgate.routes.route_names import UNNAMED

RouteDocument = dict[str, object]
"""One entry of `routes` in the policy: `RouteDocument` in src/policy/document.rs."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing in the app that the edge could not enforce, and what to do about it."""

    endpoint: Endpoint
    what: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.endpoint}\n    {self.what}\n    → {self.remedy}"


class CannotCompile(ValueError):
    """The app has no route table. Prints as one paragraph for each fault."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__("\n".join(str(fault) for fault in faults))
        self.faults = tuple(faults)


_NO_RULES: Mapping[str, object] = {}


def compile_routes(
    app: object, origin: str | None = None, *, rules: Mapping[str, object] = _NO_RULES
) -> list[RouteDocument]:
    """Return the edge's routes for everything that `app` serves, in the app's own order.

    Args:
        app: a FastAPI or Starlette app; middleware around it does not matter, and is not marked.
        origin: the name of this app under `origins` of the policy; needed where there are several.
        rules: the `rules` of the policy that the routes are for, so that what `{"rule": "…"}` asks
            of a path parameter is known here, too.

    Raises:
        CannotCompile: with every fault.

    """
    with caching():
        compiled = _compiled(app, rules, for_the_edge=True)
    return [_document(endpoint, name, origin) for name, endpoint in compiled]


def route_ids(app: object) -> dict[tuple[str, str], str]:
    """Return the id of each route of `app` by method and `comparable` template.

    The method of a WebSocket is `WEBSOCKET`: its path may have a GET, too.

    Raises:
        CannotCompile: with every fault.

    """
    with caching():
        compiled = _compiled(app)
    return {
        (method, comparable(endpoint.template)): name
        for name, endpoint in compiled
        for method in requests_of(endpoint)
    }


def _compiled(
    app: object, rules: Mapping[str, object] = _NO_RULES, *, for_the_edge: bool = False
) -> list[tuple[str, Endpoint]]:
    everything = list(endpoints(app))
    found = [endpoint for endpoint in everything if access_of(endpoint) != UNNAMED]
    served = named(found)
    faults = [fault for endpoint in served for fault in _faults_of(endpoint, rules)]
    if for_the_edge:  # what tests override does not stop the app that they start
        faults += [
            Fault(endpoint, each.what, each.remedy)
            for endpoint in served
            for each in lessened_faults(endpoint)
        ]
    faults += [
        Fault(endpoint, "is said of a path at which nothing is served", "write the path that is")
        for endpoint in found
        if endpoint.kind is Kind.NOTHING
    ]
    faults += [
        Fault(
            endpoint,
            f'has the root_path "{endpoint.root_path}", which moves its routes: Starlette takes '
            "that off the path in place of the mount",
            "leave root_path to the outermost app or the server; a mounted app gets the right one",
        )
        for endpoint in found
        if endpoint.root_path
    ]
    faults += [
        Fault(each.endpoint, each.what, each.remedy)
        for each in unread(app, everything)
        if access_of(each.endpoint) != UNNAMED
    ]
    faults += [Fault(*each) for each in disagreements(everything)]
    ids = ids_of(served)
    faults += _id_faults(served, ids)
    root_path = root_path_of(routed_app(app))
    faults += [Fault(*each) for each in misled_rewrites(everything, root_path)]
    misleading = overlap_between(served, ids).misleading
    faults += [Fault(each.endpoint, each.what, each.remedy) for each in misleading]
    if faults:
        raise CannotCompile(faults)
    return list(zip(ids, served, strict=True))


def _document(endpoint: Endpoint, route_id: str, origin: str | None) -> RouteDocument:
    document: RouteDocument = {
        "id": route_id,
        "path": endpoint.template,
        "methods": methods_of(endpoint),
        "access": access_of(endpoint),
    }
    if origin is not None:
        document["origin"] = origin
    if endpoint.kind is Kind.WEBSOCKET:
        document["websocket"] = True
    own: RouteDocument = {"id": route_id, "methods": document["methods"]}
    members = members_of(endpoint)
    if isinstance(prefix := members.pop(PREFIX, None), str):
        own |= {"path": prefix + endpoint.template, "rewrite": {"strip_prefix": prefix}}
    return {**document, **members, **own}


# One endpoint by itself.


def _faults_of(endpoint: Endpoint, rules: Mapping[str, object]) -> Iterator[Fault]:
    if endpoint.kind is Kind.AGAIN:
        yield Fault(
            endpoint,
            "leads, by its attribute app, to an app that it is mounted in, whose routes would have "
            "no end",
            "keep that app by another name than app; or say that this is one app by itself: "
            "at_edge(opaque=True, access=…, methods=[…])",
        )
        return
    if endpoint.kind is Kind.UNKNOWN:
        yield Fault(
            endpoint,
            "is a kind of route that has no path template",
            "serve it by an endpoint or a mounted app: the edge judges paths, and hosts by itself",
        )
        return
    try:
        Template.parse(endpoint.template)
    except TemplateRefused as error:
        yield Fault(endpoint, f"its path is no template at the edge: {error}", error.remedy)
    for hidden in endpoint.hidden:
        yield Fault(
            hidden,
            f"declares what nobody reads: {endpoint} is declared as one opaque app",
            "remove that declaration, or opaque from the app's",
        )
    for part, names in overruled(endpoint):
        yield Fault(
            endpoint,
            f'takes what lies below "{part}", too, of which at_edge(below=…) says something else: '
            f"{', '.join(names)}",
            "mount or serve what is there by itself, before this; or mark the routers and apps "
            "that are meant, and not their path. What takes the rest of an app says itself who may "
            'call it: at_edge(access="…")',
        )
    yield from _member_faults(endpoint)
    yield from _path_faults(endpoint)
    yield from _method_faults(endpoint)
    for said in caller_faults(endpoint):
        yield Fault(endpoint, said.what, said.remedy)
    for parameter in dict.fromkeys(undefined_in(endpoint.tree)):
        yield Fault(
            endpoint,
            "has a parameter that FastAPI cannot read, because its type names what is not defined: "
            f"{parameter}",
            "import what it names for the running program, not under `if TYPE_CHECKING:` alone, "
            "and define it in the module, not in a function",
        )
    for misread in misread_parameters(endpoint, rules):
        yield Fault(endpoint, misread.what, misread.remedy)


def _member_faults(endpoint: Endpoint) -> Iterator[Fault]:
    for fault in chain(misspelt(endpoint.declared), misread_extra(endpoint.route)):
        yield Fault(endpoint, f"declares what the edge does not know: {fault}", "correct it there")
    if endpoint.declared.get(OPAQUE):
        yield Fault(
            endpoint,
            "is declared opaque, and is no mounted app",
            f"leave {OPAQUE} out: an endpoint is one route as it is",
        )
    for name in sorted(OWN_MEMBERS & endpoint.inherited.keys()):
        yield Fault(
            endpoint,
            f'inherits "{name}", which belongs to one route',
            f"say {name} at each endpoint, by at_edge({name}=…)",
        )


def _path_faults(endpoint: Endpoint) -> Iterator[Fault]:
    members = members_of(endpoint)
    rewrite = members.get("rewrite")
    if rewrite is not None and PREFIX in members:
        yield Fault(
            endpoint,
            "declares a prefix that the edge takes off, and a rewrite",
            "leave one of the two out",
        )
    stripped = rewrite.get("strip_prefix") if isinstance(rewrite, Mapping) else None
    if isinstance(stripped, str) and not endpoint.template.startswith(stripped + "/"):
        yield Fault(
            endpoint,
            f'declares a rewrite that strips "{stripped}", and its path does not begin with that',
            f'at_edge(prefix="{stripped}") if clients ask for "{stripped}{endpoint.template}"',
        )


def _method_faults(endpoint: Endpoint) -> Iterator[Fault]:
    if endpoint.methods is None:
        if not methods_of(endpoint):
            yield Fault(
                endpoint,
                "lets any method through, and the edge forwards none that is not named",
                'name them: at_edge(methods=["GET", "POST"])(…)',
            )
        return
    foreign = sorted(set(endpoint.methods) - set(METHODS))
    if foreign:
        yield Fault(endpoint, f"serves {', '.join(foreign)}", "the edge never forwards that")
    if not {"path", "methods"}.isdisjoint(endpoint.declared):
        yield Fault(
            endpoint,
            "declares a path or methods for the edge",
            "FastAPI knows both: leave them out of at_edge and x-fastgate",
        )


def _id_faults(served: Sequence[Endpoint], ids: Sequence[str]) -> Iterator[Fault]:
    first: dict[str, Endpoint] = {}
    for endpoint, name in zip(served, ids, strict=True):
        other = first.setdefault(name, endpoint)
        # Two of one template are a fault already: the second is never reached.
        if other is not endpoint and comparable(other.template) != comparable(endpoint.template):
            yield Fault(
                endpoint,
                f'has the id "{name}", and so has {other}: the edge takes an id once',
                "give one of the two another: at_edge(id=…)",
            )
