"""Local development: sign for the configured callers, in a process without an edge.

In: requests from this machine. Out: the headers that an edge would have sent with them; the guard
verifies them like any other. It warns at every start that no caller is checked.
"""

import json
import logging

from starlette.types import Receive, Scope

from fastgate.content import whole
from fastgate.errors import NotLocal
from fastgate.fake_edge.edge import FakeEdge
from fastgate.fake_edge.signing import SigningKey
from fastgate.keys.jwks import read_jwks
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
        self.keys = StaticKeys(read_jwks(document))
        """What the guard verifies with."""

    def sign_for(self, app: object, issuer: str, audience: str) -> None:
        """Sign for the routes of `app` from now on; the first time, say so in the log."""
        if self._edge is not None:
            return
        self._edge = FakeEdge(app, issuer=issuer, audience=audience, key=self._key)
        caller = self._rules.caller
        _log.warning(
            "LOCAL DEVELOPMENT: nobody is checked, every request from this machine is made by %r%s",
            ANONYMOUS if caller is None else caller.subject,
            "".join(f", or by {name!r} if it says so" for name in self._rules.callers),
        )

    async def header(self, scope: Scope, receive: Receive, limit: int) -> tuple[bytes, Receive]:
        """Return the header for this request, and where the app receives its body from.

        Raises:
            ContentMismatch: its body, which is to be signed, is longer than `limit` bytes.
            NotLocal: it may come from elsewhere, or names a caller who is not configured.

        """
        if self._edge is None:
            raise NotLocal
        self._rules.require_local(scope)
        caller = self._rules.chosen(scope)
        content = b""
        if self._edge.signs_body(scope):
            content, receive = await whole(scope, receive, limit)
        return self._edge.header_for(scope, caller, content), receive
