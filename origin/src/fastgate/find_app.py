"""Find a FastAPI app as `fastapi dev` does, and import it.

Input: a name or a path, or nothing, and a folder. Output: the module and the name of the app in it,
and the app; or an error that says where it was looked for.
"""

import contextlib
import importlib
import inspect
import sys
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import ModuleType, TracebackType

from fastapi import FastAPI

from fastgate import project_file
from fastgate.routes.framework import routed_app
from fastgate.wrong_call import AppFailed, WrongCall

FILES = ("main.py", "app.py", "api.py", "app/main.py", "app/app.py", "app/api.py")
"""Where an app is looked for without a name, in this order."""
NAMES = ("app", "api")
"""The names that an app may have in its module, in this order."""

_PACKAGE = Path(__file__).parent
_NAME_IT = "name one: package.module:app, or the path of its file"


@dataclass(frozen=True, slots=True)
class FoundModule:
    """The module of an app, not imported yet."""

    module: str
    """Its name: `package.module`."""
    folder: Path
    """The folder from which it is imported: the first entry of `sys.path`."""
    name: str = ""
    """The name of the app in it, which may have dots; empty if it is still to be found."""
    path: Path | None = field(default=None, compare=False)
    """Its file, if it was found by that."""

    @property
    def import_string(self) -> str:
        """Return `package.module:app`, as for uvicorn."""
        return f"{self.module}:{self.name}" if self.name else self.module


def find_module(target: str | None = None, folder: Path = Path()) -> FoundModule:
    """Find the module of an app. Nothing is imported.

    Args:
        target: `package.module:app`, `package.module`, or the path of a file or of a folder, with
            or without `:app`. Without it the app is the `entrypoint` of `[tool.fastapi]` in
            `pyproject.toml`, or else in the first of `FILES`.
        folder: the folder of the project.

    Raises:
        WrongCall: there is none.

    """
    folder = folder.resolve()
    if target is not None:
        return _named(target, folder)
    if (entrypoint := _entrypoint_in(folder)) is not None:
        module, _, name = entrypoint.partition(":")
        return FoundModule(module, folder, name)
    return _module_at(_first_file_in(folder))


def import_app(found: FoundModule, *, factory: bool = False) -> tuple[FoundModule, object]:
    """Import a module and return its app, with the name that the app has there.

    What the app prints goes to standard error.

    Args:
        found: the module.
        factory: whether the name refers to a function that returns the app; by default this is so
            if it is a function that requires no arguments.

    Raises:
        AppFailed: the module, or the function, raised an error.
        WrongCall: there is no app of that name, or there are several and none is named.

    """
    with contextlib.redirect_stdout(sys.stderr):
        module = _imported(found)
        if not found.name:
            found = replace(found, name=_name_in(module))
        return found, _app_in(module, found, factory=factory)


def _named(target: str, folder: Path) -> FoundModule:
    place, _, name = target.partition(":")
    path = folder / place
    is_package = place.isidentifier() and (name or (path / "__init__.py").is_file())
    if path.is_dir() and not is_package:
        return replace(_module_at(_first_file_in(path)), name=name)
    if path.is_file():
        return replace(_module_at(path), name=name)
    if place.endswith(".py") or "/" in place:
        raise WrongCall(f"{path} does not exist: correct the path of the app")
    return FoundModule(place, folder, name)


def _entrypoint_in(folder: Path) -> str | None:
    file = folder / project_file.NAME
    if not file.is_file():
        return None
    entrypoint = project_file.project_table(file, "tool", "fastapi").get("entrypoint")
    if entrypoint is None:
        return None
    if not isinstance(entrypoint, str) or not all(entrypoint.partition(":")):
        raise WrongCall(f'{file}: write entrypoint of [tool.fastapi] as "package.module:app"')
    return entrypoint


def _first_file_in(folder: Path) -> Path:
    found = next((file for each in FILES if (file := folder / each).is_file()), None)
    if found is None:
        raise WrongCall(
            f"there is no app in {folder}: pyproject.toml has no entrypoint in [tool.fastapi], and "
            f"none of {', '.join(FILES)} exists; go to the folder of the app, or {_NAME_IT}"
        )
    return found


def _module_at(path: Path) -> FoundModule:
    """Return the module of a file: packages around it are part of its name."""
    path = path.resolve()
    parts = [] if path.stem == "__init__" else [path.stem]
    folder = path.parent
    while (folder / "__init__.py").is_file():
        parts.insert(0, folder.name)
        folder = folder.parent
    return FoundModule(".".join(parts), folder, path=path)


