"""Build what a release consists of: `make dist`.

Writes to dist/: the wheel and sdist of the package `fastgate`, the wheel of `fastgate-edge` for this
platform with its bill of materials (CycloneDX), the package for Fastly Compute, that of the guest,
and SHA256SUMS. The guest must have been built (`make guest`).
"""

import hashlib
import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Sequence
from pathlib import Path

from compute_package import write_compute_package

ROOT = Path(__file__).resolve().parents[2]
DIST = ROOT / "dist"
GUEST = ROOT / "target" / "wasm32-wasip1" / "release" / "fastgate.wasm"
TOOLS = ROOT / "target" / "tools" / "dist" / "bin"
CYCLONEDX = ROOT / "target" / "tools" / "bin" / "cargo-cyclonedx"


def main() -> int:
    shutil.rmtree(DIST, ignore_errors=True)
    DIST.mkdir()
    version = tomllib.loads((ROOT / "Cargo.toml").read_text())["package"]["version"]
    in_origin = tomllib.loads((ROOT / "origin" / "pyproject.toml").read_text())["project"][
        "version"
    ]
    if version != in_origin:
        print(f"Cargo.toml says {version}, origin/pyproject.toml {in_origin}", file=sys.stderr)
        return 1
    shutil.copy(GUEST, ROOT / "wheel" / "src" / "fastgate_edge" / "fastgate.wasm")
    _run(TOOLS / "python", "-m", "build", "--outdir", DIST, ROOT / "origin")
    write_compute_package(GUEST, DIST / f"fastgate-{version}-compute.tar.gz")
    guest = _bill_of_materials(f"fastgate-{version}-guest", "--target", "wasm32-wasip1")
    shutil.move(guest, DIST)
    # Panics and assertions name source files: the folders of this machine are replaced, as in the guest.
    home = os.environ.get("CARGO_HOME", Path.home() / ".cargo")
    os.environ["RUSTFLAGS"] = f"--remap-path-prefix={home}=/cargo --remap-path-prefix={ROOT}=/fastgate"
    os.environ["CFLAGS"] = f"-ffile-prefix-map={home}=/cargo"
    programs = _bill_of_materials("fastgate-edge", "--features", "edge")
    maturin = TOOLS / "maturin"
    _run(maturin, "build", "--out", DIST, "--sbom-include", programs, folder=ROOT / "wheel")
    _write_checksums()
    return 0


def _run(*command: str | Path, folder: Path = ROOT) -> None:
    print("+", *command, flush=True)
    subprocess.run(command, check=True, cwd=folder)


def _bill_of_materials(name: str, *options: str) -> Path:
    """Write the crates that a build has; return the file."""
    named = ["--spec-version", "1.5", "--override-filename", name]
    _run(CYCLONEDX, "cyclonedx", "--format", "json", *options, *named)
    written = ROOT / f"{name}.json"
    # Without the folder of this checkout.
    text = written.read_text("utf-8").replace(f"path+file://{ROOT}", "path+file:///fastgate")
    written.unlink()
    moved = ROOT / "target" / f"{name}.cyclonedx.json"
    moved.write_text(text, "utf-8")
    return moved


def _write_checksums() -> None:
    files: Sequence[Path] = sorted(DIST.iterdir())
    lines = [f"{hashlib.sha256(file.read_bytes()).hexdigest()}  {file.name}\n" for file in files]
    (DIST / "SHA256SUMS").write_text("".join(lines))
    print("".join(lines), end="")


if __name__ == "__main__":
    sys.exit(main())
