"""The application: the routes, and what happens to every request before and after them."""

import hashlib
import time
from email.utils import formatdate
from pathlib import Path

from pydantic import BaseModel
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from fastly_api import acls, kv_stores, secret_stores, services, version_parts
from fastly_api.errors import Refused, refused
from fastly_api.state import State, read, write

_RECORDED_FIELDS = ("if-generation-match", "metadata", "surrogate-key", "fastly-soft-purge")


class Recorded(BaseModel):
    """A request that arrived, without what is secret in it."""

    method: str
    target: str
    status: int
    digest: str | None
    """SHA-256 of the content, in hexadecimal digits; none for what goes to a secret store."""
    size: int
    fields: dict[str, str]


class Fault(BaseModel):
    """Requests that fail: the next `times` ones that match."""

    status: int
    times: int = 1
    method: str | None = None
    path: str = "/"
    """The beginning of the paths that fail, percent-encoded."""
    applied: bool = False
    """Whether the request has its effect although the answer says that it failed."""

    def takes(self, method: str, target: str) -> bool:
        """Whether this request fails; it then counts as one of `times`."""
        matches = self.method in {None, method} and target.startswith(self.path)
        if not matches or self.times == 0:
            return False
        self.times -= 1
        return True


class StandIn:
    """The stand-in: the state, the requests so far, and the faults to come."""

    def __init__(self, file: Path | None = None) -> None:
        self.state = read(file) if file else State()
        self.file = file
        self.recorded: list[Recorded] = []
        self.faults: list[Fault] = []
        routes = [*services.ROUTES, *version_parts.ROUTES, *kv_stores.ROUTES]
        routes += [*secret_stores.ROUTES, *acls.ROUTES, *self._own_routes()]
        handlers = {Refused: _answer_refused, 404: _unknown_path, 405: _unknown_path}
        inner = Starlette(routes=routes, exception_handlers=handlers)
        inner.state.fastly = self.state
        inner.state.client_keys = secret_stores.ClientKeys()
        self.app: ASGIApp = _Gate(self, inner)

    def _own_routes(self) -> list[Route]:
        return [
            Route("/realms/fastly/.well-known/openid-configuration", _discovery),
            Route("/tokens/self", _token),
            Route("/__state", self._show_state),
            Route("/__requests", self._show_requests),
            Route("/__fail", self._fail, methods=["POST"]),
        ]

    async def _show_state(self, _request: Request) -> Response:
        return Response(self.state.model_dump_json(), media_type="application/json")

    async def _show_requests(self, _request: Request) -> Response:
        return JSONResponse([each.model_dump() for each in self.recorded])

    async def _fail(self, request: Request) -> Response:
        self.faults.append(Fault.model_validate_json(await request.body()))
        return Response(status_code=204)


def _answer_refused(_request: Request, fault: Exception) -> Response:
    assert isinstance(fault, Refused)
    return fault.response()


def _unknown_path(request: Request, _fault: Exception) -> Response:
    detail = f"the stand-in does not know {request.method} {request.url.path}"
    return JSONResponse({"msg": "Record not found", "detail": detail}, 404)


async def _discovery(request: Request) -> Response:
    base = f"{request.url.scheme}://{request.url.netloc}/realms/fastly"
    return JSONResponse({"issuer": base, "token_endpoint": f"{base}/token", "jwks_uri": base})


async def _token(request: Request) -> Response:
    token = request.headers["fastly-key"]
    scope = "global:read" if _reads_only(token) else "global"
    if _purges_only(token):
        scope = "purge_select purge_all"
    return JSONResponse({"id": "token", "name": "stand-in", "scope": scope, "services": []})


def _reads_only(token: str) -> bool:
    return token.startswith("read-only")


def _purges_only(token: str) -> bool:
    return token.startswith("purge-only")


def authorize(method: str, path: str, token: str) -> None:
    """Refuse a request without a token, or with one that may not do this."""
    if not token or token.startswith("revoked"):
        raise refused(401, "Provided credentials are missing or invalid")
    purges = "/purge" in path and method == "POST"
    allowed = not (_reads_only(token) and method != "GET")
    allowed = allowed and not (_purges_only(token) and not purges and path != "/tokens/self")
    if not allowed:
        raise refused(403, "You are not authorized to perform this action")


class _Gate:
    """Records requests, and refuses those that must fail or have no right to anything."""

    def __init__(self, stand_in: StandIn, inner: ASGIApp) -> None:
        self.stand_in = stand_in
        self.inner = inner

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"].startswith("/__"):
            await self.inner(scope, receive, send)
            return
        request = Request(scope, receive)
        body = await request.body()
        query = scope["query_string"].decode("ascii")
        target = scope["raw_path"].decode("ascii") + (f"?{query}" if query else "")
        fields = {name: request.headers.get(name) for name in _RECORDED_FIELDS}
        secret = target.startswith("/resources/stores/secret")
        recorded = Recorded(
            method=request.method,
            target=target,
            status=0,
            digest=None if secret else hashlib.sha256(body).hexdigest(),
            size=len(body),
            fields={name: value for name, value in fields.items() if value is not None},
        )
        self.stand_in.recorded.append(recorded)

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                recorded.status = message["status"]
                if self.stand_in.file and request.method != "GET":
                    write(self.stand_in.state, self.stand_in.file)
                moment = formatdate(time.time() + self.stand_in.state.ahead, usegmt=True)
                message["headers"] = [*message["headers"], (b"date", moment.encode())]
            await send(message)

        await self._answer(request, target, body, answer)

    async def _answer(self, request: Request, target: str, body: bytes, send: Send) -> None:
        async def replay() -> Message:
            return {"type": "http.request", "body": body, "more_body": False}

        fault = next((f for f in self.stand_in.faults if f.takes(request.method, target)), None)
        try:
            if not target.startswith("/realms/"):
                authorize(request.method, target, request.headers.get("fastly-key", ""))
        except Refused as reason:
            await reason.response()(request.scope, replay, send)
            return
        if fault is None:
            await self.inner(request.scope, replay, send)
            return
        if fault.applied:
            await self.inner(request.scope, replay, _nowhere)
        answer = JSONResponse({"msg": "the stand-in was told to fail"}, fault.status)
        await answer(request.scope, replay, send)


async def _nowhere(_message: Message) -> None:
    """Lose an answer."""
