"""What is asked: each query is a maker of paths, with what it has to reach."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any, Final
from urllib.parse import quote, urlencode

import asyncpg

Maker = Callable[["Pools", Random], str]
CONTRACTS: Final = "/api/v1/contracts"
MOST_PATHS: Final = 12_000
GZIP: Final = {"Accept-Encoding": "gzip"}
SOME: Final = 4_000
SORTS: Final = (
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


@dataclass(frozen=True)
class Goal:
    """What a query has to reach when it is asked by one client; `share` is of the constant body's requests a second."""

    p50_ms: float | None = None
    p99_ms: float | None = None
    share: float | None = None


@dataclass(frozen=True)
class Query:
    """Paths of one kind. A hot one is the same path again and again; of the others none is asked for twice."""

    name: str
    path: Maker
    goal: Goal = field(default_factory=Goal)
    hot: bool = False
    headers: Mapping[str, str] = field(default_factory=dict)
    revalidates: bool = False
    """Asks with the ETag of a first answer, and is answered by 304."""

    def paths(self, pools: "Pools", seed: int, most: int = MOST_PATHS) -> list[str]:
        """Different paths, the same for the same seed; one that is hot."""
        dice = Random(f"{self.name} {seed}")  # noqa: S311 - no secret
        if self.hot:
            return [self.path(pools, dice)]
        made = {self.path(pools, dice): None for _ in range(most)}
        return list(made)


@dataclass(frozen=True)
class Pools:
    """What there is to ask for; the more a market has of a thing, the more often it stands here."""

    contract_ids: Sequence[int]
    live_ids: Sequence[int]
    type_ids: Sequence[int]
    group_ids: Sequence[int]
    category_ids: Sequence[int]
    region_ids: Sequence[int]
    system_ids: Sequence[int]
    station_ids: Sequence[int]
    issuer_ids: Sequence[int]
    corporation_ids: Sequence[int]
    auction_ids: Sequence[int]
    attributes: Sequence[tuple[int, float]]
    type_names: Sequence[str]
    issuer_names: Sequence[str]
    titles: Sequence[str]
    cursors: Sequence[str] = ()


_LIVE = "delisted_at IS NULL AND date_expired > now()"
_OFFERED = f"""
  FROM (SELECT contract_id FROM contracts WHERE {_LIVE} ORDER BY hashint8(contract_id) LIMIT {SOME}) c
  JOIN contract_items i USING (contract_id) JOIN types t USING (type_id) JOIN groups g USING (group_id)
 WHERE i.is_included ORDER BY hashint8(i.record_id) LIMIT {SOME}
"""  # noqa: S608 - our own numbers
_OF_ROLLS = "FROM dynamic_item_attributes ORDER BY hashint8(item_id + attribute_id)"
_NAMED = "JOIN names n ON n.entity_id = c.issuer_id"


def _some(column: str, where: str = _LIVE, most: int = SOME) -> str:
    """A column of contracts, in an order that says nothing; the same again each time."""
    chosen = f"SELECT * FROM contracts WHERE {where} ORDER BY hashint8(contract_id) LIMIT {most}"  # noqa: S608 - our own
    return f"SELECT {column} FROM ({chosen}) c"  # noqa: S608 - our own names


POOLS: Final = {
    "contract_ids": _some("contract_id", "true", MOST_PATHS),
    "live_ids": _some("contract_id", most=MOST_PATHS),
    "type_ids": f"SELECT i.type_id {_OFFERED}",
    "group_ids": f"SELECT t.group_id {_OFFERED}",
    "category_ids": f"SELECT g.category_id {_OFFERED}",
    "region_ids": _some("region_id"),
    "system_ids": _some("system_id", f"{_LIVE} AND system_id IS NOT NULL"),
    "station_ids": _some("start_location_id"),
    "issuer_ids": _some("issuer_id"),
    "corporation_ids": _some("issuer_corporation_id"),
    "auction_ids": _some("contract_id", "type = 'auction'"),
    "attributes": f"SELECT attribute_id, value {_OF_ROLLS} LIMIT {SOME}",
    "type_names": f"SELECT t.name {_OFFERED}",
    "issuer_names": f"{_some('n.name')} {_NAMED}",
    "titles": _some("title", f"{_LIVE} AND title <> ''"),
}


