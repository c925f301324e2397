"""A slot has come, or a timer: it becomes a command, or a look at what was put off or left unfinished."""

from collections.abc import Mapping, Sequence

from sqlalchemy.ext.asyncio import AsyncConnection

from common.errors import SetAsideError
from common.events import ITEMS_CHUNK, Dataset, IngestRequested, ItemsWanted, ScheduleDue, Scope
from common.ids import new_id
from common.logs import get_logger
from common.messaging.delivery import Delivery, forget_old
from common.messaging.outbox import Outbox
from ingestor.datasets import Backlog
from ingestor.domain.looks import Looks
from ingestor.domain.retrying import MAX_RUN_ATTEMPTS
from ingestor.esi import cache
from ingestor.esi.precedence import Precedence
from ingestor.stores.reconciling import Unfinished, come_due, idle, look_after_the_run, unfinished
from ingestor.stores.runs import Run, RunStore

log = get_logger(__name__)

INBOX_DAYS = 8
"""One more than the longest retention of a topic that is consumed."""


class ScheduleDueHandler:
    """Turns slots into work. The command goes over its own topic, so that a region's sweeps keep their order."""

    def __init__(
        self, backlogs: Mapping[Dataset, Backlog], runs: RunStore, outbox: Outbox, precedence: Precedence
    ) -> None:
        self._backlogs = backlogs
        self._runs = runs
        self._outbox = outbox
        self._precedence = precedence
        self._looks = Looks()

    async def __call__(self, delivery: Delivery[ScheduleDue]) -> None:
        slot = delivery.event
        if slot.dataset is Dataset.CONTRACTS:
            self._precedence.expect()
        if slot.action == "reconcile" and slot.dataset is None:
            async with delivery.transaction() as connection:
                looks = await self._reconcile(connection)
            self._looks = looks  # now that it is committed what was found
            return
        async with delivery.transaction() as connection:
            if slot.action == "ingest":
                await self._request(connection, slot)
            elif slot.dataset is not None:
                await self._take_up(connection, slot.dataset)

    async def _request(self, connection: AsyncConnection, slot: ScheduleDue) -> None:
        if slot.dataset is None or slot.run_id is None:
            raise SetAsideError("a slot with the action ingest names a dataset and a run")
        command = IngestRequested(dataset=slot.dataset, scope=slot.scope, run_id=slot.run_id)
        await self._runs.queue(connection, Run(slot.run_id, command), source="schedule")
        await self._outbox.write(connection, [command])

    async def _reconcile(self, connection: AsyncConnection) -> Looks:
        """Look at everything, and forget what is of no use any more; returns the looks with this one."""
        left, looks = await unfinished(connection, self._looks)
        await self._send_again(connection, left)
        for dataset in self._backlogs:
            await self._work_off(connection, dataset)
        await forget_old(connection, days=INBOX_DAYS)
        await cache.forget_old(connection)
        return looks

    async def _take_up(self, connection: AsyncConnection, dataset: Dataset) -> None:
        """Look at one dataset; what was done meanwhile is not found."""
        await self._send_again(connection, await come_due(connection, dataset))
        backlog = self._backlogs.get(dataset)
        if backlog is not None and await backlog.waiting(connection):
            await look_after_the_run(connection, dataset)
        await self._work_off(connection, dataset)

    async def _send_again(self, connection: AsyncConnection, left: Unfinished) -> None:
        """Send what is overdue; give up what was tried too often."""
        for row in left.runs:
            if row.attempts >= MAX_RUN_ATTEMPTS:
                await self._runs.end(connection, row.run_id, "failed", reason=f"gave up after {row.attempts} attempts")
        await self._outbox.write(connection, [*_commands(left), *_chunks(left)])
        if left.runs or left.contracts:
            log.info("taken up again", runs=len(left.runs), contracts=left.count())

    async def _work_off(self, connection: AsyncConnection, dataset: Dataset) -> None:
        """Begin a run of a dataset that has work waiting, unless one is under way."""
        backlog = self._backlogs.get(dataset)
        if backlog is None or not await idle(connection, dataset) or not await backlog.waiting(connection):
            return
        command = IngestRequested(dataset=dataset, run_id=new_id())
        assert command.run_id is not None
        await self._runs.queue(connection, Run(command.run_id, command), source="ingestor")
        await self._outbox.write(connection, [command])


def _commands(left: Unfinished) -> Sequence[IngestRequested]:
    return [
        IngestRequested(dataset=Dataset(row.dataset), scope=Scope(**row.scope), run_id=row.run_id, force=row.force)
        for row in left.runs
        if row.attempts < MAX_RUN_ATTEMPTS
    ]


def _chunks(left: Unfinished) -> Sequence[ItemsWanted]:
    return [
        ItemsWanted(region_id=region_id, contract_ids=tuple(ids[start : start + ITEMS_CHUNK]))
        for region_id, ids in left.contracts.items()
        for start in range(0, len(ids), ITEMS_CHUNK)
    ]
