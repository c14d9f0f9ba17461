"""The commands of the program in Rust, which the wheel `fastgate-edge` brings.

Input: the arguments of the command line, as they are. Output: the program's own output and exit
code. On POSIX the program replaces this process, so signals and pipes reach it directly.
"""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from fastgate.wrong_call import Failed, WrongCall

COMMANDS = {
    "check": "check whether a policy is valid; if not, say where and what to write instead",
    "schema": "print the JSON Schema of policies",
    "explain": "run a request through a policy, and print what each step found",
    "diff": "judge logged requests by two policies, and list every verdict that differs",
    "keys": "make keys of the edge",
    "push": "write a policy to the service, unless somebody else wrote in between",
    "rollback": "put an earlier policy into force again, or list what was pushed",
    "purge": "purge all stored responses of an origin",
    "revoke": "print the deny-list entry that refuses a token, a session or a subject",
}
"""The commands, and what each one does."""
LOCAL_EDGE = "edge"
"""The command that runs the local edge."""
_NOT_INSTALLED = (
    "`fastgate {}` is a program of the wheel fastgate-edge, which is not installed: install it "
    "beside this package, in the same version"
)


def run_tool(arguments: Sequence[str]) -> int:
    """Run the program with these arguments; return its exit code.

    Raises:
        WrongCall: the program is not installed.

    """
    path = _program(arguments[0])
    return _replaced_by([str(path), *arguments])


def run_local_edge(arguments: Sequence[str]) -> int:
    """Run the local edge with the guest of the wheel and these arguments; return its exit code.

    Raises:
        WrongCall: the program is not installed.

    """
    path = _program("edge", "fastgate-edge")
    from fastgate_edge import compiled_guests

    guest = ["--wasm", str(guest_path()), "--compiled", str(compiled_guests())]
    return _replaced_by([str(path), *guest, *arguments])


def tool_output(arguments: Sequence[str]) -> str:
    """Run the program with these arguments; return its standard output.

    Raises:
        Failed: its exit code is not 0. The message is its output.
        WrongCall: the program is not installed.

    """
    command = [str(_program(arguments[0])), *arguments]
    ran = subprocess.run(command, check=False, capture_output=True, text=True)  # noqa: S603
    if ran.returncode != 0:
        raise Failed(f"{ran.stdout}{ran.stderr}".rstrip())
    return ran.stdout


def guest_path() -> Path:
    """Return the path of the guest. Raises `WrongCall` if the wheel is not installed."""
    try:
        from fastgate_edge import NotBuilt, guest
    except ModuleNotFoundError as error:
        raise WrongCall(_NOT_INSTALLED.format("guest")) from error
    try:
        return guest()
    except NotBuilt as error:
        raise WrongCall(str(error)) from error


def _replaced_by(command: list[str]) -> int:
    if os.name == "posix":
        sys.stdout.flush()
        os.execv(command[0], command)  # noqa: S606 the program of the wheel
    return subprocess.run(command, check=False).returncode  # noqa: S603


def _program(word: str, name: str = "fastgate-tool") -> Path:
    try:
        from fastgate_edge import NotBuilt, program
    except ModuleNotFoundError as error:
        raise WrongCall(_NOT_INSTALLED.format(word)) from error
    try:
        return program(name)
    except NotBuilt as error:
        raise WrongCall(str(error)) from error
