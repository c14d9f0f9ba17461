"""The issuer of tokens that the options of `fastgate init` name.

Input: the options. Output: the issuer, and the preset of its product; or `WrongCall`, if the
options name several, or something that is no issuer.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from fastgate.this_machine import is_loopback
from fastgate.wrong_call import WrongCall

_HOST = re.compile(r"[a-z0-9_-]+(?:\.[a-z0-9_-]+)*\.?")
_EXAMPLES = {
    "--auth0": "example.eu.auth0.com",
    "--okta": "example.okta.com or example.okta.com/oauth2/SERVER",
}


@dataclass(frozen=True, slots=True)
class Chosen:
    """The issuer that the options name."""

    issuer: str
    preset: str | None = None
    option: str = field(default="--issuer", compare=False)
    """The option that says so, with its value, as it was written."""

    @property
    def option_of_preset(self) -> str:
        """The option that names the preset."""
        of_account = not self.option.startswith("--issuer")
        return self.option if of_account else f"--preset {self.preset}"


def chosen_issuer(
    *,
    issuer: str | None,
    preset: str | None,
    auth0: str | None,
    okta: str | None,
    entra: str | None,
    presets: Collection[str],
) -> Chosen | None:
    """Return the issuer that the options name; None if they name none.

    Raises:
        WrongCall: they name several, a preset that does not exist, or something that is no issuer.

    """
    written = {"--issuer": issuer, "--auth0": auth0, "--okta": okta, "--entra": entra}
    named = {option: text for option, text in written.items() if text is not None}
    if len(named) > 1:
        raise WrongCall(f"{' and '.join(named)} name several providers: write one of them")
    if preset is not None and preset not in presets:
        known = ", ".join(sorted(presets))
        raise WrongCall(f'there is no preset "{preset}"; the presets are {known}; or write none')
    if preset is not None and issuer is None:
        raise WrongCall(f"--preset {preset} needs the issuer of your account: --issuer URL")
    if not named:
        return None
    ((option, text),) = named.items()
    chosen = Chosen(
        text if option == "--issuer" else _issuer_of(option, text),
        preset if option == "--issuer" else option.removeprefix("--"),
        f"{option} {text}",
    )
    _check_issuer(chosen)
    return chosen


def _issuer_of(option: str, text: str) -> str:
    """Return the issuer of an account with a product that has an option."""
    if option == "--auth0":
        return f"https://{_host(text, option)}/"
    if option == "--okta":
        return f"https://{_okta(text)}"
    return f"https://login.microsoftonline.com/{_segment(text)}/v2.0"


def fault_of_url(url: str) -> str | None:
    """Return what is wrong with a text that should be a URL; None if it is one."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError as error:
        return str(error)
    if port == 0:
        return "there is no port 0"
    if not url.isascii() or not url.isprintable() or " " in url:
        return "it has characters that no URL has"
    if host and ":" not in host and not _HOST.fullmatch(host):
        return f"{host} is no host"
    return None


def _check_issuer(chosen: Chosen) -> None:
    issuer, option = chosen.issuer, chosen.option
    if fault := fault_of_url(issuer):
        raise WrongCall(f"{option}: {fault}: write a URL, https://…, as `iss` has it")
    parts = urlsplit(issuer)
    host = parts.hostname
    if parts.scheme not in ("http", "https") or not host:
        raise WrongCall(f"{option}: write a URL, https://…, as `iss` of the tokens has it")
    if parts.scheme == "http" and not is_loopback(host):
        raise WrongCall(
            f"{option}: tokens of an issuer without TLS can be forged: write https://…; http is "
            "for a provider on this machine"
        )
    if parts.username is not None or parts.query or parts.fragment or not issuer.isascii():
        raise WrongCall(
            f"{option}: an issuer has a host and a path, and no user, query or fragment"
        )


def _host(text: str, option: str) -> str:
    host = text.removeprefix("https://").rstrip("/")
    if "/" in host or "." not in host or ":" in host:
        raise WrongCall(
            f"{option} {text}: write the domain of your account, such as {_EXAMPLES[option]}"
        )
    return host.lower().removesuffix(".")


def _okta(text: str) -> str:
    host, _, path = text.removeprefix("https://").rstrip("/").partition("/")
    return f"{_host(host, '--okta')}/{path or 'oauth2/default'}"


def _segment(text: str) -> str:
    if not text or not all(each.isalnum() or each in "-." for each in text):
        raise WrongCall(f"--entra {text}: write the id of your tenant, a GUID")
    return text.lower()
