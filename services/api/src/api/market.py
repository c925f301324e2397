"""Which version of the market answers are made of: counted up by every commit that shows, and by the clock."""

import asyncio
from collections import Counter
from collections.abc import Iterable
from typing import Any

import asyncpg

from api.queries.market import Turns, next_turns
from common.database import DATABASE_ERRORS
from common.logs import get_logger
from common.settings import DatabaseSettings

log = get_logger(__name__)

CHANNEL = "freeport_market"
PULSE_SECONDS = 1.0
"""How often the connection that listens is asked whether it lives, and the database what o'clock it is."""
TRUST_SECONDS = 3.0
"""How long after an answer of that connection silence still means that nothing has happened."""
MARGIN_SECONDS = 0.002
PATIENCE_SECONDS = 2.0
BACKOFF_SECONDS = (0.2, 0.5, 1, 2, 5)


class Market:
    """Counts versions per subject: `contracts`, `coverage`, `live`, `names`, `prices`, `universe`.

    `live` is how many live contracts there are of anything or at any place; `contracts` is all else they show, too.
    Two answers that were made under one version of all their subjects are the same. There is no version while the
    database is not heard, for then nobody can tell.
    """

    def __init__(self, database: DatabaseSettings) -> None:
        self._database = database
        self._counts: Counter[str] = Counter()
        self._lost = 0
        self._heard = 0
        self._pulses = 0
        self._trusted_until = 0.0
        self._turns: Turns = {}
        self._rung = asyncio.Event()

    def version(self, subjects: Iterable[str], *, at: float) -> int | None:
        """The version of all `subjects` together, None while it is not known; `at` is the event loop's time."""
        if at >= self._trusted_until:
            return None
        return self._lost + sum(self._counts[subject] for subject in subjects)

    async def listen(self) -> None:
        """Listen until cancelled, through restarts of the database."""
        failures = 0
        while True:
            heard_before = self._pulses
            try:
                connection = await self._connect()
                try:
                    await connection.add_listener(CHANNEL, self._hear)
                    connection.add_termination_listener(self._forget)
                    self._lost += 1
                    await self._follow(connection)
                finally:
                    connection.terminate()
            except (*DATABASE_ERRORS, OSError, TimeoutError) as error:
                log.warning("market not heard", error=type(error).__name__)
            finally:
                self._forget()
            failures = 0 if self._pulses > heard_before else failures + 1
            await asyncio.sleep(BACKOFF_SECONDS[min(failures, len(BACKOFF_SECONDS) - 1)])

    async def _connect(self) -> Any:
        return await asyncpg.connect(
            self._database.dsn(),
            timeout=5,
            command_timeout=PATIENCE_SECONDS,
            server_settings={"application_name": "freeport-api-market", "timezone": "UTC", "jit": "off"},
        )

    async def _follow(self, connection: Any) -> None:
        loop = asyncio.get_running_loop()
        while True:
            heard, sent = self._heard, loop.time()
            now, turns = await next_turns(connection)
            received = loop.time()
            self._pulses += 1
            self._count_turns(turns)
            left = min((at - now).total_seconds() for at in turns.values())
            # A reply that was written before the last word was spoken may not know of an earlier turn.
            if heard == self._heard:
                self._trusted_until = sent + min(TRUST_SECONDS, left)
                await self._sleep(received, min(PULSE_SECONDS, left + MARGIN_SECONDS))

    def _count_turns(self, turns: Turns) -> None:
        """What was to turn at another time than it is now, has turned; or the database's clock was set."""
        for subject in self._turns.keys() | turns.keys():
            if self._turns.get(subject) != turns.get(subject):
                self._counts[subject] += 1
        self._turns = turns

    async def _sleep(self, since: float, seconds: float) -> None:
        """Until `seconds` after `since`, or something is heard that may turn earlier."""
        try:
            async with asyncio.timeout_at(since + seconds):
                await self._rung.wait()
        except TimeoutError:
            pass
        self._rung.clear()

    def _hear(self, _connection: Any, _pid: int, _channel: str, subject: str) -> None:
        self._counts[subject] += 1
        self._heard += 1
        self._forget()

    def _forget(self, *_: object) -> None:
        """Trust nothing until the database was asked again."""
        self._trusted_until = 0.0
        self._rung.set()
