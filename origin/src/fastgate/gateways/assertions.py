"""Find and verify the assertion of another gateway in a request.

Input: an ASGI scope without `Fastgate-Identity`, and the configured gateways. Output:
`GatewayClaims`, or a `Refused` that names the cause. The app never sees the headers of assertions,
except `Authorization`.
"""

import logging
import uuid
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from starlette.types import Scope

from fastgate import errors
from fastgate.gateways.evidence import GatewayClaims
from fastgate.gateways.gateway import Gateway
from fastgate.gateways.keys import GatewayKeys, keys_of
from fastgate.gateways.verify import read_unverified, verified_payload
from fastgate.settings import check_address

_log = logging.getLogger("fastgate")
_BEARER = b"bearer "
_AUTHORIZATION = b"authorization"
_OWN_PREFIX = b"fastgate-"


class Found(NamedTuple):
    """An assertion in a request, not verified yet."""

    name: bytes
    """The name of the header, lower case."""
    value: bytes


class Assertions:
    """Verifies the assertions of several gateways, each with its own keys.

    Args:
        gateways: the gateways. Each header belongs to one of them.
        leeway: the least difference between clocks that is allowed, in seconds.

    Raises:
        ValueError: two gateways use the same header, or an entry is not from `from_gateway`.

    """

    def __init__(self, gateways: Iterable[Gateway], leeway: float) -> None:
        self.gateways: Sequence[Gateway] = tuple(gateways)
        self._leeway = leeway
        self._keys: dict[bytes, tuple[Gateway, GatewayKeys]] = {}
        for gateway in self.gateways:
            if not isinstance(gateway, Gateway):
                raise ValueError(f'gateways: write from_gateway("…", …), not {gateway!r}')
            check_address("keys_url", gateway.keys_url)
            name = gateway.header.encode("ascii")
            if name in self._keys:
                raise ValueError(f"gateways: two of them use the header {gateway.header}")
            self._keys[name] = gateway, keys_of(gateway)

    def __bool__(self) -> bool:
        return bool(self._keys)

    def accepts(self, claims: GatewayClaims) -> bool:
        """Whether claims that an outer guard has verified are of a gateway that is known here."""
        return claims.gateway in self.gateways

    def take(self, scope: Scope, *, is_from_edge: bool) -> list[Found]:
        """Remove all assertions from the scope, and return them.

        `Authorization` stays: under an edge it is not an assertion, and apps may read it. A request
        that the edge did not send loses `Fastgate-*`, which only the edge may set.
        """
        kept: list[tuple[bytes, bytes]] = []
        found: list[Found] = []
        for field in scope["headers"]:
            name = field[0].lower()
            # A WSGI bridge would read an underscore as a hyphen.
            normalized = name.replace(b"_", b"-")
            if name in self._keys:
                found.append(Found(name, field[1]))
            is_own = not is_from_edge and normalized.startswith(_OWN_PREFIX)
            if name == _AUTHORIZATION or (normalized not in self._keys and not is_own):
                kept.append(field)
        scope["headers"] = kept
        return found

    async def verified(self, found: Sequence[Found], now: float) -> GatewayClaims:
        """Verify the only assertion of a request.

        Args:
            found: the assertions that were taken, at least one.
            now: Unix time, seconds.

        Raises:
            Refused: a subclass names the cause.
            KeysUnavailable: the keys of the gateway could not be fetched.

        """
        if len(found) != 1:
            raise errors.AssertionRepeated(found=", ".join(each.name.decode() for each in found))
        gateway, keys = self._keys[found[0].name]
        try:
            return await self._verified(found[0].value, gateway, keys, now)
        except errors.Refused as error:
            error.gateway = gateway.name
            raise

    async def _verified(
        self, value: bytes, gateway: Gateway, keys: GatewayKeys, now: float
    ) -> GatewayClaims:
        if gateway.bearer:
            if value[: len(_BEARER)].lower() != _BEARER:
                raise errors.TokenMalformed
            value = value[len(_BEARER) :].lstrip(b" ")
        leeway = max(self._leeway, gateway.leeway)
        token = read_unverified(value, gateway, now, leeway)
        key = await keys.key(token.kid)
        issuer, payload = verified_payload(token, key, gateway, now, leeway)
        request_id = str(uuid.uuid4())  # the client may have chosen every header
        return GatewayClaims(gateway, issuer, gateway.read(payload), request_id, payload)

    def warn(self) -> None:
        """Log at the start that routes are not compared, and how to finish the migration."""
        for gateway in self.gateways:
            _log.warning(
                "requests from the gateway %s are accepted although it signs no route: whatever "
                "the app runs for a path, the gateway's rules for that path were applied. Finish "
                "the migration: send the traffic through Fastgate, then remove "
                'from_gateway("%s", …) from guard(…)',
                gateway.name,
                gateway.name,
            )
