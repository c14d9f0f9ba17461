"""The command line: `fastgate COMMAND …`.

Input: arguments. Output: text for people and pipes, and the exit code: 0 if all is well, 1 if
something was found, 2 if the call was wrong or nothing was proved. The commands are in `commands`;
those of the program in Rust get their arguments as they are.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from fastgate.commands.dev import run_dev
from fastgate.commands.doctor import run_doctor
from fastgate.commands.init import copy_guest, run_init
from fastgate.commands.origin_key import print_new_key, print_public_key
from fastgate.commands.policy import print_drift, print_policy
from fastgate.commands.token import print_token
from fastgate.commands.tool import COMMANDS, LOCAL_EDGE, run_local_edge, run_tool
from fastgate.compile.policy import CannotCompile
from fastgate.wrong_call import Failed, WrongCall

_STAGE = (
    "the values of a stage, a JSON object: ${NAME} in a text of the policy becomes its member "
    "NAME, or the environment variable FASTGATE_STAGE_NAME"
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return the exit code."""
    given = sys.argv[1:] if arguments is None else list(arguments)
    try:
        if given and given[0] in COMMANDS:
            return run_tool(given)
        if given and given[0] == LOCAL_EDGE:
            return run_local_edge(given[1:])
        options = _options(given)
        code: int = options.run(options)
        sys.stdout.flush()
    except BrokenPipeError:  # `| head`: nobody reads on
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except CannotCompile as error:
        print(error)
        count = len(error.faults)
        print(f"{options.app}: {count} {'fault' if count == 1 else 'faults'}", file=sys.stderr)
        return 1
    except Failed as error:
        print(error, file=sys.stderr)
        return 1
    except WrongCall as error:
        print(error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130  # as a shell reports it
    return code


def _options(given: Sequence[str]) -> argparse.Namespace:
    parser = _parser()
    options, left = parser.parse_known_args(given)
    if options.run is print_drift:
        # argparse cannot tell of one name whether the other follows after an option.
        names = [name for name in (options.app, options.policy, *left) if name is not None]
        if not 1 <= len(names) <= 2 or any(name.startswith("-") for name in names):
            parser.error("drift takes the path of a policy, and before it the app: [APP] POLICY")
        options.app, options.policy = (names[0] if len(names) > 1 else None), Path(names[-1])
    elif left:
        parser.error(f"unrecognized arguments: {' '.join(left)}")
    return options


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="fastgate",
        description="Fastgate: an identity-aware gate for FastAPI on Fastly Compute.",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    dev = commands.add_parser(
        "dev", help="run an app on this machine, with the edge in front of it and a provider"
    )
    dev.add_argument(
        "app",
        nargs="?",
        help='the app: "package.module:app" or the path of its file; by default as for fastapi dev',
    )
    dev.add_argument(
        "--app-dir", type=Path, default=Path(), dest="folder", help="the folder of the app"
    )
    dev.add_argument(
        "--base",
        type=Path,
        help="the policy without routes; by default edge/policy.base.json, if there is one",
    )
    dev.add_argument("--origin", help='the app\'s name under "origins" of the policy')
    dev.add_argument("--stage", type=Path, metavar="FILE", help=_STAGE)
    dev.add_argument("--port", type=int, default=7676, help="the port of the edge and its page")
    dev.add_argument("--app-port", type=int, default=8000, help="the port of the app itself")
    dev.add_argument("--provider-port", type=int, default=9080, help="the port of the provider")
    dev.set_defaults(run=run_dev)

    token = commands.add_parser(
        "token", help="print an access token of the provider that `fastgate dev` runs"
    )
    token.add_argument("subject", help="the caller: any name")
    token.add_argument("scopes", nargs="*", default=[], help="the scopes of the token")
    token.add_argument("--role", action="append", help="a role; may be repeated")
    token.add_argument("--group", action="append", help="a group; may be repeated")
    token.add_argument("--tenant", help="the caller's tenant")
    token.add_argument("--claims", help='further claims, as JSON: {"plan": "team"}')
    token.add_argument("--expires-in", type=int, metavar="SECONDS", help="how long it is valid")
    token.add_argument("--issuer", help="the issuer's id in the policy; by default the first one")
    token.add_argument(
        "--provider", default="http://127.0.0.1:9080", help="the address of the provider"
    )
    token.set_defaults(run=print_token)

    policy = commands.add_parser("policy", help="print the edge's route table of an app")
    policy.add_argument(
        "--base",
        type=Path,
        help="print this policy with the routes added, instead of only the routes",
    )
    policy.set_defaults(run=print_policy)

    compare = commands.add_parser("drift", help="compare an app with the policy of its edge")
    compare.add_argument(
        "--strict",
        action="store_true",
        help="also report settings that only the edge has (limits, groups, …)",
    )
    compare.set_defaults(run=print_drift)

    prove = commands.add_parser(
        "doctor", help="send forged requests to a running origin; report which were let in"
    )
    prove.set_defaults(run=run_doctor)
    prove.add_argument(
        "--origin", required=True, help="the URL of the origin itself, not of the edge"
    )
    prove.add_argument(
        "--edge", required=True, help="the URL of the edge, which publishes its keys there"
    )
    prove.add_argument(
        "--issuer", help="the edge's name, edge.issuer of the policy; default: --edge"
    )
    prove.add_argument("--audience", required=True, help="Settings.audience of the origin")
    prove.add_argument("--path", default="/", help="a path that needs nothing but a valid header")
    prove.add_argument(
        "--edge-path", help="a path that the edge opens to every caller; default: --path"
    )
    prove.add_argument(
        "--template", help="the path template of the route of --path; default: --path"
    )
    prove.add_argument(
        "--signing-keys",
        type=Path,
        help="the private keys of a TEST edge, so that each check is tested separately",
    )
    prove.add_argument(
        "--origin-key",
        type=Path,
        help="the public key of the origin, origins.<name>.key of the policy, if it has one",
    )
    prove.add_argument(
        "--backend-host", help="Settings.backend_host of the origin, if the backend overrides Host"
    )
    prove.add_argument("--region", help="Settings.region of the origin, if it runs in one only")
    prove.add_argument("--method", default="GET", help="the method for --path")
    prove.add_argument("--route", help="the route's id in the policy, if the origin is strict")
    prove.add_argument(
        "--signed-body", help="a body for --path, if its route requires a signed body"
    )
    prove.add_argument(
        "--every",
        type=float,
        metavar="SECONDS",
        help="repeat, and print one line of JSON for each run",
    )
    prove.add_argument(
        "--keep-going",
        action="store_true",
        help="with --every: continue after a request was let in",
    )
    prove.add_argument(
        "--direct", action="append", default=[], help="another address of the origin to test"
    )
    prove.add_argument(
        "--expect-unreachable",
        action="store_true",
        help="prove that the origin is not reachable from here (a firewall)",
    )
    prove.add_argument("--json", action="store_true", help="print the findings as JSON")

    own = commands.add_parser(
        "origin-key", help="make the key of an origin whose headers are signed by a MAC (HS256)"
    ).add_subparsers(required=True, metavar="ACTION")
    own.add_parser(
        "new", help="print a new private key; on standard error its public key, for the policy"
    ).set_defaults(run=print_new_key)
    own.add_parser(
        "public", help="read a private key on standard input and print its public key"
    ).set_defaults(run=print_public_key)

    start = commands.add_parser(
        "init", help="write what the service in front of an app needs: edge/ and a CI workflow"
    )
    start.set_defaults(run=run_init)
    start.add_argument("--issuer", metavar="URL", help="the issuer, as `iss` of tokens has it")
    start.add_argument("--preset", metavar="NAME", help="the product at --issuer; see issuers.md")
    start.add_argument("--auth0", metavar="DOMAIN", help="an Auth0 account: example.eu.auth0.com")
    start.add_argument(
        "--okta", metavar="DOMAIN", help="an Okta account: example.okta.com[/oauth2/SERVER]"
    )
    start.add_argument("--entra", metavar="TENANT", help="the id of a tenant of Entra ID")
    start.add_argument("--audience", metavar="TEXT", help="the audience of tokens for this API")
    start.add_argument("--host", help="the host that clients name: api.example.com")
    start.add_argument("--origin-host", metavar="HOST", help="the host on which the app runs")
    start.add_argument("--stage", type=Path, metavar="FILE", help=_STAGE)
    start.add_argument("--dry-run", action="store_true", help="show the files, and write none")

    copy = commands.add_parser("guest", help="copy the guest, the program for Fastly Compute")
    copy.add_argument("path", type=Path, help="the path of the copy: bin/main.wasm")
    copy.set_defaults(run=copy_guest)

    commands.add_parser(
        LOCAL_EDGE, help="run the local edge with a manifest of your own: --config fastly.toml"
    )
    for name, about in COMMANDS.items():
        commands.add_parser(name, help=about)

    for command in (policy, compare, start):
        command.add_argument(
            "app",
            nargs="?",
            help='the app, as for uvicorn: "package.module:app", or the path of its file; '
            "default: the app that `fastapi dev` would run",
        )
        command.add_argument("--app-dir", default=".", help="the directory of the package")
        command.add_argument(
            "--factory",
            action="store_true",
            help="the name refers to a function that returns the app "
            "(the default if it requires no arguments)",
        )
    for command in (policy, compare):
        command.add_argument("--origin", help='the app\'s name under "origins" of the policy')
    compare.add_argument("policy", nargs="?", help="the edge's policy.json")
    return parser


if __name__ == "__main__":
    sys.exit(main())
