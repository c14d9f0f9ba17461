"""The Application Load Balancer of AWS, which signs users in: `authenticate-oidc` or `-cognito`.

Input: the ARN of the load balancer, the client id of the action, and the region. Output: a
`Gateway`. Source: docs.aws.amazon.com, "Authenticate users using an Application Load Balancer". All
load balancers of a region, of every customer, sign with the same keys: only `signer` tells them
apart. The assertion has no `aud`; `signer` and `client` of the JOSE header take its place.
"""

import re

from fastgate.gateways.claims import text_of
from fastgate.gateways.gateway import Asserted, Gateway, Members

NAME = "aws-alb"
_REGION = re.compile(r"[a-z]{2}(?:-[a-z]+)+-[0-9]{1,2}")
_SIGNER = re.compile(
    r"arn:(?P<partition>aws|aws-us-gov):elasticloadbalancing:(?P<region>[a-z0-9-]+):[0-9]{12}"
    r":loadbalancer/app/[A-Za-z0-9-]+/[0-9a-f]+"
)


def aws_alb(*, signer: str, client: str, region: str) -> Gateway:
    """Return the gateway. Raises `ValueError`."""
    arn = _SIGNER.fullmatch(signer)
    if arn is None:
        raise ValueError(
            "signer: write the ARN of the load balancer: "
            '"arn:aws:elasticloadbalancing:REGION:ACCOUNT:loadbalancer/app/NAME/ID"'
        )
    if not _REGION.fullmatch(region) or arn["region"] != region:
        raise ValueError(f'region: write the region of the load balancer: "{arn["region"]}"')
    keys_url = f"https://public-keys.auth.elb.{region}.amazonaws.com"
    if arn["partition"] == "aws-us-gov":
        keys_url = f"https://s3-{region}.amazonaws.com/aws-elb-public-keys-prod-{region}"
    return Gateway(
        name=NAME,
        header="x-amzn-oidc-data",
        algorithm="ES256",
        keys_url=keys_url,
        key_per_url=True,
        padded=True,
        issuer=None,
        audience=None,
        signed_header=(("signer", signer), ("client", client)),
        times_in_header=True,
        requires_issue_time=False,
        read=_caller,
    )


def _caller(payload: Members) -> Asserted:
    return Asserted(text_of(payload, "sub"))
