from datetime import date
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, Field

from api.schemas.base import Id, Instant, Isk, Shown, as_written

SMALL = 2**15 - 1
INT = 2**31 - 1
Day = Annotated[date, BeforeValidator(as_written), Field(ge=date(2000, 1, 1), le=date(2200, 1, 1))]


class PriceQuery(BaseModel):
    """Which prices of a type."""

    region_id: list[Id] = Field([], max_length=100, description="In any of these regions")
    days: int = Field(30, ge=1, le=366, description="So many days")
    before: Day | None = Field(
        None, description="The days before this one, in UTC; without it today and those before. `from` asks for more"
    )
    is_bpc: bool | None = Field(None, description="true: only of copies of a blueprint. false: only of all else")
    runs: int | None = Field(None, ge=0, le=INT, description="Of copies with so many runs")
    me: int | None = Field(None, ge=0, le=SMALL, description="Of copies with this material efficiency")
    te: int | None = Field(None, ge=0, le=SMALL, description="Of copies with this time efficiency")


class AskedPrices(Shown):
    """What was asked in a region for one piece of a type, or for one copy of a blueprint as it is researched."""

    region_id: int
    region_name: str | None
    is_blueprint_copy: bool
    material_efficiency: int | None = Field(description="Of a copy; null of all else, as are the next two")
    time_efficiency: int | None
    runs: int | None
    contracts: int = Field(description="How many asked; each counts once, however much it offers")
    lowest: Isk = Field(description="ISK for one of it, as are the others")
    p10: Isk = Field(description="A tenth of the contracts asked less")
    median: Isk
    p90: Isk = Field(description="A tenth of the contracts asked more")


class AskedOnDay(AskedPrices):
    """The same of the contracts that left the list on one day."""

    day: date = Field(description="UTC")
    accepted: int = Field(description="How many of them somebody is known to have accepted")


class TypePrices(Shown):
    """What is and was asked for a type, by contracts that offer nothing else and ask for nothing but ISK."""

    type_id: int
    type_name: str
    as_of: Instant | None = Field(description="The oldest reading of the lists of these regions; null: none was read")
    from_: date = Field(alias="from", description="The first of these days; as `before` it asks for those before")
    until: date = Field(description="The day after the last of them")
    live: list[AskedPrices] = Field(description="What live contracts ask")
    days: list[AskedOnDay] = Field(
        description="What contracts asked that are gone, by the day on which they left the list, the newest first. By"
        " region, for quantiles of several regions are not to be had from those of each"
    )
