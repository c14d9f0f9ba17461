"""The documents that `fastgate init` writes.

Input: a `Project`, with what the options, the app and its provider say. Output: the text of each
file. Nothing is read or written here.
"""

import json
from dataclasses import dataclass

from fastgate.init.provider import Provider
from fastgate.toml_text import toml_string

APP = "app"
"""The name of the app under `origins`, and of its backend."""
PROVIDER_BACKEND = "idp"
SCHEMA = "policy.schema.json"


@dataclass(frozen=True, slots=True)
class Project:
    """What is known of the app, its edge and its provider."""

    name: str
    """The name of the service: `a-z`, `0-9` and `-`."""
    audience: str
    """`Settings.audience` of the app."""
    host: str
    """The host that clients name."""
    origin_host: str
    """The host on which the app runs."""
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


def manifest(project: Project) -> str:
    """Return `fastly.toml`."""
    text, provider = toml_string, project.provider
    return f"""\
# The parts of the service on Fastly Compute. `fastly compute publish` creates what [setup] names
# when it creates the service, and rewrites this file without these comments.
manifest_version = 3
name = {text(project.name)}
description = {text(f"Fastgate in front of {project.name}")}
language = "other"

[scripts]
build = "fastgate guest bin/main.wasm"

# `publish` takes the address as override host, SNI host and host of the certificate, too. If one of
# them differs, write afterwards: `fastly service backend update --name {APP} --override-host …
# --ssl-sni-hostname … --ssl-cert-hostname …`.
[setup.backends.{APP}]
description = "The app that the gate guards"
address = {text(project.origin_host)}
port = 443

[setup.backends.{PROVIDER_BACKEND}]
description = "The provider, whose keys are fetched from here"
address = {text(provider.address)}
port = {provider.port}

# The policy is written by `fastgate push`, not by `publish`.
[setup.kv_stores.fastgate]
description = "The policy, the key sets of issuers, the deny-list"

[setup.secret_stores.fastgate]
description = "The signing keys of the edge"

[setup.log_endpoints.fastgate]
provider = "any"

# For `fastly compute serve`. Make the keys once, in this folder:
# `mkdir local && fastgate keys new > local/signing-keys.json`.
[local_server.backends.{APP}]
url = "http://127.0.0.1:8000"

[local_server.backends.{PROVIDER_BACKEND}]
url = {text(provider.origin)}

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
