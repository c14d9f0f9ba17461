"""`fastgate token`: what it prints for any response of what should be the provider."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from starlette.types import Receive, Scope, Send

from fastgate.__main__ import main
from tests.development_provider import serving as provider_serving
from tests.serving import uvicorn_serving

NOT_THE_PROVIDER = "is not the provider of `fastgate dev`: write --provider with"
STATE = b'{"issuers": [{"id": "dev"}]}'


class Answers:
    """An app that responds to each request for a token, and for the state, as a test says."""

    state = token = STATE
    status = 200
    path = b""
    asked: Any = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        is_state = scope["method"] == "GET"
        self.path = scope["raw_path"]
        if not is_state:
            self.asked = json.loads((await receive())["body"])
        status = 200 if is_state else self.status
        headers = [(b"content-type", b"application/json")]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        body = self.state if is_state else self.token
        await send({"type": "http.response.body", "body": body})


@pytest.fixture(scope="module")
def served() -> Iterator[tuple[Answers, str]]:
    app = Answers()
    with uvicorn_serving(app) as (host, port):
        yield app, f"http://{host}:{port}"


@pytest.fixture
def answers(served: tuple[Answers, str]) -> tuple[Answers, str]:
    vars(served[0]).clear()
    return served


ODD = [
    *(b"", b"x", b"\xff", b"[1]", b"1", b"null", b'"a"', b"{}", b"[" * 100_000, b" " * 21_000_000),
    *(b'{"issuers": 1}', b'{"issuers": []}', b'{"issuers": [1]}', b'{"issuers": [{"id": 1}]}'),
    *(b'{"issuers": {}}', b'{"issuers": [[]]}', b'{"issuers": null}', b'{"issuers": [{}]}'),
    *(b'{"access_token": 1}', b'{"access_token": null}', b'{"access_token": ""}'),
    *(b'{"access_token": ["a"]}', b'{"access_token": "a\\n"}', b'{"access_token": "\\u001b[2J"}'),
    *(b'{"access_token": "a b"}', b'{"access_token": "\\ud800"}', b'{"access_token": "\xc3\xa9"}'),
]


@pytest.mark.parametrize("body", ODD, ids=lambda body: repr(body[:30]))
@pytest.mark.parametrize("where", ["state", "token"])
def test_any_other_response_is_one_line(
    answers: tuple[Answers, str],
    capsys: pytest.CaptureFixture[str],
    body: bytes,
    where: str,
) -> None:
    app, provider = answers
    setattr(app, where, body)
    app.status = 400 if len(body) % 2 else 200
    assert main(["token", "ada", "--provider", provider]) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.count("\n") == 1
    assert NOT_THE_PROVIDER in said.err


def test_a_refusal_is_shown_in_one_line(
    answers: tuple[Answers, str], capsys: pytest.CaptureFixture[str]
) -> None:
    app, provider = answers
    app.status = 400
    for detail, shown in (("a\nb\x1b[2J", "a�b�[2J\n"), ("x" * 10_000, "x" * 500 + "\n")):
        app.token = json.dumps({"detail": detail}).encode()
        assert main(["token", "ada", "--provider", provider]) == 2
        assert capsys.readouterr().err == shown


@pytest.mark.parametrize(
    "provider",
    [
        *("", ":", "http://", "http://[", "http://a:b", "http://127.0.0.1:99999", "ftp://a"),
        *("http://\udcff", "http://a\n", "http://" + "a" * 70_000, "//", "http://127.0.0.1:-1"),
    ],
    ids=lambda provider: repr(provider[:30]),
)
def test_an_address_that_is_none_is_one_line(
    provider: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["token", "ada", "--provider", provider]) in (1, 2)
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.count("\n") == 1


@pytest.mark.parametrize("address", ["127.0.0.1:9080", "ftp://127.0.0.1", "", "localhost"])
def test_an_address_without_http_is_none(address: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["token", "ada", "--provider", address]) == 2
    assert f"--provider: {address} is no address" in capsys.readouterr().err


def test_without_a_caller_only_the_caller_is_missing(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["token"])
    assert "required: subject\n" in capsys.readouterr().err


def test_ctrl_c_ends_a_command_without_a_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(_options: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr("fastgate.__main__.print_token", interrupted)
    assert main(["token", "ada"]) == 130
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    "claims",
    [
        *("", "x", "1", "[]", "[1]", "null", '"a"', "{", "NaN", '{"a": NaN}', '{"a": 1e999}'),
        *('{"a": 1, "a": 2}', '{"a":' * 100_000, "\udcff", '{"a": "\\ud800"}', "1" * 5_000),
    ],
    ids=lambda claims: repr(claims[:30]),
)
def test_claims_that_are_no_object_are_refused_before_anything_is_asked(
    claims: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["token", "ada", "--claims", claims, "--provider", "http://127.0.0.1:1"]) == 2
    said = capsys.readouterr().err
    assert said.startswith("--claims: ")
    assert said.count("\n") == 1


def test_a_name_that_is_not_utf_8_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["token", "ad\udcff"]) == 2
    assert "write whole characters" in capsys.readouterr().err


def test_the_id_of_an_issuer_stays_one_part_of_the_path(answers: tuple[Answers, str]) -> None:
    app, provider = answers
    app.token = b'{"access_token": "a.b.c"}'
    assert main(["token", "ada", "--issuer", "../a?b#\udcff", "--provider", provider]) == 0
    assert app.path == b"/..%2Fa%3Fb%23%FF/tokens"


def test_a_token_has_what_the_arguments_say(
    answers: tuple[Answers, str], capsys: pytest.CaptureFixture[str]
) -> None:
    app, provider = answers
    app.token = b'{"access_token": "a.b.c"}'
    arguments = ["ada", "b", "--role", "r", "--group", "g", "--tenant", "t", "--expires-in", "5"]
    arguments += ["--claims", '{"plan": "é"}', "--provider", f"{provider}/"]
    assert main(["token", *arguments]) == 0
    assert capsys.readouterr().out == "a.b.c\n"
    assert app.path == b"/dev/tokens"
    assert app.asked == {
        "subject": "ada",
        "scopes": ["b"],
        "roles": ["r"],
        "groups": ["g"],
        "tenant": "t",
        "claims": {"plan": "é"},
        "expires_in": 5,
    }


def test_the_provider_itself(capsys: pytest.CaptureFixture[str]) -> None:
    with provider_serving() as provider:
        address = provider.issuers["dev"].url.removesuffix("/dev")
        wanted = ["--issuer", "dev", "--provider", address]
        assert main(["token", "ada", "orders:read", *wanted]) == 0
        assert capsys.readouterr().out.count(".") == 2
        assert main(["token", "ada", "a b", *wanted]) == 2
        assert "is no scope" in capsys.readouterr().err
