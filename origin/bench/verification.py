"""What the door costs an app, beside what checking the provider's token would cost it.

    python origin/bench/verification.py [rounds]

Four apps, one endpoint each: one that checks nothing, one behind the door, and two that check an
RS256 access token with PyJWT in an async dependency: with the one key at hand, and with the key
looked up by PyJWKClient, whose fetched key set is warm. All in process, without a network; rounds
interleave, so that a busy machine slows all alike. Printed are medians over rounds, in microseconds
a request, what each adds to the bare app, and the ratios. All of it is time on the event loop:
nothing here waits or uses a thread.
"""

import asyncio
import json
import statistics
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Annotated, Any

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from fastapi import Depends, FastAPI, HTTPException
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from jwt.algorithms import RSAAlgorithm
from starlette.types import Message, Scope

from fastgate import Caller, Settings, guard
from fastgate.jwks import read_jwks
from fastgate.stand_in import SigningKey, StandInCaller, contract, identity_claims
from fastgate.verify import RequestHead, verify

ISSUER, AUDIENCE = "https://edge.example", "orders"
ROUNDS, REQUESTS = 30, 100
PATH = "/orders/7"


def main(rounds: int = ROUNDS) -> None:
    """Measure, and print a table."""
    key = SigningKey()
    header = minted(key)
    provider = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    bearer = jwt.encode(access_token(), provider, algorithm="RS256", headers={"kid": "0"})
    authorization = [(b"authorization", b"Bearer " + bearer.encode())]
    apps: dict[str, Callable[[], Awaitable[None]]] = {
        "bare": requests_to(bare_app(), []),
        "door": requests_to(guarded_app(key), [(b"fastgate-identity", header)]),
        "key": requests_to(pyjwt_app(lambda _token: provider.public_key()), authorization),
        "client": requests_to(pyjwt_app(by_client(provider)), authorization),
    }
    took = asyncio.run(measured(apps, rounds))
    keys = read_jwks(json.dumps({"keys": [key.jwk]}).encode())
    alone = statistics.median(verification_alone(header, keys) for _ in range(rounds))

    bare = statistics.median(took["bare"])
    print(f"{rounds} rounds of {REQUESTS} requests, medians, microseconds a request")
    print(f"  an app that checks nothing        {bare:8.1f}")
    for name, said in {
        "door": "behind the door            ",
        "key": "PyJWT, RS256, key at hand  ",
        "client": "PyJWT, RS256, PyJWKClient  ",
    }.items():
        whole = statistics.median(took[name])
        print(f"  {said}       {whole:8.1f}   adds {whole - bare:7.1f}")
    print(f"  verify() alone                    {alone:8.1f}")
    for name, said in {"key": "with the key at hand", "client": "with PyJWKClient"}.items():
        rounds_of = zip(took["bare"], took["door"], took[name], strict=True)
        ratio = statistics.median((d - b) / (r - b) for b, d, r in rounds_of)
        print(f"  the door adds {ratio:.2f} of what PyJWT adds {said}")


async def measured(
    apps: dict[str, Callable[[], Awaitable[None]]], rounds: int
) -> dict[str, list[float]]:
    """Return microseconds a request, one figure for each app and round."""
    took: dict[str, list[float]] = {name: [] for name in apps}
    for number in range(rounds + 2):
        for name, request in apps.items():
            began = time.perf_counter()
            for _ in range(REQUESTS):
                await request()
            if number > 1:  # the first two warm up
                took[name].append((time.perf_counter() - began) / REQUESTS * 1e6)
    return took


def verification_alone(header: bytes, keys: Any) -> float:  # noqa: ANN401
    """Return microseconds for one call of `verify`."""
    head = RequestHead("GET", PATH.encode(), b"")
    began = time.perf_counter()
    for _ in range(REQUESTS):
        verify(header, keys, head, issuer=ISSUER, audience=AUDIENCE, now=time.time(), leeway=60)
    return (time.perf_counter() - began) / REQUESTS * 1e6


def bare_app() -> FastAPI:
    """Return the app that everybody starts with."""
    app = FastAPI()

    @app.get("/orders/{order_id}")
    async def read(order_id: int) -> int:
        return order_id

    return app


def guarded_app(key: SigningKey) -> FastAPI:
    """Return the same behind the door."""
    app = FastAPI()

    @app.get("/orders/{order_id}")
    async def read(order_id: int, caller: Caller) -> int:
        return order_id

    guard(app, Settings(edge=ISSUER, audience=AUDIENCE, keys={"keys": [key.jwk]}, leeway=60))
    return app


def by_client(signing: rsa.RSAPrivateKey) -> Callable[[str], Any]:
    """Return how PyJWKClient finds the key, out of two, in the set that it has fetched."""
    other = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    jwks = [
        {**RSAAlgorithm.to_jwk(key.public_key(), as_dict=True), "kid": str(number), "use": "sig"}
        for number, key in enumerate((signing, other))
    ]
    client = jwt.PyJWKClient("https://idp.example/jwks")
    assert client.jwk_set_cache is not None
    client.jwk_set_cache.put({"keys": jwks})
    return lambda token: client.get_signing_key_from_jwt(token).key


def pyjwt_app(key_for: Callable[[str], Any]) -> FastAPI:
    """Return the same with the provider's token checked in the app."""
    app = FastAPI()

    async def subject(
        credentials: Annotated[HTTPAuthorizationCredentials, Depends(HTTPBearer())],
    ) -> str:
        try:
            claims = jwt.decode(
                credentials.credentials,
                key_for(credentials.credentials),
                algorithms=["RS256"],
                audience=AUDIENCE,
                issuer="https://idp.example",
                options={"require": ["exp", "iat", "sub"]},
            )
        except jwt.PyJWTError as error:
            raise HTTPException(401) from error
        return str(claims["sub"])

    @app.get("/orders/{order_id}")
    async def read(order_id: int, caller: Annotated[str, Depends(subject)]) -> int:
        return order_id

    return app


def requests_to(app: FastAPI, headers: list[tuple[bytes, bytes]]) -> Callable[[], Awaitable[None]]:
    """Return a function that makes one request and insists on a 200."""

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        if message.get("status", 200) != 200:
            raise AssertionError(message)

    async def request() -> None:
        scope: Scope = {
            "type": "http",
            "http_version": "1.1",
            "method": "GET",
            "path": PATH,
            "raw_path": PATH.encode(),
            "query_string": b"",
            "root_path": "",
            "headers": [(b"host", b"api.example.com"), (b"accept", b"*/*"), *headers],
        }
        await app(scope, receive, send)

    return request


def minted(key: SigningKey) -> bytes:
    """Return a header as the edge mints it."""
    tctx = {"route": "read", "template": "/orders/{order_id}", "method": "GET", "path": PATH}
    caller = StandInCaller("ada", ("orders:read", "orders:write"), client_id="shop", country="DE")
    return key.sign(contract(ISSUER, AUDIENCE, tctx, identity_claims(caller))).encode()


def access_token() -> dict[str, object]:
    """Return claims of about the size that providers give out."""
    now = int(time.time())
    return {
        "iss": "https://idp.example",
        "aud": AUDIENCE,
        "sub": "ada",
        "client_id": "shop",
        "scope": "orders:read orders:write",
        "iat": now,
        "exp": now + 3600,
        "jti": "0b2f3c9e5d7a41f88e6c1d2b3a495867",
    }


if __name__ == "__main__":
    main(*map(int, sys.argv[1:2]))
