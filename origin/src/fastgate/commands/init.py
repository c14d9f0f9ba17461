"""The commands `init` and `guest`: everything that a service in front of an app needs.

Input: the arguments of the command line, the app, and the provider's discovery document. Output:
the folder `edge/` and a CI workflow, or what is wrong. No file that exists is changed.
"""

import argparse
import json
import logging
import re
import shlex
import shutil
import tempfile
import tomllib
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

from fastgate.commands.load import app_of, policy_routes
from fastgate.commands.policy import kept_routes, print_hints, written
from fastgate.commands.tool import guest_path, tool_output
from fastgate.compile.policy import CannotCompile, RouteDocument, compile_routes
from fastgate.guard_settings import (
    audience_differences,
    edge_hints,
    settings_of,
    token_hints,
)
from fastgate.init import documents
from fastgate.init.provider import Chosen, chosen_issuer, discovered, is_loopback
from fastgate.init.writing import write_new
from fastgate.json_documents import document_at, rules_of
from fastgate.settings import Settings
from fastgate.wrong_call import Failed, WrongCall

_EDGE = "edge"
_WORKFLOW = ".github/workflows/fastgate.yml"
_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_HOST = re.compile(rf"(?=.{{1,253}}\Z){_LABEL}(?:\.{_LABEL})+")
_ANY_ROUTE: RouteDocument = {
    "id": "any",
    "path": "/",
    "methods": ["GET"],
    "access": "authenticated",
}


def copy_guest(options: argparse.Namespace) -> int:
    """Copy the guest of the wheel to a path: the build script of `fastly.toml`."""
    options.path.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(guest_path(), options.path)
    return 0


def run_init(options: argparse.Namespace) -> int:
    """Write what is missing. Return 1 if the policy could not be compiled yet, else 0."""
    folder = Path(options.app_dir).resolve()
    named = options.app
    schema = tool_output(["schema"])
    chosen = chosen_issuer(
        issuer=options.issuer,
        preset=options.preset,
        auth0=options.auth0,
        okta=options.okta,
        entra=options.entra,
        presets=_presets_in(json.loads(schema)),
    )
    app = app_of(options)
    # An app that shows log lines would show the one about the discovery document.
    logging.getLogger("httpx").setLevel(logging.WARNING)
    settings = settings_of(app)
    edge, root = folder / _EDGE, _repository_of(folder)
    files = {
        edge / "fastly.toml": "",
        edge / "policy.base.json": "",
        edge / documents.SCHEMA: schema,
        edge / ".gitignore": documents.GITIGNORE,
        root / _WORKFLOW: documents.workflow(
            named if named is None else shlex.quote(named),
            PurePosixPath(folder.relative_to(root).as_posix()),
            _install_in(folder),
        ),
        edge / "policy.json": "",
    }
    base, toml = edge / "policy.base.json", edge / "fastly.toml"
    if not (base.exists() and toml.exists()):
        project = _project(options, folder, chosen, settings)
        files[base], files[toml] = documents.base_policy(project), documents.manifest(project)
    policy = document_at(base) if base.exists() else json.loads(files[base])
    routes, undecided = _compiled(app, policy)
    if faults := audience_differences(settings, policy, None):
        raise Failed("\n".join(faults))
    manifest = toml.read_text() if toml.exists() else files[toml]
    if routes and "routes" in policy:
        routes = [*kept_routes(policy_routes(policy, base, None), routes), *routes]
    files[edge / "policy.json"] = _checked(policy, routes, manifest) if routes else ""
    if undecided is None and not routes:
        raise Failed(f"{options.app} serves nothing: add an endpoint, and try again")
    if undecided is not None:
        _checked(policy, [{**_ANY_ROUTE, **_origin_in(policy)}], manifest)
        del files[edge / "policy.json"]
    _write(files, folder, dry_run=options.dry_run)
    print_hints((*edge_hints(settings, policy), *token_hints(routes, None)))
    return _conclude(options, settings, undecided)


def _compiled(
    app: object, policy: Mapping[str, object]
) -> tuple[list[RouteDocument], CannotCompile | None]:
    try:
        return compile_routes(app, rules=rules_of(dict(policy))), None
    except CannotCompile as error:
        return [], error


def _conclude(
    options: argparse.Namespace, settings: Settings | None, undecided: CannotCompile | None
) -> int:
    """Print what is to be done next."""
    if undecided is not None:
        count = len(undecided.faults)
        print(
            f"\n{options.app}: {count} {'fault' if count == 1 else 'faults'}, so there is no "
            f"{_EDGE}/policy.json yet:\n{undecided}\n"
            "Add these lines to the app, and run `fastgate init` again."
        )
        return 1
    if settings is None:
        print(
            "\nThe app has no guard yet, so everybody who reaches it directly passes the gate by: "
            "guard(app, Settings(edge=…, audience=…))"
        )
    elif options.origin_host and settings.backend_host is None:
        print(
            f'\nThe backend overrides Host: write Settings(backend_host="{options.origin_host}"), '
            "or let it keep the Host of clients."
        )
    return 0


