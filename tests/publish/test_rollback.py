"""`fastgate rollback` against the stand-in for Fastly's API."""

import json

from pushing import Pushing, policy, revision


def test_rollback_lists_and_restores(shop: Pushing) -> None:
    one, two = policy("/a"), policy("/b")
    shop.push(one)
    shop.push(two)
    listed = shop("rollback").splitlines()
    assert {line.split()[0] for line in listed} == {revision(one), revision(two)}
    (current,) = [line for line in listed if "in force" in line]
    assert current.startswith(revision(two))
    assert '- route "b"' in shop("rollback", revision(one)[:8], "--yes")
    assert (shop.live, shop.history) == (one, {one, two})
    assert "nothing to do" in shop("rollback", revision(one), "--yes")
    unknown = shop.attempt("rollback", "ffffffffffff", "--yes")
    assert (unknown.returncode, "no such revision" in unknown.stderr) == (2, True)
    shop.store.items[f"policy@{revision(two)}"].value = b"{}"
    assert "another text" in shop.attempt("rollback", revision(two), "--yes").stderr
    assert shop.live == one


def pushed_in(shop: Pushing, year: int) -> None:
    """Make the latest push one of another year, as far as its first entry goes."""
    live = shop.store.items["policy"]
    described = json.loads(live.metadata)
    entry = shop.store.items[f"policy@{described['revision']}"]
    is_first = json.loads(entry.metadata)["time"] == described["time"]
    live.metadata = json.dumps({**described, "time": f"{year}-01-01T00:00:00Z"})
    if is_first:
        entry.metadata = live.metadata


def test_rollback_lists_the_latest_push_of_each_first(shop: Pushing) -> None:
    one, two = policy("/a"), policy("/b")
    for text, year in [(one, 2021), (two, 2022), (one, 2023)]:
        shop.push(text)
        pushed_in(shop, year)
    assert [line.split()[:2] for line in shop("rollback").splitlines()] == [
        [revision(one), "2023-01-01T00:00:00Z"],
        [revision(two), "2022-01-01T00:00:00Z"],
    ]
    shop.push(policy("/c"))
    listed = [line.split() for line in shop("rollback").splitlines()]
    assert [line[0] for line in listed] == [revision(policy("/c")), revision(one), revision(two)]
    assert [line[1][:4] for line in listed[1:]] == ["2023", "2022"]
    assert listed[0][2:] == ["in", "force"]
