"""Local development: the callers, and the requests that come from the developer's own machine.

Input: the local callers in `Settings`, and the ASGI scope of a request. Output: its caller, or
`NotLocal` if the request could come from elsewhere. Pages of other sites in the developer's browser
count as elsewhere, too. It signs nothing: `fake_edge.local` does.
"""

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field

from pydantic import JsonValue
from starlette.types import Scope

from fastgate.errors import NotLocal
from fastgate.requester import Confirmation
from fastgate.this_machine import host_of_field, host_of_url, is_loopback, is_loopback_name

CHOICE_HEADER = b"fastgate-local-caller"
"""The header that names the caller: a key of `Settings.local_callers`, or `anonymous`."""
ANONYMOUS = "anonymous"

# Headers that proxies add. Behind a proxy, every client seems to be on this machine.
_PROXY_HEADERS = (
    *(b"x-forwarded-", b"forwarded", b"via", b"x-real-ip", b"fastly-", b"x-original-forwarded-"),
    *(b"x-client-ip", b"true-client-ip", b"x-cluster-client-ip", b"client-ip", b"cdn-loop"),
    *(b"cf-", b"x-amzn-", b"x-amz-cf-", b"x-cloud-trace-context", b"x-azure-", b"x-arr-"),
    *(b"x-envoy-", b"x-appengine-", b"x-varnish", b"x-proxy", b"proxy-connection", b"max-forwards"),
)
_PRIVATE = tuple(
    ipaddress.ip_network(network)
    for network in (
        *("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"),  # RFC 1918 §3
        *("127.0.0.0/8", "169.254.0.0/16", "::1/128", "fc00::/7", "fe80::/10"),
    )
)


@dataclass(frozen=True, slots=True)
class LocalCaller:
    """A caller for local development, without an identity provider.

    Raises:
        ValueError: `scopes`, `roles` or `groups` is a string instead of a tuple, or `confirmation`
            has another type.

    """

    subject: str
    scopes: tuple[str, ...] = ()
    issuer: str = "https://local.invalid"
    client_id: str | None = None
    country: str | None = None
    token_expires_at: int | None = None
    """When the token of this caller would expire: Unix time, seconds."""
    roles: tuple[str, ...] = ()
    groups: tuple[str, ...] | None = None
    """Forwarded on every route, unless None. On a route with `forward=["groups"]` in its `at_edge`
    mark, None is no group."""
    tenant: str | None = None
    claims: Mapping[str, JsonValue] = field(default_factory=dict, hash=False)
    """Forwarded on every route, by the names that the app reads. On a route with `forward` in its
    `at_edge` mark, the claims it names and this lacks are None."""
    acr: str | None = None
    authenticated_at: int | None = None
    """When the caller would have signed in: Unix time, seconds."""
    session_id: str | None = None
    confirmation: Confirmation | None = None
    """The key or certificate to which the token of this caller would be bound."""

    def __post_init__(self) -> None:
        several: tuple[tuple[str, object], ...] = (
            ("scopes", self.scopes),
            ("roles", self.roles),
            ("groups", self.groups),
        )
        for name, value in several:
            if isinstance(value, str):
                raise ValueError(f'{name}: is a string, not a tuple; write {name}=("{value}",)')
        if not isinstance(self.confirmation, Confirmation | None):
            raise ValueError(
                f"confirmation: is {self.confirmation!r}; write confirmation=Confirmation(jkt=…)"
            )


