"""The folder of a session, with the signing keys of its edge.

Input: nothing. Output: a new folder, which is removed at the end. Folders of sessions that were
killed are removed first.
"""

import contextlib
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

if sys.platform != "win32":
    import fcntl

_PREFIX = "fastgate-dev-"
_NEW = 60
"""Seconds in which a folder may be without a lock: its session is about to take it."""


@contextlib.contextmanager
def session_folder() -> Iterator[Path]:
    """Make a folder, with a lock as long as this process runs."""
    if sys.platform == "win32":
        with tempfile.TemporaryDirectory(prefix=_PREFIX) as made:
            yield Path(made)
        return
    remove_left()
    with tempfile.TemporaryDirectory(prefix=_PREFIX) as made:
        opened = os.open(made, os.O_RDONLY)
        try:
            with contextlib.suppress(OSError):  # a file system without locks
                fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield Path(made)
        finally:
            os.close(opened)


def remove_left() -> None:
    """Remove the folders of this user whose session has ended without removing them."""
    for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        with contextlib.suppress(OSError):
            # A symbolic link, and what is no folder, is an error.
            opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
            try:
                found = os.fstat(opened)
                if found.st_uid != os.geteuid() or time.time() - found.st_mtime < _NEW:
                    continue
                fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)  # an error while it is in use
                shutil.rmtree(folder, ignore_errors=True)
            finally:
                os.close(opened)
