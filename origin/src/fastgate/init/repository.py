"""The repository of an app: its root, the name of the project, and how a CI job installs it.

Input: the folder of the app. Output: what its files say; or `WrongCall`, if one cannot be read.
"""

import os
import re
import shlex
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from fastgate.project_file import NAME, project_table
from fastgate.wrong_call import WrongCall

ONLY_FASTAPI = "pip install fastapi"
"""The command for an app of which nothing says what it depends on."""
_UV = "pip install uv==0.13.9"
_UNREAD = ("Pipfile", "environment.y*ml", "requirements/*.txt", "requirements*.txt", "setup.cfg")
"""Files that say what an app depends on, but not whether that is all, or not to pip."""


def repository_of(folder: Path) -> Path:
    """Return the root of the repository.

    In none, it is the folder in which the command runs, if that contains the app, else the app's.
    """
    found = (each for each in (folder, *folder.parents) if (each / ".git").exists())
    here = Path.cwd()
    return next(found, here if folder.is_relative_to(here) else folder)


def name_in(folder: Path, root: Path) -> str:
    """Return the name of the project, as a service may have it.

    Raises:
        WrongCall: a `pyproject.toml` cannot be read.

    """
    names = (
        project_table(each / NAME, "project").get("name") for each in _projects_of(folder, root)
    )
    found = next((each for each in names if isinstance(each, str) and each), folder.name)
    return slug(found)[:64].strip("-") or "app"


def slug(text: str) -> str:
    """Return a text as a name of `a-z`, `0-9` and `-`."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")


def install_command(folder: Path, root: Path) -> str:
    """Return the command that installs the app and what it depends on, in the folder of the app.

    The nearest file counts that says what the app depends on, from its folder to the root.

    Raises:
        WrongCall: a `pyproject.toml` cannot be read.

    """
    return _install(folder, root)[0] or ONLY_FASTAPI


def unread_file(folder: Path, root: Path) -> Path | None:
    """Return the file for which there is no command, though it says what the app depends on."""
    return _install(folder, root)[1]


def _install(folder: Path, root: Path) -> tuple[str | None, Path | None]:
    """Return the command, or the file for which there is none."""
    for each in _upwards(folder, root):
        place = Path(os.path.relpath(each, folder))
        if (each / NAME).is_file() and _is_locked(each, root):
            project = f"--project {shlex.quote(str(place))} " if each != folder else ""
            return (
                f'{_UV} && UV_PROJECT_ENVIRONMENT="$pythonLocation" '
                f"uv sync {project}--frozen --no-dev --inexact"
            ), None
        if (each / "requirements.txt").is_file():
            return f"pip install -r {shlex.quote(str(place / 'requirements.txt'))}", None
        if _is_built(each):
            return f"pip install {shlex.quote(str(place))}", None
        if (each / NAME).is_file():
            if project_table(each / NAME, "project"):
                # What no build system builds is not installed: only what it depends on.
                file = shlex.quote(str(place / NAME))
                return f"{_UV} && uv pip install --system -r {file}", None
            if project_table(each / NAME, "tool", "poetry"):
                return None, each / NAME
        for pattern in _UNREAD:
            if (unread := next(iter(sorted(each.glob(pattern))), None)) is not None:
                return None, unread
    return None, None


def _is_built(folder: Path) -> bool:
    """Whether pip can build what is in a folder."""
    if not (folder / NAME).is_file():
        return (folder / "setup.py").is_file()
    poetry = project_table(folder / NAME, "tool", "poetry")
    if poetry.get("package-mode", True) is False:
        return False  # Poetry only installs what it depends on
    built = project_table(folder / NAME, "build-system")
    return bool(built) or (folder / "setup.py").is_file()


def app_in(folder: Path, named: str) -> str:
    """Return the name of an app so that it means the same in another copy of the repository.

    Raises:
        WrongCall: it is the path of a file in another folder.

    """
    place, colon, name = named.partition(":")
    if not Path(place).is_absolute():
        return named
    path = Path(place).resolve()
    if not path.is_relative_to(folder):
        raise WrongCall(f"{named} is not in {folder}: go to its folder, or name it with --app-dir")
    return f"{path.relative_to(folder).as_posix()}{colon}{name}"


def path_from(folder: Path, root: Path, file: Path) -> PurePosixPath:
    """Return the path of a file from the folder of the app.

    Raises:
        WrongCall: it is not in the repository.

    """
    path = file.resolve()
    if not path.is_relative_to(root):
        raise WrongCall(f"{file} is not in {root}, so a CI job has no copy of it: move it there")
    return PurePosixPath(Path(os.path.relpath(path, folder)).as_posix())


def shown_path(path: Path, folder: Path) -> str:
    """Return a path as people read it in the folder of the app."""
    return path.relative_to(folder).as_posix() if path.is_relative_to(folder) else str(path)


def _upwards(folder: Path, root: Path) -> Iterator[Path]:
    yield from (each for each in (folder, *folder.parents) if each.is_relative_to(root))


def _projects_of(folder: Path, root: Path) -> Iterator[Path]:
    yield from (each for each in _upwards(folder, root) if (each / NAME).is_file())


def _is_locked(folder: Path, root: Path) -> bool:
    """Whether uv has a lock for a project: beside it, or at the workspace around it."""
    workspaces = (
        each
        for each in _projects_of(folder.parent, root)
        if project_table(each / NAME, "tool", "uv", "workspace")
    )
    return any((each / "uv.lock").is_file() for each in (folder, *workspaces))
