"""The words of an audience, and what is nearly one of them.

Input: an entry of `EdgeCache(audience=…)`. Output: the word that its author probably meant. Any
other text is the name of a claim, so a slip would silently declare a claim that no token has.
"""

import re
from difflib import SequenceMatcher

FACTS = ("tenant", "roles", "groups", "caller")
"""The entries of an audience that are not claims."""

_PUBLIC = "public"
_MEANT = {"sub": "caller", "subject": "caller"}
"""Names of the caller elsewhere: in tokens, and in `Identity`."""
_NOT_A_LETTER = re.compile(r"[\W_]")
_LEAST_RATIO = 0.8
"""The least similarity: one other letter in five, or an additional one."""


def meant_word(text: str) -> str | None:
    """Return the word that a text resembles; None for a word itself, and for other texts."""
    if text in (*FACTS, _PUBLIC):
        return None
    folded = _NOT_A_LETTER.sub("", text).casefold()
    if folded in _MEANT:
        return _MEANT[folded]
    for word in (*FACTS, _PUBLIC):
        is_as_long = abs(len(folded) - len(word)) <= 1
        if is_as_long and SequenceMatcher(None, word, folded).ratio() >= _LEAST_RATIO:
            return word
    return None
