from enum import StrEnum
from typing import Literal

from pydantic import BaseModel, Field, ValidationInfo, field_validator

from api.schemas.base import CubicMetres, Id, Instant, Isk, Shown
from api.schemas.contract_filters import Bound, IskBound, Security

SMALL = 2**15 - 1


class CourierSort(StrEnum):
    """What courier contracts are sorted by. What has no such value comes last, in both directions."""

    REWARD_PER_JUMP = "reward_per_jump"
    REWARD_PER_JUMP_HIGH_SECURITY = "reward_per_jump_high_security"
    REWARD_PER_M3 = "reward_per_m3"
    REWARD = "reward"
    COLLATERAL = "collateral"
    VOLUME = "volume"
    JUMPS = "jumps"
    ISSUED = "issued"
    EXPIRES = "expires"


class CourierOrder(StrEnum):
    """Which end comes first."""

    ASCENDING = "asc"
    DESCENDING = "desc"


ASCENDING_SORTS = frozenset({CourierSort.COLLATERAL, CourierSort.VOLUME, CourierSort.JUMPS, CourierSort.EXPIRES})


class CourierQuery(BaseModel):
    """Which courier contracts, in which order, and which page of them."""

    region_id: list[Id] = Field([], max_length=100, description="That start in any of these regions")
    end_region_id: list[Id] = Field([], max_length=100, description="That end in any of these regions")
    system_id: list[Id] = Field([], max_length=100, description="That start in any of these systems")
    end_system_id: list[Id] = Field([], max_length=100, description="That end in any of these systems")
    security: list[Security] = Field([], max_length=4, description="That start where it is as safe as one of these")
    ends_known: bool | None = Field(
        None, description="true: whose start and end are known. false: of which one is a player's structure"
    )
    high_security_only: bool | None = Field(
        None, description="true: that can be carried through high security alone. false: all others"
    )
    reward_min: IskBound | None = Field(None, description="ISK")
    reward_max: IskBound | None = Field(None, description="ISK")
    collateral_min: IskBound | None = Field(None, description="ISK")
    collateral_max: IskBound | None = Field(None, description="ISK")
    volume_min: Bound | None = Field(None, description="m³")
    volume_max: Bound | None = Field(None, description="m³")
    reward_per_m3_min: Bound | None = Field(None, description="ISK")
    reward_per_jump_min: Bound | None = Field(None, description="ISK, by the shortest way")
    jumps_max: int | None = Field(None, ge=0, le=SMALL, description="By the shortest way")
    jumps_high_security_max: int | None = Field(None, ge=0, le=SMALL, description="Through high security only")
    sort: CourierSort = Field(CourierSort.REWARD_PER_JUMP, description="What comes first")
    order: CourierOrder | None = Field(
        None, description="By default asc for collateral, volume, jumps and expires, desc for all others"
    )
    limit: int = Field(50, ge=1, le=200, description="Contracts on a page, at most")
    cursor: str | None = Field(
        None, max_length=400, description="`next_cursor` of the page before; filters, sort and order stay the same"
    )

    @field_validator("reward_max", "collateral_max", "volume_max")
    @classmethod
    def _above_the_least(cls, most: float | None, others: ValidationInfo) -> float | None:
        assert others.field_name is not None
        of = others.field_name.removesuffix("_max")
        least = others.data.get(f"{of}_min")
        if least is not None and most is not None and most < least:
            raise ValueError(f"is below {of}_min")
        return most

    @property
    def descending(self) -> bool:
        """Whether the greatest comes first."""
        if self.order is None:
            return self.sort not in ASCENDING_SORTS
        return self.order is CourierOrder.DESCENDING


class Courier(Shown):
    """A contract to carry something."""

    contract_id: int
    region_id: int
    region_name: str | None
    system_id: int | None = Field(description="Where it starts; null in a player's structure")
    system_name: str | None
    security: Literal["high", "low", "null", "wormhole"] | None
    start_location_id: int | None
    start_location_name: str | None
    end_region_id: int | None
    end_region_name: str | None
    end_system_id: int | None = Field(description="Where it ends; null in a player's structure")
    end_system_name: str | None
    end_security: Literal["high", "low", "null", "wormhole"] | None
    end_location_id: int | None
    end_location_name: str | None
    jumps: int | None = Field(description="By the shortest way; null where an end is unknown or none leads there")
    jumps_high_security: int | None = Field(
        description="Through high security only; null where an end is unknown or no such way leads there"
    )
    unknown: list[Literal["start", "end"]] = Field(
        description="Which ends nobody knows: players' structures, who may refuse docking to whoever carries it"
    )
    reward: Isk | None
    collateral: Isk | None
    volume: CubicMetres | None
    days_to_complete: int | None
    reward_per_m3: float | None = Field(description="ISK; null without a volume")
    reward_per_jump: float | None = Field(
        description="ISK, by the shortest way; within a system as for one jump. Null where the way is unknown"
    )
    reward_per_jump_high_security: float | None = Field(description="The same through high security only")
    title: str | None
    issuer_id: int
    issuer_name: str | None
    issuer_corporation_id: int
    issuer_corporation_name: str | None
    date_issued: Instant
    date_expired: Instant
    game: str | None = Field(description="Link for the game's notepad and chat; null where its start is not known")


class CourierPage(Shown):
    """Live courier contracts."""

    items: list[Courier]
    next_cursor: str | None = Field(description="Asks for what follows; null on the last page")
    as_of: Instant | None = Field(description="The oldest reading of the regions' lists; null: none was read")
