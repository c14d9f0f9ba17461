"""Run the lines that `demo` prints in a shell, and compare the statuses with their comments."""

import re
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from layout import ROOT, DemoError
from machine import is_own
from paste import GROUPS, Line

SHELL_SECONDS = 60.0
MARK = "--- the next line ---"
STATUS_LINE = re.compile(r"^HTTP/1\.1 (\d{3})", re.MULTILINE)


@dataclass(frozen=True)
class Pasted:
    line: Line
    statuses: Sequence[int]

    @property
    def passed(self) -> bool:
        return self.statuses == list(self.line.statuses)


def run_lines() -> Sequence[Pasted]:
    """Runs the lines in one shell, because they use each other's variables."""
    lines = list(runnable())
    script = "".join(f"{line.command}\necho '{MARK}'\n" for line in lines)
    responses = paste(script).split(MARK)
    return [
        Pasted(line, [int(status) for status in STATUS_LINE.findall(text)])
        for line, text in zip(lines, responses, strict=False)
        if line.statuses
    ]


def paste(script: str) -> str:
    try:
        shell = subprocess.run(
            ("bash", "-c", script),
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,  # curl's progress
            text=True,
            timeout=SHELL_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise DemoError(f"the lines of the demo cannot be run in bash: {error}") from error
    return shell.stdout


def runnable() -> Iterator[Line]:
    """All lines except those from an address that this machine does not have."""
    for group in GROUPS:
        for line in group.lines:
            if not line.source or is_own(line.source):
                yield line
