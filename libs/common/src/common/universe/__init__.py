"""New Eden as the game ships it: item types, their taxonomy, and the map.

The data beside this module are a compact copy of CCP's Static Data Export (README.md there says what came from where,
and whose it is). Each export table was cut to the columns below, sorted by id, written as CSV with numbers in their
shortest form and an empty cell for "unknown", and gzipped without a time stamp: the same export gives the same bytes.

Every function reads its file anew and yields rows as it goes, ascending by id; who needs them twice keeps them.
"""

import csv
import gzip
import io
from collections.abc import Iterator
from importlib.resources import files
from typing import Final, NamedTuple

VERSION: Final = "3650286.2"
"""The build of the Static Data Export this copy was made from, and how often we cut it anew: it has stargates now."""


class ItemType(NamedTuple):
    """A published item type. Volumes are m³ (packaged_volume only where it differs), prices ISK."""

    type_id: int
    name: str
    group_id: int
    volume: float | None
    packaged_volume: float | None
    portion_size: int | None
    meta_group_id: int | None
    market_group_id: int | None
    base_price: float | None
    average_price: float | None
    adjusted_price: float | None


class Group(NamedTuple):
    """A group of item types."""

    group_id: int
    name: str
    category_id: int
    published: bool


class Category(NamedTuple):
    """A category of groups: Ship, Module, Blueprint and so on."""

    category_id: int
    name: str
    published: bool


class Region(NamedTuple):
    """A region: what the public contract list is asked by."""

    region_id: int
    name: str


class Constellation(NamedTuple):
    """A constellation of a region."""

    constellation_id: int
    name: str
    region_id: int


class System(NamedTuple):
    """A solar system; security is the exact status (-1.0 to 1.0), not the rounded one that the game shows."""

    system_id: int
    name: str
    constellation_id: int
    region_id: int
    security: float


class Stargate(NamedTuple):
    """A jump from one system to another; there is another row for the way back."""

    from_system_id: int
    to_system_id: int


class Station(NamedTuple):
    """A station of the game's own corporations; players' structures are not among them."""

    station_id: int
    name: str
    system_id: int
    region_id: int
    owner_corporation_id: int
    type_id: int


def types() -> Iterator[ItemType]:
    """All published item types."""
    for row in _rows("types"):
        yield ItemType(
            type_id=int(row[0]),
            name=row[1],
            group_id=int(row[2]),
            volume=_real(row[3]),
            packaged_volume=_real(row[4]),
            portion_size=_whole(row[5]),
            meta_group_id=_whole(row[6]),
            market_group_id=_whole(row[7]),
            base_price=_real(row[8]),
            average_price=_real(row[9]),
            adjusted_price=_real(row[10]),
        )


def groups() -> Iterator[Group]:
    """All groups, the unpublished ones too."""
    for group_id, name, category_id, published in _rows("groups"):
        yield Group(int(group_id), name, int(category_id), published == "1")


def categories() -> Iterator[Category]:
    """All categories, the unpublished ones too."""
    for category_id, name, published in _rows("categories"):
        yield Category(int(category_id), name, published == "1")


def regions() -> Iterator[Region]:
    """All regions: known space, wormholes, and the special ones."""
    for region_id, name in _rows("regions"):
        yield Region(int(region_id), name)


def constellations() -> Iterator[Constellation]:
    """All constellations."""
    for constellation_id, name, region_id in _rows("constellations"):
        yield Constellation(int(constellation_id), name, int(region_id))


def systems() -> Iterator[System]:
    """All solar systems."""
    for system_id, name, constellation_id, region_id, security in _rows("systems"):
        yield System(int(system_id), name, int(constellation_id), int(region_id), float(security))


def stargates() -> Iterator[Stargate]:
    """All jumps between systems, in both directions."""
    for from_system_id, to_system_id in _rows("stargates"):
        yield Stargate(int(from_system_id), int(to_system_id))


def stations() -> Iterator[Station]:
    """All stations of the game's own corporations."""
    for station_id, name, system_id, region_id, owner, type_id in _rows("stations"):
        yield Station(int(station_id), name, int(system_id), int(region_id), int(owner), int(type_id))


def _rows(table: str) -> Iterator[list[str]]:
    source = files(__package__) / f"{table}.csv.gz"
    with source.open("rb") as packed, gzip.open(packed) as plain, io.TextIOWrapper(plain, "utf-8", newline="") as text:
        rows = csv.reader(text)
        next(rows)
        yield from rows


def _whole(cell: str) -> int | None:
    return int(cell) if cell else None


def _real(cell: str) -> float | None:
    return float(cell) if cell else None
