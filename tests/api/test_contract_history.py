"""What happened to a contract, however it came to be known."""

import json
from datetime import datetime, timedelta
from typing import Any

from api.schemas.contract_detail import ContractHistory
from support.market_rows import NOW, MarketRows
from support.served_api import ServedApi

HOUR = timedelta(hours=1)


async def happened(api: ServedApi, contract_id: int = 1) -> list[tuple[str, dict[str, Any]]]:
    reply = await api.get(f"/api/v1/contracts/{contract_id}/history")
    assert reply.status == 200, reply.body
    history = ContractHistory.model_validate_json(reply.body, extra="forbid")
    assert history.items == sorted(history.items, key=lambda each: each.at)
    return [(each.event, each.details) for each in history.items]


async def change(rows: MarketRows, at: datetime, kind: str, **details: Any) -> None:
    told = {"contract_id": 1, "region_id": 10000002, **details}
    await rows.execute(
        "INSERT INTO contract_changes VALUES (1, :at, :change, CAST(:details AS jsonb))",
        at=at,
        change=kind,
        details=json.dumps(told),
    )


async def test_a_life_is_told_from_the_first_sighting_to_what_became_of_it(api: ServedApi, rows: MarketRows) -> None:
    await rows.contract(
        1, type="auction", listed_at=NOW - 9 * HOUR, date_expired=NOW - 3 * HOUR, delisted_at=NOW - 2 * HOUR
    )
    await rows.execute("INSERT INTO bids VALUES (1, 7, 120, :at)", at=NOW - 8 * HOUR)
    await change(rows, NOW - 7 * HOUR, "changed", price=5, buyout=None, title="Cheap")
    await change(rows, NOW - 6 * HOUR, "delisted", outcome="unknown", generation="2026-11-22T07:20:03Z")
    await change(rows, NOW - 5 * HOUR, "relisted", relisted=True)
    await change(rows, NOW - 2 * HOUR, "delisted", outcome="unknown")
    await change(rows, NOW - HOUR, "outcome", outcome="accepted")

    assert await happened(api) == [
        ("listed", {"region_id": 10000002}),
        ("bid", {"bid_id": 7, "amount": 120}),
        ("changed", {"price": 5, "title": "Cheap"}),
        ("delisted", {"outcome": "unknown", "generation": "2026-11-22T07:20:03Z"}),
        ("relisted", {"relisted": True}),
        ("expired", {}),
        ("delisted", {"outcome": "unknown"}),
        ("outcome", {"outcome": "accepted"}),
    ]


async def test_the_reading_of_its_items_is_told_with_what_it_was_found_to_be(api: ServedApi, rows: MarketRows) -> None:
    held = {"label": "Rifter", "composition": "single", "contains_ship": True, "items_offered": 1, "items_requested": 0}
    await rows.contract(1, listed_at=NOW - 9 * HOUR, items_read_at=NOW - 9 * HOUR, **held)
    await rows.contract(2, listed_at=NOW - 9 * HOUR, **held)

    assert await happened(api) == [("listed", {"region_id": 10000002}), ("enriched", held)]
    assert await happened(api, 2) == [("listed", {"region_id": 10000002})]
    shown = [(await api.get(f"/api/v1/contracts/{contract_id}")).content["items_read_at"] for contract_id in (1, 2)]
    assert shown == [(NOW - 9 * HOUR).isoformat(), None]


async def test_what_vanished_before_changes_were_kept_is_told_by_the_contract_itself(
    api: ServedApi, rows: MarketRows
) -> None:
    await rows.contract(1, listed_at=NOW - 9 * HOUR, delisted_at=NOW - HOUR, outcome="withdrawn")
    await rows.contract(2, listed_at=NOW - 9 * HOUR)
    await change(rows, NOW - 6 * HOUR, "delisted", outcome="unknown")
    await change(rows, NOW - 5 * HOUR, "relisted", relisted=True)

    assert [event for event, _ in await happened(api)] == ["listed", "delisted", "relisted", "delisted"]
    assert (await happened(api))[-1] == ("delisted", {"outcome": "withdrawn"})
    assert await happened(api, 2) == [("listed", {"region_id": 10000002})]


async def test_a_contract_that_was_gone_before_its_time_has_not_expired(api: ServedApi, rows: MarketRows) -> None:
    await rows.contract(1, listed_at=NOW - 9 * HOUR, delisted_at=NOW - 2 * HOUR, date_expired=NOW - HOUR)

    assert [event for event, _ in await happened(api)] == ["listed", "delisted"]
