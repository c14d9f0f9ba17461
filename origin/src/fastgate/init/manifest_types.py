"""The kinds of values in a manifest that exists already: those that the Fastly CLI can read.

Input: the manifest. Output: nothing; or `WrongCall`, which names each member of a backend whose
value is of another kind. What is absent is no fault here.
"""

from collections.abc import Iterator

from fastgate.init.existing import Kept
from fastgate.toml_text import table_name
from fastgate.wrong_call import WrongCall

_MEMBERS = {"setup": ("address", "override_host", "port"), "local_server": ("url", "override_host")}
"""The members of a backend that say where it is, by the sections of a manifest."""
_MAX_PORT = 65_535


def check_kinds(manifest: Kept) -> None:
    """Check what a manifest says of backends.

    Raises:
        WrongCall: a section is no table, a host or a URL is no text, or a port is no number.

    """
    if faults := [*_faults_of(manifest)]:
        raise WrongCall("\n".join(f"{manifest.path}: {fault}" for fault in faults))


def _faults_of(manifest: Kept) -> Iterator[str]:
    for section, members in _MEMBERS.items():
        table = manifest.document.get(section, {})
        backends = table.get("backends", {}) if isinstance(table, dict) else {}
        for path, value in ((section, table), (f"{section}.backends", backends)):
            if not isinstance(value, dict):
                yield f"{path} is no table: write [{section}.backends.NAME] for each backend"
        for name, backend in backends.items() if isinstance(backends, dict) else ():
            place = f"[{section}.backends.{table_name(name)}]"
            if not isinstance(backend, dict):
                yield f"{place} is no table: write it as one, with {' and '.join(members)}"
                continue
            for member in members:
                if member in backend and (fault := _fault_of(member, backend[member])):
                    yield f"{place} has {fault}"


def _fault_of(member: str, value: object) -> str | None:
    """Return what is wrong with the value of a member; None if nothing is."""
    if member != "port":
        fits = isinstance(value, str) and value.strip() != ""
        return None if fits else f"no text as {member}: write one, in quotes"
    if isinstance(value, str):
        return "a text as port: write a number, without quotes"
    is_port = isinstance(value, int) and not isinstance(value, bool) and 0 < value <= _MAX_PORT
    return None if is_port else f"no port as port: write a number from 1 to {_MAX_PORT}"
