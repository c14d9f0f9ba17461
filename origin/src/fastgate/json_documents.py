"""Read a JSON object in a file, such as a policy or a key set.

Input: its path. Output: the object, and the rules of a policy; or `WrongCall`.
"""

import json
from collections.abc import Mapping
from pathlib import Path

from fastgate.wrong_call import WrongCall


def document_at(path: Path) -> dict[str, object]:
    """Return the JSON object in a file. Raises `WrongCall` if it cannot be read or is none."""
    try:
        document = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise WrongCall(f"{path}: {error}") from error
    if not isinstance(document, dict):
        raise WrongCall(f"{path}: is not a JSON object")
    return document


def rules_of(document: Mapping[str, object]) -> dict[str, object]:
    """Return the `rules` of a policy; empty if it has none."""
    rules = document.get("rules", {})
    return rules if isinstance(rules, dict) else {}  # the edge refuses any other value
