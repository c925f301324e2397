"""A command becomes a run: read upstream, then store everything in one transaction."""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import timedelta
from typing import Any

from sqlalchemy.ext.asyncio import AsyncEngine

from common.errors import DeferError
from common.events import Dataset, IngestRequested, RunOutcome
from common.ids import derived_id
from common.logs import get_logger
from common.messaging.delivery import Delivery
from ingestor.datasets import Ingest, NothingToDoError, Stored
from ingestor.domain.retrying import MAX_RUN_ATTEMPTS, pause_after
from ingestor.enrichment import Enrichment
from ingestor.esi.client import Traffic
from ingestor.esi.errors import UpstreamRefusedError, UpstreamUnavailableError
from ingestor.esi.governor import Share
from ingestor.esi.precedence import Precedence
from ingestor.stores.runs import Run, RunStore

log = get_logger(__name__)

DEADLINE_SECONDS = 60
"""For reading upstream; what takes longer waits for a later attempt instead of holding its partition."""


class IngestRequestedHandler:
    """Carries out commands."""

    def __init__(
        self,
        datasets: Mapping[Dataset, Ingest],
        enrichment: Enrichment,
        runs: RunStore,
        precedence: Precedence,
    ) -> None:
        self._datasets = datasets
        self._enrichment = enrichment
        self._runs = runs
        self._precedence = precedence

    async def __call__(self, delivery: Delivery[IngestRequested]) -> None:
        if delivery.event.dataset is Dataset.CONTRACTS:
            with self._precedence.taken():
                await self._carry_out(delivery)
        else:
            await self._carry_out(delivery)

    async def _carry_out(self, delivery: Delivery[IngestRequested]) -> None:
        command = delivery.event
        run = Run(command.run_id or derived_id(delivery.id, "run"), command)
        async with delivery.engine.begin() as connection:
            attempt = await self._runs.start(connection, run)
        if attempt is None:
            return
        traffic = Traffic()
        try:
            dataset = self._datasets[command.dataset]
            reading = await _in_time(dataset, run, traffic)
            await self._store(delivery, dataset, run, reading, traffic)
        except DeferError as error:
            await self._put_off(delivery, run, attempt, error, traffic)
        except (UpstreamRefusedError, NothingToDoError) as error:
            await self._give_up(delivery, run, error, traffic)

    async def _store(
        self, delivery: Delivery[IngestRequested], dataset: Ingest, run: Run, reading: Any, traffic: Traffic
    ) -> None:
        async with delivery.transaction() as connection:
            stored: Stored = await dataset.store(connection, run, reading)
            await self._runs.count_traffic(connection, run.run_id, traffic)
            await self._runs.listed(connection, run, stored.counts, stored.flaw)
        log.info("stored", dataset=run.dataset.value, scope=str(run.scope), flaw=stored.flaw, **stored.counts)
        if stored.at_once:
            await self._enrich(delivery.engine, stored.at_once)

    async def _enrich(self, engine: AsyncEngine, contract_ids: Sequence[int]) -> None:
        """Read the items of a few new contracts ahead of any backlog. What fails here is found by its rows."""
        traffic = Traffic()
        with suppress(DeferError):
            haul = await self._enrichment.read(contract_ids, traffic, share=Share.DISCOVERY)
            async with engine.begin() as connection:
                await self._enrichment.store(connection, haul, traffic)

    async def _put_off(
        self, delivery: Delivery[IngestRequested], run: Run, attempt: int, error: DeferError, traffic: Traffic
    ) -> None:
        log.warning("run put off", dataset=run.dataset.value, attempt=attempt, reason=str(error))
        async with delivery.transaction() as connection:
            await self._runs.count_traffic(connection, run.run_id, traffic)
            if attempt >= MAX_RUN_ATTEMPTS:
                await self._runs.end(connection, run.run_id, "failed", reason=f"after {attempt} attempts: {error}")
            else:
                after = max(error.after, pause_after(attempt))
                await self._runs.defer(connection, run.run_id, reason=str(error), after=after)

    async def _give_up(self, delivery: Delivery[IngestRequested], run: Run, error: Exception, traffic: Traffic) -> None:
        state: RunOutcome = "skipped" if isinstance(error, NothingToDoError) else "failed"
        log.info("run ended early", dataset=run.dataset.value, state=state, reason=str(error))
        async with delivery.transaction() as connection:
            await self._runs.count_traffic(connection, run.run_id, traffic)
            await self._runs.end(connection, run.run_id, state, reason=str(error))


async def _in_time(dataset: Ingest, run: Run, traffic: Traffic) -> Any:
    """The dataset's reading, or `UpstreamUnavailableError` when it takes too long."""
    try:
        async with asyncio.timeout(DEADLINE_SECONDS) as deadline:
            return await dataset.read(run, traffic)
    except TimeoutError as error:
        if not deadline.expired():
            raise  # the database's
        raise UpstreamUnavailableError(f"not read within {DEADLINE_SECONDS} s", timedelta(seconds=30)) from error
    except ExceptionGroup as group:
        raise group.exceptions[0] from group
