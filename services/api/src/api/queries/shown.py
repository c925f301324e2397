"""What a list shows of a contract, and where each field comes from."""

from collections.abc import Sequence

from api.schemas.contracts import ContractSummary


def _station(column: str) -> str:
    return f"(SELECT name FROM stations WHERE station_id = c.{column})"  # noqa: S608


def _name(column: str) -> str:
    return f"(SELECT name FROM names WHERE entity_id = c.{column})"  # noqa: S608


# Looked up for the rows that are shown, and for no other: each look-up costs little to plan, a join of six much.
SOURCES = {
    "contract_type": "c.type",
    "region_name": "(SELECT name FROM regions WHERE region_id = c.region_id)",
    "system_name": "(SELECT name FROM systems WHERE system_id = c.system_id)",
    "start_location_name": _station("start_location_id"),
    "end_location_name": _station("end_location_id"),
    "issuer_name": _name("issuer_id"),
    "issuer_corporation_name": _name("issuer_corporation_id"),
    "live": "(c.delisted_at IS NULL AND c.date_expired > now())",
}


def columns(fields: Sequence[str] = ()) -> str:
    """The columns of `contracts c` that make these fields, in the schema's order; all of them by default."""
    wanted = [name for name in ContractSummary.model_fields if not fields or name in fields]
    return ", ".join(f"{SOURCES.get(name, f'c.{name}')} AS {name}" for name in wanted)
