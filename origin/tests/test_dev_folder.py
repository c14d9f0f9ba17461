"""The folder of a session of `fastgate dev`, and those that were left."""

import os
import tempfile
import time
from pathlib import Path

import pytest

from fastgate.dev.session_folder import session_folder


def aged(folder: Path) -> Path:
    """Return a folder with a file, as it was left an hour ago."""
    folder.mkdir(exist_ok=True)
    (folder / "signing-keys.json").write_text("secret")
    os.utime(folder, (time.time() - 3600,) * 2)
    return folder


def test_folders_that_were_left_are_removed_and_no_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with session_folder() as running:
        aged(running)
        left, other = aged(tmp_path / "fastgate-dev-left"), aged(tmp_path / "other")
        new = tmp_path / "fastgate-dev-new"
        new.mkdir()
        link = tmp_path / "fastgate-dev-link"
        link.symlink_to(other)
        file = tmp_path / "fastgate-dev-file"
        file.write_text("text")
        with session_folder() as second:
            assert second.is_dir()
            assert not left.exists()
            for each in (running, other, new, link, file):
                assert each.exists(), each
            assert (other / "signing-keys.json").exists()
        assert not second.exists()
        assert running.is_dir()
    assert not running.exists()


def test_folders_of_another_user_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    left = aged(tmp_path / "fastgate-dev-left")
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    with session_folder():
        assert left.exists()
