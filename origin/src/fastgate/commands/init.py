"""The commands `init` and `guest`: everything that a service in front of an app needs.

Input: the arguments of the command line, the app, and the provider's discovery document. Output:
the folder `edge/` and a CI workflow, or what is wrong. No file that exists is changed.
"""

import argparse
import json
import logging
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

from fastgate.commands.load import app_of, policy_routes
from fastgate.commands.policy import kept_routes, print_hints, written
from fastgate.commands.tool import guest_path, tool_output
from fastgate.compile.policy import CannotCompile, RouteDocument, compile_routes
from fastgate.guard_settings import (
    audience_differences,
    cors_hints,
    edge_hints,
    settings_of,
    token_hints,
)
from fastgate.init import documents
from fastgate.init.existing import Said, check_base_of, check_options, kept_file
from fastgate.init.hints import hints_of_files, hints_of_install, hints_of_stage
from fastgate.init.hosts import check_hosts
from fastgate.init.issuer import Chosen, chosen_issuer
from fastgate.init.provider import discovered
from fastgate.init.repository import (
    app_in,
    install_command,
    name_in,
    path_from,
    repository_of,
    shown_path,
    unread_file,
)
from fastgate.init.workflow import Deployed, workflow
from fastgate.init.writing import check_writable, write_new
from fastgate.json_documents import rules_of
from fastgate.settings import Settings
from fastgate.stage import Stage, names_in, stage_of
from fastgate.this_machine import is_loopback_name
from fastgate.wrong_call import Failed, WrongCall

_EDGE = "edge"
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
    stage = stage_of(options.stage)
    schema = tool_output(["schema"])
    chosen = chosen_issuer(
        issuer=options.issuer,
        preset=options.preset,
        auth0=options.auth0,
        okta=options.okta,
        entra=options.entra,
        presets=_presets_in(json.loads(schema)),
    )
    edge, root = folder / _EDGE, repository_of(folder)
    base, toml = edge / "policy.base.json", edge / "fastly.toml"
    kept = {path: kept_file(path) for path in _own_files(edge) if path.exists()}
    check_base_of(edge / "policy.json", base, kept)
    said = Said(chosen, options.audience, options.host, options.origin_host)
    check_options(kept.get(base), kept.get(toml), said)
    app = app_of(options)
    # An app that shows log lines would show the one about the discovery document.
    logging.getLogger("httpx").setLevel(logging.WARNING)
    settings = settings_of(app)
    files = {
        base: kept[base].text if base in kept else "",
        toml: kept[toml].text if toml in kept else "",
        edge / documents.SCHEMA: schema,
        edge / ".gitignore": documents.GITIGNORE,
    }
    if not (files[base] and files[toml]):
        project = _project(options, name_in(folder, root), chosen, settings)
        files[base] = files[base] or documents.base_policy(project)
        files[toml] = files[toml] or documents.manifest(project)
    policy = kept[base].document if base in kept else json.loads(files[base])
    routes, undecided = _compiled(app, policy)
    if faults := audience_differences(settings, policy, None, shown_path(base, folder)):
        raise Failed("\n".join(faults))
    if undecided is None and not routes:
        raise Failed(f"{options.app} serves nothing: add an endpoint, and try again")
    if undecided is None and "routes" in policy:
        routes = [*kept_routes(policy_routes(policy, base, None), routes), *routes]
    compiled = written(dict(policy), routes or [{**_ANY_ROUTE, **_origin_in(policy)}]) + "\n"
    names = names_in(json.loads(compiled))
    unknown = stage.without_value(names)
    if not unknown and (faults_found := _faults_of(compiled, files[toml], stage)):
        raise Failed(f"the policy has faults, so nothing was written:\n{faults_found}")
    deployed = Deployed(
        PurePosixPath(folder.relative_to(root).as_posix()),
        None if named is None else app_in(folder, named),
        is_factory=options.factory,
        install=install_command(folder, root),
        stage=None if stage.file is None else path_from(folder, root, stage.file),
        variables=[name for name in names if name not in stage.values],
    ).beside(root)
    files[root / deployed.path] = workflow(deployed)
    if undecided is None:
        files[edge / "policy.json"] = compiled
    _write(files, folder, dry_run=options.dry_run)
    of_app = (*edge_hints(settings, policy), *token_hints(routes, None), *cors_hints(app, policy))
    print_hints(of_app)
    hints = (
        *hints_of_files(files, folder, deployed),
        *hints_of_install(root / deployed.path, files, unread_file(folder, root), folder),
        *hints_of_stage(deployed, unknown),
    )
    for hint in hints:
        print(f"\n{hint}")
    return _conclude(options, settings, undecided)


