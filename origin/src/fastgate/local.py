"""Local development: run a guarded app on one's own machine, without an edge.

In: requests from this machine. Out: the same requests with the header that a stand-in edge signed
for one configured caller; the door then verifies it like any other. It lets nothing through that
could come from elsewhere, and says at every start that nobody is checked.
"""

import ipaddress
import logging

from starlette.types import Receive, Scope

from fastgate.content import whole
from fastgate.errors import NotLocal
from fastgate.stand_in import StandInCaller, StandInEdge

_log = logging.getLogger("fastgate")

# What proxies leave behind. Behind one, every client looks like this machine.
_TRACES = (b"x-forwarded-", b"forwarded", b"via", b"x-real-ip", b"fastly-")


class LocalEdge:
    """The stand-in for one app and one caller."""

    def __init__(self, edge: StandInEdge, caller: StandInCaller) -> None:
        self._edge = edge
        self._caller = caller
        _log.warning(
            "LOCAL DEVELOPMENT: nobody is checked, every request from this machine is made by %r",
            caller.subject,
        )

    async def header(self, scope: Scope, receive: Receive, limit: int) -> tuple[bytes, Receive]:
        """Return the header for this request, and where the app receives its body from.

        Raises:
            ContentMismatch: its body, which is to be signed, is longer than `limit` bytes.
            NotLocal: one end of the connection is not on this machine, or a proxy stands between.

        """
        require_loopback(scope)
        content = b""
        if self._edge.signs_body(scope):
            content, receive = await whole(scope, receive, limit)
        return self._edge.header_for(scope, self._caller, content), receive


def require_loopback(scope: Scope) -> None:
    """Refuse what could come from another machine. Raises `NotLocal`."""
    for end in ("client", "server"):
        address = scope.get(end)
        if not address or not is_loopback(address[0]):
            raise NotLocal
    for name, value in scope["headers"]:
        if name.lower().startswith(_TRACES):
            raise NotLocal
        # A page in the developer's browser may point its own name at this machine.
        if name.lower() == b"host" and not is_loopback(_host(value)):
            raise NotLocal


def is_loopback(host: str) -> bool:
    """Whether a host, as in a URL or an address, is this machine and no other."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _host(value: bytes) -> str:
    text = value.decode("latin-1")
    return text[1:].partition("]")[0] if text.startswith("[") else text.partition(":")[0]
