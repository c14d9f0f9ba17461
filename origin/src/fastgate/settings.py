"""The settings of one origin: its edge, the source of the edge's keys, and time limits.

Input: the configuration by the operator. Output: `Settings`, which are always usable: a wrong value
is a `ValueError` when the app is built, not a failure of a request. It never reads the environment;
the app does.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from fastgate.errors import JwksRefused
from fastgate.keys.key_set import read_key_set
from fastgate.keys.origin import OriginKeys, read_origin_keys
from fastgate.keys.source import EdgeKeys, KeySource, StaticKeys, url_fault
from fastgate.local_rules import LocalCaller, LocalRules
from fastgate.request.expiry import EndWithToken, check_choice
from fastgate.this_machine import is_loopback

JWKS_PATH = "/.well-known/fastgate/jwks.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How this origin recognizes its edge. All times in seconds.

    Raises:
        ValueError: a name is empty, an address is not https (loopback may be http), a time is out
            of range, `strict` is not a bool, a path is not plain, `keys` holds no usable key,
            `origin_key` holds an unusable key, `backend_host` is not a host, `region` is not a
            name, or there is a local caller although the edge is not on this machine.

    """

    edge: str
    """The edge's issuer, exactly as in `edge.issuer` of its policy: `https://api.example.com`."""
    audience: str
    """This origin's name, exactly as in `origins.<name>.audience` of the edge's policy."""
    keys: Mapping[str, object] | None = field(default=None, repr=False)
    """The edge's JWK Set. If it is given, no keys are fetched."""
    origin_key: Mapping[str, object] | None = field(default=None, repr=False)
    """The private key of this origin, as `fastgate origin-key new` prints it, for an edge
    whose policy has its public half as `origins.<name>.key`. Then HS256 is accepted as well as
    EdDSA. The keys of the edge are needed as without it. A JWK Set holds several keys, for a
    rotation."""
    jwks_url: str | None = None
    """The address of the JWK Set, if it is not below `edge`."""
    backend_host: str | None = None
    """The `Host` of every request from the edge, if it is not the client's: `override_host` of the
    backend. It is compared byte for byte."""
    region: str | None = None
    """The region in which this app runs, exactly as in `origins.<name>.regions` of the edge's
    policy. A header for a backend of another region, or of none, is refused."""
    leeway: float = 5.0
    """The largest difference between the clocks of edge and origin."""
    health_path: str | None = None
    """A path that GET and HEAD reach without the header. It is compared byte for byte."""
    strict: bool = False
    """Whether the app refuses to start if an endpoint does not declare its callers."""
    local_caller: LocalCaller | None = None
    """Local development: the caller of every request from this machine. No edge takes part, and
    `edge` must be an address of this machine, too."""
    local_callers: Mapping[str, LocalCaller] | None = None
    """Local development: callers by name. A request chooses one by `Fastgate-Local-Caller: NAME`,
    or by the name as the bearer token. `anonymous` is an anonymous caller. A request that chooses
    none comes from `local_caller`, or is anonymous without one."""
    local_networks: tuple[str, ...] = ()
    """Local development: private networks that count as this machine, for containers:
    `("172.17.0.0/16",)`. Clients in these networks are not checked."""
    local_hosts: tuple[str, ...] = ()
    """Local development: further names of this machine, lower case, in `Host` and in the `Origin`
    of pages. `localhost` and names below `.localhost` are always accepted."""
    ready_path: str | None = None
    """A path to which the guard responds itself, without the header: 204 if it has keys to verify
    with, 503 while it has none. It is not an endpoint. An orchestrator uses it to wait for the
    keys. The field `Fastgate-Keys` of the 204 names the edge's keys that the app knows."""
    end_with_token: EndWithToken = "sessions"  # noqa: S105
    """The connections that end when the caller's token has expired and `leeway` has passed, if
    the edge reports the time. `sessions`: WebSockets, closed with 1008, and event streams. `all`:
    also every other response that is still being sent, which aborts long downloads. `none`: no
    connection."""
    keys_fresh_for: float = 300.0
    """The age at which fetched keys are renewed, while the next request is handled."""
    keys_max_stale: float = 3600.0
    """The age at which keys that could not be renewed are no longer used."""
    unknown_key_cool_down: float = 30.0
    """The least time between two fetches that are caused by tokens with an unknown `kid`."""
    fetch_timeout: float = 5.0
    """The time limit for one whole fetch."""
    max_signed_body: int = 8 * 1024 * 1024
    """The largest body, in bytes, that is held in memory to compare it with a signed digest."""

    def __post_init__(self) -> None:
        for name in ("edge", "audience", "region"):
            value = getattr(self, name)
            if name == "region" and value is None:
                continue
            if not isinstance(value, str) or not value or value != value.strip():
                raise ValueError(f"{name}: write a non-empty string without white space around it")
        check_flag("strict", self.strict)
        if self.keys is not None and self.jwks_url is not None:
            raise ValueError("keys, jwks_url: write at most one")
        _check_backend_host(self.backend_host)
        if not 0 <= self.leeway <= 60:
            raise ValueError("leeway: write a number of seconds from 0 to 60")
        if not 0 < self.keys_fresh_for <= self.keys_max_stale:
            raise ValueError(
                "keys_fresh_for: write a positive number that is at most keys_max_stale"
            )
        if self.unknown_key_cool_down <= 0 or self.fetch_timeout <= 0:
            raise ValueError("unknown_key_cool_down, fetch_timeout: write positive numbers")
        if self.max_signed_body < 0:
            raise ValueError("max_signed_body: write 0 or a positive number of bytes")
        check_choice(self.end_with_token)
        for path in (self.health_path, self.ready_path):
            if path is not None:
                _check_plain_path(path)
        if self.local_rules is not None:
            self._check_local_development()
        if self._static_keys() is None:
            if self.jwks_url is not None:
                check_address("jwks_url", self.jwks_url)
            else:
                check_address("edge", self.edge, JWKS_PATH)

    @property
    def jwks_address(self) -> str:
        """Return the URL from which keys are fetched, if they are fetched."""
        return self.jwks_url or self.edge.rstrip("/") + JWKS_PATH

    @property
    def local_rules(self) -> LocalRules | None:
        """Return the rules of local development; None if it is off."""
        if self.local_caller is None and self.local_callers is None:
            if self.local_networks or self.local_hosts:
                raise ValueError(
                    "local_networks, local_hosts: write local_caller or local_callers as well"
                )
            return None
        callers, networks = self.local_callers or {}, self.local_networks
        return LocalRules(self.local_caller, callers, networks, self.local_hosts)

    def key_source(self) -> KeySource:
        """Return a new source of the edge's keys. It caches them, so each app needs its own."""
        return self._static_keys() or EdgeKeys(
            self.jwks_address,
            origin=self._origin_keys(),
            fresh_for=self.keys_fresh_for,
            max_stale=self.keys_max_stale,
            cool_down=self.unknown_key_cool_down,
            timeout=self.fetch_timeout,
        )

    def _check_local_development(self) -> None:
        host = urlsplit(self.edge).hostname
        sources = (self.keys, self.origin_key, self.jwks_url)
        if any(source is not None for source in sources) or not is_loopback(host or ""):
            raise ValueError(
                "local_caller is for development: edge must be on this machine, without any keys"
            )

    def _static_keys(self) -> StaticKeys | None:
        origin = self._origin_keys()
        if self.keys is None:
            return None
        document = _jwk_set("keys", self.keys)
        try:
            return StaticKeys(read_key_set(json.dumps(document).encode(), origin))
        except JwksRefused as error:
            raise _refused_keys("keys", error) from error

    def _origin_keys(self) -> OriginKeys | None:
        if self.origin_key is None:
            return None
        document = _jwk_set("origin_key", self.origin_key)
        try:
            return OriginKeys(read_origin_keys(document), self.audience)
        except JwksRefused as error:
            raise _refused_keys("origin_key", error) from error


