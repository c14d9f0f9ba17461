"""The base policy and the manifest that `init` writes.

Input: the options, the app, the provider's discovery document, and the one of both files that
exists already. Output: the texts of both, or what must still be said.
"""

import json
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from fastgate.commands.policy import written
from fastgate.commands.tool import tool_output
from fastgate.compile.policy import RouteDocument
from fastgate.init import documents
from fastgate.init.backends import backends_of, check_provider, without_app
from fastgate.init.existing import Kept, Said
from fastgate.init.hosts import check_hosts
from fastgate.init.provider import discovered
from fastgate.settings import Settings
from fastgate.stage import Stage
from fastgate.surrogates import escaped, with_half_a_pair
from fastgate.this_machine import is_loopback_name
from fastgate.wrong_call import Failed, WrongCall

ANY_ROUTE: RouteDocument = {
    "id": "any",
    "path": "/",
    "methods": ["GET"],
    "access": "authenticated",
}
"""A route for a policy that has none yet: the edge accepts no policy without routes."""


_ORIGIN_HOST = "the host on which the app runs: --origin-host app.example.com"


@dataclass(frozen=True, slots=True)
class Asked:
    """What the options and the app say."""

    said: Said
    name: str
    """The name of the service: `a-z`, `0-9` and `-`."""
    settings: Settings | None

    @property
    def host(self) -> str | None:
        """The host that clients name."""
        return _public_host_of(self.settings) if self.said.host is None else self.said.host

    @property
    def origin_host(self) -> str | None:
        """The host on which the app runs."""
        if self.said.origin_host is not None or self.settings is None:
            return self.said.origin_host
        return self.settings.backend_host


def new_files(asked: Asked, base: Kept | None, manifest: Kept | None) -> tuple[str, str]:
    """Return the texts of the base policy and the manifest, of which one is missing, or both.

    Args:
        asked: what the options and the app say. Only what a missing file needs is asked for.
        base: the base policy, if it exists.
        manifest: the manifest, if it exists.

    """
    if base is not None:
        return base.text, _manifest_for(base, asked)
    said, host = asked.said, asked.host
    origin_host = asked.origin_host if manifest is None else None
    chosen = said.chosen
    needed = {
        "the provider: --issuer URL, --auth0 DOMAIN, --okta DOMAIN or --entra TENANT": chosen,
        "the audience of its tokens, as `aud` has it: --audience TEXT": said.audience,
        "the host that clients name: --host api.example.com": host,
        **({_ORIGIN_HOST: origin_host} if manifest is None else {}),
    }
    if chosen is None or not all(needed.values()):
        raise _unknown(needed)
    check_hosts(host, origin_host)
    if half := with_half_a_pair(said.audience):
        raise WrongCall(f"--audience {escaped(half)}: is not UTF-8: write whole characters")
    project = documents.Project(
        audience=asked.name if asked.settings is None else asked.settings.audience,
        host=str(host),
        token_audience=str(said.audience),
        provider=discovered(chosen),
    )
    if project.provider.address == host:
        raise WrongCall(
            f"--host {host}: is the host of the provider's keys as well, so the edge would fetch "
            "them from itself: write another host"
        )
    text = documents.base_policy(project)
    if manifest is not None:
        check_provider(manifest, project.provider, chosen.option)
        return text, manifest.text
    providers = {documents.PROVIDER_BACKEND: project.provider}
    new = documents.manifest(asked.name, str(origin_host), providers)
    check_new(text, new)
    return text, new


def _manifest_for(base: Kept, asked: Asked) -> str:
    """Return the manifest of a base policy that is kept."""
    app, providers = backends_of(base)
    if not asked.origin_host:
        raise _unknown({_ORIGIN_HOST: None})
    check_hosts(None, asked.origin_host)
    others = without_app(base, asked.origin_host, app, providers)
    return documents.manifest(asked.name, asked.origin_host, others, app)


def _unknown(needed: Mapping[str, object]) -> WrongCall:
    absent = "".join(f"\n  {what}" for what, value in needed.items() if not value)
    return WrongCall(f"fastgate init needs to know:{absent}")


def check_new(base: str, manifest: str) -> None:
    """Check a new base policy, with any route, and a new manifest.

    Raises:
        Failed: `fastgate check` refuses them. The message has its faults.

    """
    if faults := faults_of(written(json.loads(base), [ANY_ROUTE]), manifest, Stage()):
        raise Failed(f"the policy has faults, so nothing was written:\n{faults}")


def faults_of(policy: str, manifest: str, stage: Stage) -> str:
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


def _public_host_of(settings: Settings | None) -> str | None:
    """Return the host of the edge that the guard of the app names, if it is a public one."""
    if settings is None or not settings.edge.startswith("https://"):
        return None
    host = urlsplit(settings.edge).hostname
    return None if host is None or is_loopback_name(host) else host
