from enum import StrEnum
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, ValidationInfo, field_validator

from api.nearest import suggestion
from api.schemas.base import Instant, Shown
from api.schemas.contract_base import ContractBase
from api.schemas.contract_filters import ContractFilters

MOST_ON_A_PAGE = 200
DEEPEST = 2_000
"""Contracts that can be reached by `page`; what is deeper is reached by cursors, which cost the same at any depth."""


class Sort(StrEnum):
    """What a list is sorted by. What has no such value comes last, in both directions."""

    ISSUED = "issued"
    EXPIRES = "expires"
    PRICE = "price"
    VALUE_RATIO = "value_ratio"
    VOLUME = "volume"
    COLLATERAL = "collateral"
    REWARD = "reward"
    REWARD_PER_M3 = "reward_per_m3"
    DAYS_TO_COMPLETE = "days_to_complete"
    RUNS = "runs"
    RELEVANCE = "relevance"


class Order(StrEnum):
    """Which end of a sorted list comes first."""

    ASCENDING = "asc"
    DESCENDING = "desc"


class Count(StrEnum):
    """How much work goes into counting: all it takes, little, or none."""

    EXACT = "exact"
    ESTIMATED = "estimated"
    NONE = "none"


DESCENDING_SORTS = frozenset({Sort.ISSUED, Sort.REWARD, Sort.REWARD_PER_M3, Sort.RUNS, Sort.RELEVANCE})
"""What is best when it is greatest. Of two contracts that are equal, the greater id comes first then."""


class ContractSummary(ContractBase):
    """A contract in a list."""

    items_offered: int | None = Field(description="How many items it offers; null until they were read")
    items_requested: int | None = Field(description="How many items it asks for; null until they were read")


def _split(values: object) -> object:
    """`a,b` is the same as `a` and `b`."""
    if not isinstance(values, list):
        return values
    return [part for value in values for part in (value.split(",") if isinstance(value, str) else [value])]


class ContractQuery(ContractFilters):
    """Which contracts, in which order, and which page of them."""

    sort: Sort | None = Field(
        None, description="By default relevance where `q` is given, else issued. Relevance needs `q`"
    )
    order: Order | None = Field(
        None,
        description=(
            "By default desc for issued, reward, reward_per_m3, runs and relevance, asc for all others."
            " Contracts without such a value come last either way; the contract's id breaks ties"
        ),
    )
    limit: int | None = Field(
        None, ge=1, le=MOST_ON_A_PAGE, description="Contracts on a page, at most; 50 by default", examples=[50]
    )
    cursor: str | None = Field(
        None,
        max_length=400,
        description="`next_cursor` or `prev_cursor` of a page of this list: filters, sort and order stay the same",
    )
    page: int | None = Field(
        None,
        ge=1,
        le=DEEPEST,
        description=f"The number of a page, from 1, as long as page times size is at most {DEEPEST:,}; cursors go on",
    )
    size: int | None = Field(None, ge=1, le=MOST_ON_A_PAGE, description="The same as `limit`, beside `page`")
    fields: Annotated[list[str], BeforeValidator(_split)] = Field(
        [],
        max_length=100,
        description="Only these fields of each contract; a,b is the same as two of them",
        json_schema_extra={"items": {"type": "string", "enum": list(ContractSummary.model_fields)}},
    )
    count: Count = Field(
        Count.ESTIMATED,
        description=(
            "exact: however long it takes; estimated: exact where that is quick, else from a sample; none: not at all"
        ),
    )

    @field_validator("sort")
    @classmethod
    def _relevance_of_something(cls, sort: Sort | None, others: ValidationInfo) -> Sort | None:
        if sort is Sort.RELEVANCE and others.data.get("q") is None:
            raise ValueError("relevance needs q")
        return sort

    @field_validator("fields")
    @classmethod
    def _fields_there_are(cls, fields: list[str]) -> list[str]:
        for name in fields:
            if name not in ContractSummary.model_fields:
                raise ValueError(f"has no field {name!r}{suggestion(name, ContractSummary.model_fields)}")
        return fields

    @field_validator("page")
    @classmethod
    def _one_way_of_paging(cls, page: int | None, others: ValidationInfo) -> int | None:
        if page is not None and others.data.get("cursor") is not None:
            raise ValueError("cannot be combined with a cursor")
        return page

    @field_validator("size")
    @classmethod
    def _one_size(cls, size: int | None, others: ValidationInfo) -> int | None:
        if size is not None and others.data.get("limit") is not None:
            raise ValueError("cannot be combined with limit, which is the same")
        return size

    @property
    def sorted_by(self) -> Sort:
        return self.sort or (Sort.ISSUED if self.q is None else Sort.RELEVANCE)

    @property
    def descending(self) -> bool:
        return self.sorted_by in DESCENDING_SORTS if self.order is None else self.order is Order.DESCENDING

    @property
    def most(self) -> int:
        """Contracts on a page."""
        return self.limit or self.size or 50

    @property
    def skipped(self) -> int:
        """Contracts before the page."""
        return 0 if self.page is None else (self.page - 1) * self.most


class Coverage(Shown):
    """How far a region's list is known."""

    region_id: int
    name: str | None
    as_of: Instant | None = Field(description="When its list was last read; null: never")
    complete: bool = Field(description="Whether that reading got all of the list")
    stale: bool = Field(description="Never read, or upstream has had a newer list for more than two minutes")
    items_pending: int = Field(
        description="Live contracts whose items are still to be read, and which filters on items therefore miss"
    )


class Counts(Shown):
    """How many contracts there are, on all pages."""

    total: int
    total_is: Literal["exact", "estimated"]
    by_type: dict[str, int] = Field(description="By contract type, as if `contract_type` were not asked for")
    by_type_is: Literal["exact", "estimated"]


class Excluded(Shown):
    """Contracts that may belong to the list, and are not in it because nobody knows."""

    because: Literal["items", "rolls", "system", "value"] = Field(
        description=(
            "items: they were not read yet; rolls: those of an abyssal item were not; system: it starts in a structure"
            " whose system is not public; value: its price cannot be compared with what it offers"
        )
    )
    contracts: int | None = Field(description="So many; null where that would take long to count")
    contracts_is: Literal["exact", "at least", "not counted"]


class Understood(Shown):
    """What `q` was taken for."""

    corrected: dict[str, list[str]] = Field(
        description="For each word of it that is written nowhere, the words that were looked for instead"
    )


class ContractPage(Shown):
    """A page of contracts. With `fields`, each holds those only."""

    items: list[ContractSummary]
    next_cursor: str | None = Field(description="Asks for what follows; null on the last page")
    prev_cursor: str | None = Field(description="Asks for what comes before; null on the first page")
    as_of: Instant | None = Field(description="The oldest of the readings behind this page; null if one is missing")
    counts: Counts | None = Field(description="Null with `count=none`")
    excluded: list[Excluded] = Field(description="By what is unknown; only for what the filters ask about")
    coverage: list[Coverage] = Field(description="The regions asked for, or all that were ever read")
    understood: Understood | None = Field(description="What was looked for; null without `q`")
