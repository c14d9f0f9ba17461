"""The two hosts of a service: the one that clients name, and the one on which the app runs.

Input: both, as the options or the guard of the app name them. Output: nothing; or `WrongCall`, if a
service on Fastly cannot have them.
"""

import re
from collections.abc import Iterable
from typing import Literal

from fastgate.wrong_call import WrongCall

_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_NAME = re.compile(rf"(?=.{{1,253}}\Z){_LABEL}(?:\.{_LABEL})*")
_ADDRESS = re.compile(r"(?:.*\.)?(?:[0-9]+|0x[0-9a-f]*)")
"""A browser reads a name whose last label is a number as an IPv4 address."""
LOCAL = (
    *("localhost", "local", "internal", "lan", "home.arpa"),
    *("intranet", "private", "corp", "home"),
)
"""The ends of names that only this machine or a private network has; those of `fastgate check`."""
RESERVED = ("test", "invalid", "example", "onion", "alt")
"""The ends of names that the DNS never has; those of `fastgate check`."""
_EXAMPLES = {
    "--host": "a domain of the service, such as shop.edgecompute.app",
    "--origin-host": "the public name of the app, such as shop.example.com",
}


def check_hosts(host: str | None, origin_host: str | None) -> None:
    """Check both hosts.

    Args:
        host: the one that clients name; None if a file that is kept says it.
        origin_host: the one on which the app runs; None likewise.

    Raises:
        WrongCall: one is no public name, or both are equal.

    """
    for option, value in (("--host", host), ("--origin-host", origin_host)):
        if value is None:
            continue
        if _is_address(value):
            raise WrongCall(
                f"{option} {value}: is an address, for which there is no certificate: write "
                f"{_EXAMPLES[option]}"
            )
        if not is_name(value):
            raise WrongCall(
                f"{option} {value}: write a host name in lower case, without scheme, port and path"
            )
        if where := elsewhere(value):
            what = {
                "local": "only this machine or a private network has this name",
                "reserved": "is a reserved name, which nobody on the internet has",
            }[where]
            raise WrongCall(
                f"{option} {value}: {what}: write {_EXAMPLES[option]}; `fastgate dev` runs the app "
                "on this machine"
            )
    if host is not None and host == origin_host:
        raise WrongCall(
            f"--origin-host {origin_host}: is --host as well, so the edge would send each request "
            "to itself: write another name under which the app is reached without the edge"
        )


def is_name(host: str) -> bool:
    """Whether a host is a name in lower case."""
    return _NAME.fullmatch(host) is not None


def elsewhere(name: str) -> Literal["local", "reserved"] | None:
    """Return why a name in lower case is not on the internet; None if it may be."""
    if "." not in name or is_below(name, LOCAL):
        return "local"
    return "reserved" if is_below(name, RESERVED) else None


def is_below(name: str, ends: Iterable[str]) -> bool:
    """Whether a name is one of some domains, or below one."""
    return any(name == end or name.endswith(f".{end}") for end in ends)


def _is_address(host: str) -> bool:
    return (":" in host.strip("[]") and "/" not in host) or _ADDRESS.fullmatch(host) is not None
