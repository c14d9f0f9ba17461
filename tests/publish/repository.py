"""A copy of this repository, as a clone would have it, and a cargo that neither compiles nor fetches."""

import os
import shutil
import subprocess
from pathlib import Path

from programs import ROOT, guest, program

_CARGO = """\
#!/bin/sh
# Everything is compiled already, and dependencies of other platforms are not fetched; all else is cargo's own.
[ "$1" = metadata ] && exec '{cargo}' "$@" --no-deps --offline
[ "$1" = build ] || exec '{cargo}' "$@"
case "$*" in
*wasm32*) folder=target/wasm32-wasip1/release; file='{guest}'; name=fastgate.wasm ;;
*) folder=target/debug; file='{tool}'; name=$(basename '{tool}') ;;
esac
mkdir -p $folder && cp "$file" $folder/$name
"""


def clone(folder: Path) -> Path:
    """Copy the files of the repository that are not ignored."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True).stdout
    for name in filter(None, listed.decode().split("\0")):
        if (ROOT / name).exists():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    return folder


def compiled_path(folder: Path) -> str:
    """Return a PATH whose `cargo build` copies what is compiled already."""
    cargo = shutil.which("cargo")
    assert cargo
    folder.mkdir()
    text = _CARGO.format(cargo=cargo, guest=guest(), tool=program("FASTGATE_TOOL"))
    (folder / "cargo").write_text(text)
    (folder / "cargo").chmod(0o755)
    return f"{folder}{os.pathsep}{os.environ['PATH']}"
