"""The programs of the wheel `fastgate-edge`, for `fastgate dev`.

Input: nothing. Output: where they are, or an error that says what to install.
"""

from dataclasses import dataclass
from pathlib import Path

from fastgate.wrong_call import WrongCall


@dataclass(frozen=True, slots=True)
class Programs:
    """Where the programs are."""

    tool: Path
    local_edge: Path
    guest: Path
    compiled_guests: Path


def installed_programs() -> Programs:
    """Return them; raise `WrongCall` if the wheel is not installed."""
    try:
        import fastgate_edge
    except ModuleNotFoundError as error:
        raise WrongCall(
            "`fastgate dev` needs the wheel fastgate-edge, which brings the local edge: install it "
            "beside this package, in the same version"
        ) from error
    try:
        return Programs(
            fastgate_edge.program("fastgate-tool"),
            fastgate_edge.program("fastgate-edge"),
            fastgate_edge.guest(),
            fastgate_edge.compiled_guests(),
        )
    except fastgate_edge.NotBuilt as error:
        raise WrongCall(str(error)) from error
