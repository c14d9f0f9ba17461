"""Read an endpoint's declaration of its former route: `at_edge(formerly=…)`.

Input: the declared value. Output: the former templates and ids of the endpoint, or `ValueError`
with what to write instead. `compile.former_routes` decides what is accepted because of them.
"""

from typing import NamedTuple

from fastgate.path_template import Template, TemplateRefused

FORMERLY = "formerly"
"""The member's name in `at_edge`. The edge's policy has no such member."""


class Former(NamedTuple):
    """The templates and ids that an endpoint had before it was changed."""

    templates: tuple[str, ...] = ()
    """Full path templates, including the prefixes of routers and mounts."""
    ids: tuple[str, ...] = ()
    """Ids from `at_edge(id=…)` or from an operation id."""


def read_former(value: object) -> Former:
    """Read a template, an id, or a list of both; a template begins with a slash.

    Raises:
        ValueError: the value is none of these.

    """
    given = value if isinstance(value, (list, tuple)) else [value]
    values = [item for item in given if isinstance(item, str) and item]
    if not values or len(values) != len(given):
        raise ValueError(
            f"{FORMERLY} is {value!r}; it must be the endpoint's former template or id, or a list "
            f'of them: {FORMERLY}="/orders/{{order_id}}"'
        )
    templates = tuple(item for item in values if item.startswith("/"))
    for template in templates:
        try:
            Template.parse(template)
        except TemplateRefused as error:
            raise ValueError(
                f"{FORMERLY} is {template!r}, which the edge does not accept as a template: {error}"
            ) from error
    for item in values:
        if "/" in item and item not in templates:
            raise ValueError(
                f"{FORMERLY} is {item!r}; write a template with a leading slash: "
                f'{FORMERLY}="/{item.lstrip("/")}"'
            )
    return Former(templates, tuple(item for item in values if item not in templates))
