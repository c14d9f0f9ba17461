"""The policy in force on the local edge, and what is wrong with the one that should replace it.

Input: a job for the compiler, and the local edge. Output: a compiled policy is put into force at
once; a faulty one never is, and the former one stays.
"""

import json
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from fastgate.dev.edge.installed import Programs
from fastgate.dev.edge.manifest import local_manifest
from fastgate.dev.policy.compile_app import Compiled, Job, NotCompiled, compile_in_a_process
from fastgate.dev.policy.local import PROVIDER, backends_of
from fastgate.stage import escaped

_UNREACHABLE = "http://127.0.0.1:9"
"""The backends of other apps, which nobody serves here (RFC 863)."""


@dataclass(slots=True)
class State:
    """What is in force, and what is wrong."""

    app: Compiled | None = None
    """The app as it was compiled last."""
    routes: list[Mapping[str, object]] = field(default_factory=list)
    """The routes in force."""
    budgets: Mapping[str, object] = field(default_factory=dict)
    """The budgets in force, by their names."""
    faults: list[dict[str, str]] = field(default_factory=list)
    """What keeps the app's latest policy from being in force: `where`, `what`, `remedy`."""
    error: str | None = None
    """The same as text: the traceback of the app, or what `fastgate check` says."""

    ended: str | None = None
    """Why nothing serves the app; None while it is served."""

    @property
    def is_good(self) -> bool:
        """Whether the latest policy is in force."""
        return not self.faults and self.error is None

    def as_json(self) -> dict[str, object]:
        """Return it for the page."""
        scopes: dict[str, None] = {}
        for route in self.routes:
            listed = route.get("scopes", [])
            scopes |= dict.fromkeys(map(str, listed if isinstance(listed, list) else []))
        return {
            "app": None if self.app is None else self.app.app,
            "guarded": self.app is not None and self.app.guarded,
            "routes": self.routes,
            "budgets": self.budgets,
            "scopes": [*scopes],
            "faults": self.faults,
            "error": self.error,
            "ended": self.ended,
        }


class PolicyInForce:
    """Compiles policies and puts them into force.

    Args:
        programs: where the programs are.
        job: the app.
        folder: where files are written.
        local_server: the section of the service's own manifest.
        app_url: where the app is served.
        reload: reads the manifest again; returns why that is impossible, or None.

    """

    def __init__(
        self,
        programs: Programs,
        job: Job,
        folder: Path,
        *,
        local_server: Mapping[str, object],
        app_url: str,
        reload: Callable[[], str | None],
    ) -> None:
        self.state = State()
        self.manifest = folder / "fastly.toml"
        self._programs, self._job, self._folder = programs, job, folder
        self._local_server, self._app_url, self._reload = local_server, app_url, reload
        self._keys = folder / "signing-keys.json"
        self._write_keys()
        self._write_manifest({PROVIDER: job.provider}, None)

    def compile(self) -> bool:
        """Compile the app as it is now; return whether its policy is in force then.

        Raises:
            NotCompiled: the app cannot be imported, and it never could.

        """
        try:
            app = compile_in_a_process(self._job)
        except NotCompiled as error:
            if self.state.app is None:
                raise
            self.state.faults, self.state.error = [], str(error)
            return False
        self.state.app = app
        self.state.faults, self.state.error = app.faults, None
        if app.policy is None:
            return False
        self.state.error = self._put_into_force(app.policy)
        return self.state.is_good

    def compile_again(self) -> bool:
        """Compile the app after a change; whatever fails is an error of the state."""
        try:
            return self.compile()
        except Exception as error:
            gone = "" if self._folder.is_dir() else f" ({self._folder} is gone)"
            why = f"{type(error).__name__}: {error}{gone}"
            remedy = "press Ctrl-C, and start `fastgate dev` again"
            self.state.faults, self.state.error = [], f"{why}: {remedy}"
            return False

    def _put_into_force(self, policy: dict[str, object]) -> str | None:
        """Put a policy into force; return why it is not."""
        candidate = self._folder / "candidate.json"
        # The check replaces names of a stage. This policy has its values already.
        candidate.write_text(_json(escaped(policy)), "utf-8")
        command = [str(self._programs.tool), "check", str(candidate)]
        ran = subprocess.run(  # noqa: S603 the program of the wheel
            command, capture_output=True, text=True, check=False
        )
        if ran.returncode != 0:
            return (ran.stdout + ran.stderr).replace(str(candidate), "the policy").strip()
        candidate.write_text(_json(policy), "utf-8")
        file = self._folder / "policy.json"
        candidate.replace(file)
        self._write_manifest(self._backends(policy), file)
        if (refused := self._reload()) is not None:
            return refused
        routes = policy.get("routes")
        self.state.routes = routes if isinstance(routes, list) else []
        budgets = policy.get("budgets")
        self.state.budgets = budgets if isinstance(budgets, dict) else {}
        return None

    def _backends(self, policy: Mapping[str, object]) -> dict[str, str]:
        origins = backends_of(policy)
        own = self._job.origin or next(iter(origins), None)
        found = {
            backend: self._app_url if name == own else _UNREACHABLE
            for name, backends in origins.items()
            for backend in backends
        }
        return {**found, PROVIDER: self._job.provider}

    def _write_manifest(self, backends: Mapping[str, str], policy: Path | None) -> None:
        text = local_manifest(self._local_server, backends, policy, self._keys)
        self.manifest.write_text(text, "utf-8")

    def _write_keys(self) -> None:
        command = [str(self._programs.tool), "keys", "new"]
        made = subprocess.run(command, capture_output=True, check=True)  # noqa: S603
        self._keys.touch(mode=0o600)
        self._keys.write_bytes(made.stdout)


def _json(document: object) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False)
