"""Find the provider of tokens: its discovery document.

Input: the issuer, and the document that the provider publishes. Output: a `Provider`; or an error
that says what to do. Nothing else is fetched.
"""

import json
import threading
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from urllib.parse import SplitResult, urljoin, urlsplit

import httpx

from fastgate.init.issuer import Chosen, fault_of_url
from fastgate.strict_json import parse_object
from fastgate.this_machine import is_loopback
from fastgate.wrong_call import Failed, WrongCall

TIMEOUT = 5.0
"""The longest time for the discovery document, in seconds."""
MAX_LENGTH = 256 * 1024
"""The length of the longest discovery document, in bytes."""
_MAX_REDIRECTS = 3
_MAX_SHOWN = 500
_WELL_KNOWN = "/.well-known/openid-configuration"


@dataclass(frozen=True, slots=True)
class Provider:
    """A provider whose discovery document was read."""

    issuer: str
    preset: str | None
    jwks_uri: str

    @property
    def address(self) -> str:
        """The host from which the edge fetches keys."""
        return urlsplit(self.jwks_uri).hostname or ""

    @property
    def port(self) -> int:
        """The port of that host."""
        parts = urlsplit(self.jwks_uri)
        return parts.port or (443 if parts.scheme == "https" else 80)

    @property
    def origin(self) -> str:
        """The scheme, the host and the port of the key set."""
        parts = urlsplit(self.jwks_uri)
        return f"{parts.scheme}://{parts.netloc}"


def discovered(chosen: Chosen, *, timeout: float = TIMEOUT) -> Provider:
    """Read the provider's discovery document.

    Args:
        chosen: the issuer.
        timeout: the longest time for all of it, in seconds.

    Raises:
        Failed: it cannot be read, or does not belong to this issuer.

    """
    url = chosen.issuer.removesuffix("/") + _WELL_KNOWN
    document = _fetched(url, timeout)
    found = document.get("issuer")
    if found != chosen.issuer:
        raise Failed(
            f"{url}: its issuer is {_shown(found)}, which must equal "
            f"{json.dumps(chosen.issuer)} byte for byte: write the issuer as the "
            "provider writes it, also a slash at the end"
        )
    jwks_uri = document.get("jwks_uri")
    if isinstance(jwks_uri, str) and (fault := fault_of_url(jwks_uri)):
        raise WrongCall(
            f"{url}: its jwks_uri is {_shown(jwks_uri)}, which is no URL ({fault}): correct it "
            "at the provider, or name another issuer"
        )
    if not isinstance(jwks_uri, str) or not _is_fetchable(urlsplit(jwks_uri), chosen.issuer):
        raise Failed(
            f"{url}: its jwks_uri is {_shown(jwks_uri)}, and the edge fetches keys by https "
            "only: correct it at the provider"
        )
    provider = Provider(chosen.issuer, chosen.preset, jwks_uri)
    if provider.address != urlsplit(chosen.issuer).hostname and chosen.preset is None:
        raise Failed(
            f"{url}: its keys are on another host, {provider.address}; the edge accepts that only "
            "for products that it knows: write --preset NAME, if it is one of them"
        )
    return provider


def _shown(value: object) -> str:
    """Return what a provider says as JSON in one line, cut off if it is long."""
    text = json.dumps(value)
    return text if len(text) <= _MAX_SHOWN else f"{text[:_MAX_SHOWN]}…"


def _is_fetchable(parts: SplitResult, issuer: str) -> bool:
    host = parts.hostname or ""
    is_local = parts.scheme == "http" and is_loopback(host) and issuer.startswith("http:")
    return bool(host) and (parts.scheme == "https" or is_local) and parts.username is None


def _fetched(url: str, timeout: float) -> dict[str, object]:
    """Fetch a document in a thread, which is left behind at the deadline.

    A limit for each read would not do: a provider may send one byte for each.
    """
    results = SimpleQueue[dict[str, object] | Exception]()

    def run() -> None:
        try:
            results.put(_fetch(url, timeout))
        except Exception as error:
            results.put(error)

    threading.Thread(target=run, daemon=True).start()
    try:
        result = results.get(timeout=timeout)
    except Empty as error:
        raise Failed(f"{url} takes longer than {timeout:g} s: try again") from error
    if isinstance(result, Exception):
        raise result
    return result


def _fetch(url: str, timeout: float) -> dict[str, object]:
    place = url
    try:
        with httpx.Client(timeout=timeout, follow_redirects=False) as client:
            for _ in range(_MAX_REDIRECTS + 1):
                with client.stream("GET", place, headers={"Accept": "application/json"}) as got:
                    if not got.has_redirect_location:
                        return _read(got, url)
                    place = _next(place, got.headers["Location"], url)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise Failed(
            f"{url} cannot be read: {str(error) or type(error).__name__}; check the spelling of "
            "the issuer and the connection of this machine, and try again"
        ) from error
    raise Failed(f"{url} redirects more than {_MAX_REDIRECTS} times: correct the issuer")


def _next(place: str, location: str, url: str) -> str:
    try:
        following = urljoin(place, location)
        fault = fault_of_url(following)
    except ValueError as error:
        fault = str(error)
    if fault:
        raise Failed(f"{url} redirects to {_shown(location)}, which is no URL ({fault})")
    old, new = urlsplit(place), urlsplit(following)
    if (old.scheme, old.netloc) != (new.scheme, new.netloc):
        raise Failed(
            f"{url} redirects to {new.scheme}://{new.netloc}, another host: the edge follows no "
            "redirect; write the issuer that the provider itself uses"
        )
    return following


def _read(got: httpx.Response, url: str) -> dict[str, object]:
    if got.status_code != httpx.codes.OK:
        raise Failed(
            f"{url} has the status {got.status_code}: check the spelling of the issuer; it must "
            "have a discovery document"
        )
    text = bytearray()
    for part in got.iter_bytes():
        text += part
        if len(text) > MAX_LENGTH:
            raise Failed(f"{url} has more than {MAX_LENGTH} bytes: this is no discovery document")
    try:
        return parse_object(bytes(text))
    except ValueError as error:
        if str(error) == "not an object":
            raise Failed(f"{url} is not a JSON object: this is no discovery document") from error
        raise Failed(
            f"{url} is not JSON with one meaning ({error}): check the spelling of the issuer, "
            "which must have a discovery document"
        ) from error
