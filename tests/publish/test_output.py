"""Commands whose output is closed or full: what they write is whole, and they fail."""

import os
import pty
import subprocess

import pytest
from programs import program
from pushing import Pushing, policy


def with_files(shop: Pushing) -> None:
    """Write a policy and a folder that change what the service has."""
    dist = shop.folder / "dist"
    dist.mkdir()
    (dist / "one.txt").write_text("1")
    shop.push(policy("/a"), "--assets", "dist")
    (dist / "one.txt").write_text("2")
    (dist / "two.txt").write_text("2")
    shop.write(policy("/b"))


@pytest.mark.parametrize(
    ("to", "words"), [("| true", ""), (">&-", None), (">/dev/full", "No space left")]
)
def test_a_push_without_a_reader_is_whole(shop: Pushing, to: str, words: str | None) -> None:
    with_files(shop)
    tool = program("FASTGATE_TOOL")
    ran = subprocess.run(
        ["bash", "-c", f"{{ sleep 0.3; {tool} push --yes --assets dist; echo $? >code; }} {to}"]
        if to.startswith("|")
        else ["bash", "-c", f"{tool} push --yes --assets dist {to}; echo $? >code"],
        cwd=shop.folder,
        env={**os.environ, **shop.api.environment("of-a-test")},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert shop.live == policy("/b")
    stored = {key: item.value for key, item in shop.store.items.items() if "files/" in key}
    assert stored == {"files/one.txt": b"2", "files/two.txt": b"2"}
    if words is not None:
        assert (shop.folder / "code").read_text() == "2\n"
        assert words in ran.stderr
        assert words or ran.stderr == ""


def test_a_command_that_only_reads_ends_early(shop: Pushing) -> None:
    shop.write(policy("/a"))
    ran = subprocess.run(
        ["bash", "-c", f"{program('FASTGATE_TOOL')} schema >/dev/full"],
        cwd=shop.folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ran.returncode, "cannot be written" in ran.stderr) == (2, True)


@pytest.mark.parametrize(("answer", "code"), [(b"no\n", 1), (b"yes\n", 0)])
def test_the_question_names_the_service_and_the_store(
    shop: Pushing, answer: bytes, code: int
) -> None:
    shop.write(policy("/a"))
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [program("FASTGATE_TOOL"), "push"],
        cwd=shop.folder,
        env={**os.environ, **shop.api.environment("of-a-test")},
        stdin=theirs,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    os.write(ours, answer)
    _, asked = process.communicate(timeout=60)
    os.close(ours)
    os.close(theirs)
    assert process.returncode == code
    place = f"Write this to service {shop.service.id} (KV store {shop.store.id})?"
    assert place in asked.decode()
    assert (shop.live is None) == bool(code)


def test_nothing_is_asked_if_the_difference_was_not_shown(shop: Pushing) -> None:
    shop.write(policy("/a"))
    ours, theirs = pty.openpty()
    os.write(ours, b"yes\n")
    with open("/dev/full", "wb") as full:
        ran = subprocess.run(
            [program("FASTGATE_TOOL"), "push"],
            cwd=shop.folder,
            env={**os.environ, **shop.api.environment("of-a-test")},
            stdin=theirs,
            stdout=full,
            stderr=subprocess.PIPE,
            check=False,
        )
    os.close(ours)
    os.close(theirs)
    assert (ran.returncode, b"could not be shown" in ran.stderr) == (1, True)
    assert shop.live is None
