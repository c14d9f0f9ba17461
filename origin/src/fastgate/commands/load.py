"""Load what a command is given: an app by its name, and a policy by its path.

Input: the arguments of the command line. Output: the app, or the JSON document; or `WrongCall`.
"""

import argparse
import contextlib
import sys
from pathlib import Path

from fastgate.commands.edge_routes import routes_of
from fastgate.compile.cache import caching
from fastgate.compile.ineffective.unserved import unserved
from fastgate.compile.policy import RouteDocument
from fastgate.compile.unused_requirements import unused_requirements
from fastgate.declare.recorded_calls import recording
from fastgate.find_app import find_module, import_app
from fastgate.wrong_call import WrongCall

_SERVE = (
    "    → serve the object that this declaration is about, or declare it on the object that is "
    "served; nothing is wrong if the object is not in use"
)
_DEPEND = (
    "    → write Depends(requires(…)) in the signature of an endpoint or of a dependency, or in "
    "dependencies=[…]; nothing is wrong if the requirement is not in use"
)


def app_of(options: argparse.Namespace) -> object:
    """Return the app that the arguments name, or the one that `fastapi dev` would run.

    Its name is written to the arguments, as `package.module:app`.

    Raises:
        AppFailed: the app raised an error.
        WrongCall: there is none, or it is not a FastAPI or Starlette app.

    """
    found = find_module(options.app, Path(options.app_dir))
    # The app may print while it is imported or created. That must not end up in policy.json.
    with contextlib.redirect_stdout(sys.stderr), recording() as recorded:
        found, app = import_app(found, factory=options.factory)
    options.app = options.app or found.import_string
    with caching():
        if declarations := unserved(app, recorded.calls):
            print(*declarations, _SERVE, sep="\n", file=sys.stderr)
        if requirements := unused_requirements(app, recorded.requirements):
            print(*requirements, _DEPEND, sep="\n", file=sys.stderr)
    return app


def policy_routes(
    document: dict[str, object], path: Path, origin: str | None
) -> list[RouteDocument]:
    """Return the routes of a policy for one origin. Raises `WrongCall` if they are malformed."""
    try:
        return routes_of(document, origin)
    except ValueError as error:
        raise WrongCall(f"{path}: {error}") from error
