"""Secret stores: `/resources/stores/secret`. The secrets arrive in sealed boxes."""

import base64
import binascii
import hashlib
import re
import secrets
import time

from nacl.exceptions import CryptoError
from nacl.public import PrivateKey, SealedBox
from nacl.signing import SigningKey
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from fastly_api.errors import store_refused
from fastly_api.reading import document, last_segment, page, state_of, text_member
from fastly_api.state import Secret, SecretStore, now
from fastly_api.stores import add, found, listed

MAX_SECRET = 64 * 1024
PAGE = 10
"""Names on a page, unless the request has a limit. It is small, so that clients must follow."""
CLIENT_KEY_LIFE = 600
"""How long a client key can be used, in seconds."""
_NAME = re.compile(r"[A-Za-z0-9_.-]{1,255}")


def _base64(octets: bytes) -> str:
    return base64.b64encode(octets).decode()


class ClientKeys:
    """The key pairs for sealed boxes, and the key that signs them."""

    def __init__(self) -> None:
        self.signing_key = SigningKey.generate()
        self._pairs: dict[bytes, tuple[PrivateKey, float]] = {}

    def new(self) -> dict[str, str]:
        """Return a new public key, with a signature over it."""
        pair, end = PrivateKey.generate(), time.time() + CLIENT_KEY_LIFE
        public = bytes(pair.public_key)
        self._pairs[public] = (pair, end)
        return {
            "public_key": _base64(public),
            "signature": _base64(self.signing_key.sign(public).signature),
            "expires_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(end)),
        }

    def opened(self, public: bytes, box: bytes) -> bytes:
        """Return what a sealed box contains."""
        pair, end = self._pairs.get(public, (None, 0.0))
        if pair is None or end < time.time():
            raise store_refused(400, "Bad Request: unknown or expired client key")
        try:
            return SealedBox(pair).decrypt(box)
        except CryptoError:
            raise store_refused(400, "Bad Request: the secret cannot be decrypted") from None


def _keys(request: Request) -> ClientKeys:
    keys = request.app.state.client_keys
    assert isinstance(keys, ClientKeys)
    return keys


def _store(request: Request) -> SecretStore:
    return found(request, state_of(request).secret_stores, "Secret store")


def described(store: SecretStore) -> dict[str, object]:
    """Return a store as the API shows it."""
    return {"id": store.id, "name": store.name, "created_at": store.created_at}


def _shown(name: str, secret: Secret) -> dict[str, object]:
    return {"name": name, "digest": secret.digest, "created_at": secret.created_at}


async def create(request: Request) -> Response:
    """Create a store; its name is unique."""
    state, name = state_of(request), text_member(await document(request), "name")
    if not _NAME.fullmatch(name):
        raise store_refused(400, "Bad Request: invalid store name")
    store = SecretStore(name=name)
    add(state.secret_stores, store, "secret store")
    return JSONResponse(described(store), 200)


async def stores(request: Request) -> Response:
    """List the stores."""
    return listed(request, state_of(request).secret_stores, PAGE, described)


async def get(request: Request) -> Response:
    """Describe a store."""
    return JSONResponse(described(_store(request)))


async def delete(request: Request) -> Response:
    """Delete a store and its secrets."""
    del state_of(request).secret_stores[_store(request).id]
    return Response(status_code=204)


async def client_key(request: Request) -> Response:
    """Return a key for sealed boxes."""
    return JSONResponse(_keys(request).new())


async def signing_key(request: Request) -> Response:
    """Return the key that verifies client keys."""
    verify_key = _keys(request).signing_key.verify_key
    return JSONResponse({"signing_key": _base64(bytes(verify_key))})


async def put(request: Request) -> Response:
    """Create a secret (POST), replace one (PATCH), or either (PUT)."""
    store, body = _store(request), await document(request)
    name = text_member(body, "name")
    if not _NAME.fullmatch(name):
        raise store_refused(400, "Bad Request: invalid secret name")
    try:
        value = base64.b64decode(text_member(body, "secret"), validate=True)
        public = base64.b64decode(str(body.get("client_key", "")), validate=True)
    except binascii.Error:
        raise store_refused(400, "Bad Request: not base64") from None
    if public:
        value = _keys(request).opened(public, value)
    if not value or len(value) > MAX_SECRET:
        raise store_refused(400, "Bad Request: a secret has 1 to 65536 bytes")
    existed = name in store.secrets
    if existed and request.method == "POST":
        raise store_refused(409, "Conflict: a secret of that name already exists")
    if not existed and request.method == "PATCH":
        raise store_refused(404, "Secret not found")
    salted = hashlib.sha256(secrets.token_bytes(16) + value).digest()
    created = now(state_of(request).ahead)
    secret = Secret(value=value, digest=_base64(salted), created_at=created)
    store.secrets[name] = secret
    return JSONResponse(_shown(name, secret) | ({"recreated": True} if existed else {}))


def _secret(request: Request) -> tuple[str, Secret]:
    name = last_segment(request)
    secret = _store(request).secrets.get(name)
    if secret is None:
        raise store_refused(404, "Secret not found")
    return name, secret


async def read(request: Request) -> Response:
    """Describe a secret, without its value."""
    return JSONResponse(_shown(*_secret(request)))


async def names(request: Request) -> Response:
    """List the secrets, without their values."""
    kept = _store(request).secrets
    shown, meta = page(request, kept, PAGE)
    return JSONResponse({"data": [_shown(name, kept[name]) for name in shown], "meta": meta})


async def remove(request: Request) -> Response:
    """Delete a secret."""
    name, _ = _secret(request)
    del _store(request).secrets[name]
    return Response(status_code=204)


_SECRETS = "/resources/stores/secret/{store}/secrets"
ROUTES = [
    Route("/resources/stores/secret/client-key", client_key, methods=["POST"]),
    Route("/resources/stores/secret/signing-key", signing_key, methods=["GET"]),
    Route("/resources/stores/secret", create, methods=["POST"]),
    Route("/resources/stores/secret", stores, methods=["GET"]),
    Route("/resources/stores/secret/{store}", get, methods=["GET"]),
    Route("/resources/stores/secret/{store}", delete, methods=["DELETE"]),
    Route(_SECRETS, put, methods=["POST", "PATCH", "PUT"]),
    Route(_SECRETS, names, methods=["GET"]),
    Route(_SECRETS + "/{name}", read, methods=["GET"]),
    Route(_SECRETS + "/{name}", remove, methods=["DELETE"]),
]
