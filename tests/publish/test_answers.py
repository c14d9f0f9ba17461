"""What the commands make of answers of Fastly's API that are wrong, endless, or from somebody else."""

import itertools
import json
import os
import time

import pytest
from answering import answering, raw
from fastly_api.state import Item
from pushing import Pushing, policy
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response

NO_LISTS = [{}, {"data": None}, {"data": {}}, [], "x"]


@pytest.fixture
def shop(shop: Pushing) -> Pushing:
    """Return a service with a policy."""
    shop.push(policy("/a"))
    return shop


@pytest.mark.parametrize("content", NO_LISTS)
def test_what_is_no_list_of_keys_is_an_error(
    shop: Pushing, content: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    answering(monkeypatch, lambda _, to: JSONResponse(content) if "/keys?" in to else None)
    dist = shop.folder / "dist"
    dist.mkdir()
    (dist / "a.txt").write_text("a")
    before = shop.store.model_dump()
    for command in (["rollback"], ["push", "--yes", "--assets", "dist"]):
        ran = shop.attempt(*command)
        assert (ran.returncode, "is no list" in ran.stderr) == (1, True), ran.stderr
    assert shop.store.model_dump() == before


@pytest.mark.parametrize("content", NO_LISTS)
def test_what_is_no_list_of_secrets_is_an_error(
    shop: Pushing, content: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    answering(monkeypatch, lambda _, to: JSONResponse(content) if "/secrets?" in to else None)
    ran = shop.attempt("keys", "rotate")
    assert ran.returncode == 1
    ran = shop.attempt("keys", "status")
    assert (ran.returncode, "is no list" in ran.stderr) == (1, True), ran.stderr


@pytest.mark.parametrize("part", ["/version", "/version/1/resource", "/version/1/backend"])
def test_what_is_no_list_of_a_version_is_an_error(
    shop: Pushing, part: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = f"/service/{shop.service.id}{part}"
    answering(monkeypatch, lambda _, to: JSONResponse({}) if to == path else None)
    for command in (["push", "--yes"], ["check", "--publish"]):
        ran = shop.attempt(*command)
        assert (ran.returncode, "is no list" in ran.stderr) == (1, True), ran.stderr


@pytest.mark.parametrize(
    ("part", "answer", "words"),
    [
        ("/logging/", HTMLResponse("<p>welcome"), "is not JSON"),
        ("/logging/", JSONResponse({"a": 1}), "is no list"),
        ("/domain-management/", HTMLResponse("<p>welcome"), "is not JSON"),
        ("/domain-management/", JSONResponse({}), "is no list"),
        ("/domain-management/", RedirectResponse("http://127.0.0.1:1"), "FASTLY_API_ENDPOINT"),
        ("/logging/", RedirectResponse("http://127.0.0.1:1"), "leads elsewhere"),
        ("/logging/", Response(status_code=418), "does not say why"),
    ],
)
def test_what_cannot_be_read_is_not_said_to_be_absent(
    shop: Pushing, part: str, answer: Response, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.version.domains[:] = ["www.example.com"]
    answering(monkeypatch, lambda _, to: answer if part in to else None)
    output = shop("check", "--publish")
    assert "cannot be read and are not compared" in output
    assert words in output
    assert "no log endpoint" not in output
    assert "names; " not in output


@pytest.mark.parametrize("repeated", [True, False])
def test_a_list_ends(shop: Pushing, repeated: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    numbers = itertools.count()

    def page(_: str, target: str) -> Response | None:
        number = next(numbers) % 3 if repeated else next(numbers)
        answer = {"data": [], "meta": {"next_cursor": f"c{number}"}}
        return JSONResponse(answer) if "/keys?" in target else None

    answering(monkeypatch, page)
    ran = shop.attempt("rollback")
    assert (ran.returncode, "so it is not used" in ran.stderr) == (1, True), ran.stderr
    assert next(numbers) < 1100


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b"HTTP/1.1 200 OK\r\ncontent-length: 99999999\r\n\r\n" + b"x" * 26_500_000, "longer"),
        (b"no answer\r\n\r\n", "not valid HTTP"),
    ],
)
def test_an_answer_that_cannot_be_read_is_one(shop: Pushing, answer: bytes, words: str) -> None:
    with raw(answer) as url:
        ran = shop.attempt("check", "--publish", FASTLY_API_ENDPOINT=url)
    assert (ran.returncode, words in ran.stderr) == (1, True), ran.stderr
    assert "cannot be reached" not in ran.stderr


@pytest.mark.skipif(os.environ.get("FASTGATE_LONG") != "1", reason="waits 50 s: FASTGATE_LONG=1")
def test_an_api_that_never_answers_is_left_within_a_minute(shop: Pushing) -> None:
    started = time.monotonic()
    with raw(None) as url:
        ran = shop.attempt("rollback", FASTLY_API_ENDPOINT=url)
    assert (ran.returncode, "cannot be reached: timeout" in ran.stderr) == (1, True), ran.stderr
    assert time.monotonic() - started < 58


def test_a_message_is_cut_and_has_no_token(shop: Pushing, monkeypatch: pytest.MonkeyPatch) -> None:
    message = {"msg": "the token of-a-test of ", "detail": "x" * 100_000}
    answering(monkeypatch, lambda *_: JSONResponse(message, 400))
    for command in (["push", "--yes"], ["check", "--publish"], ["keys", "status"]):
        ran = shop.attempt(*command)  # which looks for the token
        assert ran.returncode == 1
        assert "[token]" in ran.stderr
        assert len(ran.stderr) < 1000


@pytest.mark.parametrize("value", ["false", "0", "no", "TRUE "])
def test_the_key_of_the_api_is_trusted_by_a_clear_yes_only(shop: Pushing, value: str) -> None:
    ran = shop.attempt("keys", "rotate", FASTLY_USE_API_SIGNING_KEY=value)
    assert (ran.returncode, "neither 1 nor true" in ran.stderr) == (1, True), ran.stderr
    assert shop.secrets.secrets == {}


def test_a_failed_write_says_what_is_in_force(
    shop: Pushing, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Theirs, none, or the same as before."""
    live = shop.store.items["policy"]
    for then, words in [
        (live, "the policy is unchanged"),
        (None, "somebody else deleted the policy"),
        (Item(value=b"{}", generation=77), "somebody else wrote the policy"),
    ]:

        def write(method: str, target: str, then: Item | None = then) -> Response | None:
            if method != "PUT" or not target.endswith("/keys/policy"):
                return None
            shop.store.items.pop("policy")
            if then is not None:
                shop.store.items["policy"] = then
            return Response(status_code=400)

        shop.store.items["policy"] = live
        shop.write(policy("/b"))
        with monkeypatch.context() as patch:
            answering(patch, write)
            ran = shop.attempt("push", "--yes")
        assert (ran.returncode, words in ran.stderr) == (1, True), ran.stderr
        assert ("unchanged" in ran.stderr) == (then is live)


def test_a_policy_that_is_deleted_before_the_write(
    shop: Pushing, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.write(policy("/b"))

    def write(method: str, target: str) -> Response | None:
        if method == "PUT" and target.endswith("/keys/policy"):
            shop.store.items.pop("policy", None)
        return None

    answering(monkeypatch, write)
    ran = shop.attempt("push", "--yes")
    assert (ran.returncode, "somebody else deleted the policy" in ran.stderr) == (1, True)


def test_a_policy_that_somebody_else_pushed_as_well_is_in_force(
    shop: Pushing, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = policy("/b")
    shop.write(text)

    def write(method: str, target: str) -> Response | None:
        if method == "PUT" and target.endswith("/keys/policy"):
            generation = shop.api.state.next_generation()
            shop.store.items["policy"] = Item(value=text.encode(), generation=generation)
        return None

    answering(monkeypatch, write)
    assert "is the policy of" in shop("push", "--yes")
    assert json.loads(shop.live or "") == json.loads(text)
