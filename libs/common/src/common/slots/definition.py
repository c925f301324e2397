"""What a schedule is to do and when, as its author wrote it, and what of it makes no sense."""

from datetime import datetime, timedelta
from functools import cache
from typing import Annotated, Literal
from zoneinfo import ZoneInfo, available_timezones

import msgspec
from msgspec import Meta

from common.events import Dataset, IngestRequested, Scope
from common.slots.cron import Cron, CronError
from common.slots.emission import Action, Emission, EmissionError, event_of
from common.slots.interval import Interval
from common.slots.once import Once
from common.slots.slots import Slots
from common.slots.upstream import Upstream

Kind = Literal["interval", "cron", "once", "upstream"]
Overlap = Literal["skip", "buffer_one", "allow_all"]
Catchup = Literal["none", "latest", "all"]
Instant = Annotated[datetime, Meta(tz=True)]

LONGEST_SECONDS = 366 * 86_400
_FIELDS: dict[Kind, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "interval": (("every_seconds",), ("offset_seconds",)),
    "cron": (("cron", "zone"), ()),
    "once": (("at",), ()),
    "upstream": (("every_seconds", "min_seconds", "max_seconds"), ()),
}
"""What each kind wants, and what else it understands."""
_TIMING_FIELDS = {name for wanted, more in _FIELDS.values() for name in (*wanted, *more)}


class Definition(msgspec.Struct, frozen=True, kw_only=True):
    """A schedule as its author wrote it. `faults` says whether it makes sense."""

    name: str
    kind: Kind
    action: Action = "ingest"
    dataset: Dataset | None = None
    scope: Scope = Scope()
    emits: Emission | None = None
    every_seconds: int | None = None
    offset_seconds: int = 0
    min_seconds: int | None = None
    max_seconds: int | None = None
    cron: str | None = None
    zone: str | None = None
    at: Instant | None = None
    start_at: Instant | None = None
    end_at: Instant | None = None
    overlap: Overlap = "skip"
    catchup: Catchup = "latest"
    catchup_seconds: int | None = None
    jitter_seconds: int = 0
    pause_after_failures: int | None = None


def slots_of(definition: Definition) -> Slots:
    """The slots of a definition without faults that is not of the kind `upstream`."""
    return Slots(_timing(definition), definition.start_at, definition.end_at)


def upstream_of(definition: Definition) -> Upstream:
    """How a definition without faults, of the kind `upstream`, finds its next slot."""
    assert definition.every_seconds is not None
    assert definition.min_seconds is not None
    assert definition.max_seconds is not None
    return Upstream(
        fallback=timedelta(seconds=definition.every_seconds),
        floor=timedelta(seconds=definition.min_seconds),
        cap=timedelta(seconds=definition.max_seconds),
    )


def faults(definition: Definition, *, now: datetime) -> dict[str, str]:
    """What makes no sense, by field; nothing if it can be a schedule from `now` on."""
    wrong = {**_misplaced(definition), **_numbers(definition), **_action(definition)}
    if not wrong:
        wrong = _calendar(definition, now)
    return wrong


@cache
def _zones() -> frozenset[str]:
    return frozenset(available_timezones())


def _timing(definition: Definition) -> Interval | Cron | Once:
    if definition.kind == "cron":
        assert definition.cron is not None
        assert definition.zone is not None
        return Cron(definition.cron, ZoneInfo(definition.zone))
    if definition.kind == "once":
        assert definition.at is not None
        return Once(definition.at)
    assert definition.kind == "interval"
    assert definition.every_seconds is not None
    return Interval(timedelta(seconds=definition.every_seconds), timedelta(seconds=definition.offset_seconds))


def _misplaced(definition: Definition) -> dict[str, str]:
    """Fields that the kind lacks, or that mean nothing to it."""
    wanted, more = _FIELDS[definition.kind]
    missing = {
        name: f"is required for the kind {definition.kind}" for name in wanted if getattr(definition, name) is None
    }
    foreign = {
        name: f"means nothing to the kind {definition.kind}"
        for name in sorted(_TIMING_FIELDS - {*wanted, *more})
        if getattr(definition, name)
    }
    return {**missing, **foreign}


def _numbers(definition: Definition) -> dict[str, str]:
    wrong = {
        name: f"has to be from {least} to {most}"
        for name, least, most in (
            ("every_seconds", 1, LONGEST_SECONDS),
            ("offset_seconds", -LONGEST_SECONDS, LONGEST_SECONDS),
            ("min_seconds", 1, LONGEST_SECONDS),
            ("max_seconds", 1, LONGEST_SECONDS),
            ("catchup_seconds", 1, LONGEST_SECONDS),
            ("jitter_seconds", 0, 86_400),
            ("pause_after_failures", 1, 1_000),
        )
        if (value := getattr(definition, name)) is not None and not least <= value <= most
    }
    if definition.kind == "upstream":
        if definition.min_seconds and definition.max_seconds and definition.min_seconds > definition.max_seconds:
            wrong["max_seconds"] = "is less than min_seconds"
        if definition.jitter_seconds:
            wrong["jitter_seconds"] = "means nothing to the kind upstream: its slots come when upstream has something"
    elif definition.every_seconds is not None and definition.jitter_seconds >= definition.every_seconds > 0:
        wrong["jitter_seconds"] = "has to be less than every_seconds"
    return wrong


def _action(definition: Definition) -> dict[str, str]:
    if definition.action != "ingest":
        return _without_a_dataset(definition)
    if definition.emits is not None:
        return {"emits": "means nothing to the action ingest"}
    if definition.dataset is None:
        return {"dataset": "is required for the action ingest"}
    try:
        IngestRequested(dataset=definition.dataset, scope=definition.scope)
    except ValueError as error:
        field, _, wrong = str(error).partition(" ")
        return {field: wrong}
    return {}


def _without_a_dataset(definition: Definition) -> dict[str, str]:
    emits = definition.emits
    asked: dict[str, object] = {"dataset": definition.dataset, "scope": definition.scope.parts()}
    if definition.action == "reconcile":
        asked["emits"] = emits
    wrong = {name: f"means nothing to the action {definition.action}" for name, value in asked.items() if value}
    if definition.kind == "upstream":
        wrong["kind"] = "only what reads a dataset can follow upstream"
    if definition.action == "emit":
        wrong |= {"emits": "is required for the action emit"} if emits is None else _emission(emits)
    return wrong


def _emission(emits: Emission) -> dict[str, str]:
    try:
        event_of(emits)
    except EmissionError as error:
        return {error.field: error.reason}
    return {}


def _calendar(definition: Definition, now: datetime) -> dict[str, str]:
    start, end = definition.start_at, definition.end_at
    if start is not None and end is not None and end <= start:
        return {"end_at": "is not later than start_at"}
    if end is not None and end <= now:
        return {"end_at": "is over"}
    if definition.zone is not None and definition.zone not in _zones():
        return {"zone": f"there is no time zone {definition.zone}"}
    return {} if definition.kind == "upstream" else _barren(definition, now)


def _barren(definition: Definition, now: datetime) -> dict[str, str]:
    """Why no slot comes from `now` on, if none does."""
    try:
        slots = slots_of(definition)
    except CronError as error:
        return {"cron": str(error)}
    if slots.at_or_after(now) is not None:
        return {}
    if Slots(slots.timing, slots.start).at_or_after(now) is not None:
        return {"end_at": "comes before the first slot"}
    return {"at": "is over"} if definition.kind == "once" else {"cron": "never fires"}
