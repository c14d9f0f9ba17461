"""The command `doctor`: send forged requests to a running origin and print what was let in.

Input: the arguments of the command line. Output: a table or JSON on standard output, and the exit
code: 0 if nothing was let in, 1 if something was, 2 if nothing was proved.
"""

import argparse
import time
from http.client import HTTPException
from pathlib import Path

from fastgate.doctor.examine import examine, published_keys
from fastgate.doctor.probe import Target
from fastgate.doctor.raw_http import split_address
from fastgate.doctor.report import Finding, as_json, as_line, as_table, exit_code
from fastgate.errors import JwksRefused
from fastgate.fake_edge.signing import EdgeKeys
from fastgate.json_documents import document_at
from fastgate.keys.jwks import ExchangeKey, read_exchange_key
from fastgate.wrong_call import WrongCall


def run_doctor(options: argparse.Namespace) -> int:
    """Examine the origin once, or again and again with `--every`. Return the exit code."""
    if options.every is None:
        found = _examined(options)
        print(as_json(found) if options.json else as_table(found))
        return exit_code(found)
    if options.every <= 0:
        raise WrongCall("--every: write a number of seconds greater than 0")
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
    keys = None if options.signing_keys is None else _edge_keys(options.signing_keys)
    origin_key = None if options.origin_key is None else _origin_key(options.origin_key)
    if origin_key is not None and keys is not None and keys.exchange is None:
        raise WrongCall(f"{options.signing_keys}: holds no key on X25519, so it signs no MAC")
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
            keys=keys,
            origin_key=origin_key,
            backend_host=options.backend_host,
            region=options.region,
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
        raise WrongCall(f"no response from the edge: {error}; check --edge") from error


def _edge_keys(file: Path) -> EdgeKeys:
    try:
        return EdgeKeys.of_jwks(document_at(file))
    except (ValueError, JwksRefused) as error:
        reason = error.reason if isinstance(error, JwksRefused) else error
        raise WrongCall(f"{file}: {reason}; pass the edge's secret signing-keys") from error


def _origin_key(file: Path) -> ExchangeKey:
    try:
        return read_exchange_key(document_at(file))
    except JwksRefused as error:
        advice = "pass the public key: origins.<name>.key of the policy"
        raise WrongCall(f"{file}: {error.reason}; {advice}") from error


def _wait(seconds: float) -> None:
    time.sleep(seconds)
