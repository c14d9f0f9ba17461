"""The options of a guard with other gateways, and its settings without an edge.

Input: the arguments of `guard`. Output: `Settings` for an app that no edge calls yet, or an error
that says what to write.
"""

from collections.abc import Sequence

from fastgate.settings import Settings


def check_gateways(
    settings: Settings | None,
    gateways: Sequence[object],
    health_path: str | None,
    *,
    observe: object,
) -> None:
    """Refuse a guard without a source of callers, and options that contradict each other.

    Raises:
        ValueError: the message says what to write.

    """
    if settings is None and not gateways:
        raise ValueError(
            'guard(app, Settings(edge="https://…", audience="…")), or '
            'guard(app, gateways=[from_gateway("…", …)]) if no edge calls the app yet'
        )
    if settings is None:
        without_edge(health_path)
    elif health_path is not None:
        raise ValueError("health_path: write it in Settings, which the guard has")
    if observe and gateways:
        raise ValueError("observe lets every request pass: not with gateways")


def without_edge(health_path: str | None = None) -> Settings:
    """Return settings for an app that no edge calls yet: they name an edge that cannot exist.

    Raises:
        ValueError: the path is not plain.

    """
    return Settings(edge="https://no-edge.invalid", audience="no-edge", health_path=health_path)