async def pools(url: str) -> Pools:
    """What a stored market has."""
    connection = await asyncpg.connect(url)
    try:
        found = {name: [_value(row) for row in await connection.fetch(query)] for name, query in POOLS.items()}
    finally:
        await connection.close()
    return Pools(**found)


def _value(row: Any) -> Any:
    return row[0] if len(row) == 1 else tuple(row)


def _list(**filters: Any) -> str:
    return f"{CONTRACTS}?{urlencode(filters, doseq=True)}" if filters else CONTRACTS


def _isk(dice: Random, low: float = 4, high: float = 9) -> float:
    """An amount that nobody has asked for before."""
    return round(10 ** dice.uniform(low, high), 2)


def _filtered(pools: Pools, dice: Random) -> str:
    """One to three of all filters, as people combine them."""
    each: Sequence[Callable[[], dict[str, Any]]] = (
        lambda: {"region_id": dice.choice(pools.region_ids)},
        lambda: {"system_id": dice.choice(pools.system_ids)},
        lambda: {"station_id": dice.choice(pools.station_ids)},
        lambda: {"security": dice.choice(("high", "low", "null", "wormhole"))},
        lambda: {"contract_type": dice.choice(("item_exchange", "auction", "courier"))},
        lambda: {"type_id": dice.choice(pools.type_ids)},
        lambda: {"group_id": dice.choice(pools.group_ids)},
        lambda: {"category_id": dice.choice(pools.category_ids)},
        lambda: {"ships_only": dice.choice(("true", "false"))},
        lambda: {"single_item": dice.choice(("true", "false"))},
        lambda: {"is_bpc": "true", "me_min": dice.randint(0, 10), "runs_min": dice.randint(1, 20)},
        lambda: {"value_ratio_max": round(dice.uniform(0.3, 1.2), 3)},
        lambda: {"volume_max": round(10 ** dice.uniform(1, 6), 2)},
        lambda: {"issuer_corporation_id": dice.choice(pools.corporation_ids)},
    )
    chosen: dict[str, Any] = {"price_max": _isk(dice, 6, 10)}
    for one in dice.sample(each, dice.randint(1, 3)):
        chosen |= one()
    return _list(**chosen)


def _sorted(sort: str) -> Maker:
    """From either end; the bound leaves nearly everything, and makes it a list that nobody asked for."""
    return lambda _, dice: _list(sort=sort, order=dice.choice(("asc", "desc")), price_max=_isk(dice, 10, 13))


def _typo(word: str, dice: Random) -> str:
    """Two letters that changed places."""
    if len(word) < 5:
        return word
    at = dice.randint(1, len(word) - 3)
    return word[:at] + word[at + 1] + word[at] + word[at + 2 :]


def _word(pools: Pools, dice: Random) -> str:
    """A long word of what people look for: an item mostly, else an issuer or a title."""
    throw = dice.random()
    text = dice.choice(pools.type_names if throw < 0.7 else pools.issuer_names if throw < 0.85 else pools.titles)
    words = [word for word in text.split() if word.isalpha() and len(word) > 3]
    return dice.choice(words) if words else text.split()[0]


def _search(change: Callable[[str, Random], str]) -> Maker:
    """A price that nobody asked for makes it one that nobody asked."""

    def path(pools: Pools, dice: Random) -> str:
        return _list(q=change(_word(pools, dice), dice), price_max=_isk(dice, 8, 12))

    return path


def _deep(pools: Pools, dice: Random) -> str:
    return _list(cursor=dice.choice(pools.cursors))


def _detail(part: str = "") -> Maker:
    return lambda pools, dice: f"{CONTRACTS}/{dice.choice(pools.contract_ids)}{part}"


