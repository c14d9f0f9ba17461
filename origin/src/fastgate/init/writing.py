"""Write new files, all of them or none, and never over a file that exists.

Input: paths with their texts. Output: the files that were written; on an error none is left.
"""

import contextlib
import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from fastgate.wrong_call import Failed


def write_new(files: Mapping[Path, str]) -> None:
    """Write files that do not exist yet, with the folders around them.

    Raises:
        Failed: one of them cannot be written. Then none is left, and no new folder either.

    """
    folders, written = list[Path](), list[Path]()
    try:
        for path, text in files.items():
            for folder in reversed(path.parents):
                if not folder.is_dir():
                    folder.mkdir()
                    folders.append(folder)
            with path.open("x", encoding="utf-8") as file:  # "x": it does not overwrite
                written.append(path)
                file.write(text)
    except BaseException as error:
        for path in written:
            path.unlink(missing_ok=True)
        for folder in reversed(folders):
            with contextlib.suppress(OSError):
                folder.rmdir()
        if isinstance(error, (OSError, UnicodeError)):
            raise Failed(f"{error}; nothing was written: correct that, and try again") from error
        raise


def check_writable(paths: Iterable[Path]) -> None:
    """Check that new files can be written, without doing it.

    Raises:
        Failed: one of them cannot.

    """
    for path in paths:
        folder = next(each for each in path.parents if os.path.lexists(each))
        if path.is_symlink() or not folder.is_dir() or not os.access(folder, os.W_OK):
            raise Failed(f"{path} cannot be written, since of {folder}: correct that")
