"""Contracts by the million, as PostgreSQL copies them out."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NamedTuple

from api.queries.arguments import Arguments
from api.queries.filters import LIVE, where
from api.queries.search import Search
from api.schemas.contract_filters import ContractFilters
from api.schemas.export import ExportFormat


class Kind(StrEnum):
    """What a column holds, in all formats."""

    ID = "id"
    COUNT = "count"
    ISK = "isk"
    NUMBER = "number"
    FLAG = "flag"
    TEXT = "text"
    INSTANT = "instant"


class Column(NamedTuple):
    """One column of an export: its name, what it holds, and where that comes from."""

    name: str
    kind: Kind
    source: str


def _own(kind: Kind, *names: str) -> list[Column]:
    return [Column(name, kind, f"c.{name}") for name in names]


# First the columns of `contracts.csv` in EVE Ref's snapshots of public contracts, in the order in which
# https://docs.everef.net/datasets/public-contracts lists them, so that what reads those reads these.
COLUMNS = (
    *_own(Kind.ISK, "collateral"),
    *_own(Kind.ID, "contract_id"),
    *_own(Kind.INSTANT, "date_expired", "date_issued"),
    *_own(Kind.COUNT, "days_to_complete"),
    *_own(Kind.ID, "end_location_id", "issuer_corporation_id", "issuer_id"),
    *_own(Kind.ISK, "price", "reward"),
    *_own(Kind.ID, "start_location_id"),
    *_own(Kind.TEXT, "title", "type"),
    *_own(Kind.NUMBER, "volume"),
    *_own(Kind.FLAG, "for_corporation"),
    *_own(Kind.ISK, "buyout"),
    Column("http_last_modified", Kind.INSTANT, "CASE WHEN c.delisted_at IS NULL THEN v.generation END"),
    *_own(Kind.ID, "region_id"),
    Column("station_id", Kind.ID, "t.station_id"),
    *_own(Kind.ID, "system_id"),
    Column("constellation_id", Kind.ID, "y.constellation_id"),
    # What follows is ours.
    Column("live", Kind.FLAG, f"({LIVE})"),
    *_own(Kind.INSTANT, "listed_at", "delisted_at"),
    *_own(Kind.TEXT, "outcome"),
    Column("region_name", Kind.TEXT, "r.name"),
    Column("system_name", Kind.TEXT, "y.name"),
    *_own(Kind.TEXT, "security"),
    Column("start_location_name", Kind.TEXT, "t.name"),
    Column("end_location_name", Kind.TEXT, "e.name"),
    *_own(Kind.ID, "end_system_id"),
    Column("issuer_name", Kind.TEXT, "i.name"),
    Column("issuer_corporation_name", Kind.TEXT, "k.name"),
    *_own(Kind.COUNT, "jumps", "jumps_high_security"),
    *_own(Kind.NUMBER, "reward_per_m3"),
    *_own(Kind.COUNT, "bids_count"),
    *_own(Kind.ISK, "highest_bid"),
    *_own(Kind.TEXT, "items_state", "label", "composition"),
    *_own(Kind.FLAG, "contains_ship"),
    *_own(Kind.COUNT, "items_offered", "items_requested"),
    *_own(Kind.FLAG, "is_blueprint_copy"),
    *_own(Kind.COUNT, "runs", "material_efficiency", "time_efficiency"),
    *_own(Kind.NUMBER, "packaged_volume"),
    *_own(Kind.ISK, "value_buy", "value_sell", "value_average"),
    *_own(Kind.COUNT, "value_lines", "value_lines_priced"),
    *_own(Kind.NUMBER, "value_ratio"),
)
JOINS = """
  FROM contracts c
       LEFT JOIN coverage v ON v.region_id = c.region_id
       LEFT JOIN regions r ON r.region_id = c.region_id
       LEFT JOIN systems y ON y.system_id = c.system_id
       LEFT JOIN stations t ON t.station_id = c.start_location_id
       LEFT JOIN stations e ON e.station_id = c.end_location_id
       LEFT JOIN names i ON i.entity_id = c.issuer_id
       LEFT JOIN names k ON k.entity_id = c.issuer_corporation_id
"""
# JSON has no control character in it, so nothing is ever quoted: what comes out are its lines as they are.
AS_LINES = {"format": "csv", "quote": "\x01", "escape": "\x01", "delimiter": "\x02"}
AS_CSV = {"format": "csv", "header": True}
_IN_CSV = {Kind.FLAG: "({})::text", Kind.INSTANT: 'to_char({}, \'YYYY-MM-DD"T"HH24:MI:SS.US"Z"\')'}


@dataclass(frozen=True, slots=True)
class Copy:
    """What to copy out: a query with its arguments, and the options of COPY."""

    query: str
    arguments: Arguments
    options: dict[str, Any]


def copy_of(filters: ContractFilters, search: Search | None, written: ExportFormat) -> Copy:
    """All contracts that `filters` ask for, in no order; of Parquet the lines that it is made of.

    `search` is what their `q` means. One statement, so all of it is of one moment.
    """
    arguments = Arguments()
    of_format = _IN_CSV if written is ExportFormat.CSV else {}
    columns = ", ".join(f"{of_format.get(kind, '{}').format(source)} AS {name}" for name, kind, source in COLUMNS)
    query = f"SELECT {columns} {JOINS} WHERE {where(filters, arguments, search)}"
    if written is ExportFormat.CSV:
        return Copy(f"/* export.csv */ {query}", arguments, AS_CSV)
    return Copy(f"/* export.lines */ SELECT row_to_json(o)::text FROM ({query}) AS o", arguments, AS_LINES)  # noqa: S608
