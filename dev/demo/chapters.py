"""The requests of `make smoke`, in chapters: each feature of policy.json once, allowed and refused."""

from chapters_on_callers import IDENTITY, PLACES, SCOPES_AND_RULES
from chapters_on_regions import REGIONS
from chapters_on_requests import (
    LIMITS,
    LOOKS,
    OWN_RESPONSES,
    PROOFS_AND_FIELDS,
    STORED_RESPONSES,
)

CHAPTERS = (
    IDENTITY,
    SCOPES_AND_RULES,
    PLACES,
    LOOKS,
    OWN_RESPONSES,
    STORED_RESPONSES,
    REGIONS,
    PROOFS_AND_FIELDS,
    LIMITS,
)
