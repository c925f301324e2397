from dataclasses import dataclass, replace
from typing import Final

from esi_simulator.clock import SimulatedClock
from esi_simulator.downtime import Downtime
from esi_simulator.errors import ERROR_LIMITED, MESSAGES
from esi_simulator.exchange import Header, Reply, error_reply
from esi_simulator.limits.buckets import TOO_MANY, Buckets
from esi_simulator.limits.error_window import ErrorWindow

LIMITED: Final = 420


@dataclass
class Gates:
    """What stands before every route: the error limit before all others, downtime, tokens."""

    clock: SimulatedClock
    window: ErrorWindow
    buckets: Buckets
    downtime: Downtime
    stale_limits: bool = False
    """Whether cached answers repeat the limit's headers of the instant they were cached at."""

    def refusal(self, kind: str) -> Reply | None:
        """The answer to a request that comes no further."""
        now = self.clock.now()
        if not self.window.remain(now):
            return replace(error_reply(LIMITED, ERROR_LIMITED), headers=((b"x-esi-error-limited", b""),))
        down = self.downtime.refusal(now)
        if down is not None:
            return down
        bucket = self.buckets.of(kind)
        if bucket is None or bucket.remain(now):
            return None
        wait = (b"retry-after", b"%d" % bucket.wait(now))
        return replace(error_reply(TOO_MANY, MESSAGES[TOO_MANY]), headers=(wait,))

    def pay(self, kind: str, status: int) -> None:
        """Tokens where the route has a bucket; otherwise an error counts against the error limit."""
        bucket, now = self.buckets.of(kind), self.clock.now()
        if bucket is None:
            self.window.count(status, now)
        else:
            bucket.spend(status, now)

    def headers(self, kind: str, reply: Reply) -> tuple[Header, ...]:
        """The limit that the client is told of; never both."""
        bucket, now = self.buckets.of(kind), self.clock.now()
        if bucket is not None and reply.status != LIMITED:
            return bucket.headers(reply.status, now)
        if self.stale_limits and reply.modified is not None and not reply.fresh:
            return self.window.headers_of_old(reply.modified)
        return self.window.headers(now)
