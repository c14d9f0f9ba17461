"""The command `dev`: an app, the edge in front of it and a provider, on this machine.

Input: the arguments of the command line. Output: text on standard output until Ctrl-C, and the exit
code.
"""

import argparse

from fastgate.wrong_call import WrongCall


def run_dev(options: argparse.Namespace) -> int:
    """Serve until Ctrl-C. Return 0."""
    try:
        from fastgate.dev.session import DevOptions, run
    except ModuleNotFoundError as error:
        if error.name != "uvicorn":
            raise
        raise WrongCall(
            "`fastgate dev` runs the app on uvicorn, which is not installed: install "
            '"fastapi[standard]" or uvicorn'
        ) from error
    return run(
        DevOptions(
            options.app,
            options.folder,
            options.base,
            options.origin,
            options.stage,
            options.port,
            options.app_port,
            options.provider_port,
        )
    )