def _write(files: Mapping[Path, str], folder: Path, *, dry_run: bool) -> None:
    missing = {path: text for path, text in files.items() if not path.exists()}
    shown = {path: _relative(path, folder) for path in files}
    if not dry_run:
        write_new(missing)
    for path in files:
        if path not in missing:
            print(f"kept {shown[path]}: it exists")
        elif not dry_run:
            print(f"wrote {shown[path]}")
        elif path.name == documents.SCHEMA:
            print(f"would write {shown[path]}: the output of `fastgate schema`")
        else:
            print(f"would write {shown[path]}:")
            print("".join(f"    {line}\n" for line in missing[path].splitlines()), end="")


def _relative(path: Path, folder: Path) -> str:
    return path.relative_to(folder).as_posix() if path.is_relative_to(folder) else str(path)


def _checked(policy: Mapping[str, object], routes: list[RouteDocument], manifest: str) -> str:
    """Return the policy with these routes. Raises `Failed` if `fastgate check` finds a fault."""
    text = written(dict(policy), routes) + "\n"
    if faults := _faults_of(text, manifest):
        raise Failed(f"the policy has faults, so nothing was written:\n{faults}")
    return text


def _faults_of(policy: str, manifest: str) -> str:
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        (place / "policy.json").write_text(policy, encoding="utf-8")
        (place / "fastly.toml").write_text(manifest, encoding="utf-8")
        command = ["check", str(place / "policy.json"), "--manifest", str(place / "fastly.toml")]
        try:
            tool_output(command)
        except Failed as error:
            return str(error).replace(f"{place}/", "")
    return ""


def _project(
    options: argparse.Namespace,
    folder: Path,
    chosen: Chosen | None,
    settings: Settings | None,
) -> documents.Project:
    """Return what the options, the app and the provider say of the project."""
    host = options.host or _public_host_of(settings)
    origin_host = options.origin_host or (settings and settings.backend_host)
    missing = {
        "the provider: --issuer URL, --auth0 DOMAIN, --okta DOMAIN or --entra TENANT": chosen,
        "the audience of its tokens, as `aud` has it: --audience TEXT": options.audience,
        "the host that clients name: --host api.example.com": host,
        "the host on which the app runs: --origin-host app.example.com": origin_host,
    }
    if chosen is None or not all(missing.values()):
        absent = "".join(f"\n  {what}" for what, value in missing.items() if not value)
        raise WrongCall(f"fastgate init needs to know:{absent}")
    for option, value in (("--host", host), ("--origin-host", origin_host)):
        if not _HOST.fullmatch(str(value)):
            raise WrongCall(
                f"{option} {value}: write a host name in lower case, without scheme, port and path"
            )
    name = _name_of(folder)
    project = documents.Project(
        name=name,
        audience=name if settings is None else settings.audience,
        host=str(host),
        origin_host=str(origin_host),
        token_audience=options.audience,
        provider=discovered(chosen),
    )
    return checked(project)


def checked(project: documents.Project) -> documents.Project:
    """Return a project whose base policy the edge accepts.

    Raises:
        Failed: `fastgate check` refuses it. The message has its faults.

    """
    text = written(json.loads(documents.base_policy(project)), [_ANY_ROUTE])
    if faults := _faults_of(text, documents.manifest(project)):
        raise Failed(f"the policy has faults, so nothing was written:\n{faults}")
    return project


def _public_host_of(settings: Settings | None) -> str | None:
    """Return the host of the edge that the guard of the app names, if it is a public one."""
    if settings is None or not settings.edge.startswith("https://"):
        return None
    host = urlsplit(settings.edge).hostname
    return None if host is None or is_loopback(host) else host


def _origin_in(policy: Mapping[str, object]) -> dict[str, object]:
    """Return the member `origin` of a route, if the policy has several origins."""
    origins = policy.get("origins")
    several = isinstance(origins, Mapping) and len(origins) > 1
    return {"origin": next(iter(origins))} if several and isinstance(origins, Mapping) else {}


def _presets_in(schema: Mapping[str, object]) -> list[str]:
    """Return the names of the presets in the schema of policies."""
    definitions = schema.get("$defs")
    preset = definitions.get("PresetName") if isinstance(definitions, Mapping) else None
    if not isinstance(preset, Mapping):
        return []
    listed = preset.get("enum") or [each.get("const") for each in preset.get("oneOf", ())]
    return [each for each in listed if isinstance(each, str)]


def _name_of(folder: Path) -> str:
    """Return the name of the project, as a service may have it."""
    name = folder.name
    try:
        document = tomllib.loads((folder / "pyproject.toml").read_text())
        name = str(document.get("project", {}).get("name") or name)
    except (OSError, ValueError):
        pass  # without one, or with a broken one, the folder has a name
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:64] or "app"


def _repository_of(folder: Path) -> Path:
    """Return the root of the repository; the folder itself if it is in none."""
    found = (each for each in (folder, *folder.parents) if (each / ".git").exists())
    return next(found, folder)


def _install_in(folder: Path) -> str:
    """Return the command that installs the dependencies of the app."""
    if (folder / "requirements.txt").is_file():
        return "pip install -r requirements.txt"
    return "pip install ." if (folder / "pyproject.toml").is_file() else "pip install fastapi"
