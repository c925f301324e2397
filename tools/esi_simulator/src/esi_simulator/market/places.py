"""Where contracts are: mostly at a region's trade hub, some at its other stations, a few in players' structures."""

from collections.abc import Iterable, Sequence
from random import Random
from typing import Final, NamedTuple

from common.universe import Station
from esi_simulator.market.chance import dice, popular

THE_FORGE: Final = 10000002
DOMAIN: Final = 10000043

HUBS: Final = {
    THE_FORGE: 60003760,  # Jita IV - Moon 4
    DOMAIN: 60008494,  # Amarr VIII
    10000032: 60011866,  # Dodixie IX - Moon 20
    10000030: 60004588,  # Rens VI - Moon 8
    10000042: 60005686,  # Hek VIII - Moon 12
}
"""The regions with a market, and the station where most of it happens."""


class Places(NamedTuple):
    """The locations of one region."""

    hub: int
    stations: tuple[int, ...]
    structures: tuple[int, ...]


def places(seed: int, stations: Iterable[Station]) -> dict[int, Places]:
    """The locations of each region that has a market."""
    found: dict[int, list[int]] = {region_id: [] for region_id in HUBS}
    for station in stations:
        if station.region_id in found:
            found[station.region_id].append(station.station_id)
    return {region_id: _places(seed, region_id, ids) for region_id, ids in found.items()}


def location(rng: Random, region: Places) -> int:
    """80 % the hub, 3 % a structure: the proportions that were recorded."""
    throw = rng.random()
    if throw < 0.80:  # noqa: PLR2004 - see above
        return region.hub
    return popular(rng, region.structures if throw > 0.97 else region.stations)  # noqa: PLR2004 - see above


def _places(seed: int, region_id: int, stations: Sequence[int]) -> Places:
    rng = dice(seed, region_id, 2)
    shuffled = rng.sample(stations, len(stations))
    structures = tuple(rng.randint(1_020_000_000_000, 1_049_999_999_999) for _ in range(12))
    return Places(HUBS[region_id], tuple(shuffled), structures)
