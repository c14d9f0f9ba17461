"""Measure the cost of the guard, compared with checking the provider's token in the app.

    python origin/bench/verification.py [--rounds N] [--json]

There are five apps with one endpoint each: one checks nothing; two are behind the guard, one for
each signature of the contract; and two check an RS256 access token with PyJWT in an async
dependency, one with the key at hand, and one with PyJWKClient and its cached key set. There is no
network. The apps without a guard run in a process that does not import fastgate. The five take
turns, so that a busy machine slows all alike.
The output is processor time of the event loop's thread: medians over rounds, in microseconds per
request; the difference to the bare app; and ratios, each the median over the rounds. With --json
it is one document, which `make bench` reads.
"""

import argparse
import asyncio
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from fastapi import FastAPI
from plain_apps import AUDIENCE, HOST, PATH, REQUESTS, batch, requests_to

from fastgate import Caller, Settings, guard
from fastgate.fake_edge.signing import EdgeExchangeKey, SigningKey, contract, identity_claims
from fastgate.keys.key_set import KeySet, read_key_set
from fastgate.keys.origin import OriginKeys, PrivateKey
from fastgate.local_rules import LocalCaller
from fastgate.verify import RequestHead, verify

ISSUER = "https://edge.example"
ROUNDS = 30


def main() -> None:
    """Measure, and print a table or a JSON document."""
    arguments = argparse.ArgumentParser(description="Measure the cost of the guard.")
    arguments.add_argument("--rounds", type=int, default=ROUNDS)
    arguments.add_argument("--json", action="store_true")
    options = arguments.parse_args()
    took, alone = measurements(options.rounds)
    if options.json:
        print(json.dumps(as_document(took, alone, options.rounds)))
    else:
        print_table(took, alone, options.rounds)


def measurements(rounds: int) -> tuple[dict[str, list[float]], dict[str, float]]:
    """Return microseconds per request for each app and round, and for `verify` alone."""
    signing, exchange = SigningKey(), EdgeExchangeKey()
    own = PrivateKey(X25519PrivateKey.generate())
    eddsa = minted(signing.sign)
    mac = minted(exchange.for_origin(own.public, AUDIENCE).sign)
    published = {"keys": [signing.jwk, exchange.jwk]}
    apps: dict[str, Callable[[], Awaitable[None]]] = {
        "EdDSA": requests_to(guarded_app(published), [(b"fastgate-identity", eddsa)]),
        "MAC": requests_to(guarded_app(published, own.private_jwk), [(b"fastgate-identity", mac)]),
    }
    took = asyncio.run(measured(apps, rounds))
    keys = read_key_set(json.dumps(published).encode(), OriginKeys((own,), AUDIENCE))
    alone = {
        "EdDSA": verification_alone(eddsa, keys, rounds),
        "MAC": verification_alone(mac, keys, rounds),
    }
    return took, alone


def as_document(
    took: Mapping[str, list[float]], alone: Mapping[str, float], rounds: int
) -> dict[str, object]:
    """Return the measurements as JSON: microseconds, and the ratios of the guard to PyJWT."""
    apps: dict[str, dict[str, float]] = {}
    for name in ("MAC", "EdDSA", "client", "key"):
        apps[name] = {"adds": statistics.median(added_by(took, name))}
        if name in alone:
            relative = {f"to_{other}": ratio(took, name, other) for other in ("client", "key")}
            apps[name] |= {"alone": alone[name], **relative}
    return {"rounds": rounds, "bare": statistics.median(took["bare"]), "apps": apps}


def print_table(took: dict[str, list[float]], alone: Mapping[str, float], rounds: int) -> None:
    """Print the measurements."""
    print(f"{rounds} rounds of {REQUESTS} requests, medians, microseconds per request")
    print(f"  an app that checks nothing      {statistics.median(took['bare']):7.1f}")
    for name, said in {
        "EdDSA": "behind the guard, EdDSA   ",
        "MAC": "behind the guard, MAC     ",
        "key": "PyJWT, RS256, key at hand ",
        "client": "PyJWT, RS256, PyJWKClient ",
    }.items():
        added = statistics.median(added_by(took, name))
        verified = f", verify() alone {alone[name]:5.1f}" if name in alone else ""
        whole = statistics.median(took[name])
        print(f"  {said}      {whole:7.1f}   adds {added:6.1f}{verified}")
    for name in alone:
        for other, said in {"key": "with the key at hand", "client": "with PyJWKClient"}.items():
            relative = ratio(took, name, other)
            print(f"  {name} at the guard adds {relative:.2f} of what PyJWT adds {said}")


def added_by(took: Mapping[str, list[float]], name: str) -> list[float]:
    """Return the cost of an app above the bare one, for each round."""
    return [whole - bare for whole, bare in zip(took[name], took["bare"], strict=True)]


def ratio(took: Mapping[str, list[float]], name: str, other: str) -> float:
    """Return what one app adds, relative to what another one adds."""
    pairs = zip(added_by(took, name), added_by(took, other), strict=True)
    return statistics.median(ours / theirs for ours, theirs in pairs)


async def measured(
    apps: dict[str, Callable[[], Awaitable[None]]], rounds: int
) -> dict[str, list[float]]:
    """Return microseconds per request, one figure for each app and round, the plain ones too."""
    program = [sys.executable, str(Path(__file__).with_name("plain_apps.py"))]
    names = ("bare", *apps, "key", "client")
    took: dict[str, list[float]] = {name: [] for name in names}
    pipe = subprocess.PIPE
    with subprocess.Popen(program, stdin=pipe, stdout=pipe, text=True, bufsize=1) as plain:  # noqa: ASYNC220, S603
        for number in range(rounds + 2):
            for name in names:
                spent = await batch(apps[name]) if name in apps else measured_by(plain, name)
                if number > 1:  # the first two warm up
                    took[name].append(spent)
    return took


def measured_by(plain: subprocess.Popen[str], name: str) -> float:
    """Return microseconds per request of an app without a guard, over a batch."""
    assert plain.stdin is not None
    assert plain.stdout is not None
    plain.stdin.write(f"{name}\n")
    return float(plain.stdout.readline())


def verification_alone(header: bytes, keys: KeySet, rounds: int) -> float:
    """Return microseconds for one call of `verify`, the median."""
    head = RequestHead("GET", PATH.encode(), b"", HOST.encode())
    took = []
    for _ in range(rounds):
        began = time.thread_time()
        for _ in range(REQUESTS):
            verify(header, keys, head, issuer=ISSUER, audience=AUDIENCE, now=time.time(), leeway=60)
        took.append((time.thread_time() - began) / REQUESTS * 1e6)
    return statistics.median(took)


def guarded_app(
    keys: Mapping[str, object], origin_key: Mapping[str, object] | None = None
) -> FastAPI:
    """Return the same app behind the guard."""
    app = FastAPI()

    @app.get("/orders/{order_id}")
    async def read(order_id: int, caller: Caller) -> int:
        return order_id

    settings = Settings(edge=ISSUER, audience=AUDIENCE, leeway=60, keys=keys, origin_key=origin_key)
    guard(app, settings)
    return app


def minted(sign: Callable[[Mapping[str, object]], str]) -> bytes:
    """Return a header as the edge mints it."""
    tctx = {"route": "read", "template": "/orders/{order_id}", "method": "GET"}
    tctx |= {"host": HOST, "path": PATH}
    caller = LocalCaller("ada", ("orders:read", "orders:write"), client_id="shop", country="DE")
    return sign(contract(ISSUER, AUDIENCE, tctx, identity_claims(caller))).encode()


if __name__ == "__main__":
    main()
