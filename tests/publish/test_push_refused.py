"""What `fastgate push` refuses: tokens, addresses and services that are wrong, and policies that cannot work."""

import pytest
from fastly_api import kv_stores
from pushing import Pushing, policy, revision


@pytest.mark.parametrize(("token", "status"), [("revoked", "401"), ("read-only", "403")])
def test_a_token_without_permission(shop: Pushing, token: str, status: str) -> None:
    shop.write(policy("/a"))
    ran = shop.attempt("push", "--yes", token=token)
    assert ran.returncode == 1
    assert status in ran.stderr
    assert "token" in ran.stderr
    assert shop.store.items == {}


def test_what_does_not_exist_is_named(shop: Pushing) -> None:
    shop.write(policy("/a"))
    for arguments, words in [
        (["--service-id", "other"], ["404", "service other"]),
        (["--store-id", "other"], ["404", "KV store other"]),
    ]:
        ran = shop.attempt("push", "--yes", *arguments)
        assert ran.returncode == 1
        assert all(word in ran.stderr for word in words), ran.stderr
    shop.version.links.clear()
    assert "linked to no KV store" in shop.attempt("push", "--yes").stderr
    shop.version.active = False
    assert "no active version" in shop.attempt("push", "--yes").stderr
    no_token = shop.attempt("push", "--yes", FASTLY_API_TOKEN="")
    assert (no_token.returncode, "FASTLY_API_TOKEN" in no_token.stderr) == (2, True)
    plain = shop.attempt("push", "--yes", FASTLY_API_ENDPOINT="http://api.example.com")
    assert (plain.returncode, "https" in plain.stderr) == (2, True)


def test_a_policy_that_cannot_work_on_fastly_is_not_pushed(shop: Pushing) -> None:
    for text, place in [
        (policy("/a", hosts=["127.0.0.1"]), "$.edge.hosts[0]"),
        (policy("/a", issuer="http://127.0.0.1:7676"), "$.edge.issuer"),
        (policy("/a").replace('"origin"', '"elsewhere"'), "$.origins.shop.backend"),
        (policy("a"), "$.routes[0].path"),
        ("{", "line 1"),
        (policy("/a") + " " * (8 << 20), "8 MiB"),
    ]:
        shop.write(text)
        ran = shop.attempt("push", "--yes")
        assert ran.returncode == 1
        assert place in ran.stdout
        assert shop.api.requests == []
        ran = shop.attempt("check", "--publish")
        assert (ran.returncode, place in ran.stdout) == (1, True)
        assert shop.live is None
        shop.api.requests.clear()


def test_a_policy_that_the_service_cannot_serve_is_not_pushed(shop: Pushing) -> None:
    shop.push(policy("/a"))
    shop.push(policy("/b"))
    shop.version.backends.pop()
    shop.write(policy("/a"))
    for command in (["push", "--yes"], ["rollback", revision(policy("/a")), "--yes"]):
        ran = shop.attempt(*command)
        assert ran.returncode == 1
        assert "$.issuers.login.backend" in ran.stdout
        assert shop.live == policy("/b")
    output = shop("push", "--yes", "--store-id", shop.store.id)
    assert "not compared with the live service" in output
    assert shop.live == policy("/a")


@pytest.mark.parametrize("generation", [None, "", "x"])
def test_an_answer_without_a_generation_is_an_error(
    shop: Pushing, generation: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.push(policy("/a"))
    shop("purge", "--audience", "shop")
    answered = {} if generation is None else {"generation": generation}
    monkeypatch.setattr(kv_stores, "fields", lambda _item: answered)
    before, count = shop.store.model_dump(), len(shop.api.requests)
    shop.write(policy("/b"))
    for command in (["push", "--yes"], ["purge", "--audience", "shop"]):
        ran = shop.attempt(*command)
        assert (ran.returncode, "no generation" in ran.stderr) == (1, True), ran.stderr
    assert {each.method for each in shop.api.requests[count:]} == {"GET"}
    assert shop.store.model_dump() == before


@pytest.mark.parametrize(
    ("endpoint", "words"),
    [
        ("http://localhost:x@{}", "user name"),
        ("http://user:of-a-friend@{}", "user name"),
        ("https://@{}", "user name"),
        ("http://{}?", "query"),
        ("http://{}#", "fragment"),
        ("http://localhost.example.com", "https"),
        ("http://0.0.0.0:1", "https"),
        ("http://localhost:x", "FASTLY_API_ENDPOINT"),
    ],
)
def test_the_token_is_sent_to_the_parsed_host_only(
    shop: Pushing, endpoint: str, words: str
) -> None:
    shop.write(policy("/a"))
    here = shop.api.environment()["FASTLY_API_ENDPOINT"].removeprefix("http://")
    ran = shop.attempt("push", "--yes", FASTLY_API_ENDPOINT=endpoint.format(here))
    assert (ran.returncode, words in ran.stderr) == (2, True), ran.stderr
    assert "of-a-friend" not in ran.stderr
    assert shop.api.requests == []
