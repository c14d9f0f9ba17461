"""The backends of a service: what the policy and the manifest say of the same host must agree.

Input: a base policy and a manifest, of which one may exist already, and the provider. Output: what
a new manifest needs, hints for people, or `WrongCall`, if both cannot be in force together.
"""

from collections.abc import Iterable, Iterator, Mapping
from urllib.parse import urlsplit

from fastgate.init.documents import PROVIDER_BACKEND
from fastgate.init.existing import Kept
from fastgate.init.issuer import Chosen, fault_of_url
from fastgate.init.members import at, backends_in, plain, texts_at
from fastgate.init.places import AGAIN
from fastgate.init.provider import Provider, discovered
from fastgate.stage import has_names
from fastgate.this_machine import is_loopback_name
from fastgate.toml_text import toml_string
from fastgate.wrong_call import WrongCall

_SETUP = ("setup", "backends")
_LOCAL = ("local_server", "backends")


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
        elif _place_of(providers.setdefault(backend, provider).jwks_uri) != _place_of(
            provider.jwks_uri
        ):
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


def without_app(
    base: Kept, origin_host: str, app: str, providers: Mapping[str, Provider]
) -> dict[str, Provider]:
    """Return the providers with a backend of their own: one may be on the backend of the app.

    Args:
        base: the base policy.
        origin_host: the host on which the app runs.
        app: the name of its backend.
        providers: the providers, by the names of their backends.

    Raises:
        WrongCall: a provider has the backend of the app, and is another host.

    """
    shared = providers.get(app)
    if shared is not None and _place_of(shared.jwks_uri) != _place_of(f"https://{origin_host}"):
        raise WrongCall(
            f"{base.path}: the app and an issuer have the same backend, {toml_string(app)}, but "
            f"the app runs on https://{origin_host}, and the keys of the issuer are at "
            f"{shared.origin}: give the issuer a backend of its own, or write the host of both "
            "(--origin-host)"
        )
    return {name: provider for name, provider in providers.items() if name != app}


def _provider_of(issuer: Mapping[str, object]) -> Provider | None:
    """Return where the keys of an issuer are; None if it does not say so in a plain URL."""
    written, preset = issuer.get("issuer"), issuer.get("preset")
    name = preset if isinstance(preset, str) else None
    keys = issuer.get("jwks_uri")
    for url in (keys, written):
        if not isinstance(url, str) or has_names(url) or "{" in url or _place_of(url) is None:
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
    backend, document, faults = PROVIDER_BACKEND, manifest.document, list[str]()
    hosts = _hosts_of(document, backend)
    ports = at(document, *_SETUP, backend, "port")
    # Without either, `fastgate check` says what the manifest lacks.
    if ports not in ([], [provider.port]) or (hosts and plain(provider.address) not in hosts):
        was = "".join([*hosts[:1], *(f":{port}" for port in ports)])
        faults.append(f"{was} in [setup.backends.{backend}]")
    faults += [
        f"{url} in [local_server.backends.{backend}]"
        for url in texts_at(document, *_LOCAL, backend, "url")
        if not _is_locally(url, texts_at(document, *_LOCAL, backend, "override_host"), provider)
    ]
    if faults:
        raise WrongCall(
            f"{option}: its keys are at {provider.address}:{provider.port}, and {manifest.path} "
            f"exists and has {' and '.join(faults)}: edit address, port and url of that backend, "
            f"or remove the file and {AGAIN}"
        )


def _is_locally(url: str, overriding: Iterable[str], provider: Provider) -> bool:
    """Whether a URL is a provider's for `fastly compute serve`: its own, or a stand-in's."""
    found, own = _place_of(url), _place_of(provider.jwks_uri)
    if found is None or own is None:
        return False
    stands_in = is_loopback_name(found[1]) and not is_loopback_name(own[1])
    return found == own or stands_in or own[1] in map(plain, overriding)


def _place_of(url: str) -> tuple[str, str, int] | None:
    """Return the scheme, the host and the port of a URL; None if it is no URL of the web."""
    if fault_of_url(url):
        return None
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        return None
    there = Provider("", None, url)
    return parts.scheme, there.address.removesuffix("."), there.port


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
