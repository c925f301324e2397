from typing import Final

from common import universe
from esi_simulator.clock import SimulatedClock
from esi_simulator.downtime import UP_AGAIN, Downtime, last_downtime
from esi_simulator.exchange import Document, Reply, Request, to_json
from esi_simulator.ground import Ground
from esi_simulator.market.contracts import iso

STATUS_TTL: Final = 30
PRICES_TTL: Final = 3600


class ClusterRoutes:
    """What is true of the whole game: its status and its average prices."""

    def __init__(self, ground: Ground, clock: SimulatedClock, downtime: Downtime) -> None:
        self._ground = ground
        self._clock = clock
        self._downtime = downtime

    def status(self, request: Request) -> Reply:
        """Players come and go through the day; the start is the end of the last downtime."""
        del request
        modified = int(self._clock.now()) // STATUS_TTL * STATUS_TTL
        row = {
            "players": 20_000 + modified // STATUS_TTL * 7919 % 9_000,
            "server_version": universe.VERSION,
            "start_time": iso(last_downtime(modified) - UP_AGAIN),
            "vip": self._downtime.in_vip(modified),
        }
        return Reply(200, Document(to_json(row)), modified, modified + STATUS_TTL)

    def prices(self, request: Request) -> Reply:
        """Average and adjusted prices of all types that have one."""
        del request
        modified = int(self._clock.now()) // PRICES_TTL * PRICES_TTL
        return Reply(200, self._ground.prices, modified, modified + PRICES_TTL, fresh=False)