@dataclass(frozen=True, slots=True)
class LocalRules:
    """The local callers, and the networks and names that count as this machine.

    Raises:
        ValueError: a network is malformed or not private; a caller is named `anonymous`; a value
            is a string instead of a tuple.

    """

    caller: LocalCaller | None
    """The caller of a request that chooses none; None for an anonymous caller."""
    callers: Mapping[str, LocalCaller] = field(default_factory=dict)
    networks: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        several: tuple[tuple[str, object], ...] = (
            ("local_networks", self.networks),
            ("local_hosts", self.hosts),
        )
        for name, value in several:
            if isinstance(value, str):
                raise ValueError(f'{name}: is a string, not a tuple; write {name}=("{value}",)')
        for network in self.networks:
            _check_private_network(network)
        if ANONYMOUS in self.callers:
            raise ValueError(
                f'local_callers: "{ANONYMOUS}" is reserved; give the caller another name'
            )

    def chosen(self, scope: Scope) -> LocalCaller | None:
        """Return the caller of this request: named by a header, by a bearer token, or the default.

        Raises:
            NotLocal: the header names no local caller.

        """
        for name, value in scope["headers"]:
            text = value.decode("latin-1").strip()
            if name.lower() == CHOICE_HEADER:
                if text == ANONYMOUS:
                    return None
                if text not in self.callers:
                    raise _refusal(f"no caller {text!r} in Settings.local_callers")
                return self.callers[text]
            # The button "Authorize" of /docs can choose a caller this way.
            scheme, _, token = text.partition(" ")
            if name.lower() == b"authorization" and scheme.lower() == "bearer":
                found = self.callers.get(token.strip())
                if found is not None:
                    return found
        return self.caller

    def require_local(self, scope: Scope) -> None:
        """Refuse a request that could come from another machine or site. Raises `NotLocal`."""
        if not _is_unix_socket(scope):
            for end in ("client", "server"):
                address = scope.get(end)
                if not address or not self._is_this_machine(address[0]):
                    at = repr(address[0] if address else None)
                    raise _refusal(f"the {end}'s address {at} is not in Settings.local_networks")
        # Browsers and clients no longer use HTTP/1.0, but nginx does by default, and it may send
        # no other trace of itself.
        if scope.get("http_version") in ("0.9", "1.0"):
            raise _refusal(f"HTTP/{scope['http_version']}: there may be a proxy in between")
        if [name.lower() for name, _ in scope["headers"]].count(b"host") != 1:
            raise _refusal("the request must have exactly one Host")
        page_is_local, site = False, None
        for name, value in scope["headers"]:
            lower = name.lower()
            if lower.startswith(_PROXY_HEADERS):
                raise _refusal(f"a proxy is in between: {lower.decode('latin-1')}")
            # A page in the developer's browser may resolve its own name to this machine.
            if lower == b"host" and not self._is_name(host_of_field(value)):
                host = value.decode("latin-1")
                raise _refusal(f"Host {host!r} is not in Settings.local_hosts")
            # The browser writes the next three headers, and a page cannot change them.
            if lower in (b"origin", b"referer"):
                if not self._is_name(host_of_url(value)):
                    raise _refusal(f"a page of another site sent this: {host_of_url(value)!r}")
                page_is_local = True
            if lower == b"sec-fetch-site":
                site = value.strip().lower()
        if site not in (None, b"same-origin", b"none") and not page_is_local:
            raise _refusal("a page of another site sent this: Sec-Fetch-Site")

    def _is_this_machine(self, address: str) -> bool:
        if is_loopback(address):
            return True
        try:
            found = ipaddress.ip_address(address)
        except ValueError:
            return False
        mapped = getattr(found, "ipv4_mapped", None) or found
        return any(mapped in ipaddress.ip_network(network) for network in self.networks)

    def _is_name(self, host: str | None) -> bool:
        return host is not None and (is_loopback_name(host) or host.lower() in self.hosts)


def _is_unix_socket(scope: Scope) -> bool:
    """Whether the server listens on a Unix socket: ASGI reports its path and no port."""
    server, client = scope.get("server"), scope.get("client")
    if not server or server[1] is not None or not str(server[0]).startswith("/"):
        return False
    return not client or not client[0]


def _check_private_network(network: str) -> None:
    try:
        parsed = ipaddress.ip_network(network)
    except ValueError as error:
        raise ValueError(f'local_networks: {error}; write "172.17.0.0/16"') from error
    for private in _PRIVATE:
        if parsed.version == private.version and parsed.subnet_of(private):  # type: ignore[arg-type]
            return
    raise ValueError(f'local_networks: "{network}" is not a private network (RFC 1918 §3)')


def _refusal(why: str) -> NotLocal:
    return NotLocal(found=why)  # the log prints `found`, within its limits
