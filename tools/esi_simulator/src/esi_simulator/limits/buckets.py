"""ESI's token buckets: each answer costs tokens, which return one window after they were spent."""

import math
from collections import deque
from collections.abc import Iterable
from typing import Final

from esi_simulator.exchange import Header

TOO_MANY: Final = 429
_MINUTE: Final = 60


class Bucket:
    """The tokens of one group of routes; instants and lengths are seconds of the simulator's clock."""

    def __init__(self, group: str, limit: int, window: int) -> None:
        self.group = group
        self._limit = limit
        self._window = window
        self._spent: deque[tuple[float, int]] = deque()
        self._used = 0

    def remain(self, now: float) -> int:
        """Tokens left."""
        while self._spent and self._spent[0][0] + self._window <= now:
            self._used -= self._spent.popleft()[1]
        return max(0, self._limit - self._used)

    def wait(self, now: float) -> int:
        """Whole seconds until the first tokens return, at least 1."""
        return max(1, math.ceil(self._spent[0][0] + self._window - now)) if self._spent else 1

    def spend(self, status: int, now: float) -> None:
        """What an answer of that status costs."""
        tokens = cost(status)
        if tokens:
            self._spent.append((now, tokens))
            self._used += tokens

    def headers(self, status: int, now: float) -> tuple[Header, ...]:
        """What every answer of the group says, in the place of the error limit's headers."""
        window = b"%dm" % (self._window // _MINUTE) if self._window % _MINUTE == 0 else b"%ds" % self._window
        return (
            (b"x-ratelimit-group", self.group.encode()),
            (b"x-ratelimit-limit", b"%d/%s" % (self._limit, window)),
            (b"x-ratelimit-remaining", b"%d" % self.remain(now)),
            (b"x-ratelimit-used", b"%d" % cost(status)),
        )


class Buckets:
    """Which kind of route pays from which bucket."""

    def __init__(self) -> None:
        self._of: dict[str, Bucket] = {}
        self.as_usual()

    def as_usual(self) -> None:
        """Full, and only for the groups that ESI had by 2026-08-18: none of the contract routes among them."""
        self._of = {"status": Bucket("status", 600, 900), "orders": Bucket("market-order", 12_000, 900)}

    def add(self, kinds: Iterable[str], bucket: Bucket) -> None:
        """Make these kinds of routes pay from a bucket."""
        self._of |= dict.fromkeys(kinds, bucket)

    def of(self, kind: str) -> Bucket | None:
        """The bucket of a kind; None where errors are limited instead."""
        return self._of.get(kind)


def cost(status: int) -> int:
    """Tokens for an answer: 2 for a success, 1 for a 304, 5 for the client's error, none for the server's or a 429."""
    if status == TOO_MANY or status >= 500:  # noqa: PLR2004 - the server's errors
        return 0
    return 5 if status >= 400 else 1 if status >= 300 else 2  # noqa: PLR2004 - classes of statuses
