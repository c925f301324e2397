"""Writing the market: a list is merged as a set, items are stored once."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import chain
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from common.database import asyncpg_connection
from common.events import (
    ITEMS_CHUNK,
    ContractChanged,
    ContractDelisted,
    ContractListed,
    ItemsWanted,
)
from common.messaging.outbox import Outbox
from common.tables import coverage
from ingestor.domain.lexemes import of_listing
from ingestor.domain.listing import EMPTY, Listing
from ingestor.esi.models import PublicContract
from ingestor.stores import changes, indexing, sql, words
from ingestor.stores.places import Ways
from ingestor.stores.timers import PROBED_AFTER, ask_about

ITEMS_PATIENCE = timedelta(minutes=5)
"""How long wanted items may be on the wire or in somebody's hands before they are asked for again."""
AT_ONCE = 100
"""New contracts up to this number have their items read by whoever found them, ahead of any backlog."""
AT_ONCE_PATIENCE = timedelta(seconds=20)


class SupersededError(Exception):
    """A newer generation of the region's list is merged already."""


class OutOfStepError(Exception):
    """Another merge came between the one that the listing builds on and this one."""


@dataclass(frozen=True, slots=True)
class Merged:
    """What a list brought. `fetched = listed + changed + unchanged + rejected`.

    `at_once` are new contracts that no message asks the items of. `swept_at` names this merge; `hidden` are contracts
    that stand although the list does not have them.
    """

    counts: dict[str, int]
    unseen_names: int
    at_once: tuple[int, ...]
    swept_at: datetime
    hidden: frozenset[int]
    flaw: str | None


@dataclass(frozen=True, slots=True)
class _Absent:
    """Live contracts that a list does not hold: those that are gone, and those that may only hide, some anew."""

    gone: tuple[int, ...] = ()
    hidden: frozenset[int] = frozenset()
    missed: tuple[int, ...] = ()


class _Written(NamedTuple):
    """The rows that a list changed, added and delisted, and the contracts that stand without being in it."""

    changed: Sequence[Any]
    added: Sequence[Any]
    gone: Sequence[Any]
    hidden: frozenset[int]


