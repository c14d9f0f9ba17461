"""The documents that `fastgate init` writes.

Input: a `Project`, with what the options, the app and its provider say. Output: the text of each
file. Nothing is read or written here.
"""

import json
from dataclasses import dataclass
from pathlib import PurePosixPath

from fastgate.init.provider import Provider

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
    text, provider = json.dumps, project.provider
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


def workflow(app: str | None, folder: PurePosixPath, install: str) -> str:
    """Return the workflow for GitHub: drift and check for each change, then deploy.

    Args:
        app: the app as it was named; None if it is found without a name.
        folder: the folder of the app in the repository.
        install: the command that installs the app.

    """
    drift = "fastgate drift" if app is None else f"fastgate drift {app}"
    return f"""\
# Compares the app with the policy of its edge, checks the policy, and deploys the edge.
name: Fastgate

on:
  push:
  pull_request:

permissions: {{ contents: read }}

concurrency:
  group: ${{{{ github.workflow }}}}-${{{{ github.ref }}}}

defaults:
  run: {{ working-directory: {json.dumps(str(folder))} }}

jobs:
  check:
    runs-on: ubuntu-latest
    timeout-minutes: 15
    steps:
      - uses: actions/checkout@11d5960a326750d5838078e36cf38b85af677262 # v4.4.0
        with: {{ persist-credentials: false }}
      - uses: actions/setup-python@a26af69be951a213d495a4c3e4e4022e16d87065 # v5.6.0
        with: {{ python-version: "3.13" }}
      - run: {install}
      - run: pip install edge/wheels/*.whl # the two wheels of Fastgate, which you put there
      - run: {drift} edge/policy.json
      - run: fastgate check edge/policy.json --manifest edge/fastly.toml

  deploy:
    needs: check
    if: github.event_name == 'push' && github.ref_name == github.event.repository.default_branch
    runs-on: ubuntu-latest
    timeout-minutes: 15
    environment: production
    concurrency: fastgate-deploy
    env:
      FASTLY_API_TOKEN: ${{{{ secrets.FASTLY_API_TOKEN }}}}
      FASTLY_SERVICE_ID: ${{{{ vars.FASTLY_SERVICE_ID }}}}
    steps:
      - uses: actions/checkout@11d5960a326750d5838078e36cf38b85af677262 # v4.4.0
        with: {{ persist-credentials: false }}
      - uses: actions/setup-python@a26af69be951a213d495a4c3e4e4022e16d87065 # v5.6.0
        with: {{ python-version: "3.13" }}
      - run: pip install edge/wheels/*.whl
      - run: npm install --global @fastly/cli@16.1.0
      - run: fastly compute publish --non-interactive --dir edge --comment "$GITHUB_SHA"
      - run: fastgate push edge/policy.json
"""
