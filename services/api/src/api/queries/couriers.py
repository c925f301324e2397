"""Courier contracts and what they pay for the way, as JSON text that PostgreSQL wrote."""

from dataclasses import dataclass
from typing import Any

from api.cursors import Position
from api.queries.arguments import Arguments
from api.queries.links import GAME
from api.schemas.couriers import CourierQuery, CourierSort


def _per_jump(jumps: str) -> str:
    """ISK for a jump; within a system as for one, and null where the way is unknown."""
    return f"(c.reward::float8 / ({jumps} + ({jumps} = 0)::int))"


REWARD_PER_JUMP, REWARD_PER_JUMP_HIGH = _per_jump("c.jumps"), _per_jump("c.jumps_high_security")

KEYS = {
    CourierSort.REWARD_PER_JUMP: (REWARD_PER_JUMP, "float8"),
    CourierSort.REWARD_PER_JUMP_HIGH_SECURITY: (REWARD_PER_JUMP_HIGH, "float8"),
    CourierSort.REWARD_PER_M3: ("c.reward_per_m3", "float8"),
    CourierSort.REWARD: ("c.reward", "numeric"),
    CourierSort.COLLATERAL: ("c.collateral", "numeric"),
    CourierSort.VOLUME: ("c.volume", "float8"),
    CourierSort.JUMPS: ("c.jumps", "int"),
    CourierSort.ISSUED: ("c.date_issued", "timestamptz"),
    CourierSort.EXPIRES: ("c.date_expired", "timestamptz"),
}

PAGE = """
/* couriers.page */
WITH page AS (
    SELECT c.*, {key} AS key, {per_jump} AS per_jump, {per_jump_high} AS per_jump_high FROM contracts c
     WHERE {conditions} ORDER BY {key} {direction} NULLS LAST, c.contract_id {direction} LIMIT {limit} + 1
), shown AS (
    SELECT c.contract_id, c.region_id, r.name AS region_name, c.system_id, y.name AS system_name, c.security,
           c.start_location_id, t.name AS start_location_name, z.region_id AS end_region_id, q.name AS end_region_name,
           c.end_system_id, z.name AS end_system_name, z.security AS end_security, c.end_location_id,
           e.name AS end_location_name, c.jumps, c.jumps_high_security,
           array_remove(ARRAY[CASE WHEN c.system_id IS NULL THEN 'start' END,
                              CASE WHEN c.end_system_id IS NULL THEN 'end' END], NULL) AS unknown,
           c.reward, c.collateral, c.volume, c.days_to_complete, c.reward_per_m3, c.per_jump AS reward_per_jump,
           c.per_jump_high AS reward_per_jump_high_security, c.title, c.issuer_id, n.name AS issuer_name,
           c.issuer_corporation_id, k.name AS issuer_corporation_name, c.date_issued, c.date_expired, {game} AS game
      FROM (SELECT * FROM page ORDER BY key {direction} NULLS LAST, contract_id {direction} LIMIT {limit}) c
           LEFT JOIN regions r ON r.region_id = c.region_id LEFT JOIN systems y ON y.system_id = c.system_id
           LEFT JOIN stations t ON t.station_id = c.start_location_id
           LEFT JOIN systems z ON z.system_id = c.end_system_id LEFT JOIN regions q ON q.region_id = z.region_id
           LEFT JOIN stations e ON e.station_id = c.end_location_id
           LEFT JOIN names n ON n.entity_id = c.issuer_id LEFT JOIN names k ON k.entity_id = c.issuer_corporation_id
     ORDER BY c.key {direction} NULLS LAST, c.contract_id {direction}
), last AS (
    SELECT key, contract_id FROM page
     ORDER BY key {direction} NULLS LAST, contract_id {direction} OFFSET {limit} - 1 LIMIT 1
)
SELECT (SELECT coalesce(json_agg(shown)::text, '[]') FROM shown) AS items,
       (SELECT count(*) > {limit} FROM page) AS more,
       (SELECT key FROM last) AS last_key, (SELECT contract_id FROM last) AS last_id,
       (SELECT coalesce(to_json(min(swept_at))::text, 'null') FROM coverage c WHERE {here}) AS as_of
"""


