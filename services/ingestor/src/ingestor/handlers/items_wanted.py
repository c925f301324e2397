"""Contracts' items: a chunk becomes rows."""

from common.events import ItemsWanted
from common.messaging.delivery import Delivery
from ingestor.enrichment import Enrichment
from ingestor.esi.client import Traffic


class ItemsWantedHandler:
    """Reads what contracts hold."""

    def __init__(self, enrichment: Enrichment) -> None:
        self._enrichment = enrichment

    async def __call__(self, delivery: Delivery[ItemsWanted]) -> None:
        traffic = Traffic()
        haul = await self._enrichment.read(delivery.event.contract_ids, traffic)
        async with delivery.transaction() as connection:
            await self._enrichment.store(connection, haul, traffic)
