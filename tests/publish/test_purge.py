"""`fastgate purge` against the stand-in for Fastly's API."""

import json

from pushing import Pushing, policy


def test_purge_writes_the_record(shop: Pushing) -> None:
    shop.push(policy("/a"))
    for number in (1, 2):
        shop("purge", "--audience", "shop")
        assert json.loads(shop.store.items["purge"].value) == {"shop": number}
    assert "if-generation-match" in shop.api.requests[-1].fields


def test_purge_knows_the_audiences_of_the_live_policy(shop: Pushing) -> None:
    refused = shop.attempt("purge", "--audience", "shop")
    assert (refused.returncode, "no policy" in refused.stderr) == (1, True)
    shop.push(policy("/a"))
    refused = shop.attempt("purge", "--audience", "shopp")
    assert refused.returncode == 1
    assert 'write one of "shop"' in refused.stderr
    shop.store.items["policy"].value = b"{}"
    assert shop.attempt("purge", "--audience", "shop").returncode == 1
    assert "purge" not in shop.store.items
