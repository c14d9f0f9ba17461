"""The workflow for GitHub that `fastgate init` writes.

Input: the commands and the folder of an app. Output: the text of the workflow; or `WrongCall`, if
GitHub could not read a name. Nothing is written here.
"""

import contextlib
import json
import re
import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path, PurePosixPath

from fastgate.init.places import check_place
from fastgate.init.repository import slug
from fastgate.stage import VARIABLES
from fastgate.wrong_call import WrongCall

FOLDER = ".github/workflows"
_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_./:=-]*(?: [A-Za-z0-9_./:=-]*[A-Za-z0-9_./=-])*")
"""What is the same text in YAML without quotes, after `run: `."""
_FOLDER_OF_RUN = re.compile(r'working-directory: *(?:("(?:[^"\\]|\\.)*")|([^\s"][^\n,}#]*))')


@dataclass(frozen=True, slots=True)
class Deployed:
    """An app, and how a job works with it."""

    folder: PurePosixPath
    """The folder of the app in the repository."""
    app: str | None
    """The app as it was named; None if it is found without a name."""
    is_factory: bool
    install: str
    """The command that installs the app."""
    stage: PurePosixPath | None
    """The stage file, relative to the folder."""
    variables: Sequence[str]
    """The names of a policy that the stage file lacks."""

    mark: str = ""
    """What tells the folder from one that has the same name but for other characters."""

    @property
    def suffix(self) -> str:
        """What tells this app from others in the repository; empty for the one at its root."""
        return (slug(str(self.folder)) or "app") + self.mark if self.folder.parts else ""

    @property
    def path(self) -> str:
        """The path of the workflow in the repository."""
        name = f"fastgate-{self.suffix}" if self.suffix else "fastgate"
        return f"{FOLDER}/{name}.yml"

    @property
    def drift(self) -> str:
        """The command that compares the app with its policy."""
        factory = ["--factory"] if self.is_factory else []
        app = [] if self.app is None else [self.app]
        return shlex.join(["fastgate", "drift", *factory, *app, "edge/policy.json"])

    def is_in(self, text: str) -> bool:
        """Whether a workflow compares this app with its policy."""
        runs = self.drift in text or _command(self.drift) in text
        folders = _folders_in(text)
        is_here = self.folder in folders if folders else str(self.folder) in text
        return runs and (not self.folder.parts or is_here)

    def beside(self, root: Path) -> "Deployed":
        """Return this app with a path that no workflow of another folder has.

        Args:
            root: the root of the repository.

        Raises:
            WrongCall: something else than a file is there.

        """
        path = root / self.path
        check_place(path, root)
        if path.is_file():
            folders = _folders_in(path.read_text("utf-8", errors="replace"))
            if self.folder.parts and folders and self.folder not in folders:
                digest = sha256(str(self.folder).encode(errors="surrogateescape")).hexdigest()
                marked = replace(self, mark=f"-{digest[:6]}")
                check_place(root / marked.path, root)
                return marked
        return self

    @property
    def stage_option(self) -> str:
        """The option of `fastgate check` and `fastgate push`; empty without a stage file."""
        return "" if self.stage is None else f" {shlex.join(['--stage', str(self.stage)])}"


