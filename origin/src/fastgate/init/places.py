"""What is in the place of a file that `fastgate init` writes or keeps.

Input: a path. Output: nothing; or `WrongCall`, if there is something else than a file that can be
read, or a folder around it cannot be one.
"""

import os
from pathlib import Path

from fastgate.wrong_call import WrongCall

AGAIN = "run `fastgate init` again, which writes a new one"
"""The end of a remedy: the file was removed."""


def check_place(path: Path, root: Path) -> None:
    """Refuse what can be neither written nor kept.

    Args:
        path: the path of the file.
        root: a folder around it, which exists.

    Raises:
        WrongCall: there is no readable file, but something else, or a file in place of a folder.

    """
    for folder in reversed(path.relative_to(root).parents[:-1]):
        check_folder(root / folder)
    check_file(path)


def check_folder(folder: Path) -> None:
    """Refuse a file in the place of a folder that `fastgate init` writes.

    Raises:
        WrongCall: the path exists, and is no folder.

    """
    if os.path.lexists(folder) and not folder.is_dir():
        what = "a link to nothing" if folder.is_symlink() and not folder.exists() else "a file"
        raise WrongCall(
            f"{folder}: is {what}, and `fastgate init` writes a folder with this name: rename it, "
            "and try again"
        )


def check_file(path: Path) -> None:
    """Refuse what is no file, in the place of one that `fastgate init` writes or keeps.

    Raises:
        WrongCall: the path exists, and is no file that can be read.

    """
    if not os.path.lexists(path):
        return
    if path.is_symlink() and not path.exists():
        raise WrongCall(
            f"{path}: is a link to {path.readlink()}, which does not exist: write that file, or "
            f"remove the link and {AGAIN}"
        )
    if not path.is_file():  # reading a pipe could wait for ever
        what = "a folder" if path.is_dir() else "no regular file"
        raise WrongCall(
            f"{path}: is {what}, and `fastgate init` writes a file with this name: rename or "
            f"remove it and {AGAIN}"
        )
    try:
        path.open("rb").close()
    except OSError as error:
        raise WrongCall(f"{path}: {error}: make it readable, or remove it and {AGAIN}") from error