class ContractStore:
    """Writes `contracts`, `sweeps` and `coverage`, and tells of every change through the outbox."""

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox
        self._ways = Ways()
        self._places = words.Places()

    async def merge(self, connection: AsyncConnection, listing: Listing, *, run_id: UUID) -> Merged:
        """Make the region's rows equal `listing`, delisting only if it is without flaw.

        Idempotent and monotonic. Raises `SupersededError` when a newer generation was merged before, and
        `OutOfStepError` when `listing` is a difference to something else than what is stored.
        """
        raw = await asyncpg_connection(connection)
        last = await raw.fetchrow(sql.LOCK_COVERAGE, listing.region_id)
        if last["generation"] > listing.generation:
            raise SupersededError(f"a list of {last['generation']:%H:%M:%S} is merged, this one is older")
        if listing.base is not None and last["swept_at"] != listing.base:
            raise OutOfStepError("another replica has merged this region's list meanwhile")
        if listing.flaw == EMPTY and not await raw.fetchval(sql.ANY_LIVE, listing.region_id):
            listing = replace(listing, flaw=None)
        staged = bool(listing.rows) or listing.base is None
        changed, added, gone, hidden = await self._write(raw, listing, run_id, staged=staged)
        told = [row for row in changed if row["differs"] or row["relisted"]]
        wanted = sorted(row["contract_id"] for row in added if row["items_state"] == "wanted")
        counts = {
            "fetched": listing.fetched,
            "listed": len(added),
            "changed": len(told),
            "unchanged": len(listing.ids) - len(added) - len(told),
            "rejected": listing.rejected,
            "delisted": len(gone),
        }
        await self._index(connection, raw, listing, added, told)
        swept_at = await self._record(raw, listing, run_id, counts)
        unseen = await raw.execute(sql.WANT_NAMES) if staged else "INSERT 0 0"
        at_once = tuple(wanted) if len(wanted) <= AT_ONCE else ()
        if at_once:
            await raw.execute(sql.AT_ONCE, at_once, AT_ONCE_PATIENCE)
        else:  # before the events: a first load begins to read items while it still tells of contracts
            await self.want_items(connection, listing.region_id, wanted)
        await self._tell(connection, listing, added, told, gone)
        await ask_about(connection, gone)
        return Merged(
            counts={**counts, "items_wanted": len(wanted)},
            unseen_names=_affected(unseen),
            at_once=at_once,
            swept_at=swept_at,
            hidden=hidden,
            flaw=listing.flaw,
        )

    async def _write(self, raw: Any, listing: Listing, run_id: UUID, *, staged: bool) -> _Written:
        """Look first, hold all that is to be written at once, then write."""
        if staged:
            await self._stage(raw, listing)
        differing = [row["contract_id"] for row in await raw.fetch(sql.DIFFERING)] if staged else []
        absent = await self._absent(raw, listing)
        if differing or absent.gone or absent.missed:
            await raw.execute(sql.HOLD, [*differing, *absent.gone, *absent.missed])
        if absent.missed:
            await raw.execute(sql.MISS, absent.missed, listing.generation)
        return _Written(
            changed=await raw.fetch(sql.CHANGE, differing) if differing else (),
            added=await self._add(raw, listing, run_id) if staged else (),
            gone=await raw.fetch(sql.DELIST, absent.gone, listing.generation, PROBED_AFTER) if absent.gone else (),
            hidden=absent.hidden,
        )

    async def _add(self, raw: Any, listing: Listing, run_id: UUID) -> list[Any]:
        """Add what is new; a courier contract with its ways."""
        ways = await self._ways.between(raw, await raw.fetch(sql.NEW_WAYS))
        added: list[Any] = await raw.fetch(sql.ADD, listing.region_id, run_id, ITEMS_PATIENCE, *ways.columns())
        return added

    async def _absent(self, raw: Any, listing: Listing) -> _Absent:
        """What is gone for sure, and what may only hide between two pages: that is gone when it is absent again."""
        if listing.flaw:
            return _Absent()
        if listing.base is None:
            absent = await raw.fetch(sql.ABSENT, listing.region_id)
        elif listing.gone:
            absent = await raw.fetch(sql.STILL_LIVE, sorted(listing.gone))
        else:
            return _Absent()
        hidden = {
            row["contract_id"]: row["missing_since"]
            for row in absent
            if listing.may_hide(row["contract_id"])
            and (row["missing_since"] is None or row["missing_since"] >= listing.generation)
        }
        return _Absent(
            gone=tuple(row["contract_id"] for row in absent if row["contract_id"] not in hidden),
            hidden=frozenset(hidden),
            missed=tuple(contract_id for contract_id, missing_since in hidden.items() if missing_since is None),
        )

    async def _index(
        self, connection: AsyncConnection, raw: Any, listing: Listing, added: Sequence[Any], told: Sequence[Any]
    ) -> None:
        """Let new contracts be found by what the list tells of them, and changed ones by what it tells now."""
        new = {row["contract_id"] for row in added}
        rows = [row for row in listing.rows if row.contract_id in new]
        places = {row.contract_id: (*_ends(row), listing.region_id) for row in rows}
        known = {
            **await self._places.names(raw, {place for each in places.values() for place in each}),
            **await words.names_of(raw, {entity_id for row in rows for entity_id in _issuers(row)}),
        }
        for start in range(0, len(rows), words.ROWS_PER_STATEMENT):
            found = {}
            for row in rows[start : start + words.ROWS_PER_STATEMENT]:
                names = [known[one] for one in (*places[row.contract_id], *_issuers(row)) if one in known]
                found[row.contract_id] = of_listing(row.title, names, row.date_issued.astimezone(UTC).date())
            await words.add(raw, found)
        await words.meet(raw, [row.title for row in rows])
        await indexing.index(connection, sorted(row["contract_id"] for row in told))

    async def want_items(self, connection: AsyncConnection, region_id: int, contract_ids: Sequence[int]) -> None:
        """Ask for the items of `contract_ids`, in chunks that spread over replicas."""
        chunks = [contract_ids[start : start + ITEMS_CHUNK] for start in range(0, len(contract_ids), ITEMS_CHUNK)]
        await self._outbox.write(
            connection, [ItemsWanted(region_id=region_id, contract_ids=tuple(chunk)) for chunk in chunks]
        )

    async def _stage(self, raw: Any, listing: Listing) -> None:
        await raw.execute(sql.CREATE_LISTING)
        await raw.execute(sql.INDEX_LISTING)
        await raw.copy_records_to_table(
            "listing", records=(_record(row) for row in listing.rows), columns=sql.LISTING_COLUMNS
        )
        await raw.execute("ANALYZE listing")

    async def _record(self, raw: Any, listing: Listing, run_id: UUID, counts: dict[str, int]) -> datetime:
        complete, fresh_for = listing.flaw is None, listing.still_fresh_for(time.monotonic())
        swept_at: datetime = await raw.fetchval(sql.COVER, listing.region_id, listing.generation, fresh_for, complete)
        await raw.execute(
            sql.RECORD_SWEEP,
            run_id,
            listing.region_id,
            listing.generation,
            fresh_for,
            complete,
            listing.pages,
            *counts.values(),
        )
        return swept_at

    async def _tell(
        self,
        connection: AsyncConnection,
        listing: Listing,
        added: Sequence[Any],
        told: Sequence[Any],
        gone: Sequence[Any],
    ) -> None:
        rows, region_id = {row.contract_id: row for row in listing.rows}, listing.region_id
        listed = (_listed(rows[row["contract_id"]], region_id) for row in added)  # of a first load all rows are new
        changed = [_changed(rows[row["contract_id"]], region_id, row) for row in told]
        delisted = [
            ContractDelisted(
                contract_id=row["contract_id"],
                region_id=region_id,
                outcome=row["outcome"],
                generation=listing.generation,
            )
            for row in gone
        ]
        await changes.note(connection, [*changed, *delisted])
        await self._outbox.write(connection, chain(listed, changed, delisted))


