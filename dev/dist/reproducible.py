"""Build the guest of the last commit twice, and compare the bytes: `make reproducible`.

The two builds have different folders and different cargo homes: panics name source files, so both
used to be in the guest. Exit code 0 if the bytes are the same, 1 if they differ.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CARGO_HOME = Path(os.environ.get("CARGO_HOME", Path.home() / ".cargo"))


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="fastgate-reproducible-") as folder:
        home = Path(folder) / "another-cargo-home"
        shutil.copytree(CARGO_HOME / "registry", home / "registry")
        digests = {
            _built(Path(folder) / "one", CARGO_HOME),
            _built(Path(folder) / "another" / "deeper", home),
        }
    print(*digests, sep="\n")
    print("the same bytes" if len(digests) == 1 else "different bytes")
    return 0 if len(digests) == 1 else 1


def _built(folder: Path, cargo_home: Path) -> str:
    """Return the digest of the guest, built in a clone."""
    subprocess.run(["git", "clone", "-q", ROOT, folder], check=True)
    environment = os.environ | {"CARGO_HOME": str(cargo_home)}
    environment.pop(
        "CARGO_TARGET_WASM32_WASIP1_RUSTFLAGS", None
    )  # the Makefile of the clone sets it
    subprocess.run(["make", "guest"], cwd=folder, env=environment, check=True)
    guest = folder / "target" / "wasm32-wasip1" / "release" / "fastgate.wasm"
    return hashlib.sha256(guest.read_bytes()).hexdigest()


if __name__ == "__main__":
    sys.exit(main())
