"""Log refusals, so that an operator can distinguish their causes.

Input: a `FastgateError` and the ASGI scope of the request. Output: one record of the logger
`fastgate`, whose field `fastgate` holds the facts: a dict of plain values. A record never contains
a token, a subject, a query or a body. Clients that are not verified cannot fill the log, because
each cause has a limited number of records per minute.
"""

import logging
import time
from collections.abc import Callable

from starlette.routing import BaseRoute
from starlette.types import Scope

from fastgate.claims import SCOPE_KEY, EdgeClaims
from fastgate.errors import (
    FastgateError,
    HostMismatch,
    IssuerMismatch,
    NotLocal,
    PathMismatch,
    Refused,
    RegionMismatch,
    RegionUnmet,
    RouteMismatch,
)

LOG_KEY = "fastgate.refusals"
"""The key of the ASGI scope under which the guard stores its `RefusalLog`."""
WINDOW_SECONDS = 60.0
UNVERIFIED_PER_WINDOW = 20
"""The limit of records for one cause, from requests that were not verified."""
_LONGEST = 256

_log = logging.getLogger("fastgate")


class RefusalLog:
    """Writes the refusals of one guard."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._windows: dict[str, _Window] = {}

    def write(
        self,
        error: FastgateError,
        scope: Scope,
        *,
        level: int = logging.WARNING,
        outcome: str = "refused",
    ) -> None:
        """Write one record, unless requests that were not verified have reached the limit.

        A client can repeat a header that the edge did sign: after it has expired, for another path,
        to another origin. Only a completely verified request is always logged.
        """
        facts = facts_of(error, scope)
        if not isinstance(scope.get(SCOPE_KEY), EdgeClaims):
            now = self._clock()
            window = self._windows.get(error.code)
            if window is None or now - window.began >= WINDOW_SECONDS:
                left_out = 0 if window is None else window.left_out
                window = self._windows[error.code] = _Window(now)
                if left_out:
                    facts["left_out_before"] = left_out
            window.seen += 1
            if window.seen > UNVERIFIED_PER_WINDOW:
                window.left_out += 1
                return
            if window.seen == UNVERIFIED_PER_WINDOW:
                facts["left_out_for_seconds"] = WINDOW_SECONDS
        if isinstance(error, NotLocal) and error.found is not None:
            _log.log(level, "not local: %s", error.found)
        _log.log(level, "%s: %s", outcome, error.code, extra={"fastgate": facts})


class _Window:
    """The records of one cause since `began`."""

    __slots__ = ("began", "left_out", "seen")

    def __init__(self, began: float) -> None:
        self.began = began
        self.seen = self.left_out = 0


_WITHOUT_GUARD = RefusalLog()


def log_of(scope: Scope) -> RefusalLog:
    """Return the log of the guard that this request came through; a shared one if none did."""
    found = scope.get(LOG_KEY)
    return found if isinstance(found, RefusalLog) else _WITHOUT_GUARD


def facts_of(error: FastgateError, scope: Scope) -> dict[str, object]:
    """Return the facts about a refused request.

    They are `code`, `method`, `path` (as it arrived, at most 256 characters), `client` (its
    address), `verified` (whether the edge's signature was valid), `request_id` (as signed, or from
    `X-Request-ID` if nothing was verified), and the two compared values: `signed` and `found`.
    `gateway` is the name of another gateway whose assertion was refused. `hint` says what to
    change, if that is known.
    """
    claims = scope.get(SCOPE_KEY)
    signed, found, request_id = None, None, None
    if isinstance(error, Refused):
        signed, found, request_id = error.signed, error.found, error.request_id
    if isinstance(claims, EdgeClaims):
        request_id = claims.request_id
        if isinstance(error, RouteMismatch) and signed is None:
            judged = claims.transaction
            signed = f"{judged.method} {judged.template} (route {judged.route})"
            found = found or _route_in(scope)
    hint = None
    if isinstance(error, IssuerMismatch) and _slashless(signed) == _slashless(found):
        hint = f'only the final slash differs: write Settings(edge="{signed}")'
    if isinstance(error, HostMismatch) and found is not None:
        hint = (
            "something between the edge and the app changes Host: if it is override_host of the "
            'backend, write that host as Settings(backend_host="…"); let a proxy keep Host'
        )
    if isinstance(error, (RegionMismatch, RegionUnmet)):
        signed, found, hint = _about_region(error, claims)
    root_path = scope.get("root_path")
    if isinstance(error, PathMismatch) and root_path and found and signed == root_path + found:
        hint = (
            f'the root_path "{_short(root_path)}" is not the app\'s own, so no signed path begins '
            "with it: let the edge strip it; or, if the server or a proxy sets it, give it to the "
            "app, FastAPI(root_path=…), and compile the policy again; or, if the app has it and a "
            "wrapper hides the app, give the wrapper an attribute `app`"
        )
    client = scope.get("client")
    facts: dict[str, object] = {
        "code": error.code,
        "method": "WEBSOCKET" if scope["type"] == "websocket" else scope.get("method"),
        "path": _short(_path(scope)),
        "client": client[0] if client else None,
        "verified": request_id is not None,
        "request_id": request_id or _short(_header(scope, b"x-request-id")),
        "claim": getattr(error, "claim", None),
        "gateway": getattr(error, "gateway", None),
        "signed": _short(signed),
        "found": _short(found),
        "hint": hint,
    }
    return {name: value for name, value in facts.items() if value is not None}


def _about_region(
    error: RegionMismatch | RegionUnmet, claims: object
) -> tuple[str | None, str | None, str]:
    """Return the signed region, the expected ones, and what to write."""
    hint = "" if error.signed else "; the header names no region: give each backend of it one"
    if isinstance(error, RegionMismatch):
        hint = (
            "the edge sent it to a backend elsewhere: compare the region of this backend in the "
            f'policy with Settings(region="{error.found}"){hint}'
        )
        return error.signed, error.found, hint
    listed = ", ".join(f'"{each}"' for each in error.required)
    route = claims.transaction.route if isinstance(claims, EdgeClaims) else "…"
    written = f'write "regions": [{listed}] on the route "{route}" of the policy, as '
    return error.signed, listed, f"{written}`fastgate policy` does{hint}"


def _route_in(scope: Scope) -> str | None:
    route = scope.get("route")
    path = getattr(route, "path", None) if isinstance(route, BaseRoute) else None
    endpoint = getattr(scope.get("endpoint"), "__qualname__", None)
    if path is None and endpoint is None:
        return None
    return f"{path or 'a route'} ({endpoint or 'no endpoint'})"


def _slashless(text: str | None) -> str:
    return (text or "").rstrip("/")


def _path(scope: Scope) -> str:
    raw = scope.get("raw_path")
    return raw.decode("latin-1") if isinstance(raw, bytes) else str(scope.get("path", ""))


def _header(scope: Scope, wanted: bytes) -> str | None:
    for name, value in scope.get("headers", ()):
        if name.lower() == wanted:
            text: str = value.decode("latin-1")
            return text
    return None


def _short(text: str | None) -> str | None:
    if text is None or len(text) <= _LONGEST:
        return text
    return text[:_LONGEST] + "…"
