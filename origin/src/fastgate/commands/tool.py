"""The commands of the program in Rust, which the wheel `fastgate-edge` brings.

Input: the arguments of the command line, as they are. Output: the program's own output and exit
code. On POSIX the program replaces this process, so signals and pipes reach it directly.
"""

import os
import subprocess
import sys
from collections.abc import Sequence

from fastgate.wrong_call import WrongCall

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


def run_tool(arguments: Sequence[str]) -> int:
    """Run the program with these arguments; return its exit code.

    Raises:
        WrongCall: the program is not installed.

    """
    try:
        from fastgate_edge import NotBuilt, program
    except ModuleNotFoundError as error:
        raise WrongCall(
            f"`fastgate {arguments[0]}` is a program of the wheel fastgate-edge, which is not "
            "installed: install it beside this package, in the same version"
        ) from error
    try:
        path = program("fastgate-tool")
    except NotBuilt as error:
        raise WrongCall(str(error)) from error
    command = [str(path), *arguments]
    if os.name == "posix":
        sys.stdout.flush()
        os.execv(path, command)  # noqa: S606 the program of the wheel
    return subprocess.run(command, check=False).returncode  # noqa: S603
