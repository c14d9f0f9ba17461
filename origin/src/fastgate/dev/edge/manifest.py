"""The manifest of the local edge: `fastly.toml` with the backends and stores of this machine.

Input: the manifest of the service, if there is one, and what `fastgate dev` serves. Output: a
manifest. ACLs, places of clients and further stores of the service's `[local_server]` stay.
"""

import copy
import tomllib
from collections.abc import Mapping
from pathlib import Path

from fastgate.toml_text import toml_document
from fastgate.wrong_call import WrongCall

Table = dict[str, object]

STORE = "fastgate"


def local_server_of(manifest: Path) -> Table:
    """Return `[local_server]` of a manifest, with absolute paths of files; empty if it has none.

    Raises:
        WrongCall: the file is not TOML, or the section is not a table.

    """
    try:
        document = tomllib.loads(manifest.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise WrongCall(f"{manifest}: {error}") from error
    section = document.get("local_server", {})
    if not isinstance(section, dict):
        raise WrongCall(f"{manifest}: local_server is not a table")
    located = _located(section, manifest.parent.resolve())
    return located if isinstance(located, dict) else {}


def local_manifest(
    local_server: Mapping[str, object],
    backends: Mapping[str, str],
    policy: Path | None,
    signing_keys: Path,
) -> str:
    """Return a manifest.

    Args:
        local_server: the section of the service's own manifest.
        backends: the URL of each backend. They replace those of the service.
        policy: the file of the policy; None while there is none, and the edge responds 503.
        signing_keys: the file of the edge's keys.

    """
    section: Table = copy.deepcopy(dict(local_server))
    section["backends"] = {name: {"url": url} for name, url in backends.items()}
    own = {"signing-keys": signing_keys}
    section["kv_stores"] = _with_entries(
        section.get("kv_stores"), {} if policy is None else {"policy": policy}, {"policy"}
    )
    section["secret_stores"] = _with_entries(section.get("secret_stores"), own, {*own})
    return toml_document(
        {
            "manifest_version": 3,
            "name": "fastgate-dev",
            "language": "other",
            "local_server": section,
        }
    )


def _with_entries(stores: object, files: Mapping[str, Path], replaced: set[str]) -> Table:
    found: Table = dict(stores) if isinstance(stores, dict) else {}
    listed = found.get(STORE)
    kept = [
        each
        for each in (listed if isinstance(listed, list) else [])
        if isinstance(each, dict) and each.get("key") not in replaced
    ]
    # Viceroy creates no store without entries.
    entries = [*kept, *({"key": key, "file": str(file)} for key, file in files.items())]
    found[STORE] = entries or [{"key": "unused", "data": ""}]
    return found


def _located(value: object, folder: Path) -> object:
    """Return a section in which every `file`, and every ACL, has an absolute path."""
    if isinstance(value, list):
        return [_located(each, folder) for each in value]
    if not isinstance(value, dict):
        return value
    found: Table = {}
    for name, each in value.items():
        if name == "file" and isinstance(each, str):
            found[name] = str(folder / each)
        elif name == "acls" and isinstance(each, dict):
            found[name] = {
                acl: str(folder / file) if isinstance(file, str) else _located(file, folder)
                for acl, file in each.items()
            }
        else:
            found[name] = _located(each, folder)
    return found
