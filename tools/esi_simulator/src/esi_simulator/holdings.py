"""What contracts hold, as bytes made once, and what became of the abyssal items among it."""

from collections.abc import Iterator, Sequence
from typing import Any, Final, TypeVar

from esi_simulator.errors import no_such_page
from esi_simulator.exchange import Document, to_json
from esi_simulator.ground import Ground
from esi_simulator.market.contracts import Row, line_of
from esi_simulator.world import World

T = TypeVar("T")

MOST_KEPT: Final = 60_000
"""Contracts whose bytes are kept: all of a market as large as the live one, and of this process some 50 MB."""


class Holdings:
    """The items of all contracts. They never change, so what was made is served for ever."""

    def __init__(self, world: World, ground: Ground, *, seed: int, size: int) -> None:
        self.ground = ground
        self._world = world
        self._seed = seed
        self._size = size
        self._documents: dict[int, tuple[Document, ...]] = {}

    def rows(self, contract_id: int) -> list[Row]:
        """All lines of a contract, whenever it lives; none for couriers and for what never was."""
        contract = self._world.contract(contract_id)
        return [] if contract is None else contract.items()

    def documents(self, contract_id: int) -> tuple[Document, ...]:
        """The pages of a contract's items."""
        found = self._documents.get(contract_id)
        if found is None:
            rows = self.rows(contract_id)
            starts = range(0, max(1, len(rows)), self._size)
            found = tuple(Document(_compact(rows[start : start + self._size])) for start in starts)
            if len(self._documents) >= MOST_KEPT:
                self._documents.clear()
            self._documents[contract_id] = found
        return found

    def rolled(self, type_id: int, item_id: int) -> Row | None:
        """What an abyssal item is; None for other items, and for those of contracts that are still to come."""
        place = line_of(item_id)
        if place is None or type_id not in self.ground.mutations:
            return None
        contract_id, index = place
        birth = self._world.birth(contract_id)
        if birth is None or birth.born > self._world.clock.now():
            return None
        rows = self.rows(contract_id)
        if index >= len(rows) or (rows[index]["type_id"], rows[index].get("item_id")) != (type_id, item_id):
            return None
        return self.ground.mutations[type_id].roll(self._seed, item_id)

    def rolls(self, contract_id: int) -> Iterator[dict[str, Any]]:
        """The abyssal items of a contract, with their ids and what they are."""
        for row in self.rows(contract_id):
            if "item_id" in row and row["type_id"] in self.ground.mutations:
                mutation = self.ground.mutations[row["type_id"]]
                ids = {"type_id": row["type_id"], "item_id": row["item_id"]}
                yield ids | mutation.roll(self._seed, row["item_id"])


def page_of(pages: Sequence[T], number: int) -> T:
    """One of the pages; 404 beyond the last one."""
    if number > len(pages):
        raise no_such_page()
    return pages[number - 1]


def _compact(rows: list[Row]) -> bytes:
    return bytes(memoryview(to_json(rows)))  # orjson's own holds more than it shows
