"""The package for Fastly Compute: what `fastly compute deploy --package` uploads."""

import gzip
import io
import tarfile
from pathlib import Path

MANIFEST = b"""manifest_version = 3
name = "fastgate"
description = "An identity-aware gate for FastAPI"
language = "other"
"""


def write_compute_package(guest: Path, package: Path) -> None:
    """Write the package: the guest and a manifest, the same bytes for the same guest."""
    files = {"fastgate/bin/main.wasm": guest.read_bytes(), "fastgate/fastly.toml": MANIFEST}
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)  # no owner, time zero
            member.size = len(content)
            member.mode = 0o644
            tar.addfile(member, io.BytesIO(content))
    package.write_bytes(gzip.compress(archive.getvalue(), mtime=0))
