"""`fastgate push --assets`, and the files that a policy names."""

import json
from pathlib import Path

import pytest
from fastly_api import kv_stores
from fastly_api.app import Fault
from fastly_api.state import Item
from pushing import Pushing, policy
from starlette.requests import Request


def folder(shop: Pushing, **files: str) -> Path:
    """Write files; `__` in a name is a slash, and `_` a dot."""
    dist = shop.folder / "dist"
    for name, text in files.items():
        path = dist / name.replace("__", "/").replace("_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return dist


def naming(member: str, name: str, path: str = "/a", **more: str) -> str:
    """Return a policy with a route that responds with files."""
    document = json.loads(policy(path))
    document["routes"][0].update(id="a", respond={member: name, **more})
    return json.dumps(document)


def files(shop: Pushing) -> dict[str, str]:
    """Return the files in the store."""
    items = shop.store.items.items()
    return {key: item.value.decode() for key, item in items if key.startswith("files/")}


def test_assets(shop: Pushing) -> None:
    folder = shop.folder / "dist"
    (folder / "app").mkdir(parents=True)
    for name in ("app/main.js", "app/main.js.br", "robots.txt"):
        (folder / name).write_text(name)
    shop.store.items["files/old.txt"] = Item(value=b"old", generation=1)
    shop.push(policy("/a"), "--assets", folder)
    described = json.loads(shop.store.items["files/app/main.js.br"].metadata)
    assert described["content_type"] == "text/javascript; charset=utf-8"
    assert described["etag"].startswith('"')
    generation = shop.store.items["files/robots.txt"].generation
    (folder / "app" / "main.js").write_text("new")
    output = shop.push(policy("/a"), "--assets", folder)
    assert "~ files/app/main.js\n" in output
    assert "robots" not in output
    assert shop.store.items["files/robots.txt"].generation == generation
    assert "files/old.txt" in shop.store.items
    shop.push(policy("/a"), "--assets", folder, "--prune")
    assert "files/old.txt" not in shop.store.items


def overtake(shop: Pushing, monkeypatch: pytest.MonkeyPatch, method: str, key: str) -> str:
    """Let another push, with files, end just before the first such request. Return its policy."""
    theirs, read, condition = policy("/theirs"), kv_stores.fields, kv_stores._generation
    state, left = shop.api.state, [key]

    def another() -> None:
        if left.pop() != key:
            return
        for name, text in [("policy", theirs), ("files/robots.txt", "theirs")]:
            item = Item(value=text.encode(), generation=state.next_generation())
            shop.store.items[name] = item

    def reading(item: Item) -> dict[str, str]:
        shown = read(item)
        if method == "AFTER GET" and left and item is shop.store.items.get(key):
            another()
        return shown

    def writing(request: Request) -> int | None:
        matches = request.method == method and request.url.path.endswith(f"/keys/{key}")
        if left and matches:
            another()
        return condition(request)

    monkeypatch.setattr(kv_stores, "fields", reading)
    monkeypatch.setattr(kv_stores, "_generation", writing)
    return theirs


@pytest.mark.parametrize(
    ("method", "key"),
    [("AFTER GET", "policy"), ("AFTER GET", "files/robots.txt"), ("PUT", "policy")],
)
def test_a_push_that_lost_the_race_has_replaced_and_deleted_no_file(
    shop: Pushing, method: str, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.push(policy("/a"), "--assets", folder(shop, robots_txt="one", old_txt="old"))
    dist = folder(shop, robots_txt="mine", new_txt="new")
    (dist / "old.txt").unlink()
    theirs = overtake(shop, monkeypatch, method, key)
    shop.write(policy("/mine"))
    ran = shop.attempt("push", "--yes", "--assets", dist, "--prune")
    assert (ran.returncode, "somebody else" in ran.stderr) == (1, True), ran.stderr
    assert shop.live == theirs
    kept = {"files/robots.txt": "theirs", "files/old.txt": "old"}
    # A new name replaces nothing. Only a race that was lost at the last moment leaves it.
    assert files(shop) == kept | ({"files/new.txt": "new"} if method == "PUT" else {})


@pytest.mark.parametrize(
    ("method", "key"), [("PUT", "files/robots.txt"), ("DELETE", "files/old.txt")]
)
def test_a_file_that_was_written_in_between_is_neither_replaced_nor_deleted(
    shop: Pushing, method: str, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.push(policy("/a"), "--assets", folder(shop, robots_txt="one", old_txt="old"))
    dist = folder(shop, robots_txt="mine")
    (dist / "old.txt").unlink()
    condition = kv_stores._generation

    def writing(request: Request) -> int | None:
        if request.method == method and request.url.path.endswith(f"/keys/{key}"):
            generation = shop.api.state.next_generation()
            shop.store.items[key] = Item(value=b"theirs", generation=generation)
        return condition(request)

    monkeypatch.setattr(kv_stores, "_generation", writing)
    shop.write(policy("/mine"))
    ran = shop.attempt("push", "--yes", "--assets", dist, "--prune")
    assert (ran.returncode, key in ran.stderr) == (1, True), ran.stderr
    assert files(shop)[key] == "theirs"
    monkeypatch.undo()
    shop("push", "--yes", "--assets", dist, "--prune")
    assert files(shop) == {"files/robots.txt": "mine"}


def test_files_are_not_touched_if_only_they_differ_and_the_policy_was_replaced(
    shop: Pushing, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.push(policy("/a"), "--assets", folder(shop, robots_txt="one", old_txt="old"))
    dist = folder(shop, robots_txt="mine")
    (dist / "old.txt").unlink()
    overtake(shop, monkeypatch, "AFTER GET", "policy")
    ran = shop.attempt("push", "--yes", "--assets", dist, "--prune")
    assert (ran.returncode, "somebody else" in ran.stderr) == (1, True), ran.stderr
    assert files(shop) == {"files/robots.txt": "theirs", "files/old.txt": "old"}


@pytest.mark.parametrize("applied", [False, True])
@pytest.mark.parametrize("times", [1, 2])
@pytest.mark.parametrize("method", ["PUT", "DELETE"])
def test_interrupted_at_a_file_a_second_push_completes_it(
    shop: Pushing, method: str, times: int, applied: bool
) -> None:
    shop.push(policy("/a"), "--assets", folder(shop, robots_txt="one", old_txt="old"))
    dist = folder(shop, robots_txt="mine", new_txt="new")
    (dist / "old.txt").unlink()
    path = f"/resources/stores/kv/{shop.store.id}/keys/files"
    shop.api.fail(Fault(status=503, times=times, method=method, path=path, applied=applied))
    shop.write(policy("/b"))
    ran = shop.attempt("push", "--yes", "--assets", dist, "--prune")
    assert ran.returncode in ({0} if times == 1 else {0, 1}), ran.stderr
    shop("push", "--yes", "--assets", dist, "--prune")
    assert files(shop) == {"files/robots.txt": "mine", "files/new.txt": "new"}
    assert shop.live == policy("/b")


def test_what_changes_the_live_site_is_written_after_the_policy(shop: Pushing) -> None:
    shop.push(policy("/a"), "--assets", folder(shop, a_js="one", old_txt="old"))
    dist = folder(shop, a_js="two", a_js_br="two", new_txt="new")
    (dist / "old.txt").unlink()
    count = len(shop.api.requests)
    shop.push(policy("/b"), "--assets", dist, "--prune")
    written = [
        (each.method, each.target.rpartition("/")[2])
        for each in shop.api.requests[count:]
        if each.method != "GET" and "policy%40" not in each.target
    ]
    assert written == [
        ("PUT", "files%2Fnew.txt?add=true"),
        ("PUT", "policy"),
        ("PUT", "files%2Fa.js"),
        ("PUT", "files%2Fa.js.br?add=true"),
        ("DELETE", "files%2Fold.txt"),
    ]


def test_a_shadow_policy_has_no_files(shop: Pushing) -> None:
    shop.push(policy("/a"), "--assets", folder(shop, robots_txt="one"))
    dist = folder(shop, robots_txt="two")
    assert shop.attempt("push", "--yes", "--shadow", "--assets", dist).returncode == 2
    assert files(shop) == {"files/robots.txt": "one"}
    shop.push(naming("file", "not-yet.txt"), "--shadow")


def test_names_that_begin_with_a_dot_are_not_uploaded(shop: Pushing) -> None:
    dist = folder(shop, robots_txt="one", app__main_js="js")
    for name in (".env", ".git/config", "app/.htpasswd", ".well-known/.env", "x/.well-known/y"):
        (dist / name).parent.mkdir(parents=True, exist_ok=True)
        (dist / name).write_text("secret")
    (dist / ".well-known" / "security.txt").write_text("mail us")
    shop.store.items["files/.env"] = Item(value=b"former", generation=1)
    output = shop.push(policy("/a"), "--assets", dist)
    assert ".env, .git/, .well-known/.env, app/.htpasswd; to have none, remove them" in output
    assert "files/.env; delete them: add --prune" in output
    shop.push(policy("/a"), "--assets", dist, "--prune")
    uploaded = ["robots.txt", "app/main.js", ".well-known/security.txt", "x/.well-known/y"]
    assert sorted(files(shop)) == sorted(f"files/{name}" for name in uploaded)


@pytest.mark.parametrize(
    ("text", "place", "name"),
    [
        (naming("file", "robots.txt"), 'respond.file (route "a")', "robots.txt"),
        (naming("files", "app/", "/a/{path:path}"), "respond.files", "app/"),
        (
            naming("files", "x/", "/a/{path:path}", fallback="index.html"),
            "respond.fallback",
            "x/index.html",
        ),
    ],
)
def test_a_policy_that_names_a_file_that_nobody_stores_is_refused(
    shop: Pushing, text: str, place: str, name: str
) -> None:
    shop.store.items["files/x/y"] = Item(value=b"", generation=1)
    shop.write(text)
    attempts: list[list[str | Path]] = [[], ["--assets", folder(shop, other_txt="other")]]
    for more in attempts:
        ran = shop.attempt("push", "--yes", *more)
        assert ran.returncode == 1
        assert all(word in ran.stdout for word in (place, f"files/{name}", "--assets DIR"))
        assert {each.method for each in shop.api.requests} == {"GET"}
    dist = shop.folder / "dist" / name
    dist = dist / "file" if name.endswith("/") else dist
    dist.parent.mkdir(exist_ok=True)
    dist.write_text("here")
    shop("push", "--yes", "--assets", shop.folder / "dist")
    assert shop.live == text
    dist.unlink()
    assert shop.attempt("push", "--yes", "--assets", shop.folder / "dist").returncode == 0
    (shop.folder / "dist" / "other.txt").write_text("another")
    pruning = shop.attempt("push", "--yes", "--assets", shop.folder / "dist", "--prune")
    assert (pruning.returncode, place in pruning.stdout) == (1, True)


def test_rollback_looks_for_files_too(shop: Pushing) -> None:
    dist = folder(shop, robots_txt="one")
    shop.push(naming("file", "robots.txt"), "--assets", dist)
    first = json.loads(shop.store.items["policy"].metadata)["revision"]
    shop.push(policy("/b"))
    item = shop.store.items.pop("files/robots.txt")
    ran = shop.attempt("rollback", first, "--yes")
    assert ran.returncode == 1
    assert all(word in ran.stdout for word in ('route "a"', "files/robots.txt", "--assets"))
    assert shop.live == policy("/b")
    shop.store.items["files/robots.txt"] = item
    shop("rollback", first, "--yes")
    assert shop.live == naming("file", "robots.txt")


def test_a_compressed_form_of_a_replaced_file_does_not_stay(shop: Pushing) -> None:
    dist = folder(shop, app_js="old", app_js_br="old form", other_js="other", other_js_gz="form")
    shop.push(policy("/a"), "--assets", dist)
    (dist / "app.js").write_text("new")
    for form in ("app.js.br", "other.js.gz"):
        (dist / form).unlink()
    output = shop.push(policy("/a"), "--assets", dist)
    assert "- files/app.js.br" in output
    left = {"files/app.js": "new", "files/other.js": "other", "files/other.js.gz": "form"}
    assert files(shop) == left


def test_a_compressed_form_of_a_stored_file_is_a_change(shop: Pushing) -> None:
    shop.push(policy("/a"), "--assets", folder(shop, app_js="old"))
    (shop.folder / "dist" / "app.js").unlink()
    shop.push(policy("/b"), "--assets", folder(shop, app_js_br="form"))
    described = json.loads(shop.store.items["files/app.js.br"].metadata)
    assert described["content_type"] == "text/javascript; charset=utf-8"
