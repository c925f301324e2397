"""A contract, and the rows that ESI shows of it. Absent fields are left out, never null."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from random import Random
from typing import Any, Final

from esi_simulator.market.contents import Bundle, Stack
from esi_simulator.market.schedule import Birth

Row = dict[str, Any]

FIRST_SERIAL: Final = 150_000_000
"""Below every contract id there is; item and record ids count from here."""
LINES_IN_BLOCK: Final = 64
"""Each contract has a block of ids for its lines; a longer one goes on in a roomier range."""
FIRST_RECORD: Final = 5_000_000_000
FIRST_ITEM: Final = 1_047_000_000_000
OVERFLOW: Final = 1_000_000_000_000
DAY: Final = 86_400


@dataclass(frozen=True, slots=True)
class Contract:
    """One contract for all its life; instants are seconds since 1970. Couriers have no bundle to show."""

    contract_id: int
    region_id: int
    type: str
    bundle: Bundle | None
    born: float
    gone: float
    accepted: bool

    def items(self) -> list[Row]:
        """All lines, in the order of their record ids; the same at any time."""
        if self.bundle is None:
            return []
        return [_item(self.contract_id, index, stack) for index, stack in enumerate(self.bundle.stacks)]


def line_of(item_id: int) -> tuple[int, int] | None:
    """The contract that an item id belongs to and the line's number in it; None for ids that no contract deals out."""
    serial = item_id - FIRST_ITEM
    if serial < 0:
        return None
    offset, width = (OVERFLOW, LINES_IN_BLOCK**2) if serial >= OVERFLOW else (0, LINES_IN_BLOCK)
    contract, index = divmod(serial - offset, width)
    return FIRST_SERIAL + contract, index


def bids(contract: Birth, row: Row, rng: Random, at: float) -> Iterator[Row]:
    """The bids that an auction got until an instant; each is higher than the one before and below the buyout."""
    amount = float(row["price"])
    moments = sorted(rng.uniform(contract.born, contract.gone) for _ in range(rng.choice((0, 0, 1, 2, 3, 5, 8))))
    for index, moment in enumerate(moments):
        amount = round(amount * rng.uniform(1.01, 1.15), 2)
        if moment > at or 0 < row["buyout"] <= amount:
            return
        bid_id = (contract.contract_id - FIRST_SERIAL) * 8 + index
        yield {"amount": amount, "bid_id": bid_id, "date_bid": iso(moment)}


def iso(seconds: float) -> str:
    """An instant as ESI writes it, to the second."""
    return datetime.fromtimestamp(int(seconds), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def midnight(seconds: float) -> float:
    """Auctions show the day they were issued on, not the time."""
    return seconds // DAY * DAY


def _item(contract_id: int, index: int, stack: Stack) -> Row:
    serial = _serial(contract_id, index)
    row: Row = {
        "is_included": not stack.wanted,
        "quantity": stack.quantity,
        "record_id": FIRST_RECORD + serial,
        "type_id": stack.ware.type_id,
    }
    if not stack.wanted:
        row["item_id"] = FIRST_ITEM + serial
    if stack.blueprint is not None:
        row["material_efficiency"] = stack.blueprint.material_efficiency
        row["time_efficiency"] = stack.blueprint.time_efficiency
        if stack.blueprint.runs is not None:
            row |= {"is_blueprint_copy": True, "runs": stack.blueprint.runs}
    return row


def _serial(contract_id: int, index: int) -> int:
    """Unique over all lines of all contracts, ascending within one."""
    contract = contract_id - FIRST_SERIAL
    if index < LINES_IN_BLOCK:
        return contract * LINES_IN_BLOCK + index
    return OVERFLOW + contract * LINES_IN_BLOCK**2 + index
