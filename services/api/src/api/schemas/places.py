from typing import Literal

from pydantic import BaseModel, Field, field_validator

from api.schemas.base import Id, Instant, Shown
from api.schemas.contract_filters import Security
from common.words import words_of

MOST_WORDS = 12


class PlaceQuery(BaseModel):
    """Which places, and which page of them."""

    q: str | None = Field(
        None,
        min_length=1,
        max_length=100,
        description="Whose name has words that begin with these; what is called or begins just so comes first",
    )
    region_id: list[Id] = Field([], max_length=100, description="In any of these regions")
    security: list[Security] = Field([], max_length=4, description="As safe as one of these")
    limit: int = Field(50, ge=1, le=500, description="Places on a page, at most")
    cursor: str | None = Field(
        None, max_length=400, description="`next_cursor` of the page before; the filters stay the same"
    )

    @field_validator("q")
    @classmethod
    def _has_words(cls, q: str | None) -> str | None:
        if q is not None and not words_of(q):
            raise ValueError("has neither a letter nor a digit")
        if q is not None and len(words_of(q)) > MOST_WORDS:
            raise ValueError(f"has more than {MOST_WORDS} words")
        return q


class SystemQuery(PlaceQuery):
    """Which solar systems, and which page of them."""


class StationQuery(PlaceQuery):
    """Which stations, and which page of them."""

    system_id: list[Id] = Field([], max_length=100, description="In any of these systems")


class Safety(Shown):
    """How safe it is somewhere."""

    security_status: float
    security: Literal["high", "low", "null", "wormhole"] = Field(description="As the game rounds it")


class SolarSystem(Safety):
    """A solar system."""

    system_id: int
    name: str
    constellation_id: int
    region_id: int
    region_name: str | None
    live: int = Field(description="Live contracts that start in it, but for those in players' structures")


class StationInSystem(Shown):
    """A station, in its system."""

    station_id: int
    name: str
    live: int = Field(description="Live contracts that start there")


class Neighbour(Shown):
    """A solar system one jump away."""

    system_id: int
    name: str
    security: Literal["high", "low", "null", "wormhole"]


class SolarSystemDetail(SolarSystem):
    """A solar system with what is in it and around it."""

    stations: list[StationInSystem]
    neighbours: list[Neighbour] = Field(description="One jump away, by stargate")


class SolarSystems(Shown):
    """Solar systems."""

    items: list[SolarSystem]
    next_cursor: str | None = Field(description="Asks for what follows; null on the last page")
    as_of: Instant | None = Field(description="The oldest reading of a region's list; null: none was read")


class Station(Safety):
    """A station; players' structures are not public and stand nowhere."""

    station_id: int
    name: str
    system_id: int
    system_name: str
    region_id: int
    region_name: str | None
    live: int = Field(description="Live contracts that start there")


class Stations(Shown):
    """Stations."""

    items: list[Station]
    next_cursor: str | None = Field(description="Asks for what follows; null on the last page")
    as_of: Instant | None = Field(description="The oldest reading of a region's list; null: none was read")
