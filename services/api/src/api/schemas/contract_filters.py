"""Which contracts: the filters that every list of them takes."""

import re
from collections.abc import Collection
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any, NamedTuple

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    Field,
    StringConstraints,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
)

from api.schemas.base import Id, as_written

MOST_ALTERNATIVES = 100
"""So many values one parameter may have."""
INT = 2**31 - 1
_ATTRIBUTE = re.compile(r"(\d{1,9}):([^:]*):([^:]*)", re.ASCII)
_GREATEST = 1e18
_EARLIEST, _LATEST = datetime(2000, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)

IskBound = Annotated[
    Decimal,
    Field(ge=0, le=10**18, decimal_places=2, allow_inf_nan=False),
    WithJsonSchema({"type": "number", "minimum": 0, "maximum": 10**18, "multipleOf": 0.01}),
]
Bound = Annotated[float, Field(ge=0, le=_GREATEST, allow_inf_nan=False)]
Whole = Annotated[int, Field(ge=0, le=INT)]
ItemKind = Annotated[int, Field(ge=1, lt=10**9)]
"""The id of a type, a group or a category: smaller than what tells the three apart in a contract's facets."""


class ContractType(StrEnum):
    """What kind of contract it is, in the words of ESI."""

    UNKNOWN = "unknown"
    ITEM_EXCHANGE = "item_exchange"
    AUCTION = "auction"
    COURIER = "courier"
    LOAN = "loan"


class Security(StrEnum):
    """How safe a solar system is, as the game rounds its security status."""

    HIGH = "high"
    LOW = "low"
    NULL = "null"
    WORMHOLE = "wormhole"


class State(StrEnum):
    """live: listed and not expired; gone: no longer that; all: both."""

    LIVE = "live"
    GONE = "gone"
    ALL = "all"


class Outcome(StrEnum):
    """What became of a contract, as far as that could be told."""

    ACCEPTED = "accepted"
    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"
    UNKNOWN = "unknown"


class AttributeRange(NamedTuple):
    """What an abyssal item's attribute has to be, both ends included; None: no end there."""

    attribute_id: int
    least: float | None
    most: float | None


def _instant_in_range(instant: datetime) -> datetime:
    if not _EARLIEST <= instant <= _LATEST:
        raise ValueError("is not between the years 2000 and 2200")
    return instant


def _words(text: str) -> str:
    if "\x00" in text:
        raise ValueError("holds a character that no name has")
    return text


def _attribute(text: str) -> str:
    attribute_range(text)
    return text


Moment = Annotated[
    AwareDatetime,
    BeforeValidator(as_written),
    AfterValidator(_instant_in_range),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]
Words = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100), AfterValidator(_words)]
Word = Annotated[str, StringConstraints(max_length=40), AfterValidator(_words)]
Attribute = Annotated[
    str,
    StringConstraints(max_length=60),
    AfterValidator(_attribute),
    WithJsonSchema(
        {"type": "string", "pattern": r"^[1-9][0-9]{0,5}:[0-9]{0,9}:$", "examples": ["20:10.5:", "50::2.5", "64:1:3"]}
    ),
]


def attribute_range(text: str) -> AttributeRange:
    """What `id:min:max` stands for; either end may be left out. Raises ValueError for anything else."""
    parts = _ATTRIBUTE.fullmatch(text)
    if parts is None or int(parts[1]) == 0:
        raise ValueError("is not id:min:max, such as 20:10.5: or 64:1:3")
    ends = [None if end == "" else _number(end) for end in parts.groups()[1:]]
    least, most = ends
    if least is None and most is None:
        raise ValueError("has neither a minimum nor a maximum")
    if least is not None and most is not None and most < least:
        raise ValueError("has a maximum below its minimum")
    return AttributeRange(int(parts[1]), least, most)


def _number(text: str) -> float:
    number = float(text) if re.fullmatch(r"[-+]?\d{1,20}(\.\d{0,20})?", text, re.ASCII) else None
    if number is None or abs(number) > _GREATEST:
        raise ValueError(f"has an end that is not a number up to {_GREATEST:g}")
    return number


def _ids(description: str) -> Any:
    return Field([], max_length=MOST_ALTERNATIVES, description=description)


def _optional(description: str) -> Any:
    return Field(None, description=description)


RANGES = ("price", "buyout", "collateral", "reward", "volume", "reward_per_m3", "days_to_complete", "value_ratio")
"""What can be bounded by `…_min` and `…_max`, and has a column of the same name."""
ITEM_RANGES = ("runs", "me", "te")
"""The same of a blueprint that is offered."""


