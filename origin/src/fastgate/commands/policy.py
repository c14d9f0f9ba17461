"""The commands `policy` and `drift`: the route table of an app, and how it differs from its edge's.

Input: the arguments of the command line. Output: text on standard output, and the exit code.
"""

import argparse
import json
import sys
from collections.abc import Sequence

from fastgate.commands.edge_routes import has_origin
from fastgate.commands.load import app_of, policy_routes
from fastgate.compile.drift import drift, no_longer_needed, requests_in
from fastgate.compile.former_routes import overlap_of
from fastgate.compile.policy import RouteDocument, compile_routes
from fastgate.guard_settings import (
    audience_differences,
    cors_hints,
    edge_hints,
    settings_of,
    token_hints,
)
from fastgate.json_documents import document_at, rules_of
from fastgate.routes.framework import root_path_of, routed_app


def print_policy(options: argparse.Namespace) -> int:
    """Print the route table of an app, or a base policy with these routes.

    Return 0; or 1 without a table, if no origin of the base has the audience of the app.
    """
    base = {} if options.base is None else document_at(options.base)
    app = app_of(options)
    routes = compile_routes(app, options.origin, rules=rules_of(base))
    settings = settings_of(app)
    hints = (*edge_hints(settings, base), *token_hints(routes, options.origin))
    print_hints((*hints, *cors_hints(app, base)))
    if faults := audience_differences(settings, base, options.origin, options.base):
        print(*faults, sep="\n")
        print(f"{options.app}: 1 fault", file=sys.stderr)
        return 1
    if options.base is not None and "routes" in base:
        kept = kept_routes(policy_routes(base, options.base, None), routes)
        routes = [*kept, *routes]
    print(written(base, routes))
    return 0


def print_hints(hints: Sequence[str]) -> None:
    """Print hints where they are no part of the output."""
    for hint in hints:
        print(hint, file=sys.stderr)


def kept_routes(
    based: Sequence[RouteDocument], compiled: Sequence[RouteDocument]
) -> list[RouteDocument]:
    """Return the routes of a base policy without those that were compiled now.

    A compiled route replaces one of the same origin with the same id or the same requests. It
    replaces no route to which the edge responds itself.
    """
    ids = {(route.get("origin"), route["id"]) for route in compiled}
    requests = {(route.get("origin"), each) for route in compiled for each in requests_in([route])}
    return [
        route
        for route in based
        if not has_origin(route)
        or (
            (route.get("origin"), route.get("id")) not in ids
            and requests.isdisjoint((route.get("origin"), each) for each in requests_in([route]))
        )
    ]


def print_drift(options: argparse.Namespace) -> int:
    """Print the differences between an app and a policy. Return 1 if there are any, else 0."""
    policy = document_at(options.policy)
    routes = policy_routes(policy, options.policy, options.origin)
    edge = [route for route in routes if has_origin(route)]
    app = app_of(options)
    ours = compile_routes(app, options.origin, rules=rules_of(policy))
    former = overlap_of(app).at_edge
    settings = settings_of(app)
    root_path = root_path_of(routed_app(app))
    lines = drift(
        ours,
        edge,
        everything=options.strict,
        ids=settings is None or settings.strict,
        former=former,
        root_path=root_path,
        rules=rules_of(policy),
    )
    different = audience_differences(settings, policy, options.origin, options.policy)
    lines = [*different, *lines]
    print_hints(edge_hints(settings, policy))
    for line in (*lines, *no_longer_needed(ours, edge, former, root_path)):
        print(line)
    count = f"{len(lines)} {'difference' if len(lines) == 1 else 'differences'}"
    print(f"{options.app} and {options.policy}: {count if lines else 'no difference'}")
    return 1 if lines else 0


def written(base: dict[str, object], routes: Sequence[RouteDocument]) -> str:
    """Write a policy with one line for each route, so that a change is a change of one line."""
    members = {name: value for name, value in base.items() if name != "routes"}
    head = json.dumps(members, indent=2, ensure_ascii=False)[1:-1].rstrip()
    lines = ",\n".join(f"    {json.dumps(route, ensure_ascii=False)}" for route in routes)
    return f'{{{head}{"," if members else ""}\n  "routes": [\n{lines}\n  ]\n}}'
