from typing import Annotated

from pydantic import Field, field_validator, model_validator
from pydantic_settings import NoDecode

from common.settings import DatabaseSettings, KafkaSettings, LogSettings, RetentionSettings, comma_separated

THE_FORGE, DOMAIN, SINQ_LAISON, HEIMATAR, METROPOLIS = 10000002, 10000043, 10000032, 10000030, 10000042


class SchedulerSettings(DatabaseSettings, KafkaSettings, LogSettings, RetentionSettings):
    """What the scheduler has to know. The intervals shape schedules when these are first made, not later."""

    region_ids: Annotated[tuple[Annotated[int, Field(gt=0, lt=2**63)], ...], NoDecode] = Field(
        (THE_FORGE, DOMAIN, SINQ_LAISON, HEIMATAR, METROPOLIS),
        description="Regions to keep a copy of, as 10000002,10000043",
    )
    sweep_interval: int = Field(
        1800,
        ge=5,
        le=31_536_000,
        description="Seconds between two sweeps of a region while it is not known when upstream has something newer",
    )
    upstream_min_interval: int = Field(
        30, ge=1, le=86_400, description="Seconds that lie between two sweeps of a region at the least"
    )
    reconcile_interval: int = Field(
        10, ge=1, le=86_400, description="Seconds between two looks at what was left unfinished"
    )

    slot_retention_days: int = Field(
        30,
        ge=1,
        le=36_500,
        description="Days that every slot has a line of its own; of older ones that went well a range is kept",
    )

    @field_validator("region_ids", mode="before")
    @classmethod
    def _as_people_write_them(cls, value: object) -> object:
        return comma_separated(value)

    @model_validator(mode="after")
    def _folds_slots_before_their_runs_are_removed(self) -> "SchedulerSettings":
        if self.slot_retention_days >= self.retention_days:
            raise ValueError(
                f"SLOT_RETENTION_DAYS ({self.slot_retention_days}) must be less than RETENTION_DAYS "
                f"({self.retention_days}): of a run that has been removed nobody can say that it succeeded, "
                "so its slot would never be folded"
            )
        return self
