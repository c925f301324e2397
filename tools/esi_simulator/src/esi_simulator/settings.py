from typing import Final

from pydantic import AwareDatetime, Field, field_validator

from common.settings import Settings

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
    esi_sim_start: AwareDatetime | None = Field(
        None, description="Instant at which the simulated time starts, as 2026-11-01T12:00:00Z; the present when unset"
    )

    @field_validator("esi_sim_start")
    @classmethod
    def _is_late_enough(cls, start: AwareDatetime | None) -> AwareDatetime | None:
        if start is not None and start.year < FIRST_YEAR:
            raise ValueError(f"must be in {FIRST_YEAR} or later")
        return start
