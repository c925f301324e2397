"""Writing to the outbox: the row that changes and the message that tells of it commit together."""

from collections.abc import Iterable, Sequence

from sqlalchemy.ext.asyncio import AsyncConnection

from common import clock, telemetry
from common.database import asyncpg_connection
from common.events import Event, encode
from common.ids import new_id

COLUMNS = ("service", "topic", "key", "event_id", "event_type", "event_time", "traceparent", "request_id", "payload")


def channel(service: str) -> str:
    """The NOTIFY channel on which `service`'s relay is woken."""
    return f"freeport_outbox_{service}"


class Outbox:
    """One service's way to publish."""

    def __init__(self, service: str) -> None:
        self.service = service

    async def write(self, connection: AsyncConnection, events: Iterable[Event]) -> None:
        """Publish `events`, in this order, if and when the transaction of `connection` commits."""
        rows = self._rows(list(events))
        if not rows:
            return
        raw = await asyncpg_connection(connection)
        await raw.copy_records_to_table("outbox", records=rows, columns=COLUMNS)
        await raw.execute("SELECT pg_notify($1, '')", channel(self.service))

    def _rows(self, events: Sequence[Event]) -> list[tuple[object, ...]]:
        trace = telemetry.current()
        time = clock.now()
        return [
            (
                self.service,
                event.topic.value,
                event.key,
                new_id(),
                event.type,
                time,
                trace.traceparent if trace else None,
                trace.request_id if trace else None,
                encode(event),
            )
            for event in events
        ]
