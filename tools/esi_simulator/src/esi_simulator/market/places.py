"""Where contracts are: mostly at a region's trade hub, some at its other stations, a few in players' structures."""

from collections.abc import Iterable, Mapping, Sequence
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


def places(seed: int, stations: Mapping[int, Iterable[Station]], regions: Iterable[int]) -> dict[int, Places]:
    """The locations of each of these regions; `stations` are by region."""
    return {
        region_id: _places(seed, region_id, [station.station_id for station in stations.get(region_id, ())])
        for region_id in regions
    }


def location(rng: Random, region: Places) -> int:
    """80 % the hub, 3 % a structure: the proportions that were recorded."""
    throw = rng.random()
    if throw < 0.80:  # noqa: PLR2004 - see above
        return region.hub
    return popular(rng, region.structures if throw > 0.97 else region.stations)  # noqa: PLR2004 - see above


def _places(seed: int, region_id: int, stations: Sequence[int]) -> Places:
    """A region without stations, as wormholes are, has its market in players' structures."""
    rng = dice(seed, region_id, 2)
    shuffled = tuple(rng.sample(stations, len(stations)))
    structures = tuple(rng.randint(1_020_000_000_000, 1_049_999_999_999) for _ in range(12))
    hub = HUBS.get(region_id) or (shuffled or structures)[0]
    return Places(hub, shuffled if len(shuffled) > 1 else (*shuffled, *structures), structures)
