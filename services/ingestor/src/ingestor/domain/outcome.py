"""What became of a contract after it left its region's list, as far as one look at its items route can tell.

What is evidence of what (sources: esi-issues #1236, #1237, #1242; MutaMarket and killbot-rust judge likewise):

- `Contract accepted by player`: accepted. Nothing else says so outright.
- 404 `Contract not found`: it was removed. After its end that is `expired`, before it `withdrawn`. A removed auction
  was sold if its end had passed with bids on it, for the highest bidder has to take it: this is inferred from the bids
  that were read, not told by upstream, and where they were not read nothing is inferred.
- 200 is an answer from the route's cache of one hour, 204 is said of expired and of accepted contracts alike, and
  `Contract not public` of any: none of them proves anything, so the route is asked again when its cache is over.
- Other words of an error are upstream's trouble, and prove nothing either.

The end of an auction is known coarsely: upstream gives the time of its answer plus whole hours or days, and we keep the
latest. Within the last day before it nobody can tell whether an auction had ended.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

Outcome = Literal["accepted", "expired", "withdrawn", "unknown"]

MAX_PROBES = 3
CACHED_FOR = timedelta(hours=1)
"""Of the items route; taken where an answer does not say when it expires."""
LAZY = timedelta(seconds=5)
"""After the expiry: upstream's clock is not ours."""
COARSE = timedelta(days=1)

ACCEPTED_WORDS = "contract accepted by player"
REMOVED_WORDS = "contract not found"


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the items route answered."""

    status: int
    message: str


@dataclass(frozen=True, slots=True)
class Departure:
    """What the lists and the bids say. `absent_at`: the generation of the first list without it."""

    is_auction: bool
    date_expired: datetime
    absent_at: datetime
    bids: int | None

    def ended(self) -> bool | None:
        """Whether its end had passed when it was gone; None where that cannot be told."""
        if self.absent_at >= self.date_expired:
            return True
        if self.is_auction and self.absent_at >= self.date_expired - COARSE:
            return None
        return False


def decide(evidence: Evidence, departure: Departure) -> Outcome | None:
    """What became of it; None: ask again. `unknown`: it is gone for good, and nothing proves how."""
    words = evidence.message.lower()
    if evidence.status == 403 and ACCEPTED_WORDS in words:  # noqa: PLR2004
        return "accepted"
    if evidence.status == 404 and REMOVED_WORDS in words:  # noqa: PLR2004
        return _removed(departure)
    return None


def ask_again_after(fresh_for: timedelta) -> timedelta:
    """The wait before the next probe: until upstream can say something else."""
    return (fresh_for or CACHED_FOR) + LAZY


def _removed(departure: Departure) -> Outcome:
    ended = departure.ended()
    if ended is None:
        return "unknown"
    if not departure.is_auction:
        return "expired" if ended else "withdrawn"
    if departure.bids == 0:
        return "expired" if ended else "withdrawn"
    return "accepted" if ended and departure.bids else "unknown"
