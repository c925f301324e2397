"""The 1,000 real contracts of Domain, as ESI served them on 2020-06-17, moved by whole days to the simulator's time."""

import csv
import gzip
import io
import math
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from typing import Final

from esi_simulator.market.catalogue import Catalogue
from esi_simulator.market.chance import dice
from esi_simulator.market.contents import bundle
from esi_simulator.market.contracts import DAY, Contract, Row
from esi_simulator.market.places import DOMAIN

RECORDED_AT: Final = datetime(2020, 6, 17, 20, 53, 59, tzinfo=UTC)
"""The Last-Modified of the recording."""
_NUMBERS: Final = {
    "contract_id": int,
    "issuer_id": int,
    "issuer_corporation_id": int,
    "start_location_id": int,
    "end_location_id": int,
    "days_to_complete": int,
    "price": float,
    "buyout": float,
    "reward": float,
    "collateral": float,
    "volume": float,
}


def shift(start: float) -> timedelta:
    """The whole days that bring the recording's instant to the simulator's start or less than a day after it."""
    return timedelta(days=math.ceil((start - RECORDED_AT.timestamp()) / DAY))


def moved_rows(moved: timedelta) -> Iterator[Row]:
    """All rows, ascending by id, as recorded but for their dates."""
    for row in recorded_rows():
        row["date_issued"] = _later(row["date_issued"], moved)
        row["date_expired"] = _later(row["date_expired"], moved)
        yield row


def recorded_contract(seed: int, wares: Catalogue, row: Row) -> Contract:
    """The contract behind a row. It stands until it expires; what it held was not recorded, so that is made up."""
    return Contract(
        contract_id=row["contract_id"],
        region_id=DOMAIN,
        type=row["type"],
        bundle=None if row["type"] == "courier" else bundle(dice(seed, row["contract_id"]), wares),
        born=_seconds(row["date_issued"]),
        gone=_seconds(row["date_expired"]),
        accepted=False,
    )


def recorded_rows() -> Iterator[Row]:
    """The rows with the dates they were recorded with; a field that ESI left out is not there."""
    source = files(__package__) / "domain_2020-06-17.csv.gz"
    with source.open("rb") as packed, gzip.open(packed) as plain, io.TextIOWrapper(plain, "utf-8", newline="") as text:
        for cells in csv.DictReader(text):
            row: Row = {name: _NUMBERS.get(name, str)(cell) for name, cell in cells.items() if cell or name == "title"}
            yield row | {"for_corporation": True} if "for_corporation" in row else row


def _later(instant: str, moved: timedelta) -> str:
    return (datetime.fromisoformat(instant) + moved).strftime("%Y-%m-%dT%H:%M:%SZ")


def _seconds(instant: str) -> float:
    return datetime.fromisoformat(instant).timestamp()
