"""Read attributes of objects without running any of their code (`inspect.getattr_static`).

Input: any object. Output: the values stored in it. A mock or another object with computed
attributes has only the attributes that it stores.
"""

from collections.abc import Mapping
from types import FunctionType, GetSetDescriptorType, MappingProxyType, MemberDescriptorType

_STORED = (GetSetDescriptorType, MemberDescriptorType)
_class_members = vars(type)["__dict__"].__get__


def is_a(target: object, *kinds: type) -> bool:
    """Whether an object is an instance of a class, ignoring a `__class__` that it fakes."""
    return issubclass(type(target), kinds)


def own(target: object) -> Mapping[str, object]:
    """Return the attributes stored in an object, or the members of a class; empty if none."""
    if type(target) is FunctionType:
        return target.__dict__
    if is_a(target, type):
        members: Mapping[str, object] = _class_members(target)
        return members
    for kind in type(target).__mro__:
        if (descriptor := _class_members(kind).get("__dict__")) is not None:
            found = _stored(descriptor, target)
            return found if is_a(found, dict, MappingProxyType) else {}  # type: ignore[return-value]
    return {}


def plain(value: object) -> object:
    """Return a value with the text of each string in it, as JSON has it.

    A member of `class Scope(str, Enum)` is a string, but `str(…)` of it may be its name.
    """
    if isinstance(value, str):
        return plain_text(value)
    if type(value) is list:
        return [plain(each) for each in value]
    if type(value) is tuple:
        return tuple(plain(each) for each in value)
    if isinstance(value, Mapping):
        return {plain(name): plain(each) for name, each in value.items()}
    return value


def plain_text(value: object) -> str:
    """Return the text of a string, also of a member of an enumeration."""
    return str.__str__(value) if isinstance(value, str) else str(value)


def texts_in(value: object) -> tuple[str, ...]:
    """Return the texts in a list; empty if it is no list."""
    return tuple(map(plain_text, value)) if isinstance(value, (list, tuple)) else ()


def attribute(target: object, name: str) -> object:
    """Return the stored value of an attribute: of the object, of its slots, or of its class.

    None if the attribute is missing or would have to be computed.
    """
    mine = own(target)
    if name in mine:
        return mine[name]
    for kind in type(target).__mro__:
        members = _class_members(kind)
        if name in members:
            found = members[name]
            computed = any("__get__" in own(each) for each in type(found).__mro__)
            return _stored(found, target) if computed else found
    return None


def _stored(descriptor: object, target: object) -> object:
    if not is_a(descriptor, *_STORED):
        return None
    try:
        return descriptor.__get__(target)  # type: ignore[attr-defined]
    except Exception:  # an empty slot, or a C proxy without a target
        return None
