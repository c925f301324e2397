"""The slots of a schedule that follows upstream's cache: each is decided when something is known of the next."""

from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True)
class Upstream:
    """Asks when upstream may have something newer, within bounds; after `fallback` while nobody knows when that is."""

    fallback: timedelta
    floor: timedelta
    cap: timedelta

    def after(self, decided_at: datetime, *, fired_at: datetime | None, fresh_until: datetime | None) -> datetime:
        """The slot that follows a decision of `decided_at`: never before the floor, never after the cap.

        `fresh_until` is the latest instant that any run told: upstream has nothing newer before it. It decides until
        a slot has fired past it, for the run of that slot reads what came after, and tells the next instant.
        """
        is_known = fresh_until is not None and (fired_at is None or fired_at < fresh_until)
        pause = fresh_until - decided_at if is_known and fresh_until is not None else self.fallback
        return decided_at + min(max(pause, self.floor), self.cap)


def latest(known: datetime | None, told: datetime) -> datetime:
    """What is known after a run told `told`: of two such instants the later one says more, in whatever order they come.

    That upstream has nothing newer before an instant stays true for ever, so a report that is old or comes twice
    changes nothing.
    """
    return told if known is None else max(known, told)
