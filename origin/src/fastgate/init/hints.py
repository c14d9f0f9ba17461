"""What is still to be done after `fastgate init`, or is not as it should be.

Input: the files that were written or kept, and how the app is deployed. Output: lines for people.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from fastgate.init.repository import ONLY_FASTAPI, shown_path
from fastgate.init.workflow import Deployed
from fastgate.stage import VARIABLES


def hints_of_files(files: Mapping[Path, str], folder: Path, deployed: Deployed) -> Iterator[str]:
    """Yield a line for each file that was kept and is not as it should be.

    Args:
        files: the paths, and what a new file would have.
        folder: the folder of the app.
        deployed: how the app is deployed.

    """
    for path, text in files.items():
        if not path.is_file():
            continue  # a dry run
        found = path.read_text("utf-8", errors="replace")
        shown = shown_path(path, folder)
        if path.suffix == ".yml" and not deployed.is_in(found):
            yield (
                f"{shown} does not compare this app with its policy: add `{deployed.drift}` in "
                f"the folder {deployed.folder}, or remove the file and run `fastgate init` again."
            )
        if path.name == ".gitignore" and "/local/" not in found.splitlines():
            yield f"{shown} lets secrets into the repository: add the line /local/"
        if path.name == "policy.json" and found != text:
            yield (
                f"{shown} is not what the app says now: remove it and run `fastgate init` again, "
                "or see `fastgate policy` and `fastgate drift`."
            )


def hints_of_install(
    path: Path, files: Mapping[Path, str], unread: Path | None, folder: Path
) -> Iterator[str]:
    """Yield a line if a workflow does not know what the app depends on.

    Args:
        path: the workflow.
        files: the text that each new file has.
        unread: a file that says what the app depends on, but not to `fastgate init`.
        folder: the folder of the app.

    """
    text = path.read_text("utf-8", errors="replace") if path.is_file() else files[path]
    if f"- run: {ONLY_FASTAPI}\n" in text:
        why = "" if unread is None else f", which {shown_path(unread, folder)} says in another way"
        yield (
            f"The workflow does not know what your app depends on{why}: change the line "
            f"`run: {ONLY_FASTAPI}` in {shown_path(path, folder)}."
        )


def hints_of_stage(deployed: Deployed, unknown: Sequence[str]) -> Iterator[str]:
    """Yield what is to be done for a policy with names.

    Args:
        deployed: how the app is deployed.
        unknown: the names that have no value here.

    """
    if unknown:
        names = " and ".join(f"${{{name}}}" for name in unknown)
        yield (
            f"The policy was not checked, since {names} has no value here: run "
            "`fastgate check edge/policy.json --stage FILE`."
        )
    if deployed.variables:
        yield (
            "The workflow takes values of the stage from variables of the repository: "
            f"{', '.join(VARIABLES + name for name in deployed.variables)}. For a stage file, "
            "remove the workflow and run `fastgate init --stage FILE`."
        )
