"""Load what a command is given: an app by its name, and a policy by its path.

Input: the arguments of the command line. Output: the app, or the JSON document; or `WrongCall`.
"""

import argparse
import contextlib
import importlib
import inspect
import json
import sys
import traceback
from collections.abc import Callable
from pathlib import Path

from fastgate.commands.edge_routes import routes_of
from fastgate.compile.cache import caching
from fastgate.compile.ineffective.unserved import unserved
from fastgate.compile.policy import RouteDocument
from fastgate.compile.unused_requirements import unused_requirements
from fastgate.declare.recorded_calls import recording
from fastgate.routes.framework import routed_app

_PACKAGE = Path(__file__).parents[1]

_SERVE = (
    "    → serve the object that this declaration is about, or declare it on the object that is "
    "served; nothing is wrong if the object is not in use"
)
_DEPEND = (
    "    → write Depends(requires(…)) in the signature of an endpoint or of a dependency, or in "
    "dependencies=[…]; nothing is wrong if the requirement is not in use"
)


class WrongCall(Exception):
    """The command cannot be carried out as it was written. The message says why."""


def app_of(options: argparse.Namespace) -> object:
    """Return the app that the arguments name.

    Raises:
        WrongCall: there is none, or it is not a FastAPI or Starlette app.

    """
    # The app may print while it is imported or created. That must not end up in policy.json.
    with contextlib.redirect_stdout(sys.stderr), recording() as recorded:
        app = _imported(options)
    with caching():
        if declarations := unserved(app, recorded.calls):
            print(*declarations, _SERVE, sep="\n", file=sys.stderr)
        if requirements := unused_requirements(app, recorded.requirements):
            print(*requirements, _DEPEND, sep="\n", file=sys.stderr)
    return app


def _imported(options: argparse.Namespace) -> object:
    module, _, name = options.app.partition(":")
    sys.path.insert(0, str(Path(options.app_dir).resolve()))
    try:
        found: object = importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or not module.startswith(error.name):
            raise  # the fault is in the app: the traceback says more
        raise WrongCall(f"{error}; check --app-dir") from error
    except (AttributeError, TypeError, ValueError) as error:
        if _is_raised_by_this_package(error):  # its message says all, and the traceback is long
            raise WrongCall(f"{_line_in(options.app_dir, error)}{error}") from error
        raise
    for attribute in (name or "app").split("."):
        if not hasattr(found, attribute):
            raise WrongCall(f'there is no "{attribute}" in {module}')
        found = getattr(found, attribute)
    if options.factory or (inspect.isfunction(found) and not _needs_arguments(found)):
        if not callable(found):
            raise WrongCall(f"{options.app} is not a factory: it cannot be called")
        found = found()
    if routed_app(found) is None:
        raise WrongCall(f"{options.app} is neither a FastAPI nor a Starlette app")
    return found


def _is_raised_by_this_package(error: BaseException) -> bool:
    *_, last = traceback.extract_tb(error.__traceback__)
    return Path(last.filename).is_relative_to(_PACKAGE)


def _line_in(folder: str, error: BaseException) -> str:
    """Return `file:line: ` of the last line in a folder that led to an error, if there is one."""
    inside = Path(folder).resolve()
    frames = traceback.extract_tb(error.__traceback__)
    lines = [
        f"{frame.filename}:{frame.lineno}: "
        for frame in frames
        if Path(frame.filename).is_relative_to(inside)
    ]
    return lines[-1] if lines else ""


def _needs_arguments(function: Callable[..., object]) -> bool:
    try:
        inspect.signature(function).bind()
    except TypeError:
        return True
    return False


def document_at(path: Path) -> dict[str, object]:
    """Return the JSON object in a file. Raises `WrongCall` if it cannot be read or is none."""
    try:
        document = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise WrongCall(f"{path}: {error}") from error
    if not isinstance(document, dict):
        raise WrongCall(f"{path}: is not a JSON object")
    return document


def rules_of(document: dict[str, object]) -> dict[str, object]:
    """Return the `rules` of a policy; empty if it has none."""
    rules = document.get("rules", {})
    return rules if isinstance(rules, dict) else {}  # the edge refuses any other value


def policy_routes(
    document: dict[str, object], path: Path, origin: str | None
) -> list[RouteDocument]:
    """Return the routes of a policy for one origin. Raises `WrongCall` if they are malformed."""
    try:
        return routes_of(document, origin)
    except ValueError as error:
        raise WrongCall(f"{path}: {error}") from error
