"""What can be traded: item types sorted into the pools that contracts draw from, each with a plausible value."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, NamedTuple

from common.universe import Group, ItemType

SHIP: Final = 6
MODULE: Final = 7
CHARGE: Final = 8
BLUEPRINT: Final = 9
SKILL: Final = 16
DRONE: Final = 18
IMPLANT: Final = 20
APPAREL: Final = 30
SKIN: Final = 91
MATERIALS: Final = frozenset({4, 25, 42, 43})

ABYSSAL: Final = 15
"""A meta group."""
MUTAPLASMIDS: Final = 1964
"""A group that carries the abyssal meta group and yet holds nothing abyssal."""

SERVICES: Final = frozenset({40519, 40520, 44992})
"""Skill extractors, large skill injectors and PLEX: traded all day."""

USUAL_VALUE: Final = {SHIP: 40e6, MODULE: 2e6, CHARGE: 5e3, BLUEPRINT: 15e6, SKIN: 60e6, APPAREL: 25e6, IMPLANT: 30e6}
"""ISK, for types without a recorded price."""


class Ware(NamedTuple):
    """A type as traders see it: m³ packaged and ISK, each for one unit."""

    type_id: int
    name: str
    volume: float
    value: float


@dataclass(frozen=True)
class Catalogue:
    """The pools. Those that are empty in a cut-down universe make the kinds of contracts that need them fail loudly."""

    blueprints: tuple[Ware, ...]
    formulas: tuple[Ware, ...]
    ships: tuple[Ware, ...]
    modules: tuple[Ware, ...]
    charges: tuple[Ware, ...]
    drones: tuple[Ware, ...]
    implants: tuple[Ware, ...]
    skills: tuple[Ware, ...]
    looks: tuple[Ware, ...]
    materials: tuple[Ware, ...]
    abyssals: tuple[Ware, ...]
    services: tuple[Ware, ...]


def catalogue(types: Iterable[ItemType], groups: Iterable[Group]) -> Catalogue:
    """Sort the universe's types into pools, older types first: they are traded the most."""
    category_of = {group.group_id: group.category_id for group in groups}
    pools: dict[str, list[Ware]] = {name: [] for name in Catalogue.__dataclass_fields__}
    for item in types:
        category = category_of[item.group_id]
        pool = _pool(item, category)
        if pool:
            pools[pool].append(_ware(item, category))
    return Catalogue(**{name: tuple(wares) for name, wares in pools.items()})


_POOL_OF: Final = {
    SHIP: "ships",
    MODULE: "modules",
    CHARGE: "charges",
    DRONE: "drones",
    IMPLANT: "implants",
    SKILL: "skills",
    SKIN: "looks",
    APPAREL: "looks",
} | dict.fromkeys(MATERIALS, "materials")


def _pool(item: ItemType, category: int) -> str | None:
    if item.type_id in SERVICES:
        return "services"
    if item.meta_group_id == ABYSSAL:
        return None if item.group_id == MUTAPLASMIDS else "abyssals"
    if category == BLUEPRINT:
        return "blueprints" if item.name.endswith("Blueprint") else "formulas"
    return _POOL_OF.get(category)


def _ware(item: ItemType, category: int) -> Ware:
    volume = item.packaged_volume or item.volume or 0.01
    value = item.average_price or item.base_price or item.adjusted_price or USUAL_VALUE.get(category, 1e6)
    return Ware(item.type_id, item.name, volume, value)