def _autocomplete(pools: Pools, dice: Random) -> str:
    name = dice.choice(pools.type_names)
    return f"/api/v1/types?q={quote(name[: dice.randint(2, max(2, min(12, len(name))))])}"


FILTERED: Final = Goal(p99_ms=15)
SEARCHED: Final = Goal(p99_ms=25)
READ: Final = Goal(p99_ms=5)
HOT: Final = Goal(p50_ms=1, share=0.6)

QUERIES: Final = (
    Query("page_hot", lambda *_: CONTRACTS, HOT, hot=True),
    Query("page_hot_gzip", lambda *_: CONTRACTS, HOT, hot=True, headers=GZIP),
    Query("page_hot_304", lambda *_: CONTRACTS, Goal(p50_ms=1), hot=True, revalidates=True),
    Query("page_first", lambda _, dice: _list(price_max=_isk(dice, 10, 12)), FILTERED),
    Query("page_deep", _deep, FILTERED),
    Query("filter_mixed", _filtered, FILTERED),
    Query(
        "filter_price",
        lambda _, dice: _list(price_min=(low := _isk(dice)), price_max=round(low * dice.uniform(1.1, 9), 2)),
        FILTERED,
    ),
    Query(
        "filter_type",
        lambda pools, dice: _list(type_id=dice.choice(pools.type_ids), price_max=_isk(dice, 8, 12)),
        FILTERED,
    ),
    Query(
        "filter_rare",
        lambda pools, dice: _list(issuer_id=dice.choice(pools.issuer_ids), price_max=_isk(dice, 8, 12)),
        FILTERED,
    ),
    Query(
        "filter_blueprint",
        lambda _, dice: _list(
            is_bpc="true",
            me_min=dice.randint(0, 10),
            te_min=dice.randint(0, 20),
            runs_min=dice.randint(1, 50),
            price_max=_isk(dice, 6, 9),
        ),
        FILTERED,
    ),
    Query(
        "filter_abyssal",
        lambda pools, dice: _list(
            attribute="{}:{:.4f}:".format(*dice.choice(pools.attributes)), price_max=_isk(dice, 8, 12)
        ),
        FILTERED,
    ),
    Query(
        "filter_gone",
        lambda pools, dice: _list(state="gone", region_id=dice.choice(pools.region_ids), price_max=_isk(dice, 8, 12)),
        FILTERED,
    ),
    Query("count_exact", lambda _, dice: _list(count="exact", price_max=_isk(dice, 6, 10)), FILTERED),
    Query(
        "page_number", lambda _, dice: _list(page=dice.randint(2, 40), size=50, price_max=_isk(dice, 10, 12)), FILTERED
    ),
    *(Query(f"sort_{sort}", _sorted(sort), FILTERED) for sort in SORTS),
    Query("search_word", _search(lambda word, _: word), SEARCHED),
    Query("search_prefix", _search(lambda word, dice: word[: dice.randint(3, max(3, len(word)))]), SEARCHED),
    Query("search_typo", _search(_typo), SEARCHED),
    Query("detail", _detail(), READ),
    Query("history", _detail("/history"), READ),
    Query("bids", lambda pools, dice: f"{CONTRACTS}/{dice.choice(pools.auction_ids or pools.contract_ids)}/bids", READ),
    Query("taxonomy", lambda *_: f"{CONTRACTS}/taxonomy", Goal(p50_ms=1), hot=True),
    Query("types_autocomplete", _autocomplete, FILTERED),
    Query("type", lambda pools, dice: f"/api/v1/types/{dice.choice(pools.type_ids)}", READ),
    Query("type_prices", lambda pools, dice: f"/api/v1/types/{dice.choice(pools.type_ids)}/prices", FILTERED),
    Query("deals", lambda *_: f"{CONTRACTS}/deals", HOT, hot=True),
    Query("couriers", lambda *_: f"{CONTRACTS}/couriers", HOT, hot=True),
    Query("regions", lambda *_: "/api/v1/regions", Goal(p50_ms=1), hot=True),
)
