"""A market to multiply: read from the simulated ESI by the ingestor's own handlers, so they fill its columns."""

from pathlib import Path
from typing import Final

from sqlalchemy.ext.asyncio import AsyncEngine

from common.database import create_engine
from common.events import Dataset, IngestRequested, ItemsWanted, Scope
from common.ids import new_id
from esi_simulator.market.places import HUBS
from support.databases import settings_for
from support.ingestion import Ingestion, ingestion
from support.simulated_esi import SimulatedEsi, running_simulator

FORGE: Final = 10000002
FORGE_SHARE: Final = 0.72
HUB_SHARE: Final = 0.05
"""Parts of all contracts that stand in The Forge and in each of the four other hubs; the rest is spread."""
SPREAD: Final = (10000001, 10000016, 10000028, 10000033, 10000036, 10000052, 10000064, 11000001)
"""Regions of high, low and null security and of wormholes, with a little market each."""
BORN: Final = 0.46
SMALL: Final = 0.29
"""Parts of The Forge that are as the simulator makes them, and that hold little; the rest are couriers."""
FEWEST: Final = 3
LONGEST_BACKLOG: Final = 1_000
"""Runs after which a dataset that still has something to do is given up."""


async def grow(url: str, folder: Path, *, contracts: int) -> None:
    """Fill an empty database with about so many live contracts, their items, bids, rolls, prices and names."""
    engine = create_engine(settings_for(url), service="bench")
    try:
        with running_simulator(folder, **_market(contracts)) as esi:
            esi.control("freeze", frozen=True)
            esi.control("list", region_id=FORGE, count=round(contracts * FORGE_SHARE * SMALL), kind="goods")
            couriers = contracts * FORGE_SHARE * (1 - BORN - SMALL)
            esi.control("list", region_id=FORGE, count=round(couriers), type="courier")
            await _read(engine, esi)
    finally:
        await engine.dispose()


def _market(contracts: int) -> dict[str, str]:
    each = max(FEWEST, round(contracts * (1 - FORGE_SHARE - HUB_SHARE * (len(HUBS) - 1)) / len(SPREAD)))
    return {
        "ESI_SIM_FORGE_CONTRACTS": str(round(contracts * FORGE_SHARE * BORN)),
        "ESI_SIM_HUB_CONTRACTS": str(max(FEWEST, round(contracts * HUB_SHARE))),
        "ESI_SIM_EXTRA_REGIONS": ",".join(f"{region_id}:{each}" for region_id in SPREAD),
        "ESI_SIM_RECORDED": "false",
        "ESI_SIM_AUCTION_DRIFT": "false",
    }


async def _read(engine: AsyncEngine, esi: SimulatedEsi) -> None:
    """Prices first, for a contract is valued when its items are stored."""
    async with ingestion(engine, esi.url) as ingestor:
        await _command(ingestor, Dataset.PRICES)
        for region_id in (*HUBS, *SPREAD):
            await _command(ingestor, Dataset.CONTRACTS, Scope(region_id=region_id))
            for wanted in await ingestor.take(ItemsWanted):
                await ingestor.deliver(wanted, times=1)
        for dataset in (Dataset.NAMES, Dataset.DYNAMIC_ITEMS, Dataset.BIDS):
            await _work_off(ingestor, dataset)
        unread = await ingestor.value("SELECT count(*) FROM contracts WHERE items_state IN ('wanted', 'failed')")
        if unread:
            raise RuntimeError(f"the items of {unread} contracts were not read")


async def _work_off(ingestor: Ingestion, dataset: Dataset) -> None:
    for _ in range(LONGEST_BACKLOG):
        if await _command(ingestor, dataset) == "skipped":
            return
    raise RuntimeError(f"{dataset.value} has no end")


async def _command(ingestor: Ingestion, dataset: Dataset, scope: Scope | None = None) -> str:
    """Carry out one command; the state that its run is left in."""
    run_id = new_id()
    await ingestor.deliver(IngestRequested(dataset=dataset, scope=scope or Scope(), run_id=run_id), times=1)
    state: str = (await ingestor.run(run_id)).state
    return state
