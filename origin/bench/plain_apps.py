"""The apps to which the guard is compared. They run in a process of their own.

`import fastgate` changes classes of Starlette, which also slows apps without a guard a little. So
this program does not import it. It reads names of apps from standard input, one a line, and answers
each with the microseconds of processor time per request that a batch took.
"""

import asyncio
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

AUDIENCE = "orders"
REQUESTS = 100
PATH, HOST = "/orders/7", "api.example.com"


async def main() -> None:
    """Measure a batch for each line."""
    provider = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    bearer = jwt.encode(access_token(), provider, algorithm="RS256", headers={"kid": "0"})
    authorization = [(b"authorization", b"Bearer " + bearer.encode())]
    apps = {
        "bare": requests_to(bare_app(), []),
        "key": requests_to(pyjwt_app(lambda _token: provider.public_key()), authorization),
        "client": requests_to(pyjwt_app(by_client(provider)), authorization),
    }
    for line in sys.stdin:
        print(await batch(apps[line.strip()]), flush=True)


async def batch(request: Callable[[], Awaitable[None]]) -> float:
    """Return microseconds per request, over a batch."""
    began = time.thread_time()
    for _ in range(REQUESTS):
        await request()
    return (time.thread_time() - began) / REQUESTS * 1e6


def bare_app() -> FastAPI:
    """Return the app without any check."""
    app = FastAPI()

    @app.get("/orders/{order_id}")
    async def read(order_id: int) -> int:
        return order_id

    return app


def by_client(signing: rsa.RSAPrivateKey) -> Callable[[str], Any]:
    """Return a function that finds the key by PyJWKClient, in a cached set of two keys."""
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
    """Return the same app with a check of the provider's token."""
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
    """Return a function that makes one request and requires a 200."""

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
            "headers": [(b"host", HOST.encode()), (b"accept", b"*/*"), *headers],
        }
        await app(scope, receive, send)

    return request


def access_token() -> dict[str, object]:
    """Return claims of about the usual size of a provider's token."""
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
    asyncio.run(main())
