"""The number of inputs that hypothesis draws for a property: the same few, or many new ones."""

import os

from hypothesis import HealthCheck, settings

MANY = int(os.environ.get("FASTGATE_FUZZ", "0"))
"""The number of new inputs to draw; 0 for those that are the same each time."""


def drawing(examples: int) -> settings:
    """Return the settings of a property for which this many inputs are drawn each time."""
    return settings(
        max_examples=MANY or examples,
        derandomize=not MANY,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
