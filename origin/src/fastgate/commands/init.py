"""The commands `init` and `guest`: everything that a service in front of an app needs.

Input: the arguments of the command line, the app, and the provider's discovery document. Output:
the folder `edge/` and a CI workflow, or what is wrong. No file that exists is changed.
"""

import argparse
import json
import logging
import os
import shutil
import tomllib
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from fastgate.commands.init_files import ANY_ROUTE, Asked, faults_of, new_files
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
from fastgate.init.backends import check_loops, hints_of_backends
from fastgate.init.existing import Said, check_base_of, check_options, kept_file
from fastgate.init.hints import hints_of_files, hints_of_install, hints_of_stage
from fastgate.init.issuer import chosen_issuer
from fastgate.init.manifest_types import check_kinds
from fastgate.init.places import check_place
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
from fastgate.stage import names_in, stage_of
from fastgate.wrong_call import Failed

_EDGE = "edge"


def copy_guest(options: argparse.Namespace) -> int:
    """Copy the guest of the wheel to a path: the build script of `fastly.toml`."""
    guest = guest_path()
    try:
        options.path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(guest, options.path)
    except (OSError, shutil.SpecialFileError) as error:
        raise Failed(f"{options.path} cannot be written: {error}: name another path") from error
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
    check_place(edge / ".gitignore", folder)
    kept = {path: kept_file(path) for path in _own_files(edge) if os.path.lexists(path)}
    if toml in kept:
        check_kinds(kept[toml])
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
        asked = Asked(said, name_in(folder, root), settings)
        files[base], files[toml] = new_files(asked, kept.get(base), kept.get(toml))
    policy = kept[base].document if base in kept else json.loads(files[base])
    manifest = tomllib.loads(files[toml])
    check_loops(policy, manifest)
    routes, undecided = _compiled(app, policy)
    if faults := audience_differences(settings, policy, None, shown_path(base, folder)):
        raise Failed("\n".join(faults))
    if undecided is None and not routes:
        raise Failed(f"{options.app} serves nothing: add an endpoint, and try again")
    if undecided is None and "routes" in policy:
        routes = [*kept_routes(policy_routes(policy, base, None), routes), *routes]
    compiled = written(dict(policy), routes or [{**ANY_ROUTE, **_origin_in(policy)}]) + "\n"
    names = names_in(json.loads(compiled))
    unknown = stage.without_value(names)
    if not unknown and (faults_found := faults_of(compiled, files[toml], stage)):
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
    backend_host = None if settings is None else settings.backend_host
    of_app += (*hints_of_backends(backend_host, policy, manifest),)
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
