"""The settings of one origin: who its edge is, where its keys are, and time limits.

In: what the operator configures. Out: `Settings`, which are always usable: whatever is wrong is a
`ValueError` when the app is built, not a surprise when a request comes. It never reads the
environment; the app does.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from fastgate.errors import JwksRefused
from fastgate.keys.jwks import read_jwks
from fastgate.keys.origin import read_origin_keys
from fastgate.keys.source import EdgeKeys, KeySource, StaticKeys, url_fault
from fastgate.local_rules import LocalCaller, LocalRules, is_loopback
from fastgate.request.expiry import EndWithToken, check_choice

JWKS_PATH = "/.well-known/fastgate/jwks.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How this origin recognizes its edge. All times in seconds.

    Raises:
        ValueError: a name is empty, an address is not https (loopback may be http), a time is
            negative or out of proportion, `strict` is no bool, a path is not a plain one, `keys`
            holds no usable key, `origin_keys` anything but usable keys, or a local caller stands
            beside an edge that is not on this machine.

    """

    edge: str
    """The edge's issuer, exactly as in `edge.issuer` of its policy: `https://api.example.com`."""
    audience: str
    """This origin's name, exactly as in `origins.<name>.audience` of the edge's policy."""
    keys: Mapping[str, object] | None = None
    """The edge's JWK Set, given once; then nothing is ever fetched."""
    origin_keys: Mapping[str, object] | None = field(default=None, repr=False)
    """The keys of this origin, a secret, as `fastgate keys origin` prints them: for an edge whose
    policy says `"algorithm": "HS256"` of it. Then HS256 alone is accepted, and no key is fetched.
    """
    jwks_url: str | None = None
    """Where to fetch the JWK Set instead of below `edge`."""
    leeway: float = 5.0
    """By how much the clocks of edge and origin may differ."""
    health_path: str | None = None
    """A path that GET and HEAD reach without the header, compared whole and byte for byte."""
    strict: bool = False
    """Whether the app must not start while an endpoint says nothing of its callers."""
    local_caller: LocalCaller | None = None
    """Local development: who every request from this machine is taken to come from. No edge is
    asked, and none may be configured: `edge` must be on this machine, too."""
    local_callers: Mapping[str, LocalCaller] | None = None
    """Local development: callers by name, chosen for one request by `Fastgate-Local-Caller: NAME`,
    or by the name as the bearer token. `anonymous` is an anonymous caller; without `local_caller`,
    so is a request that chooses none."""
    local_networks: tuple[str, ...] = ()
    """Local development: private networks that count as this machine, for containers:
    `("172.17.0.0/16",)`. Clients that can connect from there are not checked."""
    local_hosts: tuple[str, ...] = ()
    """Local development: further names of this machine, lower case, in `Host` and in the `Origin`
    of pages. `localhost` and all below `.localhost` need not be named."""
    ready_path: str | None = None
    """A path to which the guard responds itself, without the header: 204 if it has keys to verify
    with, 503 while it has none. For an orchestrator that is to send no traffic before; it is no
    endpoint.
    """
    end_with_token: EndWithToken = "sessions"  # noqa: S105
    """What ends when the caller's token expires (and `leeway` has passed), where the edge tells
    when that is. `sessions`: WebSockets, closed with 1008, and event streams. `all`: every response
    that is still being sent then, too, which breaks off long downloads. `none`: nothing.
    """
    keys_fresh_for: float = 300.0
    """After this, fetched keys are renewed beside the next request."""
    keys_max_stale: float = 3600.0
    """After this, keys that could not be renewed are no longer used."""
    unknown_key_cool_down: float = 30.0
    """Between two fetches that tokens with an unknown `kid` may cause."""
    fetch_timeout: float = 5.0
    """For the whole of one fetch."""
    max_signed_body: int = 8 * 1024 * 1024
    """How many bytes of a body are held to compare it, where the edge signed its digest."""

    def __post_init__(self) -> None:
        for name in ("edge", "audience"):
            value = getattr(self, name)
            if not isinstance(value, str) or not value or value != value.strip():
                raise ValueError(f"{name}: must be a text without white space around it")
        check_flag("strict", self.strict)
        if [self.keys, self.origin_keys, self.jwks_url].count(None) < 2:
            raise ValueError("either keys or origin_keys or jwks_url, not two of them")
        if not 0 <= self.leeway <= 60:
            raise ValueError("leeway must be within 0..60 seconds")
        if not 0 < self.keys_fresh_for <= self.keys_max_stale:
            raise ValueError("keys_fresh_for must be positive and at most keys_max_stale")
        if self.unknown_key_cool_down <= 0 or self.fetch_timeout <= 0:
            raise ValueError("unknown_key_cool_down and fetch_timeout must be positive")
        if self.max_signed_body < 0:
            raise ValueError("max_signed_body must not be negative")
        check_choice(self.end_with_token)
        for path in (self.health_path, self.ready_path):
            if path is not None:
                _check_plain_path(path)
        if self.local_rules is not None:
            self._check_that_this_is_no_production()
        if self._static_keys() is None:
            if self.jwks_url is not None:
                _check_address("jwks_url", self.jwks_url)
            else:
                _check_address("edge", self.edge, JWKS_PATH)

    @property
    def jwks_address(self) -> str:
        """Return the URL that keys are fetched from, if they are fetched."""
        return self.jwks_url or self.edge.rstrip("/") + JWKS_PATH

    @property
    def local_rules(self) -> LocalRules | None:
        """Return what local development needs to know; None where it is off."""
        if self.local_caller is None and self.local_callers is None:
            if self.local_networks or self.local_hosts:
                raise ValueError("local_networks and local_hosts need a local_caller")
            return None
        callers, networks = self.local_callers or {}, self.local_networks
        return LocalRules(self.local_caller, callers, networks, self.local_hosts)

    def key_source(self) -> KeySource:
        """Return a new source of the edge's keys. It keeps what it fetched: one for each app."""
        return self._static_keys() or EdgeKeys(
            self.jwks_address,
            fresh_for=self.keys_fresh_for,
            max_stale=self.keys_max_stale,
            cool_down=self.unknown_key_cool_down,
            timeout=self.fetch_timeout,
        )

    def _check_that_this_is_no_production(self) -> None:
        host = urlsplit(self.edge).hostname
        sources = (self.keys, self.origin_keys, self.jwks_url)
        if any(source is not None for source in sources) or not is_loopback(host or ""):
            raise ValueError(
                "local_caller is for development: edge must be on this machine, without any keys"
            )

    def _static_keys(self) -> StaticKeys | None:
        try:
            if self.origin_keys is not None:
                return StaticKeys(read_origin_keys(_jwk_set("origin_keys", self.origin_keys)))
            if self.keys is not None:
                document = _jwk_set("keys", self.keys)
                return StaticKeys(read_jwks(json.dumps(document).encode()))
        except JwksRefused as error:
            name = "keys" if self.origin_keys is None else "origin_keys"
            words = _WHY_REFUSED.get(error.reason, "is not a usable JWK Set")
            raise ValueError(f"{name}: {words} ({error.reason})") from error
        return None


