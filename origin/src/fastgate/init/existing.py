"""Files that exist already, which `fastgate init` keeps.

Input: a path. Output: what the file says; or `WrongCall`, if nothing could work with it, or if the
command line says something else.
"""

import tomllib
from collections.abc import Mapping
from pathlib import Path

from fastgate.json_documents import document_at
from fastgate.stage import has_names
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


def check_options(base: Path | None, manifest: Path | None, said: Mapping[str, str | None]) -> None:
    """Compare the options of the command line with files that are kept.

    Args:
        base: the base policy, if it exists.
        manifest: the manifest, if it exists.
        said: the values of `--host`, `--origin-host`, `--issuer` and `--audience`.

    Raises:
        WrongCall: a file has no such value, so the option would have no effect.

    """
    faults = []
    for option, value in said.items():
        file = manifest if option == "--origin-host" else base
        if value is None or file is None:
            continue
        texts = _texts_in(file)
        if file is manifest and not _has_addresses(file):
            continue  # `fastgate check` says what it lacks
        if value not in texts and not any(map(has_names, texts)):
            faults.append(
                f"{option} {value}: {file} exists and does not have it: edit the file, or remove "
                "it and run `fastgate init` again, which writes a new one"
            )
    if faults:
        raise WrongCall("\n".join(faults))


def _has_addresses(manifest: Path) -> bool:
    """Whether a manifest says where the app runs."""
    setup = tomllib.loads(manifest.read_text("utf-8")).get("setup")
    backends = setup.get("backends") if isinstance(setup, dict) else None
    listed = backends.values() if isinstance(backends, dict) else ()
    return any(isinstance(each, dict) and "address" in each for each in listed)


def _texts_in(file: Path) -> set[str]:
    """Return all texts of a document."""
    is_toml = file.suffix == ".toml"
    document = tomllib.loads(file.read_text("utf-8")) if is_toml else document_at(file)
    found, left = set[str](), list[object]([document])
    while left:
        each = left.pop()
        if isinstance(each, str):
            found.add(each)
        elif isinstance(each, dict):
            left += each.values()
        elif isinstance(each, list):
            left += each
    return found
