import re
from typing import Annotated, Final

from pydantic import AwareDatetime, Field, field_validator
from pydantic_settings import NoDecode

from common.settings import Settings, comma_separated

FIRST_YEAR: Final = 2025
"""Before it, generated ids would meet the recorded ones."""


class SimulatorSettings(Settings):
    """Where the simulated ESI listens, how large its market is, and how its time runs."""

    esi_sim_host: str = Field("127.0.0.1", min_length=1, description="Address to listen on")
    esi_sim_port: int = Field(8081, ge=0, le=65535, description="Port to listen on; 0 takes a free one")
    esi_sim_seed: int = Field(1, ge=0, lt=2**63, description="The market's luck: same seed and clock, same bytes")
    esi_sim_forge_contracts: int = Field(3000, ge=0, le=400_000, description="Contracts that stand in The Forge")
    esi_sim_hub_contracts: int = Field(
        1000, ge=0, le=400_000, description="Contracts that stand in each of the four other hubs"
    )
    esi_sim_latency: float = Field(0, ge=0, le=60, description="Seconds by which each answer is held back")
    esi_sim_clock_speed: float = Field(
        1.0, ge=0, le=100_000, description="Simulated seconds per second; 0 stands still"
    )
    esi_sim_list_ttl: int = Field(1800, ge=1, le=86_400, description="Seconds that a list of contracts is cached")
    esi_sim_page_size: int = Field(
        1000, ge=1, le=1000, description="Rows of a page of contracts, items, bids or orders; smaller ones make many"
    )
    esi_sim_page_skew: int = Field(
        1, ge=0, le=3600, description="Seconds that the pages of a generation may be made after the first one"
    )
    esi_sim_auction_drift: bool = Field(
        True,  # noqa: FBT003 - a default
        description="Whether the end of an auction is shown as whole hours or days from its page's making",
    )
    esi_sim_recorded: bool = Field(True, description="Whether Domain's 1,000 recorded contracts are on the market")  # noqa: FBT003 - a default
    esi_sim_extra_regions: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="More regions with a market, and their contracts: 10000001:50,11000001:20"
    )
    esi_sim_error_window: int = Field(60, ge=1, le=3600, description="Seconds in which 100 errors are allowed")
    esi_sim_downtime: bool = Field(False, description="Whether the cluster goes down daily at 11:00 UTC")  # noqa: FBT003 - a default
    esi_sim_downtime_length: int = Field(300, ge=1, le=3600, description="Seconds of the daily downtime")
    esi_sim_start: AwareDatetime | None = Field(
        None, description="Instant at which the simulated time starts, as 2026-11-01T12:00:00Z; the present when unset"
    )

    @field_validator("esi_sim_extra_regions", mode="before")
    @classmethod
    def _are_several(cls, regions: object) -> object:
        return comma_separated(regions)

    @field_validator("esi_sim_extra_regions")
    @classmethod
    def _are_pairs(cls, regions: tuple[str, ...]) -> tuple[str, ...]:
        if not all(re.fullmatch(r"1\d{7}:\d{1,6}", one) for one in regions):
            raise ValueError("must look like 10000001:50,11000001:20")
        return regions

    def extra_regions(self) -> dict[int, int]:
        """How many contracts each of the further regions has."""
        pairs = (one.split(":") for one in self.esi_sim_extra_regions)
        return {int(region_id): int(size) for region_id, size in pairs}

    @field_validator("esi_sim_start")
    @classmethod
    def _is_late_enough(cls, start: AwareDatetime | None) -> AwareDatetime | None:
        if start is not None and start.year < FIRST_YEAR:
            raise ValueError(f"must be in {FIRST_YEAR} or later")
        return start
