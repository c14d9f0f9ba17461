"""Packages of Compute: an archive with one folder, which has a manifest and a program."""

import hashlib
import io
import tarfile
import tomllib
from email.message import Message

from starlette.requests import Request

from fastly_api.errors import Refused, refused
from fastly_api.state import Package

MAX_PACKAGE = 100 * 1024 * 1024
_WASM = b"\0asm"


async def uploaded(request: Request) -> Package:
    """Return the package of a request, from the field `package` of its form."""
    return unpacked(_field(request.headers.get("content-type", ""), await request.body()))


def _field(content_type: str, body: bytes) -> bytes:
    kind = Message()
    kind["content-type"] = content_type
    boundary = kind.get_param("boundary")
    if kind.get_content_type() != "multipart/form-data" or not isinstance(boundary, str):
        raise refused(415, "Unsupported media type", "a package is sent as multipart/form-data")
    for part in (b"\r\n" + body).split(b"\r\n--" + boundary.encode())[1:]:
        head, _, content = part.partition(b"\r\n\r\n")
        if b'name="package"' in head:
            return content
    raise _invalid("the field package is missing")


def _invalid(why: str) -> Refused:
    return refused(400, "Bad request", f"Invalid package: {why}")


def unpacked(content: bytes) -> Package:
    """Return a package if its archive is valid."""
    if len(content) > MAX_PACKAGE:
        raise refused(413, "Payload too large", "Package size exceeds the limit")
    files = _files(content)
    folders = {name.partition("/")[0] for name in files}
    if len(folders) != 1:
        raise _invalid("it must have one folder")
    (folder,) = folders
    manifest, program = files.get(f"{folder}/fastly.toml"), files.get(f"{folder}/bin/main.wasm")
    if manifest is None or program is None:
        raise _invalid("fastly.toml or bin/main.wasm is missing")
    if not program.startswith(_WASM):
        raise _invalid("bin/main.wasm is not WebAssembly")
    try:
        parsed = tomllib.loads(manifest.decode())
        name, language = str(parsed["name"]), str(parsed.get("language", ""))
    except (ValueError, KeyError):
        raise _invalid("fastly.toml cannot be read or has no name") from None
    every = b"".join(files[name] for name in sorted(files))
    return Package(
        content=content,
        name=name,
        language=language,
        hashsum=hashlib.sha512(content).hexdigest(),
        files_hash=hashlib.sha512(every).hexdigest(),
    )


def _files(content: bytes) -> dict[str, bytes]:
    files: dict[str, bytes] = {}
    try:
        with tarfile.open(fileobj=io.BytesIO(content), mode="r:gz") as archive:
            for entry in archive:
                if entry.name.startswith("/") or ".." in entry.name.split("/"):
                    raise _invalid(f"it has a file outside of its folder: {entry.name}")
                if (file := archive.extractfile(entry)) is not None:
                    files[entry.name.removeprefix("./")] = file.read()
    except (tarfile.TarError, OSError, EOFError):
        raise _invalid("it is not a gzipped archive") from None
    return files


def program(package: Package) -> bytes:
    """Return the WebAssembly of a package."""
    files = _files(package.content)
    return next(files[name] for name in files if name.endswith("/bin/main.wasm"))


def described(package: Package) -> dict[str, object]:
    """Return the metadata of a package, as the API shows them."""
    return {
        "name": package.name,
        "description": "",
        "authors": [],
        "language": package.language,
        "size": len(package.content),
        "hashsum": package.hashsum,
        "files_hash": package.files_hash,
    }
