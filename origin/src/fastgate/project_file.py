"""Read `pyproject.toml`.

Input: its path. Output: one of its tables; or `WrongCall`, which says what is wrong with the file.
"""

import tomllib
from pathlib import Path

from fastgate.wrong_call import WrongCall

NAME = "pyproject.toml"


def project_table(file: Path, *names: str) -> dict[str, object]:
    """Return the table `[a.b]` of a file for the names `a` and `b`; empty if it has none.

    Raises:
        WrongCall: the file cannot be read, is not TOML, or has something else in that place.

    """
    try:
        found: object = tomllib.loads(file.read_bytes().decode("utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise WrongCall(f"{file}: {error}: correct the file") from error
    place = ""
    for name in names:
        found = found.get(name, {}) if isinstance(found, dict) else {}
        place = f"{place}.{name}" if place else name
        if not isinstance(found, dict):
            raise WrongCall(f"{file}: {place} is not a table: write [{place}]")
    return found if isinstance(found, dict) else {}
