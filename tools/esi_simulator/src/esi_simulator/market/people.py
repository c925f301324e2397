"""Who issues contracts, and what everybody is called."""

from collections.abc import Sequence
from random import Random
from typing import Final, NamedTuple

from esi_simulator.market.chance import dice, one_of, popular

_FIRST: Final = (
    "Ka",
    "Ve",
    "Tor",
    "Is",
    "Mi",
    "Ran",
    "Oku",
    "Sel",
    "Dra",
    "Eno",
    "Jin",
    "Ul",
    "Bex",
    "Hal",
    "Yna",
    "Cor",
)
_SECOND: Final = (
    "ra",
    "lin",
    "dan",
    "mo",
    "shi",
    "vek",
    "tha",
    "nor",
    "ia",
    "gar",
    "lo",
    "xis",
    "mir",
    "ko",
    "bel",
    "zu",
)
_TRADES: Final = ("Industries", "Trading", "Holdings", "Logistics", "Salvage", "Shipyards", "Syndicate", "Research")


class Issuer(NamedTuple):
    """A character and the corporation it is in."""

    character_id: int
    corporation_id: int


def issuers(seed: int, region_id: int, size: int) -> Sequence[Issuer]:
    """The traders of a region: one for each three contracts, as recorded; a few of them issue the most."""
    rng = dice(seed, region_id, 1)
    return tuple(_issuer(rng) for _ in range(max(5, size // 3)))


def issuer(rng: Random, traders: Sequence[Issuer]) -> Issuer:
    return popular(rng, traders)


def character_name(character_id: int) -> str:
    """The same name for the same id, in every market."""
    rng = dice(character_id)
    return f"{_word(rng)} {_word(rng)}"


def corporation_name(corporation_id: int) -> str:
    """The same name for the same id, in every market."""
    rng = dice(corporation_id)
    return f"{_word(rng)} {one_of(rng, _TRADES)}"


def alliance_name(alliance_id: int) -> str:
    """The same name for the same id, in every market."""
    return f"{_word(dice(alliance_id))} Coalition"


def any_character(rng: Random) -> int:
    """A character of the older or of the newer range of ids."""
    return one_of(rng, (rng.randint(90_000_000, 97_999_999), rng.randint(2_112_000_000, 2_123_999_999)))


def _issuer(rng: Random) -> Issuer:
    character = any_character(rng)
    at_start = rng.random() < 0.1  # noqa: PLR2004 - stayed in the corporation where characters begin
    return Issuer(character, rng.randint(1_000_165, 1_000_172) if at_start else rng.randint(98_000_000, 98_799_999))


def _word(rng: Random) -> str:
    return one_of(rng, _FIRST) + "".join(one_of(rng, _SECOND) for _ in range(one_of(rng, (1, 1, 2))))
