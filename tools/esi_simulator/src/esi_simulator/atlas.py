"""The static universe, indexed by what the routes ask for."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from common import universe
from common.universe import Category, Constellation, Group, ItemType, Region, Station, System


@dataclass(frozen=True)
class Atlas:
    """Everything by its id, and who belongs to whom."""

    types: dict[int, ItemType]
    groups: dict[int, Group]
    categories: dict[int, Category]
    regions: dict[int, Region]
    constellations: dict[int, Constellation]
    systems: dict[int, System]
    stations: dict[int, Station]
    types_of: dict[int, list[int]]
    groups_of: dict[int, list[int]]
    constellations_of: dict[int, list[int]]
    systems_of: dict[int, list[int]]
    stations_of: dict[int, list[int]]


def read_atlas() -> Atlas:
    """Read all of it, once."""
    types = {one.type_id: one for one in universe.types()}
    groups = {one.group_id: one for one in universe.groups()}
    constellations = {one.constellation_id: one for one in universe.constellations()}
    systems = {one.system_id: one for one in universe.systems()}
    stations = {one.station_id: one for one in universe.stations()}
    return Atlas(
        types=types,
        groups=groups,
        categories={one.category_id: one for one in universe.categories()},
        regions={one.region_id: one for one in universe.regions()},
        constellations=constellations,
        systems=systems,
        stations=stations,
        types_of=_members((one.group_id, one.type_id) for one in types.values()),
        groups_of=_members((one.category_id, one.group_id) for one in groups.values()),
        constellations_of=_members((one.region_id, one.constellation_id) for one in constellations.values()),
        systems_of=_members((one.constellation_id, one.system_id) for one in systems.values()),
        stations_of=_members((one.system_id, one.station_id) for one in stations.values()),
    )


def _members(pairs: Iterable[tuple[int, int]]) -> dict[int, list[int]]:
    members: defaultdict[int, list[int]] = defaultdict(list)
    for owner, member in pairs:
        members[owner].append(member)
    return dict(members)
