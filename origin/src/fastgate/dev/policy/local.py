"""How a policy differs on this machine: other hosts, one provider, and the app as every backend.

Input: the base policy of a service, or nothing, and addresses. Output: the base for the local edge.
Resource identifiers keep their path, and have the address of the edge before it. Routes, rules,
limits, groups and everything else stay as they are.
"""

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from fastgate.stage import Stage

Document = dict[str, object]

HOSTS = ["127.0.0.1", "localhost"]
PROVIDER = "fastgate-dev-provider"
"""The backend of the local manifest that is the development provider."""
APP = "app"
"""The backend that is the app, if no base policy names others."""
ISSUER = "dev"
"""The issuer, if no base policy names others."""
AUDIENCE = "fastgate-dev"
"""The audience of tokens, if no base policy names one."""

_KEPT_OF_ISSUERS = ("algorithms", "deny_list", "leeway", "max_age", "max_lifetime")
_READ_OF_ISSUERS = (*_KEPT_OF_ISSUERS, "audiences")
_EDGE_HERE = ("issuer", "hosts")


class UnusableBase(ValueError):
    """The base policy has another form than a policy. The message names the place."""


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where the parts listen, as URLs without a path."""

    edge: str
    provider: str


def local_base(base: Mapping[str, object] | None, addresses: Addresses, audience: str) -> Document:
    """Return the base policy for the local edge.

    Args:
        base: the base policy of the service; None if there is none yet.
        addresses: where the edge and the provider listen.
        audience: `Settings.audience` of the app, for an origin that no base policy describes.

    Raises:
        UnusableBase: a section is not an object.

    """
    local = copy.deepcopy(dict(base or {}))
    local.pop("$schema", None)
    edge = {**_section(local, "edge"), "issuer": addresses.edge, "hosts": HOSTS}
    named = _section(local, "origins") or {APP: {"backend": APP, "audience": audience}}
    origins = {name: _local_origin(name, origin) for name, origin in named.items()}
    local["edge"], local["origins"] = edge, origins
    here = dict[str, str]()
    for each in (edge, *origins.values()):
        if isinstance(resource := each.get("resource"), str):
            each["resource"] = here[resource] = addresses.edge + urlsplit(resource).path
    issuers = _section(local, "issuers") or {ISSUER: {}}
    local["issuers"] = {
        name: _local_issuer(name, issuer, addresses, here) for name, issuer in issuers.items()
    }
    return local


def with_values(base: Mapping[str, object] | None, stage: Stage) -> Document | None:
    """Return a base with the values of a stage; without the members that are others here.

    So those need no value on this machine.

    Raises:
        WrongCall: a name in another member has no value.

    """
    if base is None:
        return None
    needed = dict(base)
    if isinstance(edge := base.get("edge"), dict):
        needed["edge"] = {name: each for name, each in edge.items() if name not in _EDGE_HERE}
    if isinstance(origins := base.get("origins"), dict):
        needed["origins"] = {
            name: _local_origin(name, each) if isinstance(each, dict) else each
            for name, each in origins.items()
        }
    if isinstance(issuers := base.get("issuers"), dict):
        needed["issuers"] = {
            name: {member: each[member] for member in _READ_OF_ISSUERS if member in each}
            if isinstance(each, dict)
            else each
            for name, each in issuers.items()
        }
    if isinstance(routes := base.get("routes"), list):
        # The others are left out here. An empty one keeps the numbers of those after it.
        needed["routes"] = [each if own_routes({"routes": [each]}) else {} for each in routes]
    found = stage.applied(needed)
    return found if isinstance(found, dict) else {}


def own_routes(document: Mapping[str, object]) -> list[Document]:
    """Return the routes of a base to which the edge responds itself."""
    routes = document.get("routes", [])
    listed = routes if isinstance(routes, list) else []
    return [each for each in listed if isinstance(each, dict) and each.get("respond") is not None]


def audiences_of(local: Mapping[str, object]) -> dict[str, list[str]]:
    """Return the audiences of tokens for each issuer of a local policy."""
    issuers = _section(local, "issuers")
    return {name: [*_entry("issuers", name, each)["audiences"]] for name, each in issuers.items()}  # type: ignore[misc]


def backends_of(local: Mapping[str, object]) -> dict[str, list[str]]:
    """Return the backends of each origin of a policy."""
    found = {}
    for name, document in _section(local, "origins").items():
        origin = _entry("origins", name, document)
        several = origin.get("backends")
        named = [*several] if isinstance(several, Mapping) else [origin.get("backend")]
        found[name] = [each for each in named if isinstance(each, str)]
    return found


def _local_origin(name: str, document: object) -> Document:
    # With a key in the policy the edge would send a MAC, for which the app needs the private half.
    return {
        member: value
        for member, value in _entry("origins", name, document).items()
        if member != "key"
    }


def _local_issuer(
    name: str, document: object, addresses: Addresses, here: Mapping[str, str]
) -> Document:
    issuer = _entry("issuers", name, document)
    audiences = issuer.get("audiences")
    is_list = isinstance(audiences, list) and audiences
    if not is_list and audiences not in (None, [], "none"):
        raise UnusableBase(f"$.issuers.{_shown(name)}.audiences is not a list of texts")
    return {
        **{member: issuer[member] for member in _KEPT_OF_ISSUERS if member in issuer},
        "issuer": f"{addresses.provider}/{name}",
        "backend": PROVIDER,
        "audiences": _replaced(audiences, here) if is_list else [AUDIENCE, addresses.edge],
        "claims": {"tenant": "tenant"},
    }


def _replaced(audiences: object, here: Mapping[str, str]) -> list[object]:
    listed = audiences if isinstance(audiences, list) else []
    return [here.get(each, each) if isinstance(each, str) else each for each in listed]


def _section(document: Mapping[str, object], name: str) -> dict[str, object]:
    section = document.get(name, {})
    if not isinstance(section, dict):
        raise UnusableBase(f"$.{name} is not an object")
    return section


def _entry(section: str, name: str, document: object) -> Document:
    if not isinstance(document, dict):
        raise UnusableBase(f"$.{section}.{_shown(name)} is not an object")
    return document


def _shown(name: str) -> str:
    return "".join(each if each.isprintable() else "�" for each in name[:100])
