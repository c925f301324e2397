"""Solar systems and stations, as JSON text that PostgreSQL wrote."""

from dataclasses import dataclass
from typing import Any

from api.cursors import Position
from api.queries.arguments import Arguments
from api.queries.live_counts import Kind, unsettled
from api.schemas.places import PlaceQuery, StationQuery, SystemQuery
from common.words import words_of


def _live(kind: Kind, number: str) -> str:
    """How many live contracts start at the one place with this id, an expression."""
    return (
        f"coalesce((SELECT contracts FROM listed_counts WHERE kind = '{kind}' AND id = {number}), 0)"  # noqa: S608
        f" + coalesce((SELECT change FROM unsettled WHERE unsettled.id = {number}), 0)"
    )


_SYSTEM = f"""
y.system_id, y.name, y.constellation_id, y.region_id, r.name AS region_name, y.security_status, y.security,
{_live("system", "y.system_id")} AS live
"""
_STATION = f"""
s.station_id, s.name, s.system_id, y.name AS system_name, y.region_id, r.name AS region_name, y.security_status,
y.security, {_live("station", "s.station_id")} AS live
"""

PAGE = """
/* places.page */
WITH unsettled AS MATERIALIZED ({unsettled}), page AS (
    SELECT {id} AS id, {rank} AS rank FROM {place} WHERE {conditions} ORDER BY 2, 1 LIMIT {limit} + 1
), shown AS (
    SELECT rank, {shown} FROM (SELECT * FROM page ORDER BY rank, id LIMIT {limit}) p JOIN {place} ON {id} = p.id
           LEFT JOIN regions r ON r.region_id = y.region_id
)
SELECT (SELECT coalesce(json_agg(to_jsonb(shown) - 'rank' ORDER BY rank, {key})::text, '[]') FROM shown) AS items,
       (SELECT count(*) > {limit} FROM page) AS more,
       (SELECT rank FROM shown ORDER BY rank DESC, {key} DESC LIMIT 1) AS last_rank,
       (SELECT {key} FROM shown ORDER BY rank DESC, {key} DESC LIMIT 1) AS last_id,
       (SELECT coalesce(to_json(min(swept_at))::text, 'null') FROM coverage) AS as_of
"""

SYSTEM = f"""
/* places.system */
WITH unsettled AS MATERIALIZED ({unsettled("system")}), station_changes AS MATERIALIZED ({unsettled("station")}),
shown AS (
    SELECT {_SYSTEM},
           (SELECT coalesce(json_agg(json_build_object(
               'station_id', s.station_id, 'name', s.name, 'live',
               coalesce((SELECT contracts FROM listed_counts WHERE kind = 'station' AND id = s.station_id), 0)
               + coalesce((SELECT change FROM station_changes c WHERE c.id = s.station_id), 0))
               ORDER BY s.name, s.station_id), '[]') FROM stations s WHERE s.system_id = y.system_id) AS stations,
           (SELECT coalesce(json_agg(json_build_object(
               'system_id', n.system_id, 'name', n.name, 'security', n.security) ORDER BY n.name, n.system_id), '[]')
              FROM stargates g JOIN systems n ON n.system_id = g.to_system_id
             WHERE g.from_system_id = y.system_id) AS neighbours
      FROM systems y LEFT JOIN regions r USING (region_id) WHERE y.system_id = $1
)
SELECT row_to_json(shown)::text FROM shown
"""  # noqa: S608 - constants


@dataclass(frozen=True, slots=True)
class PlacePage:
    """A page of places: JSON texts, and where the page ended if more follow."""

    items: str
    as_of: str
    last: Position | None


async def system(connection: Any, system_id: int) -> str | None:
    """The solar system with its stations and neighbours; None if there is none."""
    shown: str | None = await connection.fetchval(SYSTEM, system_id)
    return shown


async def systems(connection: Any, query: SystemQuery, after: Position | None) -> PlacePage:
    """The solar systems that `query` asks for, by id; what is called or begins like `q` first."""
    return await _page(connection, query, after, kind="system", place="systems y", number="y.system_id", shown=_SYSTEM)


async def stations(connection: Any, query: StationQuery, after: Position | None) -> PlacePage:
    """The stations that `query` asks for, by id; what is called or begins like `q` first."""
    return await _page(
        connection,
        query,
        after,
        kind="station",
        place="(stations s JOIN systems y USING (system_id))",
        number="s.station_id",
        shown=_STATION.replace("s.system_id", "y.system_id"),
    )


async def _page(
    connection: Any, query: PlaceQuery, after: Position | None, *, kind: Kind, place: str, number: str, shown: str
) -> PlacePage:
    arguments = Arguments()
    name = f"{number[0]}.name"
    conditions, rank = _conditions(query, name, arguments), "0"
    if query.q is not None:
        asked = arguments.place(query.q.replace("\x00", "").strip().lower())
        called, begins = f"lower({name}) = {asked}::text", f"starts_with(lower({name}), {asked}::text)"
        rank = f"CASE WHEN {called} THEN 0 WHEN {begins} THEN 1 ELSE 2 END"
    if after is not None:
        conditions.append(
            f"({rank}, {number}) > ({arguments.place(after.key)}::int, {arguments.place(after.tie)}::bigint)"
        )
    statement = PAGE.format(
        unsettled=unsettled(kind),
        id=number,
        key=f"{kind}_id",
        place=place,
        rank=rank,
        conditions=" AND ".join(conditions) or "true",
        limit=query.limit,
        shown=shown,
    )
    row = await connection.fetchrow(statement, *arguments)
    last = Position(row["last_rank"], row["last_id"]) if row["more"] else None
    return PlacePage(row["items"], row["as_of"], last)


def _conditions(query: PlaceQuery, name: str, arguments: Arguments) -> list[str]:
    place = arguments.place
    conditions = []
    if query.region_id:
        conditions.append(f"y.region_id = ANY({place(query.region_id)}::bigint[])")
    if query.security:
        conditions.append(f"y.security = ANY({place(list(query.security))}::text[])")
    if isinstance(query, StationQuery) and query.system_id:
        conditions.append(f"y.system_id = ANY({place(query.system_id)}::bigint[])")
    # Words are letters and digits, so none means more than itself.
    bare = f"replace(lower({name}), '''', '')"
    return conditions + [rf"{bare} ~ ('\m' || {place(word)}::text)" for word in words_of(query.q or "")]
