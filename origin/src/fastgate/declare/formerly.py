"""Read what an endpoint declares of its former route: `at_edge(formerly=…)`.

In: the declared value. Out: the templates and ids that the endpoint had before, or `ValueError`
with what to write instead. `compile.former_routes` says what is accepted because of them.
"""

from typing import NamedTuple

from fastgate.path_template import Template, TemplateRefused

FORMERLY = "formerly"
"""The member of `at_edge`; the edge's policy has no such word."""


class Former(NamedTuple):
    """What an endpoint was called before it was changed."""

    templates: tuple[str, ...] = ()
    """Full path templates, prefixes of routers and mounts in front."""
    ids: tuple[str, ...] = ()
    """Ids that were given, by `at_edge(id=…)` or an operation id."""


def read_former(value: object) -> Former:
    """Read a template, an id, or a list of both; what begins with a slash is a template.

    Raises:
        ValueError: it is neither.

    """
    given = value if isinstance(value, (list, tuple)) else [value]
    values = [item for item in given if isinstance(item, str) and item]
    if not values or len(values) != len(given):
        raise ValueError(
            f"{FORMERLY} is {value!r}; it is the endpoint's former template or id, or a list of "
            f'them: {FORMERLY}="/orders/{{order_id}}"'
        )
    templates = tuple(item for item in values if item.startswith("/"))
    for template in templates:
        try:
            Template.parse(template)
        except TemplateRefused as error:
            raise ValueError(
                f"{FORMERLY} is {template!r}, which is no template at the edge: {error}"
            ) from error
    for item in values:
        if "/" in item and item not in templates:
            raise ValueError(
                f"{FORMERLY} is {item!r}; a template begins with a slash: "
                f'{FORMERLY}="/{item.lstrip("/")}"'
            )
    return Former(templates, tuple(item for item in values if item not in templates))
