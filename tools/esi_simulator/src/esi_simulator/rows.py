"""The rows of the lists as bytes, made once; only those of auctions are made anew for each page."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final, NamedTuple

from esi_simulator.exchange import to_json
from esi_simulator.market.contracts import iso
from esi_simulator.world import World

_UNITS: Final = (86_400, 3600, 60)
_SPARE: Final = 1000
"""Rows of ended contracts that may lie about before they are looked for."""


class AuctionRow(NamedTuple):
    """An auction's row but for its end, which is written as of the instant a page is made."""

    head: bytes
    tail: bytes
    ends: int

    def as_of(self, at: int) -> bytes:
        return b"%s%s%s" % (self.head, iso(shown_end(self.ends, at)).encode(), self.tail)


class Rows:
    """Ready bytes by contract. A contract never changes, so they are used by all pages of all generations."""

    def __init__(self, world: World, *, drifting: bool) -> None:
        self._world = world
        self._drifting = drifting
        self._known: dict[int, dict[int, bytes | AuctionRow]] = {}

    def body(self, region_id: int, contract_ids: Sequence[int], at: int) -> bytes:
        """A page with these rows, made at an instant."""
        known = self._known.setdefault(region_id, {})
        rows = [known.get(one) or self._made(known, one) for one in contract_ids]
        return b"[" + b",".join([row.as_of(at) if isinstance(row, AuctionRow) else row for row in rows]) + b"]"

    def forget_ended(self, region_id: int, standing: Sequence[int]) -> None:
        """Drop the rows of a region's ended contracts, once they are many."""
        known = self._known.get(region_id, {})
        if len(known) > len(standing) + _SPARE:
            self._known[region_id] = {one: known[one] for one in standing if one in known}

    def _made(self, known: dict[int, bytes | AuctionRow], contract_id: int) -> bytes | AuctionRow:
        row = self._world.row(contract_id)
        # Slashes come escaped from ESI. A copy of its true size: orjson's own holds 8 KB each, measured with 3.13.0
        written = bytes(memoryview(to_json(row).replace(b"/", b"\\/")))
        made: bytes | AuctionRow = written
        if self._drifting and row is not None and row["type"] == "auction":
            head, end, tail = written.partition(row["date_expired"].encode())
            made = AuctionRow(head, tail, int(datetime.fromisoformat(end.decode()).timestamp()))
        known[contract_id] = made
        return made


def shown_end(ends: int, at: int) -> int:
    """The end of an auction as a list made at an instant shows it: so many whole days from then, or hours.

    The nine auctions recorded on 2020-06-17 all end at the Last-Modified of their page, whole hours or days later, and
    never after their true end; what is shown in the last hour was not recorded, here it is whole minutes.
    """
    left = ends - at
    unit = next((unit for unit in _UNITS if left >= unit), 1)
    return at + left // unit * unit if left > 0 else ends
