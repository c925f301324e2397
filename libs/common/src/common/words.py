"""What a text is searched by: its words, alike for whoever stores a text and for whoever asks for it.

What a contract is found by stands as lexemes in `contract_words.words`:

| lexeme | it is |
|---|---|
| `=drake` | a word of what the contract is about: its title, and what it offers first |
| `#raven_navy_issue` | all of the name of what it offers first |
| `@739215` | the day on which it was issued, by its number in Python's calendar |
| `jita` | a word of the other items, of where it starts or is carried to, or of its issuer or their corporation |
"""

import re
import unicodedata
from collections.abc import Iterable
from datetime import date
from typing import Final

ABOUT: Final = "="
WHOLE: Final = "#"
ISSUED: Final = "@"

LONGEST_WORD: Final = 40
"""What a word has beyond that tells it from no other that people write."""

_IDEOGRAPHS = "\u3041-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
"""Scripts that put no space between words: each of their characters is one."""
_WORD = re.compile(f"[{_IDEOGRAPHS}]|[^\\W_{_IDEOGRAPHS}]+")
_APOSTROPHES = re.compile(r"(?<=\w)['\u2019`](?=\w)")


def words_of(text: str) -> list[str]:
    """The words of `text` in their order, in small letters without accents; `Kaikka's` is one word."""
    letters = text.casefold() if text.isascii() else _bare(text)
    return [word[:LONGEST_WORD] for word in _WORD.findall(_APOSTROPHES.sub("", letters))]


def _bare(text: str) -> str:
    plain = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", text).casefold())
    return "".join(letter for letter in plain if not unicodedata.category(letter).startswith("M"))


def whole(words: Iterable[str]) -> str:
    """The lexeme of a name that is made of `words`."""
    return WHOLE + "_".join(words)


def issued_on(day: date) -> str:
    """The lexeme of what was issued on that day, in UTC."""
    return f"{ISSUED}{day.toordinal()}"
