"""The rolls of abyssal items: base type, mutaplasmid and attributes, asked for patiently and stored once."""

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from common.events import Dataset
from ingestor.datasets import Ingest, Ingredients, NothingToDoError, Stored
from ingestor.esi.asking import Answers, Refusal, ask_each
from ingestor.esi.client import EsiClient, Traffic
from ingestor.esi.errors import UpstreamUnavailableError
from ingestor.esi.models import DynamicItem
from ingestor.stores import dynamic_items
from ingestor.stores.dynamic_items import ItemKey
from ingestor.stores.runs import Run
from ingestor.stores.spending import lately

ITEMS_PER_RUN = 300
ERRORS_PER_MINUTE = 10
"""Each 520 costs one of the 100 that all of us have; so many at once are asked for, and each stops at its first."""

_ITEM = msgspec.json.Decoder(DynamicItem)

Rolls = Answers[ItemKey, DynamicItem]


class DynamicItems:
    """Reads what mutaplasmids made of items. By force, it takes up again what was set aside or overlooked."""

    name = Dataset.DYNAMIC_ITEMS

    def __init__(self, engine: AsyncEngine, esi: EsiClient) -> None:
        self._engine = engine
        self._esi = esi

    async def waiting(self, connection: AsyncConnection) -> bool:
        return bool(await dynamic_items.due(connection, 1)) and await _room(connection)

    async def read(self, run: Run, traffic: Traffic) -> Rolls:
        async with self._engine.connect() as connection:
            due = await dynamic_items.due(connection, ITEMS_PER_RUN) if await _room(connection) else []
        if due:
            return await ask_each(due, lambda key: self._item(key, traffic), at_once=ERRORS_PER_MINUTE)
        if run.command.force:
            return Rolls()
        raise NothingToDoError("no item is due, or too many were refused in the last minute")

    async def store(self, connection: AsyncConnection, run: Run, reading: Rolls) -> Stored:
        read = {item_id: item for (item_id, _), item in reading.found().items()}
        missing = {item_id: str(refusal) for (item_id, _), refusal in reading.refused().items()}
        new = await dynamic_items.store(connection, read, missing)
        if run.command.force:
            await dynamic_items.renew(connection)
            await dynamic_items.want_held(connection)
        fetched = len(read) + len(missing)
        unchanged = len(read) - new
        counts = {"fetched": fetched, "listed": new, "unchanged": unchanged, "rejected": len(missing)}
        return Stored(counts, reading.flaw)

    async def _item(self, key: ItemKey, traffic: Traffic) -> DynamicItem | Refusal:
        item_id, type_id = key
        own = Traffic()
        try:
            answer = await self._esi.get(f"/dogma/dynamic/items/{type_id}/{item_id}", traffic=own)
        except UpstreamUnavailableError as error:
            # Some items fail for ever (esi-issues #1522); they must not keep others waiting. A pause is nobody's fault.
            if own.requests:
                return Refusal(500, str(error))
            raise
        finally:
            traffic.requests += own.requests
            traffic.bytes += own.bytes
        if answer.status != 200:  # noqa: PLR2004
            return Refusal(answer.status, answer.error())
        try:
            item = _ITEM.decode(answer.body)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            return Refusal(200, f"unreadable: {error}")
        return item if item.dogma_attributes else Refusal(200, "no attributes: not known yet")


async def _room(connection: AsyncConnection) -> bool:
    return await lately(connection, Dataset.DYNAMIC_ITEMS, "rejected") < ERRORS_PER_MINUTE


def build(ingredients: Ingredients) -> Ingest:
    return DynamicItems(ingredients.engine, ingredients.esi)
