"""The cluster's daily downtime, from 11:00 UTC, and shorter ones that tests make."""

from typing import Final

from esi_simulator.errors import MESSAGES
from esi_simulator.exchange import Reply, error_reply

DAY: Final = 86_400
BEGINS: Final = 11 * 3600
OVER: Final = BEGINS + 5 * 60
"""11:05 UTC: static routes expire daily then."""
UP_AGAIN: Final = 120
"""Seconds before that at which the cluster was back and the static data were published."""
_WHILE_DOWN: Final = (503, 502, 503, 504)


class Downtime:
    """All instants and lengths are seconds of the simulator's clock."""

    def __init__(self, *, daily: bool, length: float) -> None:
        self._usual = (daily, length)
        self._refused = 0
        self.as_usual()

    def as_usual(self) -> None:
        """As the settings have it, up, and without trouble afterwards."""
        self.daily, self.length = self._usual
        self.not_found = 0.0
        """Seconds after a daily downtime in which everything is 404: routers restart."""
        self.vip = 0.0
        """Seconds after a daily downtime in which only CCP plays."""
        self._until = 0.0

    def begin(self, now: float, length: float) -> None:
        """Go down now for so long."""
        self._until = now + length

    def before(self, at: float) -> float:
        """The last instant at which the market lived: `at`, or the beginning of the daily downtime that it is in."""
        if not self.daily:
            return at
        since = _since_eleven(at)
        return at - since if since < self.length else at

    def refusal(self, now: float) -> Reply | None:
        """What everything is answered with while the cluster is down or its routers restart."""
        since = _since_eleven(now) if self.daily else DAY
        if now < self._until or since < self.length:
            self._refused += 1
            status = _WHILE_DOWN[self._refused % len(_WHILE_DOWN)]
            return error_reply(status, MESSAGES[status])
        return error_reply(404, MESSAGES[404]) if since < self.length + self.not_found else None

    def in_vip(self, now: float) -> bool:
        """Whether the cluster is up for CCP alone."""
        return self.daily and 0 <= _since_eleven(now) - self.length < self.vip


def last_downtime(now: float) -> int:
    """The latest 11:05 UTC."""
    return int((now - OVER) // DAY) * DAY + OVER


def _since_eleven(now: float) -> float:
    return (now - BEGINS) % DAY
