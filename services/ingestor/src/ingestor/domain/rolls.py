"""How patiently the rolls of an abyssal item are asked for."""

from datetime import timedelta

MAX_ATTEMPTS = 20
"""About three days. ESI's 520 ItemNotFound is sometimes transient; who never repeats it loses one roll in fifty
(eve-ref #1078)."""
FIRST = timedelta(minutes=1)
LONGEST = timedelta(hours=6)


def pause_after(attempts: int) -> timedelta:
    """The wait before the next try, doubling from a minute to six hours."""
    return min(FIRST * int(2 ** min(max(attempts - 1, 0), 16)), LONGEST)


def spent(attempts: int) -> bool:
    """Whether so many tries are enough: the item is set aside, visibly, until it is asked for by force."""
    return attempts >= MAX_ATTEMPTS
