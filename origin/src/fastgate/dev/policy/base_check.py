"""Check the base policy before anything is started.

Input: its file, and the program of the wheel. Output: the base for this machine; or `WrongCall`,
with one line for each fault: where, what, and what to write.
"""

import copy
import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from fastgate.dev.policy.local import Addresses, Document, UnusableBase, local_base, with_values
from fastgate.json_documents import document_at
from fastgate.stage import Stage, escaped
from fastgate.wrong_call import WrongCall

_ROUTE = {"id": "any", "path": "/any", "methods": ["GET"], "access": "public"}
"""In place of the routes of the app, which has not been imported yet."""


def checked_base(file: Path | None, stage: Stage, tool: Path, addresses: Addresses) -> Document:
    """Return the base policy for this machine.

    Args:
        file: the base policy of the service; None if there is none.
        stage: the values of `${NAME}` in it.
        tool: the program `fastgate-tool`, which reads a policy as the edge does.
        addresses: where the edge and the provider listen.

    Raises:
        WrongCall: it is no base of a policy that the edge accepts.

    """
    if file is None:
        return local_base(None, addresses, "app")
    document = document_at(file)
    try:
        local = local_base(with_values(document, stage), addresses, "app")
    except (UnusableBase, WrongCall) as error:
        raise WrongCall(f"{file}: {error}") from error
    origins = local["origins"]
    origin = next(iter(origins)) if isinstance(origins, dict) else ""
    with TemporaryDirectory(prefix="fastgate-base-") as made:
        policy = Path(made) / "policy.json"
        whole = {**_without_models(local), "routes": [{**_ROUTE, "origin": origin}]}
        policy.write_text(json.dumps(escaped(whole)), "utf-8")
        ran = subprocess.run(  # noqa: S603 the program of the wheel
            [str(tool), "check", str(policy)],
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            check=False,
        )
        if ran.returncode != 0:
            said = (ran.stdout + ran.stderr).replace(str(policy), "the policy")
            raise WrongCall("\n".join(f"{file}: {line}" for line in _faults_in(said)))
    return local


def _without_models(local: Document) -> Document:
    """Return a policy whose backends serve any request: the app says which models there are.

    So the check of the whole policy compares them, when the app has been compiled.
    """
    checked = copy.deepcopy(local)
    origins = checked["origins"]
    for origin in origins.values() if isinstance(origins, dict) else ():
        backends = origin.get("backends") if isinstance(origin, dict) else None
        for backend in backends.values() if isinstance(backends, dict) else ():
            models = backend.get("models") if isinstance(backend, dict) else None
            if isinstance(models, list) and all(isinstance(each, str) for each in models):
                del backend["models"]
    return checked


def _faults_in(said: str) -> Iterator[str]:
    """Yield one line for each fault that `fastgate check` reports, without their number."""
    for each in re.split(r"\n(?! )", said.strip()):
        where, *rest = each.split("\n")
        if rest or not where.startswith("the policy: "):
            yield " ".join([where, *(line.strip() for line in rest)])
