from typing import Any, Literal

from pydantic import Field

from api.schemas.base import Instant, Shown


class Alive(Shown):
    """The process answers."""

    status: Literal["ok"] = "ok"


class Readiness(Shown):
    """Whether commands and questions get true answers here."""

    status: Literal["ready", "degraded"]
    degraded: list[str] = Field(description="What does not work though answers are true")


class DatabaseHealth(Shown):
    """PostgreSQL as seen from here."""

    ok: bool
    error: str | None
    schema_revision: str | None
    schema_wanted: str


class ServiceHealth(Shown):
    """What a process last said of itself. What is null without a key is told to a key of the scope `operate`."""

    service: str
    instance: str | None = Field(description="The host it runs on; null without a key")
    alive: bool
    beat_at: Instant
    started_at: Instant | None = Field(description="Null without a key")
    progress: dict[str, Any] | None = Field(description="How far it is; null without a key")


class UpstreamHealth(Shown):
    """ESI as the ingestors see it."""

    ok: bool | None = Field(description="Null until ESI was asked")
    error: str | None
    since: str | None = Field(description="RFC 3339")


class RelayHealth(Shown):
    """This process's relay."""

    sent: int = Field(description="Messages that the broker took since the start")


class RegionHealth(Shown):
    """How fresh a region is."""

    region_id: int
    name: str | None
    as_of: Instant | None
    complete: bool
    fresh_until: Instant | None


class Health(Shown):
    """Everything that is known of the state of the system."""

    status: Literal["ready", "degraded", "unready"]
    missing: list[str]
    degraded: list[str]
    database: DatabaseHealth
    outbox: dict[str, int]
    relay: RelayHealth
    services: list[ServiceHealth]
    upstream: UpstreamHealth | None = Field(description="Null until an ingestor said anything")
    regions: list[RegionHealth]


class HookShown(Shown):
    """A hook, and its last run."""

    phase: Literal["middleware", "startup", "shutdown"]
    name: str
    order: int
    optional: bool
    ran_at: Instant | None = Field(description="Null while it has not run")
    seconds: float | None
    error: str | None


class HooksShown(Shown):
    """The hooks of this instance, in their order."""

    items: list[HookShown]
