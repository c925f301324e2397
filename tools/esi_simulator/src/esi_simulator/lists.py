"""The cached lists of regions: what ESI serves for half an hour, whatever happens on the market meanwhile."""

from typing import Final

from esi_simulator.errors import no_such_page
from esi_simulator.exchange import Document, to_json
from esi_simulator.world import World

PAGE_SIZE: Final = 1000


class Generation:
    """One region's list as of one instant; all its pages agree, because they come from this one snapshot.

    Here is the place where pages of different generations would be mixed to imitate the shear of ESI's per-page caches.
    """

    def __init__(self, modified: int, expires: int, rows: dict[int, bytes]) -> None:
        self.modified = modified
        self.expires = expires
        self.rows = rows
        self._pages: dict[int, Document] = {}

    @property
    def pages(self) -> int:
        """How many there are; an empty list has one page."""
        return max(1, -(-len(self.rows) // PAGE_SIZE))

    def page(self, number: int) -> tuple[Document, bool]:
        """A page and whether it was made only now; 404 beyond the last one."""
        if number > self.pages:
            raise no_such_page()
        if number in self._pages:
            return self._pages[number], False
        rows = list(self.rows.values())[(number - 1) * PAGE_SIZE : number * PAGE_SIZE]
        self._pages[number] = Document(b"[" + b",".join(rows) + b"]")
        return self._pages[number], True


class Lists:
    """The current generation of each region, built by the first request after the old one's expiry, as ESI does."""

    def __init__(self, world: World, ttl: int) -> None:
        self._world = world
        self._ttl = ttl
        self._current: dict[int, Generation] = {}

    def generation(self, region_id: int) -> Generation:
        """What is served now."""
        now = self._world.clock.now()
        standing = self._current.get(region_id)
        if standing is None or now >= standing.expires:
            rows = {} if standing is None else standing.rows
            standing = Generation(int(now), int(now) + self._ttl, self._rows(region_id, rows))
            self._current[region_id] = standing
        return standing

    def _rows(self, region_id: int, known: dict[int, bytes]) -> dict[int, bytes]:
        """Ready bytes by id, ascending; those of the last generation are used again, for a contract never changes."""
        return {
            contract_id: known.get(contract_id) or self._row(contract_id) for contract_id in self._world.ids(region_id)
        }

    def _row(self, contract_id: int) -> bytes:
        row = to_json(self._world.market.row(contract_id))
        return bytes(memoryview(row))  # a copy of its true size: orjson's own holds 8 KB each, measured with 3.13.0
