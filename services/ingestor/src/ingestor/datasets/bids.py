"""Bids on live auctions: each auction is asked for every five minutes at most, as long as upstream keeps its answer."""

from datetime import timedelta

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from common.events import Dataset
from common.messaging.outbox import Outbox
from ingestor.datasets import Ingest, Ingredients, NothingToDoError, Stored
from ingestor.domain.bidding import in_order
from ingestor.esi.asking import Answers, Refusal, ask_each
from ingestor.esi.cache import ResponseCache
from ingestor.esi.client import Traffic
from ingestor.esi.errors import UpstreamRefusedError
from ingestor.esi.models import PublicBid
from ingestor.stores import bids
from ingestor.stores.bids import BidStore
from ingestor.stores.runs import Run
from ingestor.stores.spending import lately

AUCTIONS_PER_RUN = 200
ERRORS_PER_MINUTE = 10
AT_ONCE = 10
EVERY = timedelta(minutes=5)
"""ESI caches bids for 300 s."""
AFTER_REFUSAL = timedelta(minutes=10)
"""Gone, taken, or so new that the route does not know it yet: the region's list will tell, not this route."""
MOST_PAGES = 100

_BIDS = msgspec.json.Decoder(list[PublicBid])


class Bids:
    """Reads what was bid."""

    name = Dataset.BIDS

    def __init__(self, engine: AsyncEngine, cache: ResponseCache, outbox: Outbox) -> None:
        self._engine = engine
        self._cache = cache
        self._store = BidStore(outbox)

    async def waiting(self, connection: AsyncConnection) -> bool:
        return bool(await bids.due(connection, 1)) and await _room(connection)

    async def read(self, run: Run, traffic: Traffic) -> Answers[int, list[PublicBid]]:
        del run
        async with self._engine.connect() as connection:
            due = await bids.due(connection, AUCTIONS_PER_RUN) if await _room(connection) else []
        if not due:
            raise NothingToDoError("no live auction is due, or too many were refused in the last minute")
        return await ask_each(due, lambda contract_id: self._bids(contract_id, traffic), at_once=AT_ONCE)

    async def store(self, connection: AsyncConnection, run: Run, reading: Answers[int, list[PublicBid]]) -> Stored:
        del run
        found = reading.found()
        again = dict.fromkeys(reading.given, AFTER_REFUSAL) | dict.fromkeys(found, EVERY)
        again |= dict.fromkeys(reading.failed, AFTER_REFUSAL)
        changed = await self._store.store(connection, found, again)
        fetched, rejected = len(reading.given), reading.errors()
        counts = {
            "fetched": fetched,
            "changed": changed,
            "unchanged": fetched - changed - rejected,
            "rejected": rejected,
        }
        return Stored(counts, reading.flaw)

    async def _bids(self, contract_id: int, traffic: Traffic) -> list[PublicBid] | Refusal:
        """All bids of an auction, from all pages. Bids are never taken back, so pages need not be of one generation."""
        path = f"/contracts/public/bids/{contract_id}"
        try:
            first = await self._cache.get(path, traffic=traffic)
            others = range(2, min(first.pages or 1, MOST_PAGES) + 1)
            rest = [await self._cache.get(path, params={"page": str(page)}, traffic=traffic) for page in others]
            return in_order(bid for page in (first, *rest) for bid in _BIDS.decode(page.body))
        except UpstreamRefusedError as error:
            return Refusal(error.status, error.message)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            return Refusal(200, f"unreadable: {error}")


async def _room(connection: AsyncConnection) -> bool:
    return await lately(connection, Dataset.BIDS, "rejected") < ERRORS_PER_MINUTE


def build(ingredients: Ingredients) -> Ingest:
    return Bids(ingredients.engine, ingredients.cache, ingredients.outbox)
