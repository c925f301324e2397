from collections.abc import Callable
from datetime import datetime
from typing import Any

from esi_simulator.market.recorded import RECORDED_AT, recorded_rows
from support.simulated_esi import SimulatedEsi, SimulatorInProcess

DOMAIN = 10000043


def served(esi: SimulatedEsi) -> dict[int, dict[str, Any]]:
    pages = [esi.get(f"/contracts/public/{DOMAIN}?page={page}").content for page in (1, 2)]
    return {row["contract_id"]: row for page in pages for row in page}


def test_the_recording_holds_a_thousand_contracts_as_esi_sent_them() -> None:
    rows = list(recorded_rows())

    assert len(rows) == 1000
    assert rows[0] == {
        "contract_id": 157834735,
        "type": "item_exchange",
        "date_issued": "2020-05-20T21:36:41Z",
        "date_expired": "2020-06-17T21:36:41Z",
        "issuer_id": 1314102096,
        "issuer_corporation_id": 897372069,
        "for_corporation": True,
        "start_location_id": 60008494,
        "end_location_id": 60008494,
        "price": 1250000000.0,
        "reward": 0.0,
        "collateral": 0.0,
        "volume": 100.0,
        "days_to_complete": 0,
        "title": "Apostle Me10/Te16 Complete Bpc 10 Pack",
    }


def test_every_field_but_the_dates_is_served_as_recorded(untouched_esi: SimulatedEsi) -> None:
    live = served(untouched_esi)
    dates = {"date_issued", "date_expired"}

    for row in recorded_rows():
        now = live[row["contract_id"]]
        assert {name: now[name] for name in now.keys() - dates} == {name: row[name] for name in row.keys() - dates}


def test_all_dates_are_moved_by_the_same_whole_days(untouched_esi: SimulatedEsi) -> None:
    live = served(untouched_esi)
    moves = {
        datetime.fromisoformat(live[row["contract_id"]][name]) - datetime.fromisoformat(row[name])
        for row in recorded_rows()
        for name in ("date_issued", "date_expired")
        if row["type"] != "auction" or name == "date_issued"  # the end of an auction is written anew by every page
    }

    assert len(moves) == 1
    moved = moves.pop()
    start = datetime.fromisoformat("2026-11-01T12:00:00Z")
    assert moved.seconds == 0
    assert 0 <= (RECORDED_AT + moved - start).total_seconds() < 86_400


def test_recorded_contracts_hold_items_too(untouched_esi: SimulatedEsi) -> None:
    rows = list(recorded_rows())
    exchange = next(row for row in rows if row["type"] == "item_exchange")
    courier = next(row for row in rows if row["type"] == "courier")

    assert untouched_esi.get(f"/contracts/public/items/{exchange['contract_id']}").content
    assert untouched_esi.get(f"/contracts/public/items/{courier['contract_id']}").status == 204


async def test_the_recorded_auctions_end_as_recorded_at_the_recordings_instant(
    simulated: Callable[..., SimulatorInProcess],
) -> None:
    """The nine real auctions: Last-Modified 20:53:59, ends at 22:53:59 and 15 days after 20:53:59."""
    esi = simulated(esi_sim_recorded=True, esi_sim_page_size=1000)
    await esi.control("clock", set="2026-11-01T20:53:59Z")
    rows = (await esi.get(f"/contracts/public/{DOMAIN}")).content

    served = {row["contract_id"]: row["date_expired"] for row in rows if row["type"] == "auction"}
    recorded = [row for row in recorded_rows() if row["type"] == "auction"]
    moved = datetime.fromisoformat("2026-11-01T20:53:59Z") - RECORDED_AT
    assert len(recorded) == 9
    assert [datetime.fromisoformat(served[row["contract_id"]]) for row in recorded] == [
        datetime.fromisoformat(row["date_expired"]) + moved for row in recorded
    ]