@dataclass(frozen=True, slots=True)
class Freshness:
    """Until when upstream has nothing newer than what we hold: how long that is yet, and how long it was in all."""

    until: datetime
    left: timedelta
    whole: timedelta


async def fresh(connection: AsyncConnection, region_id: int) -> Freshness | None:
    """How fresh the region's last complete list is; None when upstream may have a newer one by now."""
    row = await connection.execute(
        select(
            coverage.c.fresh_until,
            coverage.c.fresh_until - func.now(),
            coverage.c.fresh_until - coverage.c.swept_at,
        ).where(
            coverage.c.region_id == region_id,
            coverage.c.complete_generation == coverage.c.generation,
            coverage.c.fresh_until > func.now(),
        )
    )
    found = row.one_or_none()
    return None if found is None else Freshness(*found)


def _ends(row: PublicContract) -> list[int]:
    """Where it starts, and where a courier carries it."""
    ends = (row.start_location_id, row.end_location_id if row.type == "courier" else None)
    return [end for end in ends if end is not None]


def _issuers(row: PublicContract) -> tuple[int, int]:
    return row.issuer_id, row.issuer_corporation_id


def _record(row: PublicContract) -> tuple[object, ...]:
    known = row.type if row.type in _TYPES else "unknown"
    title = row.title.replace("\x00", "") if row.title else row.title
    return (
        row.contract_id,
        known,
        row.date_issued,
        row.date_expired,
        row.issuer_id,
        row.issuer_corporation_id,
        row.for_corporation,
        row.start_location_id,
        row.end_location_id,
        row.price,
        row.buyout,
        row.reward,
        row.collateral,
        row.volume,
        row.days_to_complete,
        title,
    )


_TYPES = frozenset({"item_exchange", "auction", "courier", "loan"})


def _listed(row: PublicContract, region_id: int) -> ContractListed:
    return ContractListed(
        contract_id=row.contract_id,
        region_id=region_id,
        contract_type=row.type if row.type in _TYPES else "unknown",  # type: ignore[arg-type]  # the set is the type
        issuer_id=row.issuer_id,
        issuer_corporation_id=row.issuer_corporation_id,
        date_issued=row.date_issued,
        date_expired=row.date_expired,
        title=row.title,
        price=row.price,
        buyout=row.buyout,
        reward=row.reward,
        collateral=row.collateral,
        volume=row.volume,
        start_location_id=row.start_location_id,
        end_location_id=row.end_location_id,
    )


def _changed(row: PublicContract, region_id: int, change: Any) -> ContractChanged:
    return ContractChanged(
        contract_id=row.contract_id,
        region_id=region_id,
        relisted=change["relisted"],
        price=row.price,
        buyout=row.buyout,
        title=row.title,
        date_expired=change["date_expired"],
    )


def _affected(status: str) -> int:
    """The row count in PostgreSQL's command tag, as in `INSERT 0 5`."""
    return int(status.rsplit(" ", 1)[1])
