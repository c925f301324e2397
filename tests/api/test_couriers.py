"""Couriers: what they pay for the way, and the honest null where nobody knows it."""

from datetime import timedelta
from random import Random
from typing import Any

import pytest

from api.schemas.couriers import CourierPage, CourierQuery, CourierSort
from support.market_rows import DOMAIN, JITA_STATION, NOW, STRUCTURE, THE_FORGE, MarketRows
from support.served_api import ServedApi

COURIERS = "/api/v1/contracts/couriers"
JITA, AMARR, AMARR_STATION = 30000142, 30002187, 60008494
TRIP: dict[str, Any] = {
    "type": "courier",
    "items_state": "none",
    "contains_ship": None,
    "start_location_id": JITA_STATION,
    "end_location_id": AMARR_STATION,
    "system_id": JITA,
    "security": "high",
    "end_system_id": AMARR,
    "jumps": 9,
    "jumps_high_security": 45,
    "reward": 9_000_000,
    "collateral": 100_000_000,
    "volume": 1000,
    "days_to_complete": 3,
}
TO_A_STRUCTURE = {"end_location_id": STRUCTURE, "end_system_id": None, "jumps": None, "jumps_high_security": None}


async def couriers(api: ServedApi, **params: Any) -> CourierPage:
    reply = await api.get(COURIERS, params=params)
    assert reply.status == 200, reply.body
    return CourierPage.model_validate_json(reply.body, extra="forbid")


async def listed(api: ServedApi, **params: Any) -> list[int]:
    return [courier.contract_id for courier in (await couriers(api, **params)).items]


async def test_the_best_paid_way_comes_first_and_says_what_it_pays(api: ServedApi, rows: MarketRows) -> None:
    await rows.coverage()
    await rows.contract(1, **TRIP)
    await rows.contract(2, **{**TRIP, "jumps": 3, "jumps_high_security": None})
    await rows.contract(3, **{**TRIP, **TO_A_STRUCTURE})
    await rows.contract(4, **{**TRIP, "jumps": 0, "jumps_high_security": 0})
    await rows.contract(5, **{**TRIP, "delisted_at": NOW})
    await rows.contract(6, **{**TRIP, "date_expired": NOW - timedelta(seconds=1)})
    await rows.contract(7)

    page = await couriers(api)

    assert [(each.contract_id, each.reward_per_jump) for each in page.items] == [
        (4, 9_000_000),
        (2, 3_000_000),
        (1, 1_000_000),
        (3, None),
    ]
    first = page.items[2]
    assert (first.reward_per_jump_high_security, first.reward_per_m3) == (200_000, 9000)
    assert (first.system_name, first.end_system_name, first.end_region_name) == ("Jita", "Amarr", "Domain")
    assert (first.unknown, page.items[3].unknown, page.items[1].reward_per_jump_high_security) == ([], ["end"], None)
    assert page.as_of == NOW


async def test_a_courier_without_volume_is_not_the_best_paid_for_a_cubic_metre(
    api: ServedApi, rows: MarketRows
) -> None:
    await rows.contract(1, **TRIP)
    await rows.contract(2, **{**TRIP, "volume": 0})
    await rows.contract(3, **{**TRIP, "volume": None})

    assert await listed(api, sort="reward_per_m3") == [1, 3, 2]
    assert await listed(api, sort="reward_per_m3", order="asc") == [1, 2, 3]


