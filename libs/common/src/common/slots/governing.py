"""Which definition governed a schedule's slots, and when."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from common.slots.definition import Definition


@dataclass(frozen=True, slots=True)
class Governed:
    """A span of time, its end not included, and the definition that governed its slots; None where there was none."""

    since: datetime
    until: datetime | None
    definition: Definition | None


def spans(versions: Sequence[tuple[datetime, Definition | None]]) -> list[Governed]:
    """The spans that `versions` governed, each from its instant until the next one's; ascending."""
    ends: list[datetime | None] = [since for since, _ in versions[1:]]
    return [
        Governed(since, until, definition) for (since, definition), until in zip(versions, [*ends, None], strict=True)
    ]


def span_of(governed: Sequence[Governed], slot: datetime) -> Governed | None:
    """The span that `slot` lies in; None before the first."""
    for span in reversed(governed):
        if span.since <= slot:
            return span if span.until is None or slot < span.until else None
    return None
