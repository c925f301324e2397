"""How often, and how far apart, something that failed is tried again."""

from datetime import timedelta

MAX_RUN_ATTEMPTS = 20
MAX_ITEM_ATTEMPTS = 8
ANOTHER_DAY = timedelta(days=1)
"""Items that were given up are tried once more after this, as long as their contract is live."""
FIRST_SECONDS = 5
LONGEST_SECONDS = 300
LONGEST_AWAY = timedelta(minutes=30)


def pause_after(attempts: int) -> timedelta:
    """The wait before the next try, doubling from five seconds to five minutes."""
    return timedelta(seconds=min(FIRST_SECONDS * 2 ** max(attempts - 1, 0), LONGEST_SECONDS))


def pause_while_away(waiting: timedelta) -> timedelta:
    """The wait for an upstream that is not to blame the work for: the longer it is `waiting`, up to half an hour."""
    return min(max(waiting / 10, timedelta(seconds=FIRST_SECONDS)), LONGEST_AWAY)
