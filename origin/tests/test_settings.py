"""Settings are always usable: wrong values raise an error."""

import re

import pytest

from fastgate import LocalCaller, Settings
from fastgate.keys.source import EdgeKeys, StaticKeys
from tests.edge import AUDIENCE, ISSUER, Edge

LOCAL = {"edge": "http://127.0.0.1", "local_caller": LocalCaller("ada")}


def test_keys_are_fetched_below_the_edge_by_default() -> None:
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
        {"strict": "0"},
        {"strict": "false"},
        {"strict": 1},
        {"strict": None},
        {**LOCAL, "local_hosts": "api"},
        {**LOCAL, "local_networks": "172.17.0.0/16"},
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
def test_wrong_settings_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        Settings(**{"edge": ISSUER, "audience": AUDIENCE, **wrong})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"edge": "api.example.com"}, 'write edge="https://api.example.com"'),
        ({"edge": "http://api.example.com"}, 'write edge="https://api.example.com"'),
        ({"edge": "https://api.example.com:99999"}, 'edge: "https://api.example.com:99999"'),
        ({"edge": "https://api.example.com:x"}, "is not a URL"),
        ({"edge": "https://xn--a.com"}, "is not a URL"),
        ({"edge": "https://a..example"}, "1 to 63 characters"),
        ({"edge": f"https://{'a' * 64}.example"}, "1 to 63 characters"),
        ({"edge": " https://api.example.com"}, "white space"),
        ({"edge": None}, "edge: write a non-empty string"),
        ({"jwks_url": "api.example.com/jwks"}, 'write jwks_url="https://api.example.com/jwks"'),
        ({"jwks_url": "https://api.example.com:99999/jwks"}, "jwks_url: "),
        ({"keys": '{"keys": []}'}, "write keys=json.loads"),
        ({"keys": b'{"keys": []}'}, "write keys=json.loads"),
        ({"keys": []}, 'pass the whole document, {"keys": [...]}'),
        ({"keys": 7}, 'write keys={"keys": [...]}'),
        ({"origin_key": '{"keys": []}'}, "write origin_key=json.loads"),
        ({"origin_key": []}, 'pass the whole document, {"keys": [...]}'),
        ({"origin_key": 7}, "origin_key: is not a JWK Set"),
        ({"origin_key": {"keys": []}}, "holds no key; `fastgate origin-key new`"),
        ({"origin_key": {"keys": [{"kty": "EC", "kid": "1"}]}}, "not a private key on X25519"),
        ({"keys": {"keys": [{"kty": "oct", "kid": "1"}]}}, "pass the keys that the edge publishes"),
        ({"region": ""}, "region: write a non-empty string"),
        ({"region": " eu"}, "region: write a non-empty string"),
        ({"region": ["eu"]}, "region: write a non-empty string"),
        ({"backend_host": ""}, "write HOST or HOST:PORT"),
        ({"backend_host": 7}, "write HOST or HOST:PORT"),
        ({"backend_host": b"orders.internal"}, "write HOST or HOST:PORT"),
        ({"backend_host": " orders.internal"}, "write HOST or HOST:PORT"),
        ({"backend_host": "orders.internal\r\nX: y"}, "write HOST or HOST:PORT"),
        ({"backend_host": "https://orders.internal"}, "write the host alone"),
        ({"backend_host": "orders.internal/"}, "write the host alone"),
        ({"backend_host": "user@orders.internal"}, "write the host alone"),
    ],
)
def test_the_message_names_the_mistake_and_the_remedy(wrong: dict[str, object], said: str) -> None:
    with pytest.raises(ValueError, match=re.escape(said)):
        Settings(**{"edge": ISSUER, "audience": AUDIENCE, **wrong})  # type: ignore[arg-type]


def test_no_secret_is_in_the_message(edge: Edge) -> None:
    secret = "c2VjcmV0LXNlY3JldA"
    for wrong in (
        {"origin_key": f'{{"keys": [{{"d": "{secret}"}}]}}'},
        {"origin_key": {"keys": [{"kty": "OKP", "crv": "X25519", "x": "", "d": secret}]}},
        {"origin_key": {"kty": "oct", "k": secret}},
        {"jwks_url": f"https://user:{secret}@edge.example/"},
        {"jwks_url": f"user:{secret}@a..example"},
    ):
        with pytest.raises(ValueError, match=r"\w") as error:
            Settings(**{"edge": ISSUER, "audience": AUDIENCE, **wrong})  # type: ignore[arg-type]
        assert secret not in str(error.value)
