"""Two pushes at once, one of which deletes or replaces files that the policy of the other names."""

import json
from collections.abc import Callable

import pytest
from answering import answering
from fastly_api.state import Item
from pushing import Pushing, policy
from starlette.responses import Response


def naming(*names: str) -> str:
    """Return a policy that names files."""
    document = json.loads(policy(*(f"/{name}" for name in names)))
    for route, name in zip(document["routes"], names, strict=True):
        route.update(id=name.replace(".", "_"), respond={"file": name})
    return json.dumps(document)


def two_less(shop: Pushing) -> None:
    """Push three files, and remove two of them from the folder and the policy."""
    dist = shop.folder / "dist"
    dist.mkdir()
    for name in ("a.txt", "x.txt", "y.txt"):
        (dist / name).write_text(name)
    shop.push(naming("a.txt", "x.txt", "y.txt"), "--assets", "dist")
    for name in ("x.txt", "y.txt"):
        (dist / name).unlink()


def once_at(
    monkeypatch: pytest.MonkeyPatch, method: str, end: str, then: Callable[[], object]
) -> None:
    """Do something just before the first such request."""
    left = [then]

    def before(asked: str, target: str) -> Response | None:
        if left and asked == method and target.endswith(end):
            left.pop()()
        return None

    answering(monkeypatch, before)


def theirs(shop: Pushing, text: str) -> Callable[[], None]:
    """Return a push by somebody else."""

    def push() -> None:
        generation = shop.api.state.next_generation()
        shop.store.items["policy"] = Item(value=text.encode(), generation=generation)

    return push


@pytest.mark.parametrize(("at", "left"), [("x.txt", {"a.txt", "y.txt"}), ("y.txt", {"a.txt"})])
def test_a_policy_that_is_pushed_during_deletions(
    shop: Pushing, at: str, left: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    two_less(shop)
    shop.write(naming("a.txt"))
    once_at(monkeypatch, "DELETE", f"/keys/files%2F{at}", theirs(shop, naming("a.txt", "y.txt")))
    ran = shop.attempt("push", "--yes", "--assets", "dist", "--prune")
    assert (ran.returncode, "somebody else wrote the policy" in ran.stderr) == (1, True)
    if at == "y.txt":
        assert "files/y.txt" in ran.stderr
        assert "--assets" in ran.stderr
    assert {key[6:] for key in shop.store.items if key.startswith("files/")} == left


def test_a_policy_that_is_pushed_during_the_last_replacement(
    shop: Pushing, monkeypatch: pytest.MonkeyPatch
) -> None:
    two_less(shop)
    (shop.folder / "dist" / "a.txt").write_text("new")
    shop.write(naming("a.txt"))
    once_at(monkeypatch, "PUT", "/keys/files%2Fa.txt", theirs(shop, naming("a.txt", "y.txt")))
    ran = shop.attempt("push", "--yes", "--assets", "dist")
    assert (ran.returncode, "files/a.txt" in ran.stderr) == (1, True), ran.stderr


@pytest.mark.parametrize("command", ["push", "rollback"])
def test_files_that_are_deleted_while_a_policy_is_written(
    shop: Pushing, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    two_less(shop)
    shop.push(naming("a.txt"))
    shop.write(naming("a.txt", "x.txt", "y.txt"))
    former = next(each for each in shop("rollback").splitlines() if "in force" not in each)
    arguments = ["push"] if command == "push" else ["rollback", former.split()[0]]

    def delete() -> None:
        shop.store.items.pop("files/y.txt")

    once_at(monkeypatch, "PUT", "/keys/policy", delete)
    ran = shop.attempt(*arguments, "--yes")
    assert (ran.returncode, "files that somebody else deleted" in ran.stderr) == (1, True)
    assert "files/y.txt" in ran.stdout
