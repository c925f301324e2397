"""What becomes of the slots that have come due."""

from collections.abc import Sequence
from datetime import datetime
from typing import Literal

Fate = Literal["fired", "skipped_overlap", "skipped_paused", "skipped_catchup", "backfilled"]
Overlap = Literal["skip", "allow_all"]


def decide(
    due: Sequence[datetime], *, overlap: Overlap, busy: bool, newer_to_come: bool = False
) -> list[tuple[datetime, Fate]]:
    """The fate of each slot in `due`, which ascends.

    After an outage only the newest is acted on: the market has one present, and one reading shows all of it. With
    `newer_to_come`, the newest is not among them.
    """
    if not due:
        return []
    if newer_to_come:
        return [(slot, "skipped_catchup") for slot in due]
    missed: list[tuple[datetime, Fate]] = [(slot, "skipped_catchup") for slot in due[:-1]]
    return [*missed, (due[-1], "skipped_overlap" if busy and overlap == "skip" else "fired")]
