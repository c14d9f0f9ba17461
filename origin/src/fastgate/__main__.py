"""The command line: `python -m fastgate policy|drift|doctor …`.

In: arguments. Out: text for people and pipes; exit code 0 where all is well, 1 where something was
found, 2 where the call was wrong or nothing was proved. It only hands over to the modules that
know.
"""

import argparse
import contextlib
import importlib
import inspect
import json
import sys
import time
from collections.abc import Callable, Sequence
from http.client import HTTPException
from pathlib import Path

from fastgate.compile.drift import drift, no_longer_needed, requests_in, routes_of
from fastgate.compile.former_routes import overlap_of
from fastgate.compile.ineffective.unserved import unserved
from fastgate.compile.policy import CannotCompile, RouteDocument, compile_routes
from fastgate.declare.recorded_calls import recording
from fastgate.doctor.examine import examine, published_keys
from fastgate.doctor.probe import Target
from fastgate.doctor.raw_http import split_address
from fastgate.doctor.report import Finding, as_json, as_line, as_table, exit_code
from fastgate.fake_edge.signing import SigningKey
from fastgate.middleware import FastgateMiddleware
from fastgate.routes.framework import root_path_of, routed_app
from fastgate.settings import Settings
from fastgate.verify import ES256, HS256

_SERVE = (
    "    → if what it is of is meant to be served, serve that very object, or declare it of what "
    "is; if that is not in use, all is well"
)


class WrongCall(Exception):
    """The command cannot be carried out as it was written; the message says why."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return the exit code."""
    options = _parser().parse_args(arguments)
    try:
        code: int = options.run(options)
    except CannotCompile as error:
        print(error)
        count = len(error.faults)
        print(f"{options.app}: {count} {'fault' if count == 1 else 'faults'}", file=sys.stderr)
        return 1
    except WrongCall as error:
        print(error, file=sys.stderr)
        return 2
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m fastgate", description=__doc__.split("\n")[0])
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    policy = commands.add_parser("policy", help="print the edge's route table of an app")
    policy.add_argument(
        "--base", type=Path, help="print this policy with the routes added, instead of them alone"
    )
    policy.set_defaults(run=_policy)

    compare = commands.add_parser("drift", help="compare an app with the policy of its edge")
    compare.add_argument(
        "--strict",
        action="store_true",
        help="count what the edge alone has (limits, groups, …) as a difference, too",
    )
    compare.set_defaults(run=_drift)

    prove = commands.add_parser(
        "doctor", help="fire forged requests at a running origin; say which were let in"
    )
    prove.set_defaults(run=_doctor)
    prove.add_argument("--origin", required=True, help="the origin's own URL, past the edge")
    prove.add_argument("--edge", required=True, help="the edge's URL, where its keys are published")
    prove.add_argument("--issuer", help="the edge's name in its policy; by default --edge")
    prove.add_argument("--audience", required=True, help="the origin's name: its Settings.audience")
    prove.add_argument("--path", default="/", help="a path that needs no more than a good header")
    prove.add_argument(
        "--edge-path", help="a path that the edge lets everybody reach; by default --path"
    )
    prove.add_argument("--template", help="the route of that path; by default the path itself")
    prove.add_argument(
        "--signing-keys",
        type=Path,
        help="the private keys of a TEST edge: then each check is tested by itself",
    )
    prove.add_argument(
        "--algorithm",
        choices=(ES256, HS256),
        default=ES256,
        help="by which the edge signs for this origin: origins.<name>.algorithm of the policy",
    )
    prove.add_argument("--method", default="GET", help="the method for --path")
    prove.add_argument("--route", help="the route's id in the policy, if the origin is strict")
    prove.add_argument(
        "--signed-body", help="a body for --path, if the route is reached with a signed one only"
    )
    prove.add_argument(
        "--every", type=float, metavar="SECONDS", help="repeat; print a line of JSON for each run"
    )
    prove.add_argument(
        "--keep-going", action="store_true", help="with --every: do not end at the first hole"
    )
    prove.add_argument("--direct", action="append", default=[], help="another address to try")
    prove.add_argument(
        "--expect-unreachable",
        action="store_true",
        help="the origin must not be reachable from here (a firewall); that is then the proof",
    )
    prove.add_argument("--json", action="store_true", help="print the findings as JSON")

    for command in (policy, compare):
        command.add_argument("app", help='where the app is, as for uvicorn: "package.module:app"')
        command.add_argument("--app-dir", default=".", help="where to look for the package")
        command.add_argument(
            "--factory",
            action="store_true",
            help="what is named there makes the app; a function without arguments is taken to",
        )
        command.add_argument("--origin", help='the app\'s name under "origins" of the policy')
    compare.add_argument("policy", type=Path, help="the edge's policy.json")
    return parser


def _policy(options: argparse.Namespace) -> int:
    base = {} if options.base is None else _document(options.base)
    app = _loaded(options)
    routes = compile_routes(app, options.origin, rules=_rules_of(base))
    if options.base is not None and "routes" in base:
        kept = _kept(_routes_of(base, options.base, None), routes)
        routes = [*kept, *routes]
    print(_written(base, routes))
    return 0


