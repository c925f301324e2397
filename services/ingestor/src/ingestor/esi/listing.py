"""Reading a region's list of public contracts, page by page at once, until the pages agree."""

import asyncio
from array import array
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Self

from sqlalchemy.ext.asyncio import AsyncEngine

from common.logs import get_logger
from ingestor.domain.listing import Listing, Page, assemble, shear
from ingestor.esi import cache
from ingestor.esi.cache import Validators, key
from ingestor.esi.client import Answer, EsiClient, Traffic
from ingestor.esi.errors import UpstreamRefusedError, UpstreamUnavailableError
from ingestor.esi.governor import Share
from ingestor.esi.rows import PageRows, read_rows

log = get_logger(__name__)

SWEEPS = 3
"""Readings of a list whose pages do not agree, before what was read is taken as it is."""
SHEARED_PAUSE_SECONDS = 1.0
MOST_PAGES = 1_000


@dataclass(frozen=True, slots=True)
class KeptPage:
    """A page that was merged: the ids and prints of its rows, as bare numbers, for it is kept until the next list."""

    etag: str
    ids: "array[int]"
    prints: "array[int]"

    @classmethod
    def of(cls, etag: str, rows: PageRows) -> Self:
        return cls(etag, array("q", rows.ids), array("q", rows.prints))

    def rows(self) -> PageRows:
        """Its rows, all of them known."""
        return PageRows(tuple(self.ids), tuple(self.prints), ())


@dataclass(slots=True)
class Memory:
    """A region's list as this process has merged it, so that only what differs is read and stored.

    `base` names the merge: once another replica has merged a list, this memory is of no use.
    """

    base: datetime | None = None
    pages: dict[str, KeptPage] = field(default_factory=dict)
    hidden: frozenset[int] = frozenset()
    """What stands by our rows although the list did not have it."""
    uses: int = 0

    def known(self) -> dict[int, int]:
        """Contracts by the prints of their rows."""
        return {seen: id_ for page in self.pages.values() for seen, id_ in zip(page.prints, page.ids, strict=True)}


@dataclass(slots=True)
class Reading:
    """A list, and what has to be remembered of it if it is merged."""

    listing: Listing
    answers: dict[str, Answer]
    memory: Memory


class ListReader:
    """Reads the lists of regions."""

    def __init__(self, engine: AsyncEngine, esi: EsiClient) -> None:
        self._engine = engine
        self._esi = esi

    async def read(self, region_id: int, memory: Memory, traffic: Traffic) -> Reading:
        """The region's list, repeated a few times while its pages are not of one generation.

        Raises `UpstreamRefusedError` for a region ESI does not know and `UpstreamUnavailableError` when it cannot be
        read.
        """
        known = memory.known()
        for reading in range(SWEEPS):
            await asyncio.sleep(SHEARED_PAUSE_SECONDS if reading else 0)
            sweep = _Sweep(self._engine, self._esi, region_id, memory, known, traffic)
            pages = await sweep.pages(conditional=reading < SWEEPS - 1)
            fault = shear(pages) if pages else "a page vanished while the others were read"
            if pages and fault is None:
                break
            log.info("list is sheared", region_id=region_id, fault=fault)
        if not pages:
            raise UpstreamUnavailableError("the list kept changing while it was read")
        stood = frozenset(known.values()) | memory.hidden
        listing = assemble(region_id, pages, base=memory.base, stood=stood if memory.base else frozenset())
        return Reading(listing, sweep.answers, Memory(pages=sweep.read))


class _Sweep:
    """One reading of all pages."""

    def __init__(
        self,
        engine: AsyncEngine,
        esi: EsiClient,
        region_id: int,
        memory: Memory,
        known: Mapping[int, int],
        traffic: Traffic,
    ) -> None:
        self._engine = engine
        self._esi = esi
        self._path = f"/contracts/public/{region_id}"
        self._kept = memory.pages
        self._known = known
        self._traffic = traffic
        self._validators: dict[str, Validators] = {}
        self.read: dict[str, KeptPage] = {}
        """What is to be remembered once this is merged."""
        self.answers: dict[str, Answer] = {}

    async def pages(self, *, conditional: bool) -> list[Page]:
        """All pages at once, or nothing when one of them was gone by then.

        What 304s keep leaving in disagreement, such as a number of pages that they do not tell, whole answers settle.
        """
        if conditional:
            async with self._engine.connect() as connection:
                self._validators = await cache.validators(connection, self._path)
        first = await self._page(1)
        assert first is not None
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._page(number)) for number in range(2, first.pages + 1)]
        others = [task.result() for task in tasks]
        return [] if None in others else [first, *(page for page in others if page is not None)]

    async def _page(self, number: int) -> Page | None:
        """One page; None when it is past the end, which happens to the last one while others are read."""
        of = key(self._path, {"page": str(number)})
        validators = self._validators.get(of)
        answer = await self._ask(number, validators.headers() if validators else None)
        rows = None
        if answer.status == 304:  # noqa: PLR2004
            assert validators is not None, "the client lets no other 304 through"
            rows = await self._unchanged(of, validators, answer)
            if rows is None:
                answer = await self._ask(number, None)
        if answer.status != 304:  # noqa: PLR2004
            if answer.past_the_end and number > 1:
                return None
            if answer.status != 200:  # noqa: PLR2004
                raise UpstreamRefusedError(answer.status, answer.error())
            rows = read_rows(answer.body, self._known)
            self.answers[of] = answer
        assert rows is not None
        etag = answer.headers.get("ETag") or (validators.etag if validators else None)
        if not rows.rejected:
            self.read[of] = KeptPage.of(etag or "", rows)
        return Page(
            _generation(answer, validators),
            answer.fresh_for,
            _pages(answer, validators),
            rows.new,
            rows.rejected,
            rows.ids,
            answer.received,
        )

    async def _ask(self, number: int, headers: Mapping[str, str] | None) -> Answer:
        return await self._esi.get(
            self._path, params={"page": str(number)}, headers=headers, traffic=self._traffic, share=Share.DISCOVERY
        )

    async def _unchanged(self, of: str, validators: Validators, answer: Answer) -> PageRows | None:
        """The rows that a 304 speaks of; None when it speaks of another body, or that body is gone."""
        if not validators.confirmed_by(answer):
            return None
        kept = self._kept.get(of)
        if kept is not None and kept.etag == validators.etag:
            return kept.rows()
        async with self._engine.connect() as connection:
            body = (await cache.bodies(connection, [of])).get(of)
        return None if body is None else read_rows(body, self._known)


def _generation(answer: Answer, kept: Validators | None) -> datetime:
    """When upstream made the page. A 304 that does not say speaks of the page that is kept."""
    stated = answer.headers.get("Last-Modified")
    if stated is None and answer.status == 304 and kept is not None:  # noqa: PLR2004
        stated = kept.last_modified
    try:
        return parsedate_to_datetime(stated or "").astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise UpstreamUnavailableError("a list without Last-Modified cannot be placed in time") from error


def _pages(answer: Answer, kept: Validators | None) -> int:
    """`X-Pages`; a list without a readable one is not known to be whole."""
    stated = answer.headers.get("X-Pages")
    if stated is None and answer.status == 304 and kept is not None and kept.pages:  # noqa: PLR2004
        return kept.pages
    try:
        pages = int(stated or "")
    except ValueError as error:
        raise UpstreamUnavailableError("a list without X-Pages cannot be known to be whole") from error
    if not 1 <= pages <= MOST_PAGES:
        raise UpstreamUnavailableError(f"a list of {pages} pages is not believable")
    return pages
