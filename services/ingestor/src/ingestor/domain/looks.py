"""How far back a look for what nobody has seen has to go."""

from dataclasses import dataclass
from datetime import datetime, timedelta

WHOLE = timedelta(days=7)
"""What is older than this and was never seen stays unseen."""
WHOLE_EVERY = timedelta(hours=1)
COMMITTED_WITHIN = timedelta(minutes=10)
"""A look may miss what is older than itself and not committed yet; no transaction of ours takes this long."""


@dataclass(frozen=True, slots=True)
class Looks:
    """When it was looked last, and when last all the way back, by the database's clock. Each process begins anew."""

    last: datetime | None = None
    whole: datetime | None = None

    def since(self, now: datetime) -> datetime:
        """From when on a look at `now` has to look: what came before, the looks before have found."""
        if self._is_due_whole(now) or self.last is None:
            return now - WHOLE
        return self.last - COMMITTED_WITHIN

    def and_one(self, now: datetime) -> "Looks":
        """With a look at `now`."""
        return Looks(last=now, whole=now if self._is_due_whole(now) else self.whole)

    def _is_due_whole(self, now: datetime) -> bool:
        return self.whole is None or now - self.whole >= WHOLE_EVERY
