"""Files that exist already, which `fastgate init` keeps.

Input: a path. Output: what the file says; or `WrongCall`, if nothing could work with it.
"""

import tomllib
from pathlib import Path

from fastgate.json_documents import document_at
from fastgate.wrong_call import WrongCall

_REMOVE = "correct the file, or remove it and run `fastgate init` again, which writes a new one"


def kept_text(path: Path) -> str:
    """Return the text of a file that exists.

    Raises:
        WrongCall: it is empty, cannot be read, or is not of the kind that its name says.

    """
    if not (path.is_file() or path.is_dir()):  # reading could wait for ever
        raise WrongCall(f"{path}: is no regular file: {_REMOVE}")
    try:
        text = path.read_bytes().decode("utf-8")
    except (OSError, ValueError) as error:
        raise WrongCall(f"{path}: {error}: {_REMOVE}") from error
    if not text.strip():
        raise WrongCall(f"{path}: is empty: {_REMOVE}")
    if path.suffix == ".json":
        _check_object(path)
    if path.suffix == ".toml":
        _check_toml(path, text)
    return text


def _check_object(path: Path) -> None:
    try:
        document = document_at(path)
    except WrongCall as error:
        raise WrongCall(f"{error}: {_REMOVE}") from error
    if not document:
        raise WrongCall(f"{path}: has no members: {_REMOVE}")


def _check_toml(path: Path, text: str) -> None:
    try:
        document = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise WrongCall(f"{path}: {error}: {_REMOVE}") from error
    if not document:
        raise WrongCall(f"{path}: has no table: {_REMOVE}")