_WHY_REFUSED = {
    "not-a-jwk-set": 'has no list "keys": hand over the whole document, {"keys": [...]}',
    "no-usable-key": "holds no public key on P-256 for ES256 with a kid; for the symmetric keys "
    "that `fastgate keys origin` prints there is origin_keys",
    "ambiguous-kid": "gives one kid to two keys",
    "not-an-origin-key": "holds something else than symmetric keys for HS256; for the published "
    "keys of the edge there is keys",
    "no-kid": "holds a key without a kid",
    "not-32-bytes": "holds a key that is not 32 bytes in base64url without padding",
}


def check_flag(name: str, value: object) -> None:
    """Refuse what is neither True nor False: a text from the environment is true, "0" as well.

    Raises:
        ValueError: it is another value; the message says what to write.

    """
    if not isinstance(value, bool):
        raise ValueError(
            f"{name} is {value!r}; it is True or False. From the environment: "
            f'{name}=os.environ.get("…") == "1"'
        )


def check_observe(observe: object, settings: Settings) -> None:
    """Refuse an `observe` that is no flag, or that contradicts the settings.

    Raises:
        ValueError: the message says which.

    """
    check_flag("observe", observe)
    if observe and (settings.strict or settings.local_rules is not None):
        raise ValueError("observe lets everything pass: not with strict, nor with local callers")


def _jwk_set(name: str, document: object) -> Mapping[str, object]:
    if isinstance(document, (str, bytes)):
        raise ValueError(f"{name}: is JSON text; write {name}=json.loads(...)")
    if isinstance(document, list):
        raise ValueError(f'{name}: is a list; hand over the whole document, {{"keys": [...]}}')
    if not isinstance(document, Mapping):
        raise ValueError(f'{name}: is no JWK Set; write {name}={{"keys": [...]}}')
    return document


def _check_address(name: str, url: str, path: str = "") -> None:
    """Refuse what keys cannot be fetched from; say what to write instead."""
    if "@" in url:  # perhaps with a password, so it is not quoted
        raise ValueError(f"{name}: must be a URL without user and password")
    if "://" not in url:
        remedy = f'write {name}="https://{url.lstrip("/")}"'
        if name == "edge":
            remedy += ", exactly as edge.issuer of the policy (or give jwks_url as well)"
        raise ValueError(f'{name}: "{url}" has no scheme; {remedy}')
    fault = url_fault(url + path)
    if fault is not None:
        raise ValueError(f'{name}: "{url}" is no URL: {fault}; write {name}="https://HOST"')
    parts = urlsplit(url)
    if not parts.hostname or "?" in url or "#" in url:
        raise ValueError(f"{name}: must be a URL with a host, without query and fragment")
    # Who controls this address decides who every caller is.
    if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback(parts.hostname)):
        raise ValueError(
            f'{name}: "{url}" is not https; write {name}="https://{parts.netloc}{parts.path}" '
            "(http is for a loopback address only)"
        )


def _check_plain_path(path: str) -> None:
    # Nothing that decoding or normalizing could change: then raw and routed path are the same.
    plain = path.isascii() and all(char.isalnum() or char in "/-_." for char in path)
    if not plain or not path.startswith("/") or "//" in path or "/." in path:
        raise ValueError("health_path and ready_path must be plain absolute paths")
