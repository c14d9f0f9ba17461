"""Compare the settings of an app's guard with the policy of its edge.

Input: an app, and the policy document. Output: lines for people. The app's routes say nothing of
its audience, and with a wrong one it refuses every request of its edge.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from starlette.middleware.cors import CORSMiddleware

from fastgate.compile.drift import REFUSED
from fastgate.middleware import FastgateMiddleware
from fastgate.routes.framework import routed_app
from fastgate.settings import Settings
from fastgate.stage import has_names


def settings_of(app: object) -> Settings | None:
    """Return the settings of the guard in or around an app; None if no guard can be found."""
    seen: list[object] = []
    while app is not None and not any(app is each for each in seen):
        seen.append(app)
        if isinstance(app, FastgateMiddleware):
            return app.settings if app.has_edge else None
        for layer in getattr(app, "user_middleware", ()):
            found = layer.kwargs.get("settings")
            if layer.cls is FastgateMiddleware and isinstance(found, Settings):
                return found
        app = getattr(app, "app", None)
    return None


def audience_differences(
    settings: Settings | None,
    policy: Mapping[str, object],
    origin: str | None,
    file: Path | str | None,
) -> list[str]:
    """Return a line if no origin of the policy has the audience of the app.

    Args:
        settings: those of the app, if they are known.
        policy: the policy document; nothing is compared without origins, as in a base for
            several apps, nor if an audience differs between stages (`${NAME}`).
        origin: the name of the app under `origins`, so that only this one counts.
        file: where the policy is, as people read it.

    """
    origins = policy.get("origins")
    if settings is None or not isinstance(origins, Mapping):
        return []
    named = {
        name: document["audience"]
        for name, document in origins.items()
        if isinstance(document, Mapping) and isinstance(document.get("audience"), str)
    }
    if origin in named:
        named = {origin: named[origin]}
    if not named or settings.audience in named.values() or any(map(has_names, named.values())):
        return []
    known = " and ".join(f'origins.{name}.audience is "{named[name]}"' for name in named)
    where = "" if file is None else f" in {file}"
    return [
        f'Settings.audience is "{settings.audience}", but {known}{where}: write the same value on '
        f"both sides{REFUSED}"
    ]


def edge_hints(settings: Settings | None, policy: Mapping[str, object]) -> list[str]:
    """Return a hint if the edge of the app has another name than that of the policy.

    It is no difference: an app often takes its edge from the environment.
    """
    edge = policy.get("edge")
    issuer = edge.get("issuer") if isinstance(edge, Mapping) else None
    if settings is None or not isinstance(issuer, str) or settings.edge == issuer:
        return []
    if has_names(issuer):  # it differs between stages
        return []
    return [
        f'hint: Settings.edge is "{settings.edge}" here and edge.issuer is "{issuer}": the app '
        "accepts requests of its edge only if both are equal where it is deployed"
    ]


def token_hints(routes: Sequence[Mapping[str, object]], origin: str | None) -> list[str]:
    """Return a hint if the edge passes the client's token on to the app.

    An app with security schemes of FastAPI verifies tokens itself, so its routes say
    `forward_token`.
    """
    reading = [route for route in routes if route.get("forward_token") is True]
    if not reading:
        return []
    count = f"{len(reading)} of {len(routes)} routes"
    where = "" if origin is None else f' of the origin "{origin}"'
    return [
        f"hint: {count}{where} pass the client's token on to the app, which reads it itself "
        '("forward_token"); an endpoint with `caller: Caller` in place of its security scheme '
        "needs none"
    ]


def cors_hints(app: object, policy: Mapping[str, object]) -> list[str]:
    """Return a hint if the app responds to preflights, and no group of the policy does.

    The edge responds to preflights itself. Without rules for CORS, each gets 405.
    """
    layers = getattr(routed_app(app), "user_middleware", ())
    classes = [layer.cls for layer in layers if isinstance(layer.cls, type)]
    groups = policy.get("groups")
    listed = groups.values() if isinstance(groups, Mapping) else ()
    if not any(issubclass(each, CORSMiddleware) for each in classes):
        return []
    if any(isinstance(group, Mapping) and group.get("cors") for group in listed):
        return []
    return [
        "hint: the app has CORSMiddleware, and preflights do not reach it: the edge responds to "
        'them, with 405 at present; write "groups": {"web": {"cors": {"origins": ["https://…"], '
        '"headers": ["authorization", "content-type"]}}} into the base policy, and '
        'at_edge(group="web")(app) into the app'
    ]
