"""Reading a region's list of public contracts, page by page at once, until the pages agree."""

import asyncio
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import msgspec

from common.logs import get_logger
from ingestor.domain.listing import Listing, Page, assemble, shear, storable
from ingestor.esi.client import Answer, EsiClient, Traffic, until
from ingestor.esi.errors import UpstreamRefusedError, UpstreamUnavailableError
from ingestor.esi.models import PublicContract

log = get_logger(__name__)

SWEEPS = 3
"""Readings of a list whose pages do not agree, before what was read is taken as it is."""
SHEARED_PAUSE_SECONDS = 1.0
MOST_PAGES = 1_000

_ROWS = msgspec.json.Decoder(list[PublicContract])
_ROW = msgspec.json.Decoder(PublicContract)
_RAW = msgspec.json.Decoder(list[msgspec.Raw])


async def public_contracts(esi: EsiClient, region_id: int, traffic: Traffic) -> Listing:
    """The region's list, repeated a few times while its pages are not of one generation.

    Raises `UpstreamRefusedError` for a region ESI does not know and `UpstreamUnavailableError` when it cannot be read.
    """
    for reading in range(SWEEPS):
        await asyncio.sleep(SHEARED_PAUSE_SECONDS if reading else 0)
        pages = await _read(esi, region_id, traffic)
        fault = shear(pages) if pages else "a page vanished while the others were read"
        if pages and fault is None:
            break
        log.info("list is sheared", region_id=region_id, fault=fault)
    if not pages:
        raise UpstreamUnavailableError("the list kept changing while it was read")
    return assemble(region_id, pages)


async def _read(esi: EsiClient, region_id: int, traffic: Traffic) -> list[Page]:
    """All pages at once, or nothing when one of them was gone by then."""
    first = await _page(esi, region_id, 1, traffic)
    assert first is not None
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(_page(esi, region_id, number, traffic)) for number in range(2, first.pages + 1)]
    others = [task.result() for task in tasks]
    return [] if None in others else [first, *(page for page in others if page is not None)]


async def _page(esi: EsiClient, region_id: int, number: int, traffic: Traffic) -> Page | None:
    """One page; None when it is past the end, which happens to the last one while others are read."""
    answer = await esi.get(f"/contracts/public/{region_id}", params={"page": str(number)}, traffic=traffic)
    if answer.status == 404 and number > 1:  # noqa: PLR2004
        return None
    if answer.status != 200:  # noqa: PLR2004
        raise UpstreamRefusedError(answer.status, answer.error())
    rows, rejected = _decode(answer.body)
    return Page(_generation(answer), until(answer), _pages(answer), rows, rejected)


def _decode(body: bytes) -> tuple[tuple[PublicContract, ...], int]:
    """The readable rows and the number of the others. Raises `UpstreamUnavailableError` for what is no list."""
    try:
        rows = _ROWS.decode(body)
    except (msgspec.ValidationError, UnicodeDecodeError):
        return _row_by_row(body)
    except msgspec.DecodeError as error:
        raise UpstreamUnavailableError(f"unreadable list: {error}") from error
    good = tuple(row for row in rows if storable(row))
    return good, len(rows) - len(good)


def _row_by_row(body: bytes) -> tuple[tuple[PublicContract, ...], int]:
    try:
        raws = _RAW.decode(body)
    except msgspec.MsgspecError as error:
        raise UpstreamUnavailableError(f"unreadable list: {error}") from error
    good: list[PublicContract] = []
    for raw in raws:
        try:
            row = _ROW.decode(raw)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            log.warning("row rejected", error=str(error))
        else:
            good.extend([row] if storable(row) else [])
    return tuple(good), len(raws) - len(good)


def _generation(answer: Answer) -> datetime:
    try:
        return parsedate_to_datetime(answer.headers["Last-Modified"]).astimezone(UTC)
    except (KeyError, ValueError, TypeError) as error:
        raise UpstreamUnavailableError("a list without Last-Modified cannot be placed in time") from error


def _pages(answer: Answer) -> int:
    """`X-Pages`; a list without a readable one is not known to be whole."""
    try:
        pages = int(answer.headers["X-Pages"])
    except (KeyError, ValueError) as error:
        raise UpstreamUnavailableError("a list without X-Pages cannot be known to be whole") from error
    if not 1 <= pages <= MOST_PAGES:
        raise UpstreamUnavailableError(f"a list of {pages} pages is not believable")
    return pages
