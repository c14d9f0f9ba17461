"""Local development: who calls, and which requests come from the developer's own machine.

In: what `Settings` say of local callers, and the ASGI scope of a request. Out: its caller, or
`NotLocal` for a request that could come from elsewhere; pages of other sites in the developer's
browser are elsewhere, too. It signs nothing: see `fake_edge.local`.
"""

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from starlette.types import Scope

from fastgate.errors import NotLocal

CHOICE_HEADER = b"fastgate-local-caller"
"""Names the caller of one request: a key of `Settings.local_callers`, or `anonymous`."""
ANONYMOUS = "anonymous"

# What proxies leave behind. Behind one, every client looks like this machine.
_TRACES = (
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
    """A caller, where no identity provider is asked."""

    subject: str
    scopes: tuple[str, ...] = ()
    issuer: str = "https://local.invalid"
    client_id: str | None = None
    country: str | None = None
    token_expires_at: int | None = None
    """When the token that this caller would have expires: Unix time, seconds."""


@dataclass(frozen=True, slots=True)
class LocalRules:
    """Who the callers are, and what counts as this machine beyond the loopback.

    Raises:
        ValueError: a network is not one, or not private; a caller's name is `anonymous`; a text
            stands where several belong.

    """

    caller: LocalCaller | None
    """The caller of a request that chooses none; None is an anonymous caller."""
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
                raise ValueError(f'{name}: is one text; write {name}=("{value}",)')
        for network in self.networks:
            _check_private_network(network)
        if ANONYMOUS in self.callers:
            raise ValueError(f'local_callers: "{ANONYMOUS}" is the caller that nobody knows')

    def chosen(self, scope: Scope) -> LocalCaller | None:
        """Return who makes this request: named by a header, by a bearer token, or the default.

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
            # So that the button "Authorize" of /docs can choose, too.
            scheme, _, token = text.partition(" ")
            if name.lower() == b"authorization" and scheme.lower() == "bearer":
                found = self.callers.get(token.strip())
                if found is not None:
                    return found
        return self.caller

    def require_local(self, scope: Scope) -> None:
        """Refuse what could come from another machine, or from another site. Raises `NotLocal`."""
        if not _is_unix_socket(scope):
            for end in ("client", "server"):
                address = scope.get(end)
                if not address or not self._is_here(address[0]):
                    at = repr(address[0] if address else None)
                    raise _refusal(f"the {end}'s address {at} is not in Settings.local_networks")
        # What browsers and clients do not speak any more is what nginx speaks unless it is told
        # otherwise, and then it may pass nothing else on that would tell it from this machine.
        if scope.get("http_version") in ("0.9", "1.0"):
            raise _refusal(f"HTTP/{scope['http_version']}: a proxy may stand between")
        if [name.lower() for name, _ in scope["headers"]].count(b"host") != 1:
            raise _refusal("there is not exactly one Host")
        page_is_local, site = False, None
        for name, value in scope["headers"]:
            lower = name.lower()
            if lower.startswith(_TRACES):
                raise _refusal(f"a proxy stands between: {lower.decode('latin-1')}")
            # A page in the developer's browser may point its own name at this machine.
            if lower == b"host" and not self._is_name(_host(value)):
                raise _refusal(f"Host {_host(value)!r} is not in Settings.local_hosts")
            # The browser writes the next three: a page cannot change what they say of it.
            if lower in (b"origin", b"referer"):
                if not self._is_name(_host_of_url(value)):
                    raise _refusal(f"a page of another site asks: {_host_of_url(value)!r}")
                page_is_local = True
            if lower == b"sec-fetch-site":
                site = value.strip().lower()
        if site not in (None, b"same-origin", b"none") and not page_is_local:
            raise _refusal("a page of another site asks, without its name: Sec-Fetch-Site")

    def _is_here(self, address: str) -> bool:
        if is_loopback(address):
            return True
        try:
            found = ipaddress.ip_address(address)
        except ValueError:
            return False
        mapped = getattr(found, "ipv4_mapped", None) or found
        return any(mapped in ipaddress.ip_network(network) for network in self.networks)

    def _is_name(self, host: str) -> bool:
        lower = host.lower()
        # RFC 6761 §6.3: names below localhost are this machine, in every browser.
        return is_loopback(lower) or lower.endswith(".localhost") or lower in self.hosts


def is_loopback(host: str) -> bool:
    """Whether a host, as in a URL or an address, is this machine and no other."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _is_unix_socket(scope: Scope) -> bool:
    """Whether the server listens on a file: ASGI names its path, without a port."""
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
    return NotLocal(found=why)  # the log says it, as often as it says any refusal


def _host(value: bytes) -> str:
    text = value.decode("latin-1")
    return text[1:].partition("]")[0] if text.startswith("[") else text.partition(":")[0]


def _host_of_url(value: bytes) -> str:
    """Return the host of an origin or a URL; of what is neither (`null`), the text itself."""
    text = value.decode("latin-1")
    try:
        return urlsplit(text).hostname or text
    except ValueError:
        return text
