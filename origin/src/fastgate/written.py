"""Write marks on objects: one object has one mark, wherever it is served.

In: an object, and members of the edge's route document. Out: the members on that object, with those
that were written there before, or an error. What they mean is not asked here.
"""

import contextlib
from collections.abc import Iterator, Mapping

from fastgate.merging import added, together
from fastgate.static import attribute, own

ATTRIBUTE = "__fastgate__"
"""Where a mark is on its object."""


class Mark(dict[str, object]):
    """What was written on an object, and on which: `functools.wraps` copies it to wrappers."""

    of: int
    """The id of that object."""


def marked(target: object, earlier: object, members: Mapping[str, object]) -> Mark:
    """Return the mark of an object that has an earlier one, its own or the copy of another's."""
    if not isinstance(earlier, Mark):
        mark = Mark(members)
    elif earlier.of == id(target):
        mark = Mark(added(earlier, members))
    else:
        mark = Mark(together(earlier, members))
    mark.of = id(target)
    return mark


def write(target: object, members: Mapping[str, object]) -> None:
    """Write a mark on an object.

    Raises:
        ValueError: it has one that says something else.
        TypeError: nothing can be written on it.

    """
    # A proxy passes the mark on to what it stands for, which is the object that is marked then.
    behind = [*_with_wrapped(target)]
    before = [own(each).get(ATTRIBUTE) for each in behind]
    probe = Mark()
    with contextlib.suppress(AttributeError):
        setattr(target, ATTRIBUTE, probe)
    written = [index for index, each in enumerate(behind) if own(each).get(ATTRIBUTE) is probe]
    if not written:
        raise TypeError(f"nothing can be written on this object: {type(target).__qualname__}")
    earlier = before[written[-1]]
    mark = earlier
    try:
        mark = marked(behind[written[-1]], earlier, members)
    finally:
        setattr(target, ATTRIBUTE, mark)


def _with_wrapped(target: object) -> Iterator[object]:
    """Yield an object and what it wraps by `__wrapped__`, from the outside in."""
    seen: dict[int, object] = {}
    while target is not None and id(target) not in seen:
        seen[id(target)] = target
        yield target
        target = attribute(target, "__wrapped__")
