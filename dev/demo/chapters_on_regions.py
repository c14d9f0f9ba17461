"""Checks of the regions of an origin."""

from checks import Chapter, Check
from failover import IN_THE_US
from traits import logged, member

REGIONS = Chapter(
    "Which region serves it",
    (
        Check("GET /where", 200, (member("region", "eu"),), (logged("backend", "origin"),)),
        Check(
            "GET /where",
            200,
            (member("region", "us"),),
            (logged("region", "us"),),
            source=IN_THE_US,
        ),
        Check(
            "GET /where",
            200,
            (member("region", "us"),),
            headers={"X-Region": "eu"},
            source=IN_THE_US,
        ),
        Check(
            "GET /exports/vat", 200, (), (logged("region", "eu"),), token="staff", source=IN_THE_US
        ),
    ),
)
