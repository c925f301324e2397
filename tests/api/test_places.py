from datetime import timedelta
from typing import Any

import pytest

from api.schemas.places import SolarSystemDetail, SolarSystems, Stations
from support.market_rows import DOMAIN, JITA_STATION, NOW, THE_FORGE, MarketRows
from support.served_api import ServedApi

SYSTEMS, STATIONS = "/api/v1/systems", "/api/v1/stations"
JITA = 30000142
PLACE = {"system_id": JITA, "start_location_id": JITA_STATION, "security": "high"}


async def systems(api: ServedApi, **params: Any) -> SolarSystems:
    reply = await api.get(SYSTEMS, params=params)
    assert reply.status == 200, reply.body
    return SolarSystems.model_validate_json(reply.body, extra="forbid")


async def stations(api: ServedApi, **params: Any) -> Stations:
    reply = await api.get(STATIONS, params=params)
    assert reply.status == 200, reply.body
    return Stations.model_validate_json(reply.body, extra="forbid")


@pytest.fixture
async def market(rows: MarketRows) -> MarketRows:
    """Two live contracts in Jita, and two that are not."""
    await rows.coverage()
    await rows.contract(1, **PLACE)
    await rows.contract(2, **PLACE)
    await rows.contract(3, **PLACE, delisted_at=NOW)
    await rows.contract(4, **PLACE, date_expired=NOW - timedelta(seconds=1))
    return rows


@pytest.mark.usefixtures("market")
async def test_a_place_is_found_by_the_beginnings_of_words_the_best_first(api: ServedApi) -> None:
    jita = (await systems(api, q="jit")).items[0]
    station = (await stations(api, q="navy moon 4 jita")).items[0]

    assert (jita.name, jita.region_name, jita.security, jita.live) == ("Jita", "The Forge", "high", 2)
    assert (station.station_id, station.system_name, station.live) == (JITA_STATION, "Jita", 2)
    assert "Kor-Azor Prime" in [each.name for each in (await systems(api, q="azor")).items]
    assert "Jita" not in [each.name for each in (await systems(api, q="ita")).items]


@pytest.mark.usefixtures("market")
async def test_a_system_shows_what_is_in_it_and_around_it(api: ServedApi, rows: MarketRows) -> None:
    await rows.execute("DELETE FROM stargates WHERE from_system_id = :jita", jita=JITA)
    await rows.execute("INSERT INTO stargates VALUES (:jita, 30000144)", jita=JITA)

    reply = await api.get(f"{SYSTEMS}/{JITA}")
    jita = SolarSystemDetail.model_validate_json(reply.body, extra="forbid")
    missing, wrong = await api.get(f"{SYSTEMS}/5"), await api.get(f"{SYSTEMS}/{2**63}")

    assert (jita.live, {station.station_id: station.live for station in jita.stations}[JITA_STATION]) == (2, 2)
    assert [neighbour.name for neighbour in jita.neighbours] == ["Perimeter"]
    assert (missing.status, wrong.status, wrong.wrong_fields) == (404, 422, ["system_id"])


async def test_each_filter_keeps_what_it_says(api: ServedApi) -> None:
    forge = (await systems(api, region_id=THE_FORGE, limit=500)).items
    low = (await systems(api, region_id=[THE_FORGE, DOMAIN], security="low", limit=500)).items
    here = (await stations(api, system_id=JITA)).items
    wormholes = (await stations(api, security="wormhole")).items

    assert {each.region_id for each in forge} == {THE_FORGE}
    assert 0 < len(low) < len(forge)
    assert {(each.security, each.security_status < 0.45) for each in low} == {("low", True)}
    assert {each.system_id for each in here} == {JITA}
    assert {each.system_name for each in wormholes} == {"Thera"}


@pytest.mark.parametrize(("path", "params"), [(SYSTEMS, {}), (SYSTEMS, {"q": "a"}), (STATIONS, {"q": "moon"})])
async def test_pages_hold_every_place_once(api: ServedApi, rows: MarketRows, path: str, params: dict[str, Any]) -> None:
    pages = await api.pages(path, limit=500, **params)

    key = "system_id" if path == SYSTEMS else "station_id"
    found = [place[key] for page in pages for place in page]
    assert len(found) == len(set(found)) > 500
    if not params:
        counted = await rows.execute("SELECT count(*) FROM systems")
        assert (found, len(found)) == (sorted(found), counted[0][0])


@pytest.mark.parametrize("path", [SYSTEMS, STATIONS])
async def test_what_makes_no_sense_of_places_is_refused(api: ServedApi, path: str) -> None:
    wrong: list[dict[str, Any]] = [{"q": "%"}, {"q": "\u0000"}, {"security": "safe"}, {"cursor": "x"}, {"limit": 501}]

    replies = [await api.get(path, params=params) for params in wrong]

    assert [(reply.status, [name.split(".")[0] for name in reply.wrong_fields]) for reply in replies] == [
        (422, [*params]) for params in wrong
    ]
