"""What `fastgate dev` writes to the terminal: what was started, each request, and faults.

Input: a stream, log lines of the edge and the state of the policy. Output: text for people.
"""

import contextlib
import re
import shlex
from collections.abc import Mapping
from threading import Lock
from typing import TextIO

from fastgate.dev.edge.process import ENDED
from fastgate.dev.policy.in_force import State
from fastgate.dev.policy.local import Addresses
from fastgate.surrogates import escaped

_NO_GUARD = (
    "hint: this app has no guard, so it also accepts requests that bypass the edge: call "
    "guard(app, Settings(edge=…, audience=…)) before you publish"
)
_HIDDEN = (
    "hint: the page of fastgate dev has the path {}, so this route of the app cannot be reached "
    "here: choose a path that does not begin with /__fastgate/"
)
_VALUES = {"int": "1", "float": "1.5", "uuid": "00000000-0000-4000-8000-000000000000"}
"""Examples of path parameters, by their type."""


PROVIDER = "http://127.0.0.1:9080"
"""The provider that `fastgate token` asks unless it is told otherwise."""


class Terminal:
    """Writes whole lines, from any thread."""

    def __init__(self, stream: TextIO) -> None:
        self._stream, self._lock = stream, Lock()

    def line(self, text: str) -> None:
        """Write a line. Control characters are escaped."""
        shown = "".join(each if each.isprintable() or each == "\n" else "�" for each in text)
        # Without a reader, as after `| head`, everything else goes on.
        with self._lock, contextlib.suppress(OSError):
            print(escaped(shown), file=self._stream, flush=True)

    def started(self, addresses: Addresses, app: str, state: State) -> None:
        """Say what listens where, and how to send a first request."""
        self.line(f"edge      {addresses.edge}")
        self.line(f"page      {addresses.edge}/__fastgate/")
        self.line(f"app       {app}")
        self.line(f"provider  {addresses.provider}")
        if state.app is not None and not state.app.guarded:
            self.line(_NO_GUARD)
        for line in _first_requests(addresses, state):
            self.line(line)

    def request(self, request: Mapping[str, object]) -> None:
        """Write a line about a request, from a line of the edge's log."""
        recorded = request.get("recorded")
        path = recorded.get("path") if isinstance(recorded, Mapping) else None
        shown = [
            *(request.get("status"), request.get("method"), path or "(no canonical path)"),
            *(request.get("verdict"), request.get("subject"), request.get("cause")),
        ]
        self.line("  ".join(_one_line(each) for each in shown if each is not None))

    def settlement(self, settlement: Mapping[str, object]) -> None:
        """Write a line about what a request cost, from a line of the edge's log."""
        kinds = [kind for kind in ("input", "output") if f"{kind}_tokens" in settlement]
        tokens = " and ".join(f"{settlement[f'{kind}_tokens']} tokens of {kind}" for kind in kinds)
        micros = settlement.get("micros")
        budgets = settlement.get("budgets")
        costs = budgets if isinstance(budgets, list) else []
        units = [f"{cost['units']} of {cost['name']}" for cost in costs]
        shown = [
            *("cost", tokens or " and ".join(units) or None),
            *(None if micros is None else f"{micros} micros", settlement.get("settled")),
            *(settlement.get("model") or settlement.get("mcp"), settlement.get("subject")),
        ]
        self.line("  ".join(_one_line(each) for each in shown if each is not None))

    def policy(self, state: State) -> None:
        """Say what is wrong with the policy, or that it is in force."""
        if state.is_good:
            self.line(f"policy    {len(state.routes)} routes are in force")
            for path in (str(route.get("path")) for route in state.routes):
                if f"{path}/".startswith("/__fastgate/"):
                    self.line(_HIDDEN.format(path))
            return
        for fault in state.faults:
            self.line(f"{fault['where']}\n    {fault['what']}\n    → {fault['remedy']}")
        if state.error is not None:
            self.line(state.error)
        if state.error == ENDED:
            return  # nothing is in force
        former = "the former policy stays in force" if state.routes else "the edge responds 503"
        self.line(f"policy    is not in force: {former}; waiting for a change")


def _first_requests(addresses: Addresses, state: State) -> list[str]:
    """Return curl lines for the first route that needs a caller, without parameters if possible."""
    routes = [
        route
        for route in state.routes
        if route.get("access", "authenticated") == "authenticated"
        and "GET" in _texts(route.get("methods"))
        and not route.get("websocket")
    ]
    routes.sort(key=lambda route: "{" in str(route.get("path")))
    if not routes:
        return []
    route = routes[0]
    scopes = "".join(f" {shlex.quote(scope)}" for scope in _texts(route.get("scopes")))
    provider = "" if addresses.provider == PROVIDER else f" --provider {addresses.provider}"
    token = f'-H "Authorization: Bearer $(fastgate token ada{scopes}{provider})"'
    return ["", f"curl -i {addresses.edge}{_example(str(route['path']))} {token}", ""]


def _example(template: str) -> str:
    """Return a path of a template. A parameter whose name ends in `id` is often a number."""

    def value(found: re.Match[str]) -> str:
        named = "1" if found[1].lower().endswith("id") else found[1]
        return _VALUES.get(found[2] or "", named)

    return re.sub(r"\{(\w+)(?::(\w+))?\}", value, template)


def _one_line(value: object) -> str:
    return str(value).replace("\n", "�")


def _texts(value: object) -> list[str]:
    return [str(each) for each in value] if isinstance(value, list) else []
