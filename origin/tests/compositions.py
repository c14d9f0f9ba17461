"""Random compositions of apps: their parts, the order of construction, and which part is closed.

A composition is plain data; `composed.built` makes the app that it describes. Its method `closings`
returns the marks that close a leaf at a path, from the data alone, without the compiler.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from hypothesis import strategies as st

OF_FASTAPI = ("router", "fastapi")
APPS = ("fastapi", "starlette")
STYLES = ("function", "partial", "method", "object", "wrapped", "socket")
ADDED = {
    "router": ("decorator", "add_api_route", "list of APIRoute", "add_route", "list of Route"),
    "fastapi": ("decorator", "add_api_route", "list of APIRoute", "add_route", "list of Route"),
    "starlette": ("add_route", "list of Route"),
    "starlette router": ("add_route", "list of Route"),
    "mount": ("list of Route",),
}
MOUNTING = (
    "mount",
    "mount its router",
    "mount its routes",
    "mount behind middleware",
    "mount with middleware",
)

TAKING = ("extend", "mount its routes")
"""The ways that take the routes without the whole."""
NAMED = (*MOUNTING, "include")
"""The ways that have a path."""


@dataclass(frozen=True)
class Leaf:
    """An endpoint, or an app without visible routes. It responds at `/name`."""

    name: str
    style: str
    added: str


@dataclass(frozen=True)
class Way:
    """How a group is attached to the outer group; `name` is its path, or "" for none."""

    how: str
    name: str = ""


@dataclass(frozen=True)
class Group:
    """A router, an app or a mount with routes, and how it is attached."""

    name: str
    kind: str
    parts: "tuple[Leaf | Group, ...]"
    ways: tuple[Way, ...] = ()
    filled: int = 0
    """The index of the way before which it gets its parts; the number of ways if after all."""


@dataclass(frozen=True)
class Mark:
    """One closing statement: the part that it is on, and when it is written.

    It closes those `leaves` at every path; with a `path`, only at paths that contain these names
    in this order.
    """

    on: str
    place: str
    when: str
    leaves: frozenset[str]
    path: tuple[str, ...] = ()
    undecided: frozenset[str] = frozenset()
    """Leaves that may be open or closed: no dependency of their app is run for them, and without an
    `at_edge` nothing notes that they were taken from it."""

    @property
    def value(self) -> str:
        return "-".join(("rule", self.on, self.place, self.when, *self.path)).replace(" ", "-")

    @property
    def depends(self) -> bool:
        """Whether it is a dependency, not an `at_edge`."""
        return self.place.endswith("dependencies")

    def closes(self, leaf: str, path: str) -> bool:
        names, length = tuple(path.split("/")[1:]), len(self.path)
        places = range(len(names) - length + 1)
        return leaf in self.leaves and any(
            names[place : place + length] == self.path for place in places
        )


@dataclass(frozen=True)
class Composition:
    """A public app, and the marks that close parts of it."""

    root: Group
    marks: tuple[Mark, ...]

    def closings(self, leaf: str, path: str) -> list[Mark]:
        """Return the marks that close a leaf at a path."""
        return [mark for mark in self.marks if mark.closes(leaf, path)]

    def is_decided(self, leaf: str) -> bool:
        return not any(leaf in mark.undecided for mark in self.marks)

    def __str__(self) -> str:
        lines = [f"closed: {mark.on}, {mark.place}, {mark.when} {mark.path}" for mark in self.marks]
        return "\n".join((*_outline(self.root), *lines))


def _outline(part: Leaf | Group, indent: str = "") -> Iterator[str]:
    if isinstance(part, Leaf):
        yield f"{indent}{part.name}: {part.style}, by {part.added}"
        return
    ways = ", ".join(
        f"{way.how} at {'/' + way.name if way.name else 'no path'}" for way in part.ways
    )
    yield f"{indent}{part.name}: {part.kind}; {ways}; filled in front of way {part.filled}"
    for each in part.parts:
        yield from _outline(each, indent + "    ")


def leaves_of(part: Leaf | Group) -> list[Leaf]:
    parts = () if isinstance(part, Leaf) else part.parts
    return [part] if isinstance(part, Leaf) else [it for each in parts for it in leaves_of(each)]


def paths_of(part: Leaf | Group) -> list[str]:
    """Return the paths, without parameters, at which the leaves of a part may be served."""
    if isinstance(part, Leaf):
        return [f"/{part.name}/rest" if part.style == "raw" else f"/{part.name}"]
    below = [path for each in part.parts for path in paths_of(each)]
    fronts = [f"/{way.name}" if way.name else "" for way in part.ways] or [""]
    own = [f"/{part.name}"] if part.kind == "mount" else []
    return [front + path for front in dict.fromkeys((*fronts, *own)) for path in below]


def possible_marks(part: Leaf | Group) -> Iterator[Mark]:
    """Yield every closing statement that a part of a composition can have."""
    if isinstance(part, Leaf):
        yield from _marks_of_leaf(part)
        return
    inside = frozenset(each.name for each in leaves_of(part))
    places = [*(("itself",) if part.ways else ()), *(("router",) if part.kind in APPS else ())]
    for when in ("first", "filled", "late"):
        for place in places:
            yield Mark(part.name, place, when, inside)
        if part.kind in (*APPS, "starlette router"):
            for path, leaves in _paths_below(part):
                yield Mark(part.name, "below", when, leaves, path)
    if part.kind in OF_FASTAPI:
        taken = any(way.how in TAKING for way in part.ways)
        undecided = inside - own_leaves(part) if taken else frozenset[str]()
        yield Mark(part.name, "dependencies", "first", inside, undecided=undecided)
    for way in part.ways:
        if way.name and way.how in MOUNTING:
            yield Mark(way.name, "route", "first", inside, (way.name,))
            yield Mark(way.name, "route", "late", inside, (way.name,))
        if way.name and way.how == "mount behind middleware":
            yield Mark(way.name, "middleware", "first", inside, (way.name,))
        if way.name and way.how == "include":
            yield Mark(way.name, "its dependencies", "first", inside, (way.name,))
    for each in part.parts:
        yield from possible_marks(each)


def own_leaves(group: Group) -> frozenset[str]:
    """Return the leaves for which FastAPI runs the dependencies of a router or app."""
    found = frozenset[str]()
    for part in group.parts:
        if isinstance(part, Leaf):
            found |= {part.name} if part.added in ("decorator", "add_api_route") else set()
        elif all(way.how == "include" for way in part.ways):
            found |= own_leaves(part)
    return found


def _marks_of_leaf(leaf: Leaf) -> Iterator[Mark]:
    inner = leaf.style in ("partial", "method", "object", "wrapped", "class")
    above = leaf.style in ("function", "partial", "method", "wrapped", "socket")
    places = ["endpoint", "route", *(("inside",) if inner else ()), *(("above",) if above else ())]
    for place in places:
        for when in ("late",) if place in ("route", "above") else ("first", "late"):
            yield Mark(leaf.name, place, when, frozenset([leaf.name]))
    if leaf.style != "raw" and leaf.added in ("decorator", "add_api_route", "list of APIRoute"):
        yield Mark(leaf.name, "dependencies", "first", frozenset([leaf.name]))


def _paths_below(app: Group) -> Iterator[tuple[tuple[str, ...], frozenset[str]]]:
    for part in app.parts:
        if isinstance(part, Leaf):
            yield (part.name,), frozenset([part.name])
            continue
        for way in part.ways:
            if way.name:
                yield (way.name,), frozenset(each.name for each in leaves_of(part))
                for leaf in part.parts:
                    if isinstance(leaf, Leaf):
                        yield (way.name, leaf.name), frozenset([leaf.name])


@st.composite
def compositions(draw: st.DrawFn, most_marks: int = 1) -> Composition:
    """Draw an app of at most three levels, and the marks that close parts of it."""
    count = iter(range(1000))

    def leaf(kind: str) -> Leaf:
        added = draw(st.sampled_from(ADDED[kind]))
        of_starlette = added in ("add_route", "list of Route")
        styles = (*STYLES, "class", "raw") if of_starlette else STYLES
        return Leaf(f"l{next(count)}", draw(st.sampled_from(styles)), added)

    def group(parent: str, depth: int) -> Group:
        kind, name = draw(st.sampled_from([*ADDED])), f"g{next(count)}"
        hows, named = list(_hows(parent, kind)), st.sampled_from([True] * 7 + [False])
        ways = tuple(
            Way(how, f"w{next(count)}" if has_name and how in NAMED else "")
            for how, has_name in draw(
                st.lists(st.tuples(st.sampled_from(hows), named), min_size=1, max_size=2)
            )
        )
        return Group(name, kind, parts(kind, depth), ways, draw(st.integers(0, len(ways))))

    def parts(kind: str, depth: int) -> tuple[Leaf | Group, ...]:
        groups = draw(st.sampled_from([(1, 1, 1, 2), (0, 0, 1, 1), (0, 0, 0, 1), (0,)][depth]))
        single = draw(st.sampled_from([1] if not groups else [0, 0, 0, 1]))
        made = [leaf(kind) for _ in range(single)], [group(kind, depth + 1) for _ in range(groups)]
        return (*made[0], *made[1])

    root = Group("root", "fastapi", parts("fastapi", 0))
    possible = list(possible_marks(root))
    number = draw(st.integers(1, most_marks))
    return Composition(root, tuple(draw(st.sampled_from(possible)) for _ in range(number)))


def _hows(parent: str, kind: str) -> Iterator[str]:
    if kind == "mount":
        yield "append"
    else:
        yield from ("mount", "mount behind middleware", "mount with middleware")
    if kind in APPS:
        yield "mount its router"
    if parent in OF_FASTAPI and kind in OF_FASTAPI:
        yield "include"
    yield from ("mount its routes", "extend")