@dataclass(frozen=True, slots=True)
class CourierPage:
    """A page of courier contracts: JSON texts, and where the page ended if more follow."""

    items: str
    as_of: str
    last: Position | None


async def couriers(connection: Any, query: CourierQuery, after: Position | None) -> CourierPage:
    """The live courier contracts that `query` asks for, in its order, from behind `after` on."""
    arguments = Arguments()
    key, kind = KEYS[query.sort]
    descending = query.descending
    here = f"c.region_id = ANY({arguments.place(query.region_id)}::bigint[])" if query.region_id else "true"
    live = "c.type = 'courier' AND c.delisted_at IS NULL AND c.date_expired > now()"
    conditions = [live, here, *_conditions(query, arguments)]
    if after is not None:
        conditions.append(_behind(after, key, kind, "<" if descending else ">", arguments))
    statement = PAGE.format(
        key=key,
        per_jump=REWARD_PER_JUMP,
        per_jump_high=REWARD_PER_JUMP_HIGH,
        conditions=" AND ".join(conditions),
        direction="DESC" if descending else "ASC",
        limit=query.limit,
        game=GAME,
        here=here,
    )
    row = await connection.fetchrow(statement, *arguments)
    last = Position(row["last_key"], row["last_id"]) if row["more"] else None
    return CourierPage(row["items"], row["as_of"], last)


def _behind(after: Position, key: str, kind: str, beyond: str, arguments: Arguments) -> str:
    """Behind that position; what has no such value stands behind all that has."""
    tie = f"{arguments.place(after.tie)}::bigint"
    if after.key is None:
        return f"{key} IS NULL AND c.contract_id {beyond} {tie}"
    return f"(({key}, c.contract_id) {beyond} ({arguments.place(after.key)}::{kind}, {tie}) OR {key} IS NULL)"


def _conditions(query: CourierQuery, arguments: Arguments) -> list[str]:
    place = arguments.place
    lists = {
        "c.system_id": query.system_id,
        "c.end_system_id": query.end_system_id,
    }
    conditions = [f"{column} = ANY({place(ids)}::bigint[])" for column, ids in lists.items() if ids]
    if query.end_region_id:
        ends = f"SELECT system_id FROM systems WHERE region_id = ANY({place(query.end_region_id)}::bigint[])"  # noqa: S608
        conditions.append(f"c.end_system_id IN ({ends})")
    if query.security:
        conditions.append(f"c.security = ANY({place(list(query.security))}::text[])")
    if query.ends_known is not None:
        known = "c.system_id IS NOT NULL AND c.end_system_id IS NOT NULL"
        conditions.append(known if query.ends_known else f"NOT ({known})")
    if query.high_security_only is not None:
        conditions.append(f"c.jumps_high_security IS {'NOT ' if query.high_security_only else ''}NULL")
    bounds = (
        ("c.reward", ">=", "numeric", query.reward_min),
        ("c.reward", "<=", "numeric", query.reward_max),
        ("c.collateral", ">=", "numeric", query.collateral_min),
        ("c.collateral", "<=", "numeric", query.collateral_max),
        ("c.volume", ">=", "float8", query.volume_min),
        ("c.volume", "<=", "float8", query.volume_max),
        ("c.reward_per_m3", ">=", "float8", query.reward_per_m3_min),
        (REWARD_PER_JUMP, ">=", "float8", query.reward_per_jump_min),
        ("c.jumps", "<=", "int", query.jumps_max),
        ("c.jumps_high_security", "<=", "int", query.jumps_high_security_max),
    )
    return conditions + [
        f"{column} {sign} {place(bound)}::{kind}" for column, sign, kind, bound in bounds if bound is not None
    ]