def _own_files(edge: Path) -> list[Path]:
    names = ("policy.base.json", "fastly.toml", documents.SCHEMA, "policy.json")
    return [edge / name for name in names]


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
    if dry_run:
        check_writable(missing)
    else:
        write_new(missing)
    for path in files:
        shown = shown_path(path, folder)
        if path not in missing:
            print(f"kept {shown}: it exists")
        elif not dry_run:
            print(f"wrote {shown}")
        elif path.name == documents.SCHEMA:
            print(f"would write {shown}: the output of `fastgate schema`")
        else:
            print(f"would write {shown}:")
            lines = missing[path].removesuffix("\n").split("\n")
            print("".join(f"    {line}\n" for line in lines), end="")


def _faults_of(policy: str, manifest: str, stage: Stage) -> str:
    """Return what `fastgate check` finds; empty if it finds nothing."""
    option = [] if stage.file is None else ["--stage", str(stage.file)]
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        (place / "policy.json").write_text(policy, encoding="utf-8")
        (place / "fastly.toml").write_text(manifest, encoding="utf-8")
        command = ["check", str(place / "policy.json"), "--manifest", str(place / "fastly.toml")]
        try:
            tool_output([*command, *option])
        except Failed as error:
            return str(error).replace(f"{place}/", "")
    return ""


def _project(
    options: argparse.Namespace,
    name: str,
    chosen: Chosen | None,
    settings: Settings | None,
) -> documents.Project:
    """Return what the options, the app and the provider say of the project."""
    host, origin_host = options.host, options.origin_host
    if host is None:
        host = _public_host_of(settings)
    if origin_host is None and settings is not None:
        origin_host = settings.backend_host
    missing = {
        "the provider: --issuer URL, --auth0 DOMAIN, --okta DOMAIN or --entra TENANT": chosen,
        "the audience of its tokens, as `aud` has it: --audience TEXT": options.audience,
        "the host that clients name: --host api.example.com": host,
        "the host on which the app runs: --origin-host app.example.com": origin_host,
    }
    if chosen is None or not all(missing.values()):
        absent = "".join(f"\n  {what}" for what, value in missing.items() if not value)
        raise WrongCall(f"fastgate init needs to know:{absent}")
    check_hosts(str(host), str(origin_host))
    project = documents.Project(
        name=name,
        audience=name if settings is None else settings.audience,
        host=str(host),
        origin_host=str(origin_host),
        token_audience=options.audience,
        provider=discovered(chosen),
    )
    if project.provider.address == project.host:
        raise WrongCall(
            f"--host {host}: is the host of the provider's keys as well, so the edge would fetch "
            "them from itself: write another host"
        )
    return checked(project)


def checked(project: documents.Project) -> documents.Project:
    """Return a project whose base policy the edge accepts.

    Raises:
        Failed: `fastgate check` refuses it. The message has its faults.

    """
    text = written(json.loads(documents.base_policy(project)), [_ANY_ROUTE])
    if faults := _faults_of(text, documents.manifest(project), Stage()):
        raise Failed(f"the policy has faults, so nothing was written:\n{faults}")
    return project


def _public_host_of(settings: Settings | None) -> str | None:
    """Return the host of the edge that the guard of the app names, if it is a public one."""
    if settings is None or not settings.edge.startswith("https://"):
        return None
    host = urlsplit(settings.edge).hostname
    return None if host is None or is_loopback_name(host) else host


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
