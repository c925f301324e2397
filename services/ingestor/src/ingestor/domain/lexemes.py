"""By which lexemes a contract is found, as `common/words.py` says: a text of them, in which one may stand twice."""

from collections.abc import Iterable, Sequence
from datetime import date
from functools import lru_cache

from common.words import ABOUT, issued_on, whole, words_of


def of_listing(title: str | None, names: Iterable[str], issued: date | None = None) -> str:
    """What a region's list tells: a title, names of places and issuers, and the day, in UTC, on which it was issued."""
    about = [ABOUT + word for word in words_of(title)] if title else []
    return " ".join(filter(None, [*about, of_names(names), issued_on(issued) if issued else None]))


def of_names(names: Iterable[str]) -> str:
    """What names tell of places, issuers, and items that it is not about."""
    return " ".join(filter(None, map(_plain, names)))


def of_items(names: Sequence[str]) -> str:
    """What its items tell, by their names; it is about the first."""
    return " ".join(filter(None, [*map(_about, names[:1]), of_names(names[1:])]))


# The market speaks of few names, again and again.
@lru_cache(maxsize=4096)
def _plain(name: str) -> str:
    return " ".join(words_of(name))


@lru_cache(maxsize=4096)
def _about(name: str) -> str:
    words = words_of(name)
    return " ".join([whole(words), *(ABOUT + word for word in words)]) if words else ""
