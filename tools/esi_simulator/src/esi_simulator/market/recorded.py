"""The 1,000 real contracts of Domain, as ESI served them on 2020-06-17, moved by whole days to the simulator's time."""

import csv
import gzip
import io
import math
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from typing import Final, NamedTuple

from esi_simulator.market.catalogue import Catalogue
from esi_simulator.market.chance import dice
from esi_simulator.market.contents import bundle
from esi_simulator.market.contracts import DAY, Contract, Row, iso
from esi_simulator.market.places import DOMAIN
from esi_simulator.market.schedule import Birth

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


class Recorded(NamedTuple):
    """A recorded contract: its row as served now, and its dates as seconds since 1970."""

    row: Row
    born: int
    gone: int

    def birth(self) -> Birth:
        """Its dates. It stands until it expires; what became of it was not recorded."""
        return Birth(0, self.row["contract_id"], self.row["type"], self.born, self.gone, self.gone, False, False)  # noqa: FBT003 - as the tuple has them


def shift(start: float) -> timedelta:
    """The whole days that bring the recording's instant to the simulator's start or less than a day after it."""
    return timedelta(days=math.ceil((start - RECORDED_AT.timestamp()) / DAY))


def recording() -> tuple[Recorded, ...]:
    """All contracts with the dates they were recorded with, ascending by id."""
    return tuple(Recorded(row, _seconds(row["date_issued"]), _seconds(row["date_expired"])) for row in recorded_rows())


def moved(contracts: Iterable[Recorded], by: timedelta) -> Iterator[Recorded]:
    """As recorded but for their dates."""
    seconds = int(by.total_seconds())
    for row, born, gone in contracts:
        dates = {"date_issued": iso(born + seconds), "date_expired": iso(gone + seconds)}
        yield Recorded(row | dates, born + seconds, gone + seconds)


def recorded_contract(seed: int, wares: Catalogue, recorded: Recorded) -> Contract:
    """The contract behind a row; what it held was not recorded, so that is made up."""
    row = recorded.row
    return Contract(
        contract_id=row["contract_id"],
        region_id=DOMAIN,
        type=row["type"],
        bundle=None if row["type"] == "courier" else bundle(dice(seed, row["contract_id"]), wares),
        born=recorded.born,
        gone=recorded.gone,
        accepted=False,
    )


def recorded_rows() -> Iterator[Row]:
    """The rows with the dates they were recorded with; a field that ESI left out is not there."""
    source = files(__package__) / "domain_2020-06-17.csv.gz"
    with source.open("rb") as packed, gzip.open(packed) as plain, io.TextIOWrapper(plain, "utf-8", newline="") as text:
        for cells in csv.DictReader(text):
            row: Row = {name: _NUMBERS.get(name, str)(cell) for name, cell in cells.items() if cell or name == "title"}
            yield row | {"for_corporation": True} if "for_corporation" in row else row


def _seconds(instant: str) -> int:
    return int(datetime.fromisoformat(instant).timestamp())
