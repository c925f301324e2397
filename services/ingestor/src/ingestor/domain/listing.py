"""Whether the pages of a region's list are one picture of the market, and what may be concluded from it."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import pairwise

from ingestor.esi.models import PublicContract

ONE_GENERATION = timedelta(seconds=2)
"""ESI builds the pages of one generation a moment apart (esi-issues #1149)."""
LARGEST_AMOUNT = Decimal(10) ** 18 - 1
"""ISK; no amount in the game comes near, and the column holds no more."""
EMPTY = "the list is empty"
"""A flaw where something stood before; most regions outside the empires are truly empty."""
FINEST_EXPONENT = -100
"""Amounts come with noise behind the cents, but not with this much of it."""


@dataclass(frozen=True, slots=True)
class Page:
    """One page as it was answered, at `read_at` on our monotonic clock.

    `rows` are those that we have not read before; `ids` are all, in its order.
    """

    generation: datetime
    fresh_for: timedelta
    pages: int
    rows: tuple[PublicContract, ...]
    rejected: int = 0
    ids: tuple[int, ...] | None = None
    read_at: float = 0.0

    @property
    def expires_at(self) -> float:
        """The instant on our monotonic clock from which upstream may have another one."""
        return self.read_at + self.fresh_for.total_seconds()

    @property
    def contract_ids(self) -> tuple[int, ...]:
        return tuple(row.contract_id for row in self.rows) if self.ids is None else self.ids


@dataclass(frozen=True, slots=True)
class Listing:
    """A region's list. Absence from it means something only when `flaw` is None.

    `rows` are those that differ from what the merge of `base` has stored, and all of them where `base` is None.
    """

    region_id: int
    generation: datetime
    fresh_for: timedelta
    pages: int
    rows: tuple[PublicContract, ...]
    rejected: int
    flaw: str | None
    ids: frozenset[int]
    gaps: tuple[tuple[int, int], ...] = ()
    base: datetime | None = None
    gone: frozenset[int] = frozenset()
    """What stood at `base` and stands no more."""
    read_at: float | None = None
    """The instant on our monotonic clock at which `fresh_for` was left."""

    def still_fresh_for(self, now: float) -> timedelta:
        """What is left of `fresh_for` at `now` on that clock: storing a list takes its time, too."""
        passed = 0.0 if self.read_at is None else now - self.read_at
        return max(self.fresh_for - timedelta(seconds=passed), timedelta())

    @property
    def fetched(self) -> int:
        return len(self.ids) + self.rejected

    def may_hide(self, contract_id: int) -> bool:
        """Whether a contract may stand although no page has it.

        Each page is a picture of its own moment; what moved to the page before between their moments is on neither.
        """
        place = bisect_right(self.gaps, (contract_id, 0))
        return place > 0 and self.gaps[place - 1][0] < contract_id < self.gaps[place - 1][1]


def assemble(
    region_id: int,
    pages: Sequence[Page],
    *,
    base: datetime | None = None,
    stood: frozenset[int] = frozenset(),
) -> Listing:
    """Join `pages`, in their order; each contract once, ascending by id. `stood` are the contracts of `base`."""
    rows = {row.contract_id: row for page in pages for row in page.rows}
    ids = frozenset(number for page in pages for number in page.contract_ids)
    read_at = max(page.read_at for page in pages)
    return Listing(
        region_id=region_id,
        generation=min(page.generation for page in pages),
        fresh_for=timedelta(seconds=max(_expires_at(pages) - read_at, 0.0)),
        pages=len(pages),
        rows=tuple(rows[contract_id] for contract_id in sorted(rows)),
        rejected=sum(page.rejected for page in pages),
        flaw=shear(pages) or doubt(pages),
        ids=ids,
        gaps=_gaps(pages),
        base=base,
        gone=stood - ids,
        read_at=read_at,
    )


def _expires_at(pages: Sequence[Page]) -> float:
    """When the list may be read anew: once the last page of its generation expires, for there the newest contracts are.

    Before that the pages would be of two generations, and read for nothing. Where they are not of one, at once.
    """
    ends = sorted(page.expires_at for page in pages)
    return ends[-1] if ends[-1] - ends[0] <= ONE_GENERATION.total_seconds() else ends[0]


def _gaps(pages: Sequence[Page]) -> tuple[tuple[int, int], ...]:
    """Between the last id of each page and the first of the next."""
    ends = [(page.contract_ids[0], page.contract_ids[-1]) for page in pages if page.contract_ids]
    return tuple((left[1], right[0]) for left, right in pairwise(ends))


def shear(pages: Sequence[Page]) -> str | None:
    """Why the pages are not one generation, or None: a contract may have slipped between two of them."""
    generations = [page.generation for page in pages]
    if max(generations) - min(generations) > ONE_GENERATION:
        return "the pages are of different generations"
    if any(page.pages != len(pages) for page in pages):
        return "the number of pages changed while they were read"
    ids = [number for page in pages for number in page.contract_ids]
    if any(left >= right for left, right in pairwise(ids)):
        return "the pages overlap"
    sizes = [len(page.contract_ids) + page.rejected for page in pages]
    if any(size != sizes[0] for size in sizes[:-1]) or sizes[-1] > sizes[0]:
        return "a page is short"
    if len(pages) > 1 and not sizes[-1]:
        return "the last page is empty"
    return None


def doubt(pages: Sequence[Page]) -> str | None:
    """Why nothing may be concluded from absence although the pages agree, or None."""
    if any(page.rejected for page in pages):
        return "some rows could not be read"
    if not any(page.contract_ids for page in pages):
        return EMPTY
    return None


def storable(row: PublicContract) -> bool:
    """Whether the row fits our columns; one that does not is rejected, and only it."""
    amounts = (row.price, row.buyout, row.reward, row.collateral)
    dates = (row.date_issued, row.date_expired)
    return all(amount is None or _fits(amount) for amount in amounts) and all(1 < date.year < 9999 for date in dates)  # noqa: PLR2004 - in UTC it may be another year


def _fits(amount: Decimal) -> bool:
    exponent = amount.as_tuple().exponent
    return isinstance(exponent, int) and exponent >= FINEST_EXPONENT and abs(amount) <= LARGEST_AMOUNT
