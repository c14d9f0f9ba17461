"""Read the security schemes of FastAPI among an endpoint's dependencies.

Input: a dependency. Output: a `Scheme` if it is one, with whether it refuses callers without a
token. The app itself verifies what such a scheme reads. None of the code is run.
"""

from collections.abc import Sequence
from types import MethodType
from typing import NamedTuple

from fastapi.security import (
    HTTPBearer,
    OAuth2,
    OAuth2AuthorizationCodeBearer,
    OAuth2PasswordBearer,
    OpenIdConnect,
)
from fastapi.security.api_key import APIKeyBase
from fastapi.security.base import SecurityBase
from fastapi.security.http import HTTPBase

from fastgate.declare.lookup import call_of, layers
from fastgate.declare.static_access import attribute, is_a, own

_BEARER = (OAuth2, OAuth2PasswordBearer, OAuth2AuthorizationCodeBearer, HTTPBearer, OpenIdConnect)
"""The schemes that read a token in `Authorization`."""
_CALLS = tuple(own(kind)["__call__"] for kind in _BEARER)
"""Their functions, which refuse a request without a token if `auto_error` is true."""

_ONE_OF_TWO = (
    'declare at_edge(access="authenticated") if every caller needs a token, or '
    'at_edge(access="optional") if anonymous callers are allowed'
)
_NO_PASSWORDS = (
    "the edge passes on no password: take `caller: Caller`, so that callers send a token, or "
    'declare at_edge(access="none") and serve the endpoint without the edge'
)
_APP_ALONE = (
    'declare at_edge(access="public") if the app alone checks it, or '
    'at_edge(access="authenticated") if every caller needs a token as well'
)


class Scheme(NamedTuple):
    """A security scheme that is not Fastgate's."""

    shown: str
    """Its class, and its name if that differs."""
    reads_token: bool
    """Whether it reads a bearer token, which the edge then has to forward."""
    undecided: str = ""
    """Why it does not say who may call an endpoint; empty if it refuses callers without a token."""
    remedy: str = ""
    """What to declare instead."""

    @property
    def requires_token(self) -> bool:
        """Whether it refuses callers without a token."""
        return not self.undecided


def scheme_of(call: object) -> Scheme | None:
    """Return the scheme that a dependency is; None if it is another dependency."""
    for layer in layers(call, mounted=False):
        found = attribute(layer, "__self__") if is_a(layer, MethodType) else layer
        if is_a(found, SecurityBase):
            return _read(found, call)
    return None


def undecided(schemes: Sequence[Scheme]) -> tuple[str, str] | None:
    """Return why none of these says who may call an endpoint, and what to declare instead."""
    if not schemes:
        return None
    reasons = ", and ".join(f"{each.shown} {each.undecided}" for each in schemes)
    return f": {reasons}", "; or ".join(dict.fromkeys(each.remedy for each in schemes))


def _read(scheme: object, call: object) -> Scheme:
    kind = type(scheme).__name__
    name = attribute(scheme, "scheme_name")
    shown = kind if not isinstance(name, str) or name == kind else f'{kind} "{name}"'
    if is_a(scheme, *_BEARER):
        return Scheme(shown, True, why := _undecided(scheme, call), _ONE_OF_TWO if why else "")
    if is_a(scheme, APIKeyBase):
        return Scheme(shown, False, "is an API key, which the edge does not check", _APP_ALONE)
    if is_a(scheme, HTTPBase):
        return Scheme(shown, False, "reads a password in place of a token", _NO_PASSWORDS)
    return Scheme(shown, False, "is a scheme that the edge does not know", _APP_ALONE)


def _undecided(scheme: object, call: object) -> str:
    """Return why a scheme of bearer tokens may let anonymous callers pass; empty if it does not."""
    run = call_of(scheme)
    if not any(run is each for each in _CALLS):
        return "has a __call__ of its own, which may let anonymous callers pass"
    is_method = is_a(call, MethodType) and attribute(call, "__func__") is run
    if call is not scheme and not is_method:
        return "is not called as FastAPI's own, and may let anonymous callers pass"
    if attribute(scheme, "auto_error") is not True:
        return "has auto_error=False, which lets anonymous callers pass"
    return ""
