"""Run the command `fastgate` in the folder of a project, in a process of its own."""

import os
import subprocess
import sys
from pathlib import Path

import fastgate_edge

import fastgate

_SOURCES = [str(Path(str(each.__file__)).parents[1]) for each in (fastgate, fastgate_edge)]


def fastgate_in(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Return what `fastgate …` printed there, and its exit code."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(_SOURCES)}
    return subprocess.run(  # noqa: S603
        [sys.executable, "-m", "fastgate", *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
