"""Making up for slots of the past, on demand."""

from datetime import datetime
from typing import Annotated, Any

import msgspec
from msgspec import Meta
from sqlalchemy.ext.asyncio import AsyncConnection

from common.ids import new_id
from common.messaging.outbox import Outbox
from common.slots import Overlap, slots_of
from scheduler import firing
from scheduler.stores import claiming, ranges
from scheduler.stores.claiming import Claimed, Line
from scheduler.stores.requests import Answer, Request

MANY = 10_000
"""So many slots, and more, are made up for only with `force`."""
MOST = 100_000
SHOWN = 100


class Backfill(msgspec.Struct, frozen=True, kw_only=True):
    """The slots from `since` to `until`, both included."""

    since: Annotated[datetime, Meta(tz=True)]
    until: Annotated[datetime, Meta(tz=True)]
    overlap: Overlap | None = None
    dry_run: bool = False
    force: bool = False


async def backfill(connection: AsyncConnection, outbox: Outbox, claimed: Claimed, request: Request) -> Answer:
    """Fire the slots of a span that did not fire: all of them, or the first if the overlap policy is to skip.

    Slots come from the definition as it is now, also before there was a schedule. A dry run says what would be done.
    """
    wanted = msgspec.convert(request.body, Backfill)
    if claimed.definition.kind == "upstream":
        return Answer(422, errors={"kind": "a schedule that follows upstream has no slots to make up for"})
    if wanted.until > claimed.standing.now:
        return Answer(422, errors={"until": "lies in the future"})
    if wanted.until < wanted.since:
        return Answer(422, errors={"until": "is before since"})
    most = MOST if wanted.force else MANY - 1
    slots = slots_of(claimed.definition).between(wanted.since, wanted.until, at_most=most + 1)
    if len(slots) > most:
        return Answer(422, errors={"until": _too_many(wanted)})
    settled = await firing.settle(connection, outbox, claimed)
    return await _fire(connection, outbox, settled, request, wanted, slots)


async def _fire(
    connection: AsyncConnection,
    outbox: Outbox,
    settled: Claimed,
    request: Request,
    wanted: Backfill,
    slots: list[datetime],
) -> Answer:
    standing = settled.standing
    done = await claiming.fired_among(connection, request.schedule_id, slots)
    done |= await ranges.fired_among(connection, request.schedule_id, slots)
    open_slots = [slot for slot in slots if slot not in done and slot != standing.buffered]
    one_at_a_time = standing.causes_runs and (wanted.overlap or standing.rules.overlap) != "allow_all"
    chosen = open_slots[: 0 if standing.busy else 1] if one_at_a_time else open_slots
    result = _told(wanted, slots, done=len(done), chosen=chosen, left=len(open_slots) - len(chosen))
    if wanted.dry_run:
        return Answer(result=result)
    lines = [
        Line(request.schedule_id, slot, slot, "backfilled", standing.now, new_id() if standing.causes_runs else None)
        for slot in chosen
    ]
    recorded = await claiming.record(connection, lines, request_id=request.request_id, backfill=True)
    lines = [line for line in lines if (line.schedule_id, line.slot_at) in recorded]
    if lines:
        await claiming.move_on(connection, [firing.out_of_turn(settled, lines[-1])])
        await outbox.write(connection, [firing.told(settled, line) for line in lines])
    return Answer(result=result)


def _told(wanted: Backfill, slots: list[datetime], *, done: int, chosen: list[datetime], left: int) -> dict[str, Any]:
    return {
        "dry_run": wanted.dry_run,
        "slots": len(slots),
        "fired_before": done,
        "backfilled": len(chosen),
        "skipped_overlap": left,
        "first": [slot.isoformat() for slot in chosen[:SHOWN]],
    }


def _too_many(wanted: Backfill) -> str:
    if wanted.force:
        return f"the span has more than {MOST:,} slots"
    return f"the span has {MANY:,} slots or more; force makes up for as many as {MOST:,}"