_WHY_REFUSED = {
    "not-a-jwk-set": 'has no list "keys": pass the whole document, {"keys": [...]}',
    "no-usable-key": "holds no public key on Ed25519 with a kid; pass the keys that the edge "
    "publishes",
    "ambiguous-kid": "gives one kid to two keys",
    "not-an-exchange-key": "is not a private key on X25519",
    "not-private": "is a public key. The public key belongs into the policy: pass the private one",
    "not-32-bytes": "x and d are not 32 bytes each in base64url without padding",
    "not-a-pair": "x is not the public key of d",
    "not-its-thumbprint": "kid is not the thumbprint of the key",
}


def _refused_keys(name: str, error: JwksRefused) -> ValueError:
    words = _WHY_REFUSED.get(error.reason, "is not a usable JWK Set")
    if name == "origin_key" and error.reason != "ambiguous-kid":
        if error.reason == "no-usable-key":
            words = "holds no key"
        words += "; `fastgate origin-key new` prints one"
    return ValueError(f"{name}: {words} ({error.reason})")


def expected_host(settings: Settings) -> str | None:
    """Return the `Host` that requests have to have; None if it is the one that the edge signed."""
    # In local development the client connects to the app itself.
    return settings.backend_host if settings.local_rules is None else None


def check_flag(name: str, value: object) -> None:
    """Refuse a value that is not a bool: a string from the environment is true, even "0".

    Raises:
        ValueError: the value is not a bool. The message says what to write.

    """
    if not isinstance(value, bool):
        raise ValueError(
            f"{name}: is {value!r}; write True or False. For a value from the environment: "
            f'{name}=os.environ.get("…") == "1"'
        )


