"""The names and addresses of this machine.

Input: a host, a `Host` field, or the URL of a page. Output: the host in it, and whether it is this
machine. It looks up no name: another site's name may resolve to this machine (DNS rebinding).
"""

import ipaddress
import re
from urllib.parse import urlsplit

# A name or an IPv4 address, or an IPv6 address in brackets (RFC 3986 §3.2.2), and a port.
_HOST_FIELD = re.compile(r"(?:([^:\[\]]+)|\[([0-9A-Fa-f.]*:[0-9A-Fa-f:.]*)\])(?::[0-9]{1,5})?")
_BELOW_LOCALHOST = re.compile(r"(?:[a-z0-9_-]+\.)+localhost")


def is_loopback(host: str) -> bool:
    """Whether a host name or address is this machine."""
    if host.lower() == "localhost":
        return True
    try:
        found = ipaddress.ip_address(host)
    except ValueError:
        return False
    # A server that listens on both versions of IP sees IPv4 addresses in this form.
    return (getattr(found, "ipv4_mapped", None) or found).is_loopback


def is_loopback_name(host: str | None) -> bool:
    """Whether a host is this machine for every browser: also a name below `localhost`."""
    if host is None:
        return False
    # RFC 6761 §6.3
    return is_loopback(host) or _BELOW_LOCALHOST.fullmatch(host.lower()) is not None


def host_of_field(value: bytes) -> str | None:
    """Return the host in a `Host` field, without the port; None if the field is malformed."""
    found = _HOST_FIELD.fullmatch(value.decode("latin-1"))
    return (found[1] or found[2]) if found else None


def host_of_url(value: bytes) -> str:
    """Return the host of an origin or a URL; for another string (`null`), the string itself."""
    text = value.decode("latin-1")
    try:
        return urlsplit(text).hostname or text
    except ValueError:
        return text