class ContractFilters(BaseModel):
    """Which contracts. Filters hold together; several values of one are alternatives.

    What has no such value, or none that is known, is in no range and in no place. `true` and `false` part the rest of
    the list in two: `false` holds what `true` does not, unknown or not.
    """

    state: State | None = _optional("Live, gone or all of them; live by default, gone where an outcome is asked for")
    outcome: list[Outcome] = _ids("That came to any of these ends")
    region_id: list[Id] = _ids("In any of these regions")
    system_id: list[Id] = _ids(
        "That start in any of these solar systems; players' structures are in none that is known"
    )
    station_id: list[Id] = _ids("That start in any of these stations or structures")
    security: list[Security] = _ids("That start in a system of any of these kinds")
    contract_type: list[Word] = Field(
        [],
        max_length=MOST_ALTERNATIVES,
        description="Of any of these types: those of ContractType, or a newer word of ESI's that stands in a contract",
        json_schema_extra={"items": {"type": "string", "enum": [each.value for each in ContractType]}},
    )
    type_id: list[ItemKind] = _ids("That offer an item of any of these types")
    group_id: list[ItemKind] = _ids("That offer an item of any of these groups")
    category_id: list[ItemKind] = _ids("That offer an item of any of these categories")
    q: Words | None = _optional("Words of the title, the items, the place or the issuer; beginnings suffice")
    issuer_id: list[Id] = _ids("Issued by any of these characters")
    issuer_corporation_id: list[Id] = _ids("Issued by members of any of these corporations")
    ships_only: bool | None = _optional("true: that offer a ship; false: all others")
    single_item: bool | None = _optional("true: that offer one type of item and ask for none; false: all others")
    want_to_buy: bool | None = _optional("true: that ask for items and offer none; false: all others")
    is_bpc: bool | None = _optional(
        "true: that offer a blueprint's copy; false: all others. With other bounds on an item, the copy meets them too"
    )
    price_min: IskBound | None = _optional("Whose price is at least this; ISK")
    price_max: IskBound | None = _optional("Whose price is at most this; ISK")
    buyout_min: IskBound | None = _optional("An auction's, at least; ISK")
    buyout_max: IskBound | None = _optional("An auction's, at most; ISK")
    collateral_min: IskBound | None = _optional("A courier contract's, at least; ISK")
    collateral_max: IskBound | None = _optional("A courier contract's, at most; ISK")
    reward_min: IskBound | None = _optional("Whose reward is at least this; ISK")
    reward_max: IskBound | None = _optional("Whose reward is at most this; ISK")
    volume_min: Bound | None = _optional("m³, at least")
    volume_max: Bound | None = _optional("m³, at most")
    reward_per_m3_min: Bound | None = _optional("A courier contract's reward for one m³, at least; ISK")
    reward_per_m3_max: Bound | None = _optional("A courier contract's reward for one m³, at most; ISK")
    days_to_complete_min: Whole | None = _optional("Days that a courier has, at least")
    days_to_complete_max: Whole | None = _optional("Days that a courier has, at most")
    value_ratio_min: Bound | None = _optional("Price by value, at least; of contracts where the two can be compared")
    value_ratio_max: Bound | None = _optional("Price by value, at most: 0.8 is a fifth below Jita's sell orders")
    runs_min: Whole | None = _optional("That offer a blueprint's copy with at least so many runs")
    runs_max: Whole | None = _optional("The same, at most")
    me_min: Whole | None = _optional("That offer a blueprint of at least this material efficiency; percent")
    me_max: Whole | None = _optional("The same, at most")
    te_min: Whole | None = _optional("That offer a blueprint of at least this time efficiency; percent")
    te_max: Whole | None = _optional("The same, at most")
    attribute: list[Attribute] = Field(
        [],
        max_length=20,
        description=(
            "id:min:max, either end may be left out: that offer an abyssal item with this attribute in this range."
            " Several hold together, on one item"
        ),
    )
    issued_after: Moment | None = _optional("Issued later than this instant")
    expires_before: Moment | None = _optional("That expire earlier than this instant")

    @field_validator(*(f"{name}_max" for name in (*RANGES, *ITEM_RANGES)))
    @classmethod
    def _above_the_minimum(cls, most: float | None, others: ValidationInfo) -> float | None:
        least_name = f"{(others.field_name or '').removesuffix('_max')}_min"
        least = others.data.get(least_name)
        if least is not None and most is not None and most < least:
            raise ValueError(f"is below {least_name}")
        return most

    @property
    def wanted_state(self) -> State:
        """`state`, or what it is by default."""
        if self.state is not None:
            return self.state
        return State.GONE if self.outcome else State.LIVE

    def uses_only(self, names: Collection[str]) -> bool:
        """Whether it filters by these, if any, and nothing else but `state`."""
        others = ContractFilters.model_fields.keys() - {"state", *names}
        return all(getattr(self, name) in (None, []) for name in others)

    @property
    def attributes(self) -> list[AttributeRange]:
        return [attribute_range(text) for text in self.attribute]
