"""What happened to contracts, as the events told it; kept beside them until they are removed."""

from collections.abc import Sequence
from typing import Literal

from sqlalchemy.ext.asyncio import AsyncConnection

from common.database import asyncpg_connection
from common.events import ContractChanged, ContractDelisted, encode

Change = Literal["changed", "relisted", "delisted", "outcome"]

COLUMNS = ("contract_id", "change", "details")


async def note(connection: AsyncConnection, events: Sequence[ContractChanged | ContractDelisted]) -> None:
    """Keep what `events` tell, each of another contract; in the transaction that writes them to the outbox."""
    if not events:
        return
    raw = await asyncpg_connection(connection)
    records = [(event.contract_id, _change(event), encode(event).decode()) for event in events]
    await raw.copy_records_to_table("contract_changes", records=records, columns=COLUMNS)


def _change(event: ContractChanged | ContractDelisted) -> Change:
    if isinstance(event, ContractDelisted):
        return "delisted"
    if event.outcome is not None:
        return "outcome"
    return "relisted" if event.relisted else "changed"
