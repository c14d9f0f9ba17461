"""Local development: sign for the configured callers, in a process without an edge.

Input: requests from this machine. Output: the headers that an edge would have sent with them. The
guard verifies them like any other. Each start logs a warning that callers are not checked.
"""

import json
import logging

from starlette.types import Receive, Scope

from fastgate.content import whole
from fastgate.errors import NotLocal
from fastgate.fake_edge.edge import FakeEdge
from fastgate.fake_edge.fields import Field
from fastgate.fake_edge.signing import SigningKey
from fastgate.keys.key_set import read_key_set
from fastgate.keys.source import StaticKeys
from fastgate.local_rules import ANONYMOUS, LocalRules

_log = logging.getLogger("fastgate")


class LocalEdge:
    """The fake edge for one app and its local callers."""

    def __init__(self, rules: LocalRules) -> None:
        self._rules = rules
        self._key = SigningKey()
        self._edge: FakeEdge | None = None
        document = json.dumps({"keys": [self._key.jwk]}).encode()
        self.keys = StaticKeys(read_key_set(document))
        """The keys with which the guard verifies."""

    def sign_for(self, app: object, issuer: str, audience: str, region: str | None = None) -> None:
        """Start to sign for the routes of `app`, and log a warning."""
        if self._edge is not None:
            return
        self._edge = FakeEdge(app, issuer=issuer, audience=audience, key=self._key, region=region)
        caller = self._rules.caller
        _log.warning(
            "LOCAL DEVELOPMENT: no caller is checked; every request from this machine is by %r%s",
            ANONYMOUS if caller is None else caller.subject,
            "".join(f", or by {name!r} if it chooses that name" for name in self._rules.callers),
        )

    async def header(self, scope: Scope, receive: Receive, limit: int) -> tuple[bytes, Receive]:
        """Return the header for this request, and a `receive` with its body for the app.

        Raises:
            ContentMismatch: the body has to be signed and is longer than `limit` bytes.
            NotLocal: the request may come from elsewhere, or names an unknown caller.

        """
        if self._edge is None:
            raise NotLocal
        self._rules.require_local(scope)
        caller = self._rules.chosen(scope)
        content = b""
        if self._edge.signs_body(scope):
            content, receive = await whole(scope, receive, limit)
        return self._edge.header_for(scope, caller, content), receive

    def forwarded(self, scope: Scope) -> list[Field]:
        """Return the header fields of a request as the app receives them."""
        return scope["headers"] if self._edge is None else self._edge.forwarded(scope)
