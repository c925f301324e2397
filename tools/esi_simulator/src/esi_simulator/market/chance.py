"""Where the market's luck comes from: seeded, reproducible, independent of what was asked before."""

from collections.abc import Sequence
from random import Random
from typing import TypeVar

T = TypeVar("T")


def dice(seed: int, *key: int) -> Random:
    """A generator of its own for one thing of the market; the same seed and key always throw the same numbers."""
    mixed = seed
    for part in key:
        mixed = (mixed << 64) | (part & 0xFFFF_FFFF_FFFF_FFFF)
    return Random(mixed)  # noqa: S311 - a game's luck, no secret


def fraction(number: int, step: float, offset: float) -> float:
    """The number-th member of a Weyl sequence in [0, 1).

    Such a sequence fills the interval evenly from any start, so shares of the market stay what they should be without
    counting anybody.
    """
    return (number * step + offset) % 1.0


def one_of(rng: Random, choices: Sequence[T]) -> T:
    """Any of the choices; thrice as fast as Random.choice, which every line of every contract would feel."""
    return choices[int(len(choices) * rng.random())]


def popular(rng: Random, choices: Sequence[T]) -> T:
    """One of the choices, the first ones more often: a market trades few things much and many things seldom."""
    return choices[int(len(choices) * rng.random() ** 2)]
