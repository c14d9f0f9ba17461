"""Settings are usable, or they are not made."""

import pytest

from fastgate import Settings
from fastgate.keys import EdgeKeys, StaticKeys
from tests.edge import AUDIENCE, ISSUER, Edge


def test_keys_are_looked_for_below_the_edge() -> None:
    settings = Settings(edge=ISSUER, audience=AUDIENCE)
    assert settings.jwks_address == "https://edge.example/.well-known/fastgate/jwks.json"
    assert isinstance(settings.key_source(), EdgeKeys)


def test_keys_that_are_given_are_never_fetched(edge: Edge) -> None:
    assert isinstance(edge.settings().key_source(), StaticKeys)


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:7676/k", "http://localhost/k", "http://[::1]/k", "https://e.example/"]
)
def test_plain_http_is_for_loopback_only(url: str) -> None:
    assert Settings(edge="the-edge", audience=AUDIENCE, jwks_url=url).jwks_address == url


@pytest.mark.parametrize(
    "wrong",
    [
        {"edge": ""},
        {"audience": ""},
        {"edge": "edge.example"},
        {"edge": "http://edge.example"},
        {"jwks_url": "http://127.0.0.1.evil.example/"},
        {"jwks_url": "http://localhost.evil.example/"},
        {"jwks_url": "http://127.0.0.1@evil.example/"},
        {"jwks_url": "https://user@edge.example/"},
        {"jwks_url": "file:///etc/passwd"},
        {"jwks_url": "https://edge.example/", "keys": {"keys": []}},
        {"keys": {}},
        {"keys": {"keys": []}},
        {"keys": {"keys": [{"kty": "oct", "k": "AAAA", "kid": "1"}]}},
        {"leeway": -1},
        {"leeway": 61},
        {"keys_fresh_for": 0},
        {"keys_fresh_for": 7200},
        {"unknown_key_cool_down": 0},
        {"fetch_timeout": 0},
        {"health_path": "health"},
        {"health_path": "/health/../me"},
        {"health_path": "/h%65alth"},
        {"health_path": "//health"},
        {"health_path": "/health?x"},
    ],
)
def test_settings_that_would_not_hold_are_not_made(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        Settings(**{"edge": ISSUER, "audience": AUDIENCE, **wrong})  # type: ignore[arg-type]
