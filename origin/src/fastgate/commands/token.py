"""The command `token`: an access token of the provider that `fastgate dev` runs.

Input: the caller that the arguments describe. Output: the token on standard output, for
`curl -H "Authorization: Bearer $(fastgate token ada orders:read)"`, and the exit code.
"""

import argparse
import json
import re
import time
from http import HTTPStatus
from urllib.parse import quote

import httpx

from fastgate import strict_json
from fastgate.wrong_call import Failed, WrongCall

_SECONDS = 5.0
"""For each step of a request, and for a whole response."""
_MAX_BYTES = 20_000_000
"""In a response. The state of a large app has some megabytes."""
_MAX_SHOWN = 500
_NO_ADDRESS = (httpx.UnsupportedProtocol, httpx.InvalidURL, UnicodeError, OverflowError)
_TOKEN = re.compile(r"[A-Za-z0-9._~+/-]+=*")
"""RFC 6750 §2.1."""


class _NotTheProvider(Exception):
    """A response is none of the development provider."""


def print_token(options: argparse.Namespace) -> int:
    """Print a token. Return 0.

    Raises:
        WrongCall: the provider does not accept such a caller.
        Failed: there is no provider.

    """
    caller = _caller(options)
    provider = options.provider.rstrip("/")
    try:
        with httpx.Client(timeout=_SECONDS, trust_env=False) as client:
            issuer = options.issuer or _first_issuer(client, provider)
            url = f"{provider}/{quote(issuer, safe='', errors='surrogateescape')}/tokens"
            status, document = _response(client, "POST", url, caller)
    except _NO_ADDRESS as error:
        raise WrongCall(
            f"--provider: {_shown(options.provider)} is no address ({error}); write "
            "http://127.0.0.1:9080"
        ) from error
    except httpx.HTTPError as error:
        raise Failed(
            f"there is no provider at {options.provider} ({error}): start `fastgate dev`, or write "
            "the address that it prints as --provider"
        ) from error
    except _NotTheProvider as error:
        raise _not_the_provider(options) from error
    if status != HTTPStatus.OK:
        said = document.get("detail") or document.get("title")
        if not isinstance(said, str):
            raise _not_the_provider(options)
        raise WrongCall(_shown(said))
    token = document.get("access_token")
    if not isinstance(token, str) or not _TOKEN.fullmatch(token):
        raise _not_the_provider(options)
    print(token)
    return 0


def _caller(options: argparse.Namespace) -> bytes:
    """Return the body of the request."""
    caller: dict[str, object] = {"subject": options.subject, "scopes": options.scopes}
    if options.role:
        caller["roles"] = options.role
    if options.group:
        caller["groups"] = options.group
    if options.tenant is not None:
        caller["tenant"] = options.tenant
    if options.claims is not None:
        try:
            caller["claims"] = strict_json.parse_object(
                options.claims.encode(errors="surrogatepass")
            )
        except ValueError as error:
            raise WrongCall(f"--claims: {error}; write a JSON object") from error
    if options.expires_in is not None:
        caller["expires_in"] = options.expires_in
    try:
        return json.dumps(caller, ensure_ascii=False).encode()
    except UnicodeError as error:
        raise WrongCall(f"the caller is not UTF-8 ({error}): write whole characters") from error


def _first_issuer(client: httpx.Client, provider: str) -> str:
    _, state = _response(client, "GET", f"{provider}/__fastgate/state")
    listed = state.get("issuers")
    first = listed[0] if isinstance(listed, list) and listed else None
    found = first.get("id") if isinstance(first, dict) else None
    if not isinstance(found, str):
        raise _NotTheProvider
    return found


def _response(
    client: httpx.Client, method: str, url: str, body: bytes | None = None
) -> tuple[int, dict[str, object]]:
    """Return the status and the JSON object of a response."""
    headers = {"Accept-Encoding": "identity"}
    if body is not None:
        headers["Content-Type"] = "application/json"
    until, read = time.monotonic() + _SECONDS, bytearray()
    with client.stream(method, url, content=body, headers=headers) as response:
        for part in response.iter_raw():
            read += part
            if len(read) > _MAX_BYTES or time.monotonic() > until:
                raise _NotTheProvider
    try:
        return response.status_code, strict_json.parse_object(bytes(read))
    except ValueError as error:
        raise _NotTheProvider from error


def _not_the_provider(options: argparse.Namespace) -> Failed:
    return Failed(
        f"{_shown(options.provider)} is not the provider of `fastgate dev`: write --provider with "
        "the address that it prints"
    )


def _shown(text: str) -> str:
    """Return what another program says, in one line without control characters."""
    return "".join(each if each.isprintable() else "�" for each in text[:_MAX_SHOWN])
