"""The game is down for some minutes each day, and what upstream says then is not to be believed."""

from datetime import time
from email.utils import parsedate_to_datetime

BEGINS, ENDS = time(11, 0), time(11, 20)
"""UTC. Source: ESI's documents; the cluster is back between 11:02 and 11:20."""


def in_downtime(date: str | None) -> bool:
    """Whether an answer with that `Date` header was given around the daily downtime; 404s come in bursts then."""
    try:
        at = parsedate_to_datetime(date) if date else None
    except ValueError:
        return False
    return at is not None and BEGINS <= at.time() < ENDS