def _kept(based: Sequence[RouteDocument], compiled: Sequence[RouteDocument]) -> list[RouteDocument]:
    """Return the routes of a base that are none of those that are compiled now.

    Those have the same origin, and the same id or the same requests.
    """
    ids = {(route.get("origin"), route["id"]) for route in compiled}
    requests = {(route.get("origin"), each) for route in compiled for each in requests_in([route])}
    return [
        route
        for route in based
        if (route.get("origin"), route.get("id")) not in ids
        and requests.isdisjoint((route.get("origin"), each) for each in requests_in([route]))
    ]


def _drift(options: argparse.Namespace) -> int:
    policy = _document(options.policy)
    edge = _routes_of(policy, options.policy, options.origin)
    app = _loaded(options)
    ours = compile_routes(app, options.origin, rules=_rules_of(policy))
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
    """Whether the app compares ids; True where nothing says that it does not."""
    for layer in getattr(app, "user_middleware", ()):
        if layer.cls is FastgateMiddleware and isinstance(layer.kwargs.get("settings"), Settings):
            strict: bool = layer.kwargs["settings"].strict
            return strict
    return True


def _doctor(options: argparse.Namespace) -> int:
    if options.every is None:
        found = _examined(options)
        print(as_json(found) if options.json else as_table(found))
        return exit_code(found)
    if options.every <= 0:
        raise WrongCall("--every: a time is more than no seconds")
    while True:
        began = time.time()
        try:
            found = _examined(options)
        except WrongCall as error:
            if not options.keep_going:
                raise
            print(as_line(began, [], str(error)), flush=True)
        else:
            print(as_line(began, found), flush=True)
            if not options.keep_going and (code := exit_code(found)) != 0:
                return code
        _wait(max(0.0, options.every - (time.time() - began)))


def _examined(options: argparse.Namespace) -> list[Finding]:
    key = None
    if options.signing_keys is not None:
        keys = _document(options.signing_keys).get("keys")
        try:
            key = SigningKey.of_jwk(keys[0] if isinstance(keys, list) and keys else {})
        except ValueError as error:
            raise WrongCall(f"{options.signing_keys}: {error}") from error
    try:
        for address in (options.origin, options.edge, *options.direct):
            split_address(address)
    except ValueError as error:
        raise WrongCall(str(error)) from error
    try:
        target = Target(
            issuer=options.issuer or options.edge.rstrip("/"),
            audience=options.audience,
            path=options.path,
            template=options.template or options.path,
            jwks=published_keys(options.edge),
            key=key,
            algorithm=options.algorithm,
            method=options.method,
            route=options.route,
            body=None if options.signed_body is None else options.signed_body.encode(),
        )
        return examine(
            options.origin,
            target,
            edge=options.edge,
            edge_path=options.edge_path,
            direct=options.direct,
            expect_unreachable=options.expect_unreachable,
        )
    except (OSError, ValueError, HTTPException) as error:
        raise WrongCall(f"no answer from the edge: {error}") from error


def _wait(seconds: float) -> None:
    time.sleep(seconds)


def _loaded(options: argparse.Namespace) -> object:
    # What an app prints when it is imported or made belongs to no policy.json.
    with contextlib.redirect_stdout(sys.stderr), recording() as calls:
        app = _imported(options)
    if declarations := unserved(app, calls):
        print(*declarations, _SERVE, sep="\n", file=sys.stderr)
    return app


def _imported(options: argparse.Namespace) -> object:
    module, _, name = options.app.partition(":")
    sys.path.insert(0, str(Path(options.app_dir).resolve()))
    try:
        found: object = importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or not module.startswith(error.name):
            raise  # a fault inside of the app: its traceback says more
        raise WrongCall(f"{error}; is --app-dir right?") from error
    for attribute in (name or "app").split("."):
        if not hasattr(found, attribute):
            raise WrongCall(f'there is no "{attribute}" in {module}')
        found = getattr(found, attribute)
    if options.factory or (inspect.isfunction(found) and not _asks_for_arguments(found)):
        if not callable(found):
            raise WrongCall(f"{options.app} is no factory: it cannot be called")
        found = found()
    if routed_app(found) is None:
        raise WrongCall(f"{options.app} is neither a FastAPI nor a Starlette app")
    return found


def _asks_for_arguments(function: Callable[..., object]) -> bool:
    try:
        inspect.signature(function).bind()
    except TypeError:
        return True
    return False


def _document(path: Path) -> dict[str, object]:
    try:
        document = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise WrongCall(f"{path}: {error}") from error
    if not isinstance(document, dict):
        raise WrongCall(f"{path}: is not a JSON object")
    return document


def _rules_of(document: dict[str, object]) -> dict[str, object]:
    rules = document.get("rules", {})
    return rules if isinstance(rules, dict) else {}  # anything else the edge refuses


def _routes_of(document: dict[str, object], path: Path, origin: str | None) -> list[RouteDocument]:
    try:
        return routes_of(document, origin)
    except ValueError as error:
        raise WrongCall(f"{path}: {error}") from error


def _written(base: dict[str, object], routes: Sequence[RouteDocument]) -> str:
    """Write a policy with one line for each route, so that a change is a change of one line."""
    members = {name: value for name, value in base.items() if name != "routes"}
    head = json.dumps(members, indent=2, ensure_ascii=False)[1:-1].rstrip()
    lines = ",\n".join(f"    {json.dumps(route, ensure_ascii=False)}" for route in routes)
    return f'{{{head}{"," if members else ""}\n  "routes": [\n{lines}\n  ]\n}}'


if __name__ == "__main__":
    sys.exit(main())