def workflow(deployed: Deployed) -> str:
    """Return the workflow: drift and check for each change, then deploy.

    Raises:
        WrongCall: a path has characters that GitHub or YAML would read as something else.

    """
    suffix = deployed.suffix
    dash = f"-{suffix}" if suffix else ""
    variables = "".join(
        f"  {VARIABLES}{name}: ${{{{ vars.{VARIABLES}{name} }}}}\n" for name in deployed.variables
    )
    # The app was imported with this version just now.
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    stage = deployed.stage_option
    check = f"fastgate check edge/policy.json --publish --manifest edge/fastly.toml{stage}"
    setup = f"""\
      - uses: actions/checkout@11d5960a326750d5838078e36cf38b85af677262 # v4.4.0
        with: {{ persist-credentials: false }}
      - uses: actions/setup-python@a26af69be951a213d495a4c3e4e4022e16d87065 # v5.6.0
        with: {{ python-version: "{python}" }}
"""
    return f"""\
# Compares the app with the policy of its edge, checks the policy, and deploys the edge.
# The environment "production{dash}" in the settings of the repository needs the secret
# FASTLY_API_TOKEN and the variable FASTLY_SERVICE_ID, the service that `fastly compute publish`
# created, unless edge/fastly.toml has service_id. Restrict the environment to the default branch.
name: "Fastgate{f" ({suffix})" if suffix else ""}"

on:
  push: {{ branches: ["**"] }}
  pull_request:

permissions: {{}}

concurrency:
  group: ${{{{ github.workflow }}}}-${{{{ github.ref }}}}
  cancel-in-progress: ${{{{ github.event_name == 'pull_request' }}}}

{f"env: # the values of the stage{chr(10)}{variables}{chr(10)}" if variables else ""}\
defaults:
  run: {{ shell: bash, working-directory: {_quoted(str(deployed.folder))} }}

jobs:
  check:
    runs-on: ubuntu-latest
    timeout-minutes: 15
    permissions: {{ contents: read }}
    steps:
{setup}\
      - run: {_command(deployed.install)}
      - run: pip install edge/wheels/*.whl # the two wheels of Fastgate, which you put there
      - run: {_command(deployed.drift)}
      - run: {_command(check)}

  deploy:
    needs: check
    if: >-
      github.event_name == 'push' &&
      github.ref == format('refs/heads/{{0}}', github.event.repository.default_branch)
    runs-on: ubuntu-latest
    timeout-minutes: 15
    permissions: {{ contents: read }}
    environment: production{dash}
    concurrency: fastgate-deploy{dash}
    steps:
{setup}\
      - run: pip install edge/wheels/*.whl
      - run: npm install --global @fastly/cli@16.1.0
      - name: Is there a service?
        run: |
          test -n "$FASTLY_SERVICE_ID" || grep -q '^service_id = "[^"]' edge/fastly.toml ||
            {{ echo "::error::set the variable FASTLY_SERVICE_ID"; exit 1; }}
        env:
          FASTLY_SERVICE_ID: ${{{{ vars.FASTLY_SERVICE_ID }}}}
      - name: Publish the package
        run: cd edge && fastly compute publish --non-interactive --comment "$GITHUB_SHA"
        env:
          FASTLY_API_TOKEN: ${{{{ secrets.FASTLY_API_TOKEN }}}}
          FASTLY_SERVICE_ID: ${{{{ vars.FASTLY_SERVICE_ID }}}}
      - name: Push the policy
        run: {_command(f"fastgate push edge/policy.json --yes{stage}")}
        env:
          FASTLY_API_TOKEN: ${{{{ secrets.FASTLY_API_TOKEN }}}}
          FASTLY_SERVICE_ID: ${{{{ vars.FASTLY_SERVICE_ID }}}}
"""


def _folders_in(text: str) -> set[PurePosixPath]:
    """Return the folders in which a workflow runs commands."""
    found = set()
    for quoted, plain in _FOLDER_OF_RUN.findall(text):
        with contextlib.suppress(ValueError):
            found.add(PurePosixPath(json.loads(quoted) if quoted else plain.strip().strip("'")))
    return found


def _command(text: str) -> str:
    """Return a command as a scalar of YAML after `run: `."""
    return text if _PLAIN.fullmatch(text) and ": " not in text else _quoted(text)


def _quoted(text: str) -> str:
    """Return a text as a string of YAML: those of JSON are strings of YAML."""
    if not text.isprintable():
        raise WrongCall(
            f"{text!r} has characters that cannot be shown, such as a line end, so the workflow "
            "cannot name it: rename the file or the folder"
        )
    if "${{" in text:
        raise WrongCall(
            f"{text} has ${{{{, which GitHub would read as an expression, so the workflow cannot "
            "name it: rename the file or the folder"
        )
    return json.dumps(text, ensure_ascii=False)
