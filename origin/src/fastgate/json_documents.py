"""Read a JSON object in a file, such as a policy or a key set.

Input: its path. Output: the object, and the rules of a policy; or `WrongCall`.
"""

from collections.abc import Mapping
from pathlib import Path

from fastgate import strict_json
from fastgate.wrong_call import WrongCall


def document_at(path: Path) -> dict[str, object]:
    """Return the JSON object in a file.

    Raises:
        WrongCall: it cannot be read, or is no JSON object, or one that the edge refuses too, such
            as one with a duplicate member (`strict_json`).

    """
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise WrongCall(f"{path}: {error}") from error
    return object_in(raw, path)


def object_in(raw: bytes, path: Path) -> dict[str, object]:
    """Return the JSON object in the bytes of a file.

    Raises:
        WrongCall: they are no JSON object, or one that the edge refuses too (`document_at`).

    """
    try:
        return strict_json.parse_object(raw)
    except ValueError as error:
        said = "is not a JSON object" if str(error) == "not an object" else error
        raise WrongCall(f"{path}: {said}") from error


def rules_of(document: Mapping[str, object]) -> dict[str, object]:
    """Return the `rules` of a policy; empty if it has none."""
    rules = document.get("rules", {})
    return rules if isinstance(rules, dict) else {}  # the edge refuses any other value
