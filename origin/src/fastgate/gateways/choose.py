"""`from_gateway`: choose a gateway by its name.

Input: the name and parameters that the operator wrote. Output: a `Gateway`, or an error that says
what to write.
"""

import difflib
import inspect
from collections.abc import Callable, Mapping
from typing import Literal, overload

from fastgate.gateways import aws_alb, cloudflare_access, google_iap, oathkeeper, pomerium
from fastgate.gateways.gateway import Algorithm, Gateway

_GATEWAYS: Mapping[str, Callable[..., Gateway]] = {
    aws_alb.NAME: aws_alb.aws_alb,
    cloudflare_access.NAME: cloudflare_access.cloudflare_access,
    google_iap.NAME: google_iap.google_iap,
    oathkeeper.NAME: oathkeeper.oathkeeper,
    pomerium.NAME: pomerium.pomerium,
}


@overload
def from_gateway(name: Literal["aws-alb"], *, signer: str, client: str, region: str) -> Gateway: ...
@overload
def from_gateway(name: Literal["cloudflare-access"], *, team: str, audience: str) -> Gateway: ...
@overload
def from_gateway(name: Literal["google-iap"], *, audience: str) -> Gateway: ...
@overload
def from_gateway(
    name: Literal["oathkeeper"],
    *,
    audience: str,
    issuer: str,
    jwks_url: str,
    algorithm: Algorithm = "RS256",
) -> Gateway: ...
@overload
def from_gateway(
    name: Literal["pomerium"], *, audience: str, issuer: str | None = None
) -> Gateway: ...
def from_gateway(name: str, **parameters: str | None) -> Gateway:
    """Return a gateway whose signed assertions `guard` accepts until the app is behind Fastgate.

    Args:
        name: the gateway.
        parameters: what its assertions must say. `audience` is this app: the AUD tag of Cloudflare
            Access, the signed header JWT audience of IAP, the host of the route in Pomerium. For a
            load balancer of AWS, `signer` (its ARN) and `client` (the client id of its action) take
            its place.

    Raises:
        ValueError: the gateway is unknown, or a parameter is missing, unknown or unusable. The
            message says what to write.

    """
    create = _GATEWAYS.get(name)
    if create is None:
        near = difflib.get_close_matches(str(name), _GATEWAYS, 1)
        known = ", ".join(f'"{each}"' for each in _GATEWAYS)
        hint = f'did you mean "{near[0]}"?' if near else f"write one of {known}"
        raise ValueError(f'from_gateway: "{name}" is not known; {hint}')
    accepted = inspect.signature(create).parameters.values()
    names = [each.name for each in accepted]
    required = [each.name for each in accepted if each.default is inspect.Parameter.empty]
    call = f'write from_gateway("{name}", {", ".join(f"{each}=…" for each in required)})'
    missing = [each for each in required if each not in parameters]
    unknown = [each for each in parameters if each not in names]
    if missing or unknown:
        faults = [*(f"{each} is missing" for each in missing)]
        faults += [f"{each} is not a parameter of it" for each in unknown]
        raise ValueError(f"from_gateway: {', '.join(faults)}; {call}")
    for each, value in parameters.items():
        optional = value is None and each not in required
        if not optional and (not isinstance(value, str) or not value or value != value.strip()):
            raise ValueError(f"from_gateway: {each} must be a non-empty string; {call}")
    try:
        return create(**parameters)
    except ValueError as error:
        raise ValueError(f"from_gateway: {error}") from error
