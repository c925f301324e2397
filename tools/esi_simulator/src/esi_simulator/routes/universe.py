from collections.abc import Iterable
from hashlib import sha224
from typing import Any, Final

from esi_simulator.atlas import Atlas
from esi_simulator.clock import SimulatedClock
from esi_simulator.downtime import DAY, UP_AGAIN, last_downtime
from esi_simulator.errors import no_such_page, not_found
from esi_simulator.exchange import Document, Reply, Request, to_json
from esi_simulator.lists import USUAL_SIZE

NOWHERE: Final = {"x": 0.0, "y": 0.0, "z": 0.0}
"""Positions are not in the compact universe."""


class UniverseRoutes:
    """The static routes: published anew at each downtime, with weak ETags that change even if nothing else did."""

    def __init__(self, atlas: Atlas, clock: SimulatedClock) -> None:
        self._atlas = atlas
        self._clock = clock

    def regions(self, request: Request) -> Reply:
        return self._static(request, list(self._atlas.regions))

    def region(self, request: Request, region_id: int) -> Reply:
        region = self._atlas.regions.get(region_id)
        if region is None:
            raise not_found("Region")
        constellations = self._atlas.constellations_of.get(region_id, [])
        return self._static(request, {**region._asdict(), "constellations": constellations})

    def constellations(self, request: Request) -> Reply:
        return self._static(request, list(self._atlas.constellations))

    def constellation(self, request: Request, constellation_id: int) -> Reply:
        constellation = self._atlas.constellations.get(constellation_id)
        if constellation is None:
            raise not_found("Constellation")
        systems = self._atlas.systems_of.get(constellation_id, [])
        return self._static(request, {**constellation._asdict(), "position": NOWHERE, "systems": systems})

    def systems(self, request: Request) -> Reply:
        return self._static(request, list(self._atlas.systems))

    def system(self, request: Request, system_id: int) -> Reply:
        system = self._atlas.systems.get(system_id)
        if system is None:
            raise not_found("Solar system")
        row: dict[str, Any] = {
            "constellation_id": system.constellation_id,
            "name": system.name,
            "position": NOWHERE,
            "security_status": system.security,
            "system_id": system_id,
        }
        stations = self._atlas.stations_of.get(system_id)
        return self._static(request, row | {"stations": stations} if stations else row)

    def station(self, request: Request, station_id: int) -> Reply:
        station = self._atlas.stations.get(station_id)
        if station is None:
            raise not_found("Station")
        row = {
            "max_dockable_ship_volume": 50_000_000.0,
            "name": station.name,
            "office_rental_cost": 10_000.0,
            "owner": station.owner_corporation_id,
            "position": NOWHERE,
            "reprocessing_efficiency": 0.5,
            "reprocessing_stations_take": 0.05,
            "services": ["market", "repair-facilities", "fitting", "insurance", "docking", "office-rental"],
            "station_id": station_id,
            "system_id": station.system_id,
            "type_id": station.type_id,
        }
        return self._static(request, row)

    def types(self, request: Request) -> Reply:
        return self._paged(request, list(self._atlas.types))

    def type(self, request: Request, type_id: int) -> Reply:
        item = self._atlas.types.get(type_id)
        if item is None:
            raise not_found("Type")
        packaged = item.volume if item.packaged_volume is None else item.packaged_volume
        row: dict[str, Any] = {
            "description": "",
            "group_id": item.group_id,
            "market_group_id": item.market_group_id,
            "name": item.name,
            "packaged_volume": packaged,
            "portion_size": item.portion_size,
            "published": True,
            "type_id": type_id,
            "volume": item.volume,
        }
        return self._static(request, _without_absent(row.items()))

    def groups(self, request: Request) -> Reply:
        return self._paged(request, list(self._atlas.groups))

    def group(self, request: Request, group_id: int) -> Reply:
        group = self._atlas.groups.get(group_id)
        if group is None:
            raise not_found("Group")
        return self._static(request, {**group._asdict(), "types": self._atlas.types_of.get(group_id, [])})

    def categories(self, request: Request) -> Reply:
        return self._static(request, list(self._atlas.categories))

    def category(self, request: Request, category_id: int) -> Reply:
        category = self._atlas.categories.get(category_id)
        if category is None:
            raise not_found("Category")
        return self._static(request, {**category._asdict(), "groups": self._atlas.groups_of.get(category_id, [])})

    def _paged(self, request: Request, ids: list[int]) -> Reply:
        number = request.page()
        pages = -(-len(ids) // USUAL_SIZE)
        if number > pages:
            raise no_such_page()
        return self._static(request, ids[(number - 1) * USUAL_SIZE : number * USUAL_SIZE], pages)

    def _static(self, request: Request, content: Any, pages: int | None = None) -> Reply:
        return static_reply(request, content, self._clock.now(), pages)


def static_reply(request: Request, content: Any, now: float, pages: int | None = None) -> Reply:
    """What is published anew at each downtime, with a weak ETag that changes then even if nothing else did."""
    over = last_downtime(now)
    version = sha224(f"{over} {request.target}".encode(), usedforsecurity=False).hexdigest()
    document = Document(to_json(content), b'W/"%s"' % version.encode())
    return Reply(200, document, over - UP_AGAIN, over + DAY, pages)


def _without_absent(fields: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    return {name: content for name, content in fields if content is not None}
