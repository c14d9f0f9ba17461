"""Files that exist already, which `fastgate init` keeps.

Input: a path. Output: what the file says; or `WrongCall`, if nothing could work with it, or if the
command line says something else.
"""

import tomllib
from codecs import BOM_UTF8
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from fastgate.init.issuer import Chosen
from fastgate.init.members import at, backends_in, plain, texts_at
from fastgate.init.places import AGAIN, check_file
from fastgate.json_documents import object_in
from fastgate.stage import has_names
from fastgate.wrong_call import WrongCall

_ISSUER = "issuers.*.issuer"
_REMOVE = f"correct the file, or remove it and {AGAIN}"


@dataclass(frozen=True, slots=True)
class Kept:
    """A file that exists, which was read once."""

    path: Path
    text: str
    document: dict[str, object]


@dataclass(frozen=True, slots=True)
class Said:
    """What the options of the command line say; None for an option that was not written."""

    chosen: Chosen | None
    audience: str | None
    host: str | None
    origin_host: str | None


def kept_file(path: Path) -> Kept:
    """Return a JSON or TOML file that exists.

    Raises:
        WrongCall: it is empty, cannot be read, or is not of the kind that its name says.

    """
    check_file(path)
    try:
        raw = path.read_bytes()
        text = raw.decode("utf-8")
    except (OSError, ValueError) as error:
        raise WrongCall(f"{path}: {error}: {_REMOVE}") from error
    if raw.startswith(BOM_UTF8):
        raise WrongCall(f"{path}: has a byte order mark: save it as UTF-8 without")
    if not text.strip():
        raise WrongCall(f"{path}: is empty: {_REMOVE}")
    is_toml = path.suffix == ".toml"
    document = _tables_in(text, path) if is_toml else _members_in(raw, path)
    if not document:
        raise WrongCall(f"{path}: has no {'table' if is_toml else 'members'}: {_REMOVE}")
    return Kept(path, text, document)


def _members_in(raw: bytes, path: Path) -> dict[str, object]:
    try:
        return object_in(raw, path)
    except WrongCall as error:
        raise WrongCall(f"{error}: {_REMOVE}") from error


def _tables_in(text: str, path: Path) -> dict[str, object]:
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise WrongCall(f"{path}: {error}: {_REMOVE}") from error


def check_base_of(policy: Path, base: Path, kept: Iterable[Path]) -> None:
    """Refuse a compiled policy without the base policy that it was compiled from.

    The new base policy would say what the options say, and the policy that is kept, and deployed,
    what the old one said.

    Raises:
        WrongCall: only the compiled policy exists.

    """
    if policy in kept and base not in kept:
        raise WrongCall(
            f"{policy}: exists without {base.name}, from which it is compiled, so it would still "
            "say what that file said: remove it and run `fastgate init` again, which writes both; "
            f"or, to keep what it says, rename it to {base.name} and remove `routes`, apart from "
            "those written by hand"
        )


def check_options(base: Kept | None, manifest: Kept | None, said: Said) -> None:
    """Compare the options of the command line with files that are kept.

    Each option is compared with the member that it is about. A text of the policy with a name
    (`${NAME}`) may stand for every value.

    Args:
        base: the base policy, if it exists.
        manifest: the manifest, if it exists.
        said: the options.

    Raises:
        WrongCall: a file says something else, so an option would have no effect.

    """
    faults = list[str]()
    if base is not None:
        of_provider = ", and correct the provider's backend in fastly.toml, which is kept as well"
        faults += [
            f"{option}: {base.path} exists and does not have it in {member}: edit the file, or "
            f"remove it, and policy.json, which is compiled from it, and {AGAIN}"
            f"{of_provider if manifest is not None and member == _ISSUER else ''}"
            for option, member in _absent(base.document, said)
        ]
    if manifest is not None and said.origin_host is not None:
        backends = backends_in({} if base is None else base.document)
        setup = [("setup", "backends", name) for name in backends or ["*"]]
        hosts = [
            host
            for path in setup
            for member in ("address", "override_host")
            for host in texts_at(manifest.document, *path, member)
        ]
        # Without any, `fastgate check` says what the manifest lacks.
        if hosts and plain(said.origin_host) not in map(plain, hosts):
            tables = " and ".join(f"[{'.'.join(path)}]" for path in setup)
            faults.append(
                f"--origin-host {said.origin_host}: {manifest.path} exists and does not have it "
                f"as address in {tables}: edit the file, or remove it and {AGAIN}"
            )
    if faults:
        raise WrongCall("\n".join(faults))


def _absent(base: Mapping[str, object], said: Said) -> list[tuple[str, str]]:
    """Return each option that a base policy does not have, with the member that it is about."""
    found = list[tuple[str, str]]()
    hosts = texts_at(base, "edge", "hosts", "*")
    if said.host is not None and not _has(map(plain, hosts), plain(said.host)):
        found.append((f"--host {said.host}", "edge.hosts"))
    issuers, chosen = at(base, "issuers", "*"), said.chosen
    if chosen is not None:
        named = [
            issuer
            for issuer in issuers
            for spellings in [texts_at(issuer, "issuer") + texts_at(issuer, "issuer_aliases", "*")]
            if _has(spellings, chosen.issuer)
        ]
        if not named:
            found.append((chosen.option, _ISSUER))
        issuers = named or issuers
        presets = [text for issuer in named for text in texts_at(issuer, "preset")]
        if named and chosen.preset is not None and not _has(presets, chosen.preset):
            found.append((chosen.option_of_preset, "issuers.*.preset"))
    audiences = [text for issuer in issuers for text in texts_at(issuer, "audiences", "*")]
    if said.audience is not None and not _has(audiences, said.audience):
        found.append((f"--audience {said.audience}", "issuers.*.audiences"))
    return found


def _has(texts: Iterable[str], value: str) -> bool:
    """Whether a value is among texts, or a text that may stand for it."""
    return any(text == value or has_names(text) for text in texts)
