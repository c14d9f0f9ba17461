"""The backends of a service: what the policy and the manifest say of the same host must agree.

Input: a base policy and a manifest, of which one may exist already, and the provider. Output: what
a new manifest needs, hints for people, or `WrongCall`, if both cannot be in force together.
"""

from collections.abc import Iterator, Mapping
from urllib.parse import urlsplit

from fastgate.init.documents import PROVIDER_BACKEND
from fastgate.init.existing import AGAIN, Kept
from fastgate.init.issuer import Chosen, fault_of_url
from fastgate.init.members import at, backends_in, plain, texts_at
from fastgate.init.provider import Provider, discovered
from fastgate.stage import has_names
from fastgate.this_machine import is_loopback_name
from fastgate.wrong_call import WrongCall

_SETUP = ("setup", "backends")


def backends_of(base: Kept) -> tuple[str, dict[str, Provider]]:
    """Return the backends that a new manifest needs for a base policy that is kept.

    Returns:
        The name of the backend on which the app runs, and the providers by the names of theirs.

    Raises:
        WrongCall: the policy does not say enough.
        Failed: the discovery document of a preset's issuer cannot be read.

    """
    names = sorted(set(backends_in(base.document)))
    faults = [] if len(names) == 1 else [f"the app has {len(names) or 'no known'} backends"]
    providers = dict[str, Provider]()
    issuers = base.document.get("issuers")
    for name, issuer in issuers.items() if isinstance(issuers, dict) else ():
        backend = issuer.get("backend") if isinstance(issuer, dict) else None
        if not isinstance(backend, str):
            continue  # `fastgate check` refuses that
        provider = None if has_names(backend) else _provider_of(issuer)
        if provider is None:
            faults.append(f"the host of issuers.{name} is not known")
        elif providers.setdefault(backend, provider).origin != provider.origin:
            faults.append(f"the backend {backend} has several hosts")
    if at(base.document, "issuers", "*", "introspection"):
        faults.append("an issuer has introspection, with a backend of its own")
    if faults:
        every = {
            *names,
            *texts_at(base.document, "issuers", "*", "backend"),
            *texts_at(base.document, "issuers", "*", "introspection", "backend"),
        }
        raise WrongCall(
            f"{base.path} exists, and {' and '.join(faults)}, so fastly.toml cannot be derived "
            "from it: write fastly.toml beside it, with [setup.backends.NAME] and "
            f"[local_server.backends.NAME] for {', '.join(sorted(every))}"
        )
    return names[0], providers


def _provider_of(issuer: Mapping[str, object]) -> Provider | None:
    """Return where the keys of an issuer are; None if it does not say so in a plain URL."""
    written, preset = issuer.get("issuer"), issuer.get("preset")
    name = preset if isinstance(preset, str) else None
    keys = issuer.get("jwks_uri")
    for url in (keys, written):
        if not isinstance(url, str) or has_names(url) or "{" in url or fault_of_url(url):
            continue
        if urlsplit(url).scheme not in ("http", "https") or not urlsplit(url).hostname:
            continue
        if url == keys or name is None:  # without a preset, the keys are on the issuer's host
            return Provider(str(written), name, url)
        return discovered(Chosen(url, name))
    return None


def check_provider(manifest: Kept, provider: Provider, option: str) -> None:
    """Compare a kept manifest with the provider of a new base policy.

    Args:
        manifest: the manifest.
        provider: the provider.
        option: the option that names the provider.

    Raises:
        WrongCall: the backend is another host.

    """
    backend = PROVIDER_BACKEND
    hosts = _hosts_of(manifest.document, backend)
    ports = [each for each in at(manifest.document, *_SETUP, backend, "port") if each is not None]
    if not hosts or (plain(provider.address) in hosts and ports in ([], [provider.port])):
        return  # without any, `fastgate check` says what the manifest lacks
    was = hosts[0] + "".join(f":{port}" for port in ports)
    raise WrongCall(
        f"{option}: its keys are at {provider.address}:{provider.port}, and {manifest.path} "
        f"exists and has {was} in [setup.backends.{backend}]: edit address, port and url of that "
        f"backend, or remove the file and {AGAIN}"
    )


def check_loops(policy: Mapping[str, object], manifest: Mapping[str, object]) -> None:
    """Compare the hosts that clients name with the hosts of backends.

    Raises:
        WrongCall: a host is both, so the edge would send requests to itself.

    """
    named = texts_at(policy, "edge", "hosts", "*")
    hosts = {plain(host) for host in named if not (has_names(host) or is_loopback_name(host))}
    for backends in at(manifest, *_SETUP):
        for backend in backends if isinstance(backends, dict) else ():
            for address in texts_at(backends, backend, "address"):
                if plain(address) in hosts:
                    raise WrongCall(
                        f"{address}: is in edge.hosts of policy.base.json, and is the address in "
                        f"[setup.backends.{backend}] of fastly.toml as well, so the edge would "
                        "send each request to itself: write another name there, under which it is "
                        "reached without the edge (of the app: --origin-host), or another host "
                        "that clients name (--host)"
                    )


def hints_of_backends(
    backend_host: str | None, policy: Mapping[str, object], manifest: Mapping[str, object]
) -> Iterator[str]:
    """Yield a hint if the guard of the app expects another `Host` than the backend sends.

    Args:
        backend_host: `Settings.backend_host`.
        policy: the base policy.
        manifest: the manifest.

    """
    names = backends_in(policy)
    hosts = [host for name in names for host in _hosts_of(manifest, name)]
    if backend_host is not None and hosts and plain(backend_host) not in hosts:
        yield (
            f'hint: Settings.backend_host is "{backend_host}" here and the backend '
            f"{' or '.join(names)} in fastly.toml has {' or '.join(hosts)}: the app accepts "
            "requests of its edge only if they arrive with this Host"
        )


def _hosts_of(manifest: Mapping[str, object], backend: str) -> list[str]:
    """Return the hosts that a backend may be asked for."""
    members = ("address", "override_host")
    return [plain(text) for each in members for text in texts_at(manifest, *_SETUP, backend, each)]
