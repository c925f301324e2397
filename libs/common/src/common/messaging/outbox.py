"""Writing to the outbox: the row that changes and the message that tells of it commit together."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
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
INSERT INTO outbox (service, traceparent, request_id, topic, key, event_id, event_time, event_type, payload)
SELECT $1, $2, $3, topic, key, event_id, event_time, event_type, payload
  FROM unnest($4::text[], $5::text[], $6::uuid[], $7::timestamptz[], $8::text[], $9::bytea[])
       WITH ORDINALITY AS message (topic, key, event_id, event_time, event_type, payload, place)
 ORDER BY place
"""

ROWS_PER_STATEMENT = 2_000
"""So that the messages of a first load, tens of thousands, are not all held at once as they are sent."""


@dataclass(frozen=True, slots=True)
class Message:
    """An event under an id and as of an instant of its own, so that a repeat of what it tells of is recognised."""

    event: Event
    id: UUID
    time: datetime


def channel(service: str) -> str:
    """The NOTIFY channel on which `service`'s relay is woken."""
    return f"freeport_outbox_{service}"


class Outbox:
    """One service's way to publish."""

    def __init__(self, service: str) -> None:
        self.service = service

    async def write(self, connection: AsyncConnection, events: Iterable[Event | Message]) -> None:
        """Publish `events`, in this order, if and when the transaction of `connection` commits."""
        now = clock.now()
        rows = (_row(event, now) for event in events)
        chunk = list(islice(rows, ROWS_PER_STATEMENT))
        if not chunk:
            return
        raw = await asyncpg_connection(connection)
        trace = telemetry.current()
        traced = (trace.traceparent, trace.request_id) if trace else (None, None)
        while chunk:
            await raw.execute(WRITE, self.service, *traced, *zip(*chunk, strict=True))
            chunk = list(islice(rows, ROWS_PER_STATEMENT))
        await raw.execute("SELECT pg_notify($1, '')", channel(self.service))


def _row(event: Event | Message, now: datetime) -> tuple[str, str, UUID, datetime, str, bytes]:
    message = event if isinstance(event, Message) else Message(event, new_id(), now)
    told = message.event
    return told.topic.value, told.key, message.id, message.time, told.type, encode(told)
