"""What became of contracts that left the list: a probe of their items route, within a small budget of its own."""

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from common.events import Dataset
from common.messaging.outbox import Outbox
from ingestor.datasets import Ingest, Ingredients, NothingToDoError, Stored
from ingestor.domain.outcome import MAX_PROBES, Evidence, ask_again_after, decide
from ingestor.esi.asking import Answers, ask_each
from ingestor.esi.client import Answer, EsiClient, Traffic
from ingestor.stores import outcomes
from ingestor.stores.outcomes import Gone, OutcomeStore, Verdict
from ingestor.stores.runs import Run
from ingestor.stores.spending import lately

PROBES_PER_MINUTE = 20
"""Nearly each of them costs one of ESI's 100 errors a minute."""
AT_ONCE = 5

Probes = Answers[Gone, Answer]


class Outcomes:
    """Finds out what became of contracts."""

    name = Dataset.OUTCOMES

    def __init__(self, engine: AsyncEngine, esi: EsiClient, outbox: Outbox) -> None:
        self._engine = engine
        self._esi = esi
        self._store = OutcomeStore(outbox)

    async def waiting(self, connection: AsyncConnection) -> bool:
        return await outcomes.waiting(connection) and await _room(connection) > 0

    async def read(self, run: Run, traffic: Traffic) -> Probes:
        del run
        async with self._engine.connect() as connection:
            due = await outcomes.due(connection, await _room(connection))
        if not due:
            raise NothingToDoError("no contract is to be probed, or as many were as a minute allows")
        return await ask_each(due, lambda gone: self._probe(gone, traffic), at_once=AT_ONCE)

    async def store(self, connection: AsyncConnection, run: Run, reading: Probes) -> Stored:
        del run
        verdicts = [_judged(gone, answer) for gone, answer in reading.found().items()]
        changed = await self._store.settle(connection, verdicts)
        fetched = len(verdicts)
        return Stored({"fetched": fetched, "changed": changed, "unchanged": fetched - changed}, reading.flaw)

    async def _probe(self, gone: Gone, traffic: Traffic) -> Answer:
        return await self._esi.get(f"/contracts/public/items/{gone.contract_id}", traffic=traffic)


def _judged(gone: Gone, answer: Answer) -> Verdict:
    outcome = decide(Evidence(answer.status, answer.error()), gone.departure)
    if outcome is not None or gone.attempts + 1 >= MAX_PROBES:
        return Verdict(gone, outcome, None)
    return Verdict(gone, None, ask_again_after(answer.fresh_for))


async def _room(connection: AsyncConnection) -> int:
    return max(PROBES_PER_MINUTE - await lately(connection, Dataset.OUTCOMES, "fetched"), 0)


def build(ingredients: Ingredients) -> Ingest:
    return Outcomes(ingredients.engine, ingredients.esi, ingredients.outbox)
