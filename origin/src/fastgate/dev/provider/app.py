"""The development provider: OIDC issuers below one address, as an ASGI app.

Input: the address, and the settings of each issuer. Output: an app that publishes metadata and keys
and issues tokens to everybody on this machine, and to nobody else (`dev.loopback`).
"""

import re
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from urllib.parse import urlsplit

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from fastgate.dev.body_limit import BodyLimit
from fastgate.dev.loopback import FORM, LoopbackOnly, loopback_origins
from fastgate.dev.provider.caller_request import RequestRefused
from fastgate.dev.provider.client_credentials import GrantRefused
from fastgate.dev.provider.issuer import Issuer
from fastgate.dev.provider.issuer_settings import IssuerSettings
from fastgate.problem import Problem
from fastgate.this_machine import host_of_field, is_loopback_name

_ID = re.compile(r"[a-z0-9_-]{1,64}")
"""The id of an issuer, as in the policy."""
# RFC 6749 §5.1. A new process has new keys, so key sets are not stored either.
_NOT_STORED = {"Cache-Control": "no-store", "Pragma": "no-cache"}


class DevelopmentProvider:
    """An ASGI app with one issuer for each id, at `<address>/<id>`.

    Run it on a loopback address, with `proxy_headers=False`. It has its own `LoopbackOnly`.

    Args:
        address: where it listens: `http://127.0.0.1:9080`, with the port.
        issuers: the settings of each issuer, by its id in the policy.
        origins: origins of pages that may ask for tokens and read them (CORS).

    Raises:
        ValueError: the address is not on this machine; there is no issuer, or its id is not one of
            a policy; an origin is not of this machine.

    """

    def __init__(
        self, address: str, issuers: Mapping[str, IssuerSettings], *, origins: Iterable[str] = ()
    ) -> None:
        _check_address(address)
        if not issuers:
            raise ValueError('issuers: is empty; write {"dev": IssuerSettings(audience=…)}')
        for name in issuers:
            if not _ID.fullmatch(name):
                raise ValueError(f"issuers: write {name!r} with 1 to 64 of a-z, 0-9, - and _")
        self.issuers = {
            name: Issuer(f"{address}/{name}", settings) for name, settings in issuers.items()
        }
        self._app = self._protected(loopback_origins(origins))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        await self._app(scope, receive, send)

    def _protected(self, origins: frozenset[str]) -> ASGIApp:
        app = Starlette(
            routes=[
                Route("/{id}/.well-known/openid-configuration", self._metadata),
                Route("/.well-known/oauth-authorization-server/{id}", self._metadata),
                Route("/{id}/jwks", self._jwks),
                Route("/{id}/token", self._token_for_client, methods=["POST"]),
                Route("/{id}/tokens", self._token_for_caller, methods=["POST"]),
            ],
            middleware=[
                Middleware(
                    CORSMiddleware,
                    allow_origins=sorted(origins),
                    allow_methods=["GET", "POST"],
                    allow_headers=["authorization"],
                )
            ],
            exception_handlers={HTTPException: self._not_served},
        )
        form_paths = [f"/{name}/token" for name in self.issuers]
        return LoopbackOnly(BodyLimit(app), origins=origins, form_paths=form_paths)

    async def _metadata(self, request: Request) -> Response:
        return JSONResponse(self._issuer(request).metadata, headers=_NOT_STORED)

    async def _jwks(self, request: Request) -> Response:
        kind = "application/jwk-set+json"
        return JSONResponse(self._issuer(request).jwks, headers=_NOT_STORED, media_type=kind)

    async def _token_for_client(self, request: Request) -> Response:
        issuer = self._issuer(request)
        try:
            if _media_type(request) != FORM:
                raise GrantRefused("invalid_request", f"Send Content-Type: {FORM}")
            authorization = request.headers.getlist("authorization")
            response = issuer.token_for_client(authorization, await request.body())
        except GrantRefused as error:
            headers = dict(_NOT_STORED)
            if error.status == HTTPStatus.UNAUTHORIZED:
                headers["WWW-Authenticate"] = f'Basic realm="{issuer.url}", charset="UTF-8"'
            content = {"error": error.code, "error_description": error.description}
            return JSONResponse(content, error.status, headers)
        return JSONResponse(response, headers=_NOT_STORED)

    async def _token_for_caller(self, request: Request) -> Response:
        issuer = self._issuer(request)
        try:
            response = issuer.token_for_caller(await request.body())
        except RequestRefused as error:
            title = "This is no request for a token of a caller"
            return _response(
                Problem(HTTPStatus.BAD_REQUEST, "not-a-caller", title, detail=str(error))
            )
        return JSONResponse(response, headers=_NOT_STORED)

    def _issuer(self, request: Request) -> Issuer:
        found = self.issuers.get(request.path_params["id"])
        if found is None:
            raise HTTPException(HTTPStatus.NOT_FOUND)
        return found

    async def _not_served(self, _request: Request, error: Exception) -> Response:
        """Say what there is: this is a path that nothing has, or another method."""
        assert isinstance(error, HTTPException)  # noqa: S101
        status, urls = HTTPStatus(error.status_code), [each.url for each in self.issuers.values()]
        detail = f"The issuers are {', '.join(urls)}."
        detail += f" Begin with {urls[0]}/.well-known/openid-configuration."
        slug = status.phrase.lower().replace(" ", "-")
        response = _response(Problem(status, slug, status.phrase, detail=detail))
        response.headers.update(error.headers or {})
        return response


def _response(problem: Problem) -> Response:
    return Response(problem.body(), int(problem.status), problem.headers())


def _media_type(request: Request) -> str:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def _check_address(address: str) -> None:
    parts = urlsplit(address)
    host = host_of_field(parts.netloc.encode())
    if address != f"http://{parts.netloc}" or not is_loopback_name(host):
        raise ValueError(
            f"address: {address!r} is not on this machine; write http://127.0.0.1:9080"
        )
