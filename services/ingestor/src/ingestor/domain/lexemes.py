"""By which lexemes a contract is found, as `common/words.py` says."""

from collections.abc import Iterable, Sequence
from functools import lru_cache

from common.words import ABOUT, ISSUER, whole, words_of

_words_of_name = lru_cache(maxsize=4096)(words_of)
"""The market's few names, again and again."""


def of_listing(title: str | None, places: Iterable[str], issuers: Iterable[int]) -> set[str]:
    """What a region's list tells: a title, names of places and ids of issuers."""
    return {
        *(ABOUT + word for word in words_of(title or "")),
        *(word for place in places for word in _words_of_name(place)),
        *(f"{ISSUER}{issuer}" for issuer in issuers),
    }


def of_items(names: Sequence[str]) -> set[str]:
    """What its items tell, by their names; it is about the first."""
    if not names:
        return set()
    about = _words_of_name(names[0])
    return {
        *(ABOUT + word for word in about),
        *([whole(about)] if about else []),
        *(word for name in names[1:] for word in _words_of_name(name)),
    }
