"""The settings of an app that `fastgate dev` serves: it trusts the local edge, and no other.

Input: the settings in the app's code. Output: those that its guard uses. Only `fastgate dev` calls
`trust_local_edge`, in the process that serves the app and before the app is imported: nothing in
the environment or in a request can.
"""

from dataclasses import replace

from fastgate.keys.source import KeySource
from fastgate.settings import Settings

_local_edge: str | None = None


def trust_local_edge(url: str) -> None:
    """Let every guard of this process trust the edge at this loopback URL instead of its own."""
    global _local_edge
    _local_edge = url


def as_served(settings: Settings, keys: KeySource | None) -> tuple[Settings, KeySource | None]:
    """Return what a guard uses: its own, unless `fastgate dev` serves the app.

    Args:
        settings: those in the app's code.
        keys: the source of the edge's keys, if the app's code gives one.

    """
    if _local_edge is None:
        return settings, keys
    local = replace(
        settings,
        edge=_local_edge,
        keys=None,
        jwks_url=None,
        backend_host=None,
        region=None,
        local_caller=None,
        local_callers=None,
        local_networks=(),
        local_hosts=(),
    )
    return local, None