def check_observe(observe: object, settings: Settings | None) -> None:
    """Refuse an `observe` that is not a bool, or that contradicts the settings.

    Raises:
        ValueError: the message says which of the two.

    """
    check_flag("observe", observe)
    if observe and settings is not None and (settings.strict or settings.local_rules is not None):
        raise ValueError("observe lets every request pass: not with strict or local callers")


def _jwk_set(name: str, document: object) -> Mapping[str, object]:
    if isinstance(document, (str, bytes)):
        raise ValueError(f"{name}: is JSON text; write {name}=json.loads(...)")
    if isinstance(document, list):
        raise ValueError(f'{name}: is a list; pass the whole document, {{"keys": [...]}}')
    if not isinstance(document, Mapping):
        raise ValueError(f'{name}: is not a JWK Set; write {name}={{"keys": [...]}}')
    return document


def check_address(name: str, url: str, path: str = "") -> None:
    """Refuse an address that keys cannot be fetched from.

    Raises:
        ValueError: the message says what to write.

    """
    if "@" in url:  # it may hold a password, so the message does not quote it
        raise ValueError(f"{name}: write a URL without user and password")
    if "://" not in url:
        remedy = f'write {name}="https://{url.lstrip("/")}"'
        if name == "edge":
            remedy += ", exactly as edge.issuer of the policy (or give jwks_url as well)"
        raise ValueError(f'{name}: "{url}" has no scheme; {remedy}')
    fault = url_fault(url + path)
    if fault is not None:
        raise ValueError(f'{name}: "{url}" is not a URL: {fault}; write {name}="https://HOST"')
    parts = urlsplit(url)
    if not parts.hostname or "?" in url or "#" in url:
        raise ValueError(f"{name}: write a URL with a host, and without query and fragment")
    # The host at this address decides the identity of every caller.
    if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback(parts.hostname)):
        raise ValueError(
            f'{name}: "{url}" is not https; write {name}="https://{parts.netloc}{parts.path}" '
            "(http is for a loopback address only)"
        )


def _check_backend_host(host: object) -> None:
    """Refuse a value that is not the value of a `Host` field (RFC 9110 §7.2)."""
    if host is None:
        return
    if not isinstance(host, str) or not host or not all("!" <= char <= "~" for char in host):
        raise ValueError("backend_host: write HOST or HOST:PORT, as override_host of the backend")
    if not set("/?#@\\").isdisjoint(host):
        raise ValueError(f'backend_host: "{host}" is not HOST or HOST:PORT; write the host alone')


def _check_plain_path(path: str) -> None:
    # Decoding and normalizing must not change it: then raw and routed path are the same.
    plain = path.isascii() and all(char.isalnum() or char in "/-_." for char in path)
    if not plain or not path.startswith("/") or "//" in path or "/." in path:
        raise ValueError("health_path, ready_path: write a plain absolute path, such as /health")
