"""The commands `policy` and `drift`: the route table of an app, and how it differs from its edge's.

Input: the arguments of the command line. Output: text on standard output, and the exit code.
"""

import argparse
import json
from collections.abc import Sequence

from fastgate.commands.load import app_of, document_at, policy_routes, rules_of
from fastgate.compile.drift import drift, no_longer_needed, requests_in
from fastgate.compile.former_routes import overlap_of
from fastgate.compile.policy import RouteDocument, compile_routes
from fastgate.middleware import FastgateMiddleware
from fastgate.routes.framework import root_path_of, routed_app
from fastgate.settings import Settings


def print_policy(options: argparse.Namespace) -> int:
    """Print the route table of an app, or a base policy with these routes. Return exit code 0."""
    base = {} if options.base is None else document_at(options.base)
    app = app_of(options)
    routes = compile_routes(app, options.origin, rules=rules_of(base))
    if options.base is not None and "routes" in base:
        kept = _kept(policy_routes(base, options.base, None), routes)
        routes = [*kept, *routes]
    print(_written(base, routes))
    return 0


def _kept(based: Sequence[RouteDocument], compiled: Sequence[RouteDocument]) -> list[RouteDocument]:
    """Return the routes of a base policy without those that were compiled now.

    A compiled route replaces one of the same origin with the same id or the same requests.
    """
    ids = {(route.get("origin"), route["id"]) for route in compiled}
    requests = {(route.get("origin"), each) for route in compiled for each in requests_in([route])}
    return [
        route
        for route in based
        if (route.get("origin"), route.get("id")) not in ids
        and requests.isdisjoint((route.get("origin"), each) for each in requests_in([route]))
    ]


def print_drift(options: argparse.Namespace) -> int:
    """Print the differences between an app and a policy. Return 1 if there are any, else 0."""
    policy = document_at(options.policy)
    edge = policy_routes(policy, options.policy, options.origin)
    app = app_of(options)
    ours = compile_routes(app, options.origin, rules=rules_of(policy))
    former = overlap_of(app).at_edge
    root_path = root_path_of(routed_app(app))
    lines = drift(
        ours,
        edge,
        everything=options.strict,
        ids=_is_strict(app),
        former=former,
        root_path=root_path,
    )
    for line in (*lines, *no_longer_needed(ours, edge, former, root_path)):
        print(line)
    count = f"{len(lines)} {'difference' if len(lines) == 1 else 'differences'}"
    print(f"{options.app} and {options.policy}: {count if lines else 'no difference'}")
    return 1 if lines else 0


def _is_strict(app: object) -> bool:
    """Whether the app compares ids; True if its settings cannot be found."""
    for layer in getattr(app, "user_middleware", ()):
        if layer.cls is FastgateMiddleware and isinstance(layer.kwargs.get("settings"), Settings):
            strict: bool = layer.kwargs["settings"].strict
            return strict
    return True


def _written(base: dict[str, object], routes: Sequence[RouteDocument]) -> str:
    """Write a policy with one line for each route, so that a change is a change of one line."""
    members = {name: value for name, value in base.items() if name != "routes"}
    head = json.dumps(members, indent=2, ensure_ascii=False)[1:-1].rstrip()
    lines = ",\n".join(f"    {json.dumps(route, ensure_ascii=False)}" for route in routes)
    return f'{{{head}{"," if members else ""}\n  "routes": [\n{lines}\n  ]\n}}'
