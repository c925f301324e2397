"""Accepting a command: from its row on it will be carried out, whatever crashes."""

import hashlib
from dataclasses import dataclass
from uuid import UUID

import msgspec
from sqlalchemy import func, insert, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from api.problems import ConflictError, InvalidRequestError
from api.schemas.runs import IngestCommand
from common import telemetry
from common.events import IngestRequested, RunAccepted, Scope
from common.ids import new_id
from common.messaging.outbox import Outbox
from common.tables import idempotency_keys, ingest_requests, runs


@dataclass(frozen=True, slots=True)
class Accepted:
    """The run that stands for a command; `replayed` if its idempotency key was used before."""

    run_id: UUID
    replayed: bool = False


def requested(command: IngestCommand) -> IngestRequested:
    """The command as the event that asks for it. Raises InvalidRequestError if dataset and scope do not fit."""
    scope = Scope(**command.scope.model_dump())
    try:
        return IngestRequested(dataset=command.dataset, scope=scope, force=command.force)
    except ValueError as error:
        field, _, wrong = str(error).partition(" ")
        raise InvalidRequestError({field: wrong}) from error


async def accept(
    connection: AsyncConnection, outbox: Outbox, wanted: IngestRequested, *, idempotency_key: str | None
) -> Accepted:
    """Record the command and the messages that tell of it, in the transaction of `connection`.

    The same key again stands for the same run, and an identical command that is still queued is not queued twice; both
    hold for requests at the same moment, too. Raises ConflictError for the same key with another command.
    """
    body_hash = hashlib.sha256(msgspec.json.encode(wanted)).digest()
    if idempotency_key is not None:
        await _lock(connection, f"idempotency key {idempotency_key}")
        known = await _run_of_key(connection, idempotency_key, body_hash)
        if known is not None:
            return Accepted(known, replayed=True)
    await _lock(connection, f"command {wanted.key}")
    run_id = await _standing(connection, wanted) or await _queue(connection, outbox, wanted)
    if idempotency_key is not None:
        await connection.execute(
            insert(idempotency_keys).values(key=idempotency_key, body_hash=body_hash, run_id=run_id)
        )
    return Accepted(run_id)


async def _lock(connection: AsyncConnection, name: str) -> None:
    """Others with the same name wait until this transaction ends."""
    await connection.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(name, 0))))


async def _run_of_key(connection: AsyncConnection, key: str, body_hash: bytes) -> UUID | None:
    used = select(idempotency_keys.c.body_hash, idempotency_keys.c.run_id).where(idempotency_keys.c.key == key)
    row = (await connection.execute(used)).one_or_none()
    if row is None:
        return None
    if row.body_hash != body_hash:
        raise ConflictError("This Idempotency-Key was used with another body")
    run_id: UUID = row.run_id
    return run_id


async def _standing(connection: AsyncConnection, wanted: IngestRequested) -> UUID | None:
    """The newest identical command, if nobody has taken it up yet. Commands of one key are taken up in their order."""
    newest = (
        select(ingest_requests.c.run_id)
        .where(
            ingest_requests.c.dataset == wanted.dataset,
            ingest_requests.c.scope == msgspec.to_builtins(wanted.scope),
            ingest_requests.c.force == wanted.force,
        )
        .order_by(ingest_requests.c.accepted_at.desc(), ingest_requests.c.run_id.desc())
        .limit(1)
        .subquery()
    )
    queued = (
        select(newest.c.run_id)
        .outerjoin(runs, runs.c.run_id == newest.c.run_id)
        .where(or_(runs.c.run_id.is_(None), runs.c.state == "queued"))
    )
    run_id: UUID | None = (await connection.execute(queued)).scalar_one_or_none()
    return run_id


async def _queue(connection: AsyncConnection, outbox: Outbox, wanted: IngestRequested) -> UUID:
    run_id = new_id()
    trace = telemetry.current()
    await connection.execute(
        insert(ingest_requests).values(
            run_id=run_id,
            dataset=wanted.dataset,
            scope=msgspec.to_builtins(wanted.scope),
            force=wanted.force,
            request_id=trace.request_id if trace else None,
        )
    )
    await outbox.write(
        connection,
        [
            RunAccepted(run_id=run_id, dataset=wanted.dataset, scope=wanted.scope),
            msgspec.structs.replace(wanted, run_id=run_id),
        ],
    )
    return run_id