def _imported(found: FoundModule) -> ModuleType:
    if sys.path[:1] != [str(found.folder)]:
        sys.path.insert(0, str(found.folder))
    importlib.invalidate_caches()
    try:
        with _failures_of_the_app(found.folder):
            module = importlib.import_module(found.module)
    except ModuleNotFoundError as error:
        raise WrongCall(f"{error} in {found.folder}: correct the app, or --app-dir") from error
    if found.path is not None and found.path != Path(str(module.__file__)).resolve():
        raise WrongCall(
            f"{found.module} is also the name of another module, {module.__file__}, which Python "
            f"imports in place of {found.path}: rename the file"
        )
    return module


@contextlib.contextmanager
def _failures_of_the_app(folder: Path) -> Iterator[None]:
    """Raise `AppFailed` for an error of the app; a missing module of its own name stays as it is.

    An error that this package raised for a declaration is one line: its message says all.
    """
    try:
        yield
    except (Exception, SystemExit) as error:
        frames = traceback.extract_tb(error.__traceback__)
        if isinstance(error, ModuleNotFoundError) and not any(map(_is_of_others, frames)):
            raise
        is_ours = bool(frames) and Path(frames[-1].filename).is_relative_to(_PACKAGE)
        if is_ours and isinstance(error, (AttributeError, TypeError, ValueError)):
            raise WrongCall(f"{_line_in(folder, frames)}{error}") from error
        raise AppFailed(_own_traceback(error)) from error


def _is_of_others(frame: traceback.FrameSummary) -> bool:
    """Whether a frame is neither one of this package nor one of the import system."""
    name = frame.filename
    is_import = name.startswith("<frozen importlib") or name == importlib.__file__
    return not is_import and not Path(name).is_relative_to(_PACKAGE)


def _line_in(folder: Path, frames: traceback.StackSummary) -> str:
    """Return `file:line: ` of the last line in a folder that led to an error, if there is one."""
    inside = [each for each in frames if Path(each.filename).is_relative_to(folder)]
    return f"{inside[-1].filename}:{inside[-1].lineno}: " if inside else ""


def _own_traceback(error: BaseException) -> str:
    """Return the traceback of an error, from the first frame that is the app's."""
    frames: TracebackType | None = error.__traceback__
    while frames is not None and not _is_of_others(traceback.extract_tb(frames, 1)[0]):
        frames = frames.tb_next
    return "".join(traceback.TracebackException(type(error), error, frames).format()).rstrip()


def _name_in(module: ModuleType) -> str:
    """Return the name of the app in a module."""
    for name in NAMES:
        found = getattr(module, name, None)
        if isinstance(found, FastAPI) or (found is not None and _is_wrapped_app(found)):
            return name
    every = {
        name: each for name in dir(module) if isinstance(each := vars(module).get(name), FastAPI)
    }
    if len({id(each) for each in every.values()}) == 1:
        return next(iter(every))
    if every:
        raise WrongCall(
            f"{module.__name__} has several apps, and none is called app or api: "
            f"{', '.join(every)}; name one: {module.__name__}:{next(iter(every))}"
        )
    makers = [name for name in ("create_app", "get_app", "make_app") if hasattr(module, name)]
    advice = f"name its function: {module.__name__}:{makers[0]}" if makers else _NAME_IT
    raise WrongCall(f"there is no FastAPI app in {module.__name__} ({module.__file__}); {advice}")


def _is_wrapped_app(found: object) -> bool:
    """Whether an object is middleware around an app with routes, or a Starlette app."""
    return not isinstance(found, ModuleType) and routed_app(found) is not None


def _app_in(module: ModuleType, named: FoundModule, *, factory: bool) -> object:
    found: object = module
    for attribute in named.name.split("."):
        if not hasattr(found, attribute):
            raise WrongCall(f'there is no "{attribute}" in {named.module}')
        found = getattr(found, attribute)
    if factory or (inspect.isfunction(found) and not _needs_arguments(found)):
        if not callable(found):
            raise WrongCall(f"{named.import_string} is not a factory: it cannot be called")
        with _failures_of_the_app(named.folder):
            found = found()
    if routed_app(found) is None:
        raise WrongCall(f"{named.import_string} is neither a FastAPI nor a Starlette app")
    return found


def _needs_arguments(function: Callable[..., object]) -> bool:
    try:
        inspect.signature(function).bind()
    except TypeError:
        return True
    return False
