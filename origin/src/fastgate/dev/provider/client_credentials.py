"""The client credentials grant (RFC 6749 §4.4), for a resource (RFC 8707).

Input: the `Authorization` fields and the form of a request to the token endpoint, and the issuer's
settings. Output: the client, as the caller of its token, and the audience; or `GrantRefused`, an
error of RFC 6749 §5.2 or RFC 8707 §2.
"""

import base64
import hmac
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from urllib.parse import parse_qsl, unquote_plus, urlsplit

from fastgate.dev.provider.issuer_settings import Client, IssuerSettings, secret_of
from fastgate.local_rules import LocalCaller
from fastgate.vocabulary import is_scope

GRANT = "client_credentials"
AUTHENTICATION_METHODS = ("client_secret_basic", "client_secret_post")


class GrantRefused(Exception):
    """No token is issued.

    Args:
        code: `error` of RFC 6749 §5.2.
        description: what to send, without quotation marks and backslashes.

    """

    def __init__(self, code: str, description: str) -> None:
        super().__init__(f"{code}: {description}")
        self.code, self.description = code, description

    @property
    def status(self) -> HTTPStatus:
        """401 if the client is not authenticated, 400 for everything else."""
        is_unauthenticated = self.code == "invalid_client"
        return HTTPStatus.UNAUTHORIZED if is_unauthenticated else HTTPStatus.BAD_REQUEST


def granted(
    authorization: Sequence[str], body: bytes, settings: IssuerSettings
) -> tuple[LocalCaller, str]:
    """Return the client as the caller of its token, with the scopes that it requests; and `aud`.

    Args:
        authorization: the values of the `Authorization` fields.
        body: the form.
        settings: all clients by name, and the audiences.

    Raises:
        GrantRefused: the request is malformed, or the client may not have what it requests.

    """
    form, clients = _form(body), settings.clients
    name, secret = _credentials(authorization, form)
    client = clients.get(name)
    if client is None or not hmac.compare_digest(secret.encode(), secret_of(name).encode()):
        known = ", ".join(clients) or "none: configure one"
        raise GrantRefused(
            "invalid_client",
            f"The secret of a client is its name followed by -secret. The clients are {known}",
        )
    if (grant := form.get("grant_type")) is None:
        raise GrantRefused("invalid_request", f"Send grant_type={GRANT}")
    if grant != GRANT:
        raise GrantRefused("unsupported_grant_type", f"Send grant_type={GRANT}")
    audience = _audience(form.get("resource"), settings)
    return client.as_caller(name, _scopes(form.get("scope"), client)), audience


def _form(body: bytes) -> dict[str, str]:
    try:
        pairs = parse_qsl(body.decode("ascii"), keep_blank_values=True, errors="strict")
    except ValueError as error:
        raise GrantRefused("invalid_request", "Send a form, percent-encoded UTF-8") from error
    form = dict(pairs)
    if len(form) != len(pairs):  # RFC 6749 §3.2
        raise GrantRefused("invalid_request", "Send each parameter once")
    # A parameter without a value counts as absent (§3.2).
    return {name: value for name, value in form.items() if value}


def _credentials(authorization: Sequence[str], form: Mapping[str, str]) -> tuple[str, str]:
    if not authorization:
        if "client_id" in form and "client_secret" in form:
            return form["client_id"], form["client_secret"]
        raise GrantRefused(
            "invalid_client",
            "Send name and secret of the client, by HTTP Basic or as client_id and client_secret",
        )
    if len(authorization) > 1 or "client_secret" in form:  # §2.3
        raise GrantRefused("invalid_request", "Send the secret once, by HTTP Basic or in the form")
    scheme, _, encoded = authorization[0].partition(" ")
    try:
        if scheme.lower() != "basic":
            raise ValueError(scheme)
        text = base64.b64decode(encoded.strip(), validate=True).decode()
        # Both are forms within the credentials (§2.3.1).
        name, colon, secret = (unquote_plus(part, errors="strict") for part in text.partition(":"))
    except ValueError:
        colon = ""
    if not colon:
        raise GrantRefused("invalid_client", "Send Authorization: Basic, base64 of name:secret")
    if form.get("client_id", name) != name:
        raise GrantRefused("invalid_request", "client_id differs from the name by HTTP Basic")
    return name, secret


def _audience(resource: str | None, settings: IssuerSettings) -> str:
    known = [settings.audience, *settings.resources]
    for audience in known:
        # Some clients write a lone slash after the host, which is the same resource.
        alone = audience + "/" if urlsplit(audience).path == "" else audience
        if resource is None or resource in (audience, alone):
            return audience
    raise GrantRefused("invalid_target", f"The resources of this issuer are: {' '.join(known)}")


def _scopes(requested: str | None, client: Client) -> tuple[str, ...]:
    """Return the requested scopes; by default all of the client."""
    if requested is None:
        return client.scopes
    scopes = tuple(dict.fromkeys(requested.split(" ")))
    if client.any_scope and all(map(is_scope, scopes)):
        return scopes
    if not set(scopes) <= set(client.scopes):
        allowed = " ".join(client.scopes) or "none"
        raise GrantRefused(
            "invalid_scope", f"The scopes of this client, one space between two, are: {allowed}"
        )
    return scopes
