"""Read the security schemes of FastAPI among an endpoint's dependencies.

Input: a dependency. Output: a `Scheme` if it is one, with whether it refuses callers without a
token. The app itself verifies what such a scheme reads. None of the code is run.
"""

from collections.abc import Callable, Sequence
from types import MethodType
from typing import NamedTuple

from fastapi.openapi.models import APIKey
from fastapi.openapi.models import HTTPBase as HTTPModel
from fastapi.openapi.models import OAuth2 as OAuth2Model
from fastapi.openapi.models import OpenIdConnect as OpenIdModel
from fastapi.security import (
    APIKeyCookie,
    APIKeyHeader,
    APIKeyQuery,
    HTTPBasic,
    HTTPBearer,
    HTTPDigest,
    OAuth2,
    OAuth2AuthorizationCodeBearer,
    OAuth2PasswordBearer,
    OpenIdConnect,
)
from fastapi.security.base import SecurityBase
from fastapi.security.http import HTTPBase

from fastgate.declare.lookup import call_of, layers
from fastgate.declare.static_access import attribute, is_a, own

_BEARER = (OAuth2, OAuth2PasswordBearer, OAuth2AuthorizationCodeBearer, HTTPBearer, OpenIdConnect)
"""The schemes that read a token in `Authorization`."""
_OF_FASTAPI = (
    *_BEARER,
    *(APIKeyCookie, APIKeyHeader, APIKeyQuery, HTTPBase, HTTPBasic, HTTPDigest),
)
_CALLS = tuple(own(kind)["__call__"] for kind in _OF_FASTAPI)
"""Their functions, which refuse a request without a credential if `auto_error` is true."""

AUTHORIZATION = "authorization"
"""The request field with the token, in lower case."""

QUERY = "?"
"""Stands for the query in place of a request field."""

NO_PASSWORDS = (
    "the edge passes on no password",
    "take `caller: Caller` in its place, so that callers send a token, or "
    'declare at_edge(access="none") and serve the endpoint without the edge',
)

_NO_OTHER_TOKENS = "; the edge refuses tokens of the app's own in Authorization"


class Scheme(NamedTuple):
    """A security scheme that is not Fastgate's."""

    shown: str
    """Its class, and its name if that differs."""
    name: str
    """Its name in OpenAPI."""
    reads_token: bool
    """Whether it reads a bearer token, which the edge then has to forward."""
    undecided: str = ""
    """Why it does not say who may call an endpoint; empty if it refuses callers without a token."""
    field: str = ""
    """The request field that it reads, in lower case, or `QUERY`; empty if that is not known."""
    refuses: bool = False
    """Whether it refuses requests without what it reads."""
    reads_password: bool = False
    """Whether it reads a password in `Authorization`."""

    @property
    def requires_token(self) -> bool:
        """Whether it refuses callers without a token."""
        return not self.undecided


def scheme_of(call: object) -> Scheme | None:
    """Return the scheme that a dependency is; None if it is another dependency."""
    found = scheme_object_of(call)
    return None if found is None else _read(found, call)


def scheme_object_of(call: object) -> object:
    """Return the object that a scheme is without wrappers; None if it is another dependency."""
    for layer in layers(call, mounted=False):
        found = attribute(layer, "__self__") if is_a(layer, MethodType) else layer
        if is_a(found, SecurityBase):
            return found
    return None


def undecided(
    schemes: Sequence[Scheme], mark: Callable[[str], str], opening: str
) -> tuple[str, str] | None:
    """Return why none of these says who may call an endpoint, and what to declare instead.

    Args:
        schemes: the schemes among the dependencies of an endpoint.
        mark: writes the mark for the endpoint, with these members.
        opening: the members that leave all checks of the endpoint to the app.

    """
    if not schemes:
        return None
    reasons = ", and ".join(f"{each.shown} {each.undecided}" for each in schemes)
    left = [each for each in schemes if not each.reads_password]
    if not left:
        return f": {reasons}", ": ".join(NO_PASSWORDS)
    closed, opened = mark('access="authenticated"'), mark(opening)
    reading = [each.reads_token for each in left]
    if all(reading):
        remedy = f"{closed} if every caller needs a token, or {opened} if anonymous callers are "
        remedy += f"allowed{_NO_OTHER_TOKENS}"
    elif any(reading):
        remedy = f"{opened} if the app accepts any one of them, or {closed} if every caller needs "
        remedy += f"a token{_NO_OTHER_TOKENS}"
    else:
        remedy = f"{opened} if the app alone checks it, or {closed} if every caller needs a token "
        remedy += "as well"
        if not all(each.field for each in left):
            closed = mark('access="authenticated", forward_token=True')
            remedy += f", and {closed} if the app reads that token itself"
    return f": {reasons}", f"declare {remedy}"


def _read(scheme: object, call: object) -> Scheme:
    kind = type(scheme).__name__
    given = attribute(scheme, "scheme_name")
    name = given if isinstance(given, str) else kind
    shown = kind if name == kind else f'{kind} "{name}"'
    model = attribute(scheme, "model")
    why = _undecided(scheme, call)
    refuses = not why
    field = AUTHORIZATION if any(call_of(scheme) is each for each in _CALLS) else ""
    if is_a(scheme, *_BEARER) or _is_of_tokens(model):
        return Scheme(shown, name, True, why, field, refuses)
    if is_a(model, APIKey):
        return _read_key(Scheme(shown, name, False, refuses=refuses), model, is_known=bool(field))
    if is_a(scheme, HTTPBase) or is_a(model, HTTPModel):
        why = "reads a password in place of a token"
        return Scheme(shown, name, False, why, field, refuses, reads_password=True)
    return Scheme(shown, name, False, "is a scheme that the edge does not know")


def _read_key(scheme: Scheme, model: object, *, is_known: bool) -> Scheme:
    """Add to the scheme of an API key what it reads."""
    why, written = "is an API key, which the edge does not check", attribute(model, "in_")
    place = str(getattr(written, "value", written))
    header = str(attribute(model, "name")).lower() if place == "header" else ""
    if header == AUTHORIZATION:
        why = "reads Authorization as an API key"
    return scheme._replace(
        reads_token=header == AUTHORIZATION,
        undecided=why,
        field=(header or (QUERY if place == "query" else place)) if is_known else "",
    )


def _is_of_tokens(model: object) -> bool:
    """Whether a scheme is one of bearer tokens, as OpenAPI describes it."""
    if is_a(model, HTTPModel):
        return str(attribute(model, "scheme")).lower() == "bearer"
    return is_a(model, OAuth2Model, OpenIdModel)


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
