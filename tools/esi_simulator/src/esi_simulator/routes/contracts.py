from typing import Any, Final

from esi_simulator.errors import EsiError, not_found
from esi_simulator.exchange import NOTHING, Document, Reply, Request, to_json
from esi_simulator.holdings import Holdings, page_of
from esi_simulator.lists import Lists
from esi_simulator.market.chance import fraction
from esi_simulator.market.region import WITHOUT_ITEMS
from esi_simulator.market.schedule import Birth
from esi_simulator.world import Fate, World

ITEMS_TTL: Final = 3600
BIDS_TTL: Final = 300
_GOLDEN: Final = 0.618_033_988_749_895


class ContractRoutes:
    """The public contract routes."""

    def __init__(self, world: World, lists: Lists, holdings: Holdings, *, size: int) -> None:
        self._world = world
        self._lists = lists
        self._holdings = holdings
        self._region_ids = holdings.ground.atlas.regions.keys()
        self._size = size
        self.as_usual()

    def as_usual(self) -> None:
        """Ends are seen at once, and every end has one answer of its own."""
        self.lingering = False
        """Whether a contract that ended is served on from its cached snapshot until that expires."""
        self.mixed_ends = False
        """Whether one end in four answers 204, or 403 `Contract not public`, as ESI does for reasons of its own."""
        self.without_items = 204
        """What couriers and loans answer: 204 or 404."""

    def contracts(self, request: Request, region_id: int) -> Reply:
        """A page of a region's list; every region has one, most are empty."""
        if region_id not in self._region_ids:
            raise not_found("Region")
        page, fresh = self._lists.page(region_id, request.page())
        return Reply(200, page.document, page.modified, page.expires, page.pages, fresh)

    def items(self, request: Request, contract_id: int) -> Reply:
        """What a standing contract holds; 204, 403 or 404 once it is gone, as its end was."""
        birth, modified, end = self._looked_up(contract_id, ITEMS_TTL)
        if end is not None:
            return end
        if birth.type in WITHOUT_ITEMS:
            return self._nothing(modified)
        documents = self._holdings.documents(contract_id)
        number = request.page()
        fresh = modified >= int(self._world.clock.now())
        return Reply(200, page_of(documents, number), modified, modified + ITEMS_TTL, len(documents), fresh)

    def bids(self, request: Request, contract_id: int) -> Reply:
        """The bids of a standing auction, as of the cached instant; 404 for anything else."""
        birth, modified, end = self._looked_up(contract_id, BIDS_TTL)
        if end is not None:
            return end
        if birth.type != "auction":
            raise not_found("Contract")
        rows = self.bids_at(birth, min(float(modified), self._world.market_at(modified)))
        pages = [rows[start : start + self._size] for start in range(0, max(1, len(rows)), self._size)]
        document = Document(to_json(page_of(pages, request.page())))
        return Reply(200, document, modified, modified + BIDS_TTL, len(pages))

    def bids_at(self, birth: Birth, at: float) -> list[dict[str, Any]]:
        """The bids of a contract at an instant of the market."""
        row = self._world.row(birth.contract_id)
        return [] if row is None else self._world.market.bids(birth, row, at)

    def _looked_up(self, contract_id: int, ttl: int) -> tuple[Birth, int, Reply | None]:
        """A contract's dates, when its rows were cached, and the answer that its end gives; raises for errors."""
        now = self._world.clock.now()
        birth, fate = self._world.life(contract_id)
        if birth is None:
            raise not_found("Contract")
        modified = _cached_at(birth, int(now), ttl)
        if self.lingering:
            _, fate = self._world.life(contract_id, modified)
        return birth, modified, None if fate is Fate.STANDING else self._ended(birth, fate, modified)

    def _ended(self, birth: Birth, fate: Fate, modified: int) -> Reply:
        """What the items of an ended contract answer; raises all but a 204."""
        if self.mixed_ends and fraction(birth.contract_id, _GOLDEN, 0) < 0.25:  # noqa: PLR2004 - one in four
            fate = Fate.EMPTY if birth.contract_id % 2 else Fate.NOT_PUBLIC
        if fate is Fate.EMPTY:
            return Reply(204, NOTHING, modified, modified + ITEMS_TTL)
        if fate is Fate.ACCEPTED:
            raise EsiError(403, "Contract accepted by player, requires authorization")
        if fate is Fate.NOT_PUBLIC:
            raise EsiError(403, "Contract not public")
        raise not_found("Contract")

    def _nothing(self, modified: int) -> Reply:
        if self.without_items == 404:  # noqa: PLR2004 - the other answer that was seen
            raise not_found("Contract")
        return Reply(204, NOTHING, modified, modified + ITEMS_TTL)


def _cached_at(birth: Birth, now: int, ttl: int) -> int:
    """When this contract's rows were cached: its own phase of the TTL, and never before it was there."""
    return max(now - (now + birth.contract_id * 7) % ttl, min(int(birth.born), now))
