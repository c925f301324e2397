"""Reading what a contract holds."""

from dataclasses import dataclass

import msgspec

from ingestor.esi.client import Answer, EsiClient, Traffic
from ingestor.esi.governor import Share
from ingestor.esi.models import PublicItem

FULL_PAGE = 1_000
MOST_PAGES = 100
"""More than a contract can hold."""

_ITEMS = msgspec.json.Decoder(list[PublicItem])


@dataclass(frozen=True, slots=True)
class ItemsRead:
    """All items of a contract, at least one; they never change."""

    contract_id: int
    items: tuple[PublicItem, ...]


@dataclass(frozen=True, slots=True)
class ItemsMissing:
    """The items could not be read this time, and why. It says nothing about the contract."""

    contract_id: int
    reason: str


async def contract_items(
    esi: EsiClient, contract_id: int, traffic: Traffic, share: Share = Share.BULK
) -> ItemsRead | ItemsMissing:
    """Every page of a contract's items. Raises `UpstreamUnavailableError` when ESI as a whole cannot be asked."""
    items: dict[int, PublicItem] = {}
    page, pages = 1, 1
    while page <= pages:
        params = {"page": str(page)} if page > 1 else None
        answer = await esi.get(f"/contracts/public/items/{contract_id}", params=params, traffic=traffic, share=share)
        if answer.status != 200:  # noqa: PLR2004
            return ItemsMissing(contract_id, f"{answer.status}: {answer.error()}"[:200])
        try:
            rows = _ITEMS.decode(answer.body)
            page, pages = page + 1, _pages(answer, len(rows), before=pages if page > 1 else None)
        except (msgspec.MsgspecError, ValueError) as error:
            return ItemsMissing(contract_id, f"unreadable: {error}"[:200])
        items.update((item.record_id, item) for item in rows)
    if not items:
        return ItemsMissing(contract_id, "an empty answer: not known yet")
    return ItemsRead(contract_id, tuple(items[record_id] for record_id in sorted(items)))


def _pages(answer: Answer, rows: int, *, before: int | None) -> int:
    """How many pages there are, by this one and those `before`; raises `ValueError` where that is not certain.

    Items never change, so what is stored short of a page would stay short for ever.
    """
    stated = answer.headers.get("X-Pages")
    if before is None and stated is None and rows >= FULL_PAGE:
        raise ValueError("a full page without X-Pages")
    pages = before or 1 if stated is None else int(stated)
    if not 1 <= pages <= MOST_PAGES or pages != (before or pages):
        raise ValueError(f"{pages} pages cannot be, after {before or 'none'}")
    if before and not rows:
        raise ValueError("an empty page")
    return pages
