"""Where Fastgate's programs are: the command-line tool, the local edge, and the guest.

`make dist` packs them into the wheel `fastgate-edge` together with this module. In a checkout of
the repository they are below `target/`, where `make edge guest` builds them.
"""

import os
import sys
from importlib.metadata import distribution
from pathlib import Path

__all__ = ["NotBuilt", "compiled_guests", "guest", "program"]

_CHECKOUT = Path(__file__).parents[3]
_GUEST = "fastgate.wasm"


class NotBuilt(Exception):
    """A file is missing. The message says which one, and what to do."""


def program(name: str) -> Path:
    """Return the path of a program: `fastgate-tool` or `fastgate-edge`.

    Raises:
        NotBuilt: this is a checkout in which it has not been built, or the wheel is damaged.

    """
    file = f"{name}.exe" if sys.platform == "win32" else name
    if _is_checkout():
        return _existing(_target() / "debug" / file)
    files = distribution("fastgate-edge").files or ()
    return _existing(next((Path(str(each.locate())) for each in files if each.name == file), None))


def guest() -> Path:
    """Return the path of the guest, the WebAssembly program that runs on Fastly Compute.

    Raises:
        NotBuilt: as for `program`.

    """
    if _is_checkout():
        return _existing(_target() / "wasm32-wasip1" / "release" / _GUEST)
    return _existing(Path(__file__).with_name(_GUEST))


def compiled_guests() -> Path:
    """Return the folder in which the local edge keeps compiled guests. It may not exist yet."""
    if _is_checkout():
        return _target() / "compiled"
    caches = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(caches) / "fastgate" / "compiled"


def _is_checkout() -> bool:
    return (_CHECKOUT / "wheel" / "pyproject.toml").exists()


def _target() -> Path:
    return Path(os.environ.get("CARGO_TARGET_DIR", _CHECKOUT / "target"))


def _existing(path: Path | None) -> Path:
    if path is not None and path.exists():
        return path
    if _is_checkout():
        raise NotBuilt(f"{path} does not exist: run `make guest edge` in {_CHECKOUT}")
    raise NotBuilt("the wheel fastgate-edge is incomplete: install it again")
