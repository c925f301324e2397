"""A small market in which everything occurs, in the database and in memory, and what may be asked of it."""

import random
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncEngine

from common import tables
from support.brute_force import Kind, Memory
from support.market_rows import DOMAIN, HEIMATAR, NOW, OFFERED, OFFERED_BY, THE_FORGE, MarketRows

UNHEARD_OF = 9_999_999
"""A type that no static data knows."""
TYPES = (587, 603, 638, 691, 34, 35, 1319, 47702, 47781, UNHEARD_OF)
BLUEPRINT, ABYSSAL = 691, (47702, 47781)
PLACES = (
    (THE_FORGE, 30000142, "high", 60003760),
    (THE_FORGE, None, None, 1_030_000_000_000),
    (DOMAIN, 30002187, "high", 60008494),
    (HEIMATAR, 30002510, "high", 60004588),
    (HEIMATAR, 30002539, "low", 60004420),
    (DOMAIN, 31000005, "wormhole", 1_030_000_000_001),
)
KINDS = ("item_exchange", "item_exchange", "item_exchange", "auction", "courier", "loan", "barter")
ISSUERS, CORPORATIONS = (90_000_001, 90_000_002, 90_000_003), (98_000_001, 98_000_002)
ATTRIBUTES = (20, 54)
MONEY = (0, 0, 1, 5, 10, 10, 20, 50.5, 100, 1000)

FACETS = """
UPDATE contracts c SET facets = coalesce(f.facets, '{}') FROM (
  SELECT i.contract_id, array_agg(DISTINCT facet) FILTER (WHERE i.is_included AND facet IS NOT NULL)::int[] AS facets
    FROM contract_items i LEFT JOIN types t USING (type_id) LEFT JOIN groups g USING (group_id),
         unnest(ARRAY[i.type_id, t.group_id + 1000000000, g.category_id + 2000000000]) AS facet
   GROUP BY i.contract_id) f
 WHERE c.contract_id = f.contract_id
"""


async def fill(engine: AsyncEngine, dice: random.Random, size: int) -> Memory:
    """Store so many contracts; the same in memory."""
    rows = MarketRows(engine)
    facts = await rows.execute("SELECT type_id, group_id, category_id FROM types LEFT JOIN groups USING (group_id)")
    memory = Memory(NOW, {type_id: Kind(group_id, category_id) for type_id, group_id, category_id in facts})
    contracts = [contract(dice, contract_id, memory) for contract_id in range(1, size + 1)]
    async with engine.begin() as connection:
        await connection.execute(insert(tables.contracts), contracts)
        items = [{"contract_id": of, **item} for of, listed in memory.items.items() for item in listed]
        await connection.execute(insert(tables.contract_items), items)
        dynamic = [
            {"item_id": item_id, "type_id": ABYSSAL[0], "state": "stored" if rolled else "wanted"}
            for item_id, rolled in memory.rolls.items()
        ]
        await connection.execute(insert(tables.dynamic_items), dynamic)
        rolled = [
            {"item_id": item_id, "attribute_id": attribute_id, "value": value}
            for item_id, rolls in memory.rolls.items()
            for attribute_id, value in rolls.items()
        ]
        await connection.execute(insert(tables.dynamic_item_attributes), rolled)
    for statement in (FACETS, OFFERED, OFFERED_BY):
        await rows.execute(statement)
    await rows.execute("ANALYZE")
    derived = await rows.execute("SELECT contract_id, value_ratio, reward_per_m3 FROM contracts ORDER BY contract_id")
    memory.contracts.extend(
        {**row, "value_ratio": ratio, "reward_per_m3": reward}
        for row, (_, ratio, reward) in zip(contracts, derived, strict=True)
    )
    return memory


def contract(dice: random.Random, contract_id: int, memory: Memory) -> dict[str, Any]:
    """One contract of any kind, whose items are put into `memory`."""
    kind = dice.choice(KINDS)
    state = "none" if kind == "courier" else dice.choice(("stored",) * 6 + ("wanted", "failed"))
    region_id, system_id, security, station_id = dice.choice(PLACES)
    gone = dice.random() < 0.3
    if state == "stored":
        memory.items[contract_id] = [item(dice, memory) for _ in range(dice.randint(1, 4))]
    return {
        "contract_id": contract_id,
        "type": kind,
        "region_id": region_id,
        "system_id": system_id,
        "security": security,
        "start_location_id": station_id,
        "issuer_id": dice.choice(ISSUERS),
        "issuer_corporation_id": dice.choice(CORPORATIONS),
        "for_corporation": False,
        "date_issued": NOW - timedelta(hours=dice.randint(1, 30)),
        "date_expired": NOW + timedelta(hours=dice.choice((-1, 2, 20, 20, 300, 301))),
        "delisted_at": NOW if gone else None,
        "outcome": dice.choice(("accepted", "expired", "withdrawn", "unknown", None)) if gone else None,
        "price": dice.choice((None, *MONEY)),
        "buyout": dice.choice((None, None, *MONEY)) if kind == "auction" else None,
        "reward": dice.choice(MONEY) if kind == "courier" else dice.choice((None, 0, 0, 0, 10)),
        "collateral": dice.choice((None, *MONEY)) if kind == "courier" else 0,
        "volume": dice.choice((None, 0, 0.01, 0.01, 2.5, 100)),
        "days_to_complete": dice.choice((1, 3, 3, 7)) if kind == "courier" else dice.choice((None, 0)),
        "items_state": state,
        "runs": dice.choice((None, 1, 1, 10)),
        **summary(dice, memory, contract_id, state),
    }