async def test_each_filter_keeps_what_it_says(api: ServedApi, rows: MarketRows) -> None:
    await rows.contract(1, **TRIP)
    await rows.contract(2, **{**TRIP, "region_id": DOMAIN, "system_id": AMARR, "end_system_id": JITA, "jumps": 10})
    await rows.contract(3, **{**TRIP, **TO_A_STRUCTURE, "security": "low", "reward": 5_000_000})
    await rows.contract(4, **{**TRIP, "collateral": 0, "volume": 10.5, "jumps": 30, "jumps_high_security": None})
    expected: list[tuple[dict[str, Any], list[int]]] = [
        ({"region_id": DOMAIN}, [2]),
        ({"end_region_id": DOMAIN}, [1, 4]),
        ({"end_region_id": [DOMAIN, THE_FORGE]}, [1, 2, 4]),
        ({"system_id": JITA}, [1, 3, 4]),
        ({"end_system_id": JITA}, [2]),
        ({"security": "low"}, [3]),
        ({"ends_known": "true"}, [1, 2, 4]),
        ({"ends_known": "false"}, [3]),
        ({"high_security_only": "true"}, [1, 2]),
        ({"high_security_only": "false"}, [3, 4]),
        ({"reward_max": 5_000_000}, [3]),
        ({"reward_min": "5000000.01"}, [1, 2, 4]),
        ({"collateral_min": 1}, [1, 2, 3]),
        ({"collateral_max": 0}, [4]),
        ({"volume_max": 10.5}, [4]),
        ({"volume_min": 11}, [1, 2, 3]),
        ({"reward_per_m3_min": 10_000}, [4]),
        ({"reward_per_jump_min": 900_001}, [1]),
        ({"jumps_max": 10}, [1, 2]),
        ({"jumps_high_security_max": 45}, [1, 2]),
        ({"jumps_high_security_max": 44}, []),
    ]

    assert [(filters, sorted(await listed(api, **filters))) for filters, _ in expected] == expected
    tried = {name for filters, _ in expected for name in filters}
    assert tried == set(CourierQuery.model_fields) - {"sort", "order", "limit", "cursor"}


@pytest.mark.parametrize("sort", CourierSort)
@pytest.mark.parametrize("order", ["asc", "desc"])
async def test_pages_hold_every_courier_once_in_order_what_has_no_value_last(
    api: ServedApi, rows: MarketRows, sort: str, order: str
) -> None:
    dice = Random(sort)  # noqa: S311 - the same market every time
    for number in range(1, 30):
        columns = {
            "jumps": dice.choice([None, 0, 1, 5, 5]),
            "jumps_high_security": dice.choice([None, 0, 7]),
            "reward": dice.choice([None, 0, 10, 10, 1e12]),
            "collateral": dice.choice([None, 0, 7]),
            "volume": dice.choice([None, 0, 0.01, 3]),
            "date_issued": NOW - timedelta(hours=dice.randint(1, 5)),
        }
        await rows.contract(number, **{**TRIP, **columns})

    pages = await api.pages(COURIERS, limit=4, sort=sort, order=order)

    column = {"issued": "date_issued", "expires": "date_expired"}.get(sort, sort)
    found = [(courier[column], courier["contract_id"]) for page in pages for courier in page]
    valued = [entry for entry in found if entry[0] is not None]
    missing = [entry[1] for entry in found if entry[0] is None]
    assert found == valued + [(None, contract_id) for contract_id in missing]
    assert valued == sorted(valued, reverse=order == "desc")
    assert missing == sorted(missing, reverse=order == "desc")
    assert sorted(contract_id for _, contract_id in found) == list(range(1, 30))


async def test_what_makes_no_sense_is_refused(api: ServedApi) -> None:
    wrong: list[dict[str, Any]] = [
        {"sort": "isk"},
        {"order": "up"},
        {"reward_min": "1e309"},
        {"volume_min": "inf"},
        {"jumps_max": 2**63},
        {"region_id": 5},
        {"end_region_id": 5},
        {"system_id": 2**63},
    ]

    replies = [await api.get(COURIERS, params=params) for params in wrong]
    crossed = await api.get(COURIERS, params={"volume_min": 5, "volume_max": 4})

    assert [(reply.status, [field.split(".")[0] for field in reply.wrong_fields]) for reply in replies] == [
        (422, [*params]) for params in wrong
    ]
    assert (crossed.status, crossed.wrong_fields) == (422, ["volume_max"])
