"""Google Cloud Identity-Aware Proxy.

Input: the audience of the application. Output: a `Gateway`. Source: docs.cloud.google.com, "Secure
your app with signed headers": ES256, 30 seconds of leeway, a lifetime of at most 10 minutes plus
twice the leeway.
"""

import re

from fastgate.gateways.claims import text_of
from fastgate.gateways.gateway import Asserted, Gateway, Members

NAME = "google-iap"
_AUDIENCE = re.compile(r"/projects/[0-9]+/[!-~]+")
_LEEWAY = 30


def google_iap(*, audience: str) -> Gateway:
    """Return the gateway. Raises `ValueError`."""
    if not _AUDIENCE.fullmatch(audience):
        raise ValueError(
            'audience: write "/projects/NUMBER/global/backendServices/ID" or '
            '"/projects/NUMBER/apps/PROJECT"; the page of IAP shows it as "Signed Header JWT '
            'Audience"'
        )
    return Gateway(
        name=NAME,
        header="x-goog-iap-jwt-assertion",
        algorithm="ES256",
        keys_url="https://www.gstatic.com/iap/verify/public_key-jwk",
        issuer="https://cloud.google.com/iap",
        audience=audience,
        leeway=_LEEWAY,
        max_lifetime=600 + 2 * _LEEWAY,
        read=_caller,
    )


def _caller(payload: Members) -> Asserted:
    return Asserted(text_of(payload, "sub"))
