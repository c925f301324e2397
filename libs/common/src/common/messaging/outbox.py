"""Writing to the outbox: the row that changes and the message that tells of it commit together."""

from collections.abc import Iterable
from itertools import islice
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from common import clock, telemetry
from common.database import asyncpg_connection
from common.events import Event, encode
from common.ids import new_id

# COPY is not to be had where rows are held to policies; this takes as long for a thousand messages.
WRITE = """
/* outbox.write */
INSERT INTO outbox (service, event_time, traceparent, request_id, topic, key, event_id, event_type, payload)
SELECT $1, $2, $3, $4, topic, key, event_id, event_type, payload
  FROM unnest($5::text[], $6::text[], $7::uuid[], $8::text[], $9::bytea[])
       WITH ORDINALITY AS message (topic, key, event_id, event_type, payload, place)
 ORDER BY place
"""

ROWS_PER_STATEMENT = 2_000
"""So that the messages of a first load, tens of thousands, are not all held at once as they are sent."""


def channel(service: str) -> str:
    """The NOTIFY channel on which `service`'s relay is woken."""
    return f"freeport_outbox_{service}"


class Outbox:
    """One service's way to publish."""

    def __init__(self, service: str) -> None:
        self.service = service

    async def write(self, connection: AsyncConnection, events: Iterable[Event]) -> None:
        """Publish `events`, in this order, if and when the transaction of `connection` commits."""
        rows = (_row(event) for event in events)
        chunk = list(islice(rows, ROWS_PER_STATEMENT))
        if not chunk:
            return
        raw = await asyncpg_connection(connection)
        trace, time = telemetry.current(), clock.now()
        traced = (trace.traceparent, trace.request_id) if trace else (None, None)
        while chunk:
            await raw.execute(WRITE, self.service, time, *traced, *zip(*chunk, strict=True))
            chunk = list(islice(rows, ROWS_PER_STATEMENT))
        await raw.execute("SELECT pg_notify($1, '')", channel(self.service))


def _row(event: Event) -> tuple[str, str, UUID, str, bytes]:
    return event.topic.value, event.key, new_id(), event.type, encode(event)
