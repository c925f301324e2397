"""Words that nobody writes are taken for the nearest that New Eden knows."""

from itertools import chain
from typing import Any, Final

LETTERS: Final = "abcdefghijklmnopqrstuvwxyz0123456789"
SHORTEST: Final = 3
"""A shorter word has too many near it."""
LONG: Final = 6
"""In words of so many letters two mistakes are forgiven, if the first letter is right."""
MOST_MEANT: Final = 5

NAMED = "/* spelling.named */ SELECT word FROM words WHERE is_named AND word = ANY($1::text[])"
ALIKE = """
/* spelling.alike */
SELECT word FROM words WHERE is_named AND word >= $1 AND word < $2 AND length(word) BETWEEN $3 AND $4
"""


async def nearest(connection: Any, word: str) -> list[str]:
    """The words of New Eden that are the fewest mistakes away from `word`, at most two; the likeliest first.

    A mistake is a letter too many, too few, another one, or two that changed places.
    """
    if len(word) < SHORTEST or word.isdigit():
        return []
    found = [row["word"] for row in await connection.fetch(NAMED, list(one_mistake_away(word)))]
    if not found and len(word) >= LONG:
        first, length = word[0], len(word)
        alike = await connection.fetch(ALIKE, first, first + "\U0010ffff", length - 2, length + 2)
        found = [row["word"] for row in alike if is_two_mistakes_away(word, row["word"])]
    return sorted(found, key=lambda other: (other[0] != word[0], abs(len(other) - len(word)), other))[:MOST_MEANT]


def one_mistake_away(word: str) -> set[str]:
    """Everything that `word` may have been before one mistake was made."""
    cuts = [(word[:place], word[place:]) for place in range(len(word) + 1)]
    fewer = (left + right[1:] for left, right in cuts if right)
    swapped = (left + right[1] + right[0] + right[2:] for left, right in cuts if len(right) > 1)
    others = (left + letter + right[1:] for left, right in cuts if right for letter in LETTERS)
    more = (left + letter + right for left, right in cuts for letter in LETTERS)
    return set(chain(fewer, swapped, others, more)) - {word, ""}


def is_two_mistakes_away(word: str, other: str) -> bool:
    """Whether at most two mistakes lie between them."""
    if len(set(word) ^ set(other)) > 4:  # noqa: PLR2004 - each mistake brings a letter and takes one
        return False
    return _mistakes(word, other) <= 2  # noqa: PLR2004


def _mistakes(word: str, other: str) -> int:
    """Damerau and Levenshtein's distance, in which no letter is mistaken twice."""
    before: list[int] = []
    above = list(range(len(other) + 1))
    for row, letter in enumerate(word, start=1):
        current = [row]
        for column, its in enumerate(other, start=1):
            least = min(above[column] + 1, current[column - 1] + 1, above[column - 1] + (letter != its))
            if row > 1 and column > 1 and letter == other[column - 2] and word[row - 2] == its:
                least = min(least, before[column - 2] + 1)
            current.append(least)
        before, above = above, current
    return above[-1]