def summary(dice: random.Random, memory: Memory, contract_id: int, state: str) -> dict[str, Any]:
    """What is derived of its items; all unknown while they are not read."""
    if state != "stored":
        return dict.fromkeys(
            ("composition", "contains_ship", "value_sell", "value_lines", "value_lines_priced", "items_requested")
        )
    items = memory.items[contract_id]
    offered = [each["type_id"] for each in items if each["is_included"]]
    requested = len(items) - len(offered)
    composition = "single" if len(set(offered)) == 1 else "bundle"
    if requested:
        composition = "exchange" if offered else "want_to_buy"
    return {
        "composition": composition,
        "contains_ship": any(kind_of(memory, type_id).category_id == 6 for type_id in offered),
        "value_sell": dice.choice((None, 4, 20, 100)),
        "value_lines": len(offered),
        "value_lines_priced": dice.choice((len(offered), len(offered), 0)),
        "items_requested": requested,
    }


def item(dice: random.Random, memory: Memory) -> dict[str, Any]:
    """One stack; of an abyssal one its rolls, which may be unread."""
    type_id = dice.choice(TYPES)
    is_blueprint = type_id == BLUEPRINT
    record_id = dice.randint(1, 2**60)
    item_id = record_id if type_id in ABYSSAL else None
    if item_id is not None:
        memory.rolls[item_id] = (
            {name: dice.choice((-2.5, 1, 3, 7.25)) for name in ATTRIBUTES} if dice.random() < 0.8 else {}
        )
    is_original = dice.random() < 0.3
    return {
        "record_id": record_id,
        "type_id": type_id,
        "quantity": 1,
        "is_included": dice.random() < 0.8,
        "item_id": item_id,
        "is_blueprint_copy": dice.choice((None, True)) if is_blueprint and not is_original else None,
        "runs": (-1 if is_original else dice.choice((1, 5, 10))) if is_blueprint else None,
        "material_efficiency": dice.choice((0, 5, 10)) if is_blueprint else None,
        "time_efficiency": dice.choice((0, 10, 20)) if is_blueprint else None,
    }


def kind_of(memory: Memory, type_id: int) -> Kind:
    return memory.kinds.get(type_id, Kind(None, None))


def question(dice: random.Random) -> dict[str, Any]:
    """A list that somebody may ask for: up to five filters, and an order."""
    asked: dict[str, Any] = {}
    for chosen in dice.sample(FILTERS, dice.choice((0, 1, 1, 2, 2, 3, 5))):
        asked |= chosen(dice)
    if dice.random() < 0.7:
        asked["sort"] = dice.choice(SORTS)
    if dice.random() < 0.6:
        asked["order"] = dice.choice(("asc", "desc"))
    return asked


SORTS = (
    "issued",
    "expires",
    "price",
    "value_ratio",
    "volume",
    "collateral",
    "reward",
    "reward_per_m3",
    "days_to_complete",
    "runs",
)


def _some(name: str, *values: Any) -> Any:
    return lambda dice: {name: dice.sample(values, dice.choice((1, 1, 2)))}


def _flag(name: str) -> Any:
    return lambda dice: {name: dice.choice(("true", "false"))}


def _range(name: str, *values: float) -> Any:
    def chosen(dice: random.Random) -> Mapping[str, float]:
        least, most = sorted((dice.choice(values), dice.choice(values)))
        return dice.choice(({f"{name}_min": least}, {f"{name}_max": most}, {f"{name}_min": least, f"{name}_max": most}))

    return chosen


FILTERS = (
    _some("region_id", THE_FORGE, DOMAIN, HEIMATAR),
    _some("system_id", 30000142, 30002187, 30002539, 31000005),
    _some("station_id", *(station_id for *_, station_id in PLACES)),
    _some("security", "high", "low", "null", "wormhole"),
    _some("contract_type", *dict.fromkeys(KINDS)),
    _some("type_id", *TYPES),
    _some("type_id", BLUEPRINT, *ABYSSAL),
    _some("group_id", 25, 27, 105, 18, 65),
    _some("category_id", 6, 9, 4, 7),
    _some("issuer_id", *ISSUERS),
    _some("issuer_corporation_id", *CORPORATIONS),
    _flag("ships_only"),
    _flag("single_item"),
    _flag("want_to_buy"),
    _flag("is_bpc"),
    _range("price", 0, 1, 10, 50, 50.5, 100),
    _range("buyout", 0, 10, 100),
    _range("collateral", 0, 1, 20, 1000),
    _range("reward", 0, 1, 20, 1000),
    _range("volume", 0, 0.01, 1, 100),
    _range("reward_per_m3", 0, 0.5, 4, 1000),
    _range("days_to_complete", 0, 1, 3, 7),
    _range("value_ratio", 0, 0.1, 0.5, 2.5, 25),
    _range("runs", 0, 1, 5, 10),
    _range("me", 0, 5, 10),
    _range("te", 0, 10, 20),
    lambda dice: {"attribute": [dice.choice(("20:1:", "54::3", "20:-2.5:1", "54:7.25:7.25"))]},
    lambda _: {"attribute": ["20:3:", "54::1"]},
    lambda dice: {"issued_after": NOW - timedelta(hours=dice.randint(1, 30))},
    lambda dice: {"expires_before": NOW + timedelta(hours=dice.choice((2, 20, 21, 300)))},
    lambda dice: {"state": dice.choice(("live", "gone", "all"))},
    _some("outcome", "accepted", "expired", "withdrawn", "unknown"),
)
