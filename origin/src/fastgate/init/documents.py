"""The documents that `fastgate init` writes.

Input: what the options, the app, its provider and a kept base policy say. Output: the text of each
file. Nothing is read or written here.
"""

import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass

from fastgate.init.provider import Provider
from fastgate.toml_text import table_name, toml_string

APP = "app"
"""The name of the app under `origins`, and of its backend."""
PROVIDER_BACKEND = "idp"
SCHEMA = "policy.schema.json"


@dataclass(frozen=True, slots=True)
class Project:
    """What is known of the app, its edge and its provider."""

    audience: str
    """`Settings.audience` of the app."""
    host: str
    """The host that clients name."""
    token_audience: str
    """`aud` of the tokens."""
    provider: Provider


def base_policy(project: Project) -> str:
    """Return `policy.base.json`: the policy without routes."""
    provider = project.provider
    issuer: dict[str, object] = {
        **({} if provider.preset is None else {"preset": provider.preset}),
        "issuer": provider.issuer,
        "backend": PROVIDER_BACKEND,
        "audiences": [project.token_audience],
    }
    document = {
        "$schema": f"./{SCHEMA}",
        "edge": {"issuer": f"https://{project.host}", "hosts": [project.host]},
        "origins": {APP: {"audience": project.audience, "backend": APP}},
        "issuers": {provider.preset or "provider": issuer},
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def manifest(name: str, origin_host: str, providers: Mapping[str, Provider], app: str = APP) -> str:
    """Return `fastly.toml`.

    Args:
        name: the name of the service: `a-z`, `0-9` and `-`.
        origin_host: the host on which the app runs.
        providers: the providers, by the names of their backends.
        app: the name of the backend on which the app runs.

    """
    text = toml_string
    # `fastgate check` refuses a name that would end the line of this comment.
    shown = shlex.quote(app) if app.isprintable() else "NAME"
    setup = "".join(
        f"""
[setup.backends.{table_name(backend)}]
description = "The provider, whose keys are fetched from here"
address = {text(provider.address)}
port = {provider.port}
"""
        for backend, provider in providers.items()
    )
    local = "".join(
        f"""
[local_server.backends.{table_name(backend)}]
url = {text(provider.origin)}
"""
        for backend, provider in providers.items()
    )
    return f"""\
# The parts of the service on Fastly Compute. `fastly compute publish` creates what [setup] names
# when it creates the service, and rewrites this file without these comments.
manifest_version = 3
name = {text(name)}
description = {text(f"Fastgate in front of {name}")}
language = "other"

[scripts]
build = "fastgate guest bin/main.wasm"

# `publish` takes the address as override host, SNI host and host of the certificate, too. If one of
# them differs, write afterwards: `fastly service backend update --name {shown}
# --override-host … --ssl-sni-hostname … --ssl-cert-hostname …`.
[setup.backends.{table_name(app)}]
description = "The app that the gate guards"
address = {text(origin_host)}
port = 443
{setup}
# The policy is written by `fastgate push`, not by `publish`.
[setup.kv_stores.fastgate]
description = "The policy, the key sets of issuers, the deny-list"

[setup.secret_stores.fastgate]
description = "The signing keys of the edge"

[setup.log_endpoints.fastgate]
provider = "any"

# For `fastly compute serve`. Make the keys once, in this folder:
# `mkdir local && fastgate keys new > local/signing-keys.json`.
[local_server.backends.{table_name(app)}]
url = "http://127.0.0.1:8000"
{local}
[[local_server.kv_stores.fastgate]]
key = "policy"
file = "policy.json"

[[local_server.secret_stores.fastgate]]
key = "signing-keys"
file = "local/signing-keys.json"
"""


GITIGNORE = """\
# Secrets: signing keys, keys of origins, tokens
/local/
*signing-key*
*origin-key*
.env
# What `fastly compute build` makes
/bin/
/pkg/
"""
