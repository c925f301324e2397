from typing import Final

from common import universe
from esi_simulator.atlas import Atlas
from esi_simulator.clock import SimulatedClock
from esi_simulator.exchange import Document, Reply, Request, to_json
from esi_simulator.market.contracts import iso
from esi_simulator.routes.universe import UP_AGAIN, last_downtime

STATUS_TTL: Final = 30
PRICES_TTL: Final = 3600


class ClusterRoutes:
    """What is true of the whole game: its status and its average prices."""

    def __init__(self, atlas: Atlas, clock: SimulatedClock) -> None:
        self._clock = clock
        prices = (
            {"adjusted_price": item.adjusted_price, "average_price": item.average_price, "type_id": item.type_id}
            for item in atlas.types.values()
            if item.average_price is not None or item.adjusted_price is not None
        )
        rows = [{name: value for name, value in row.items() if value is not None} for row in prices]
        self._prices = Document(to_json(rows))

    def status(self, request: Request) -> Reply:
        """Players come and go through the day; the start is the end of the last downtime."""
        del request
        modified = int(self._clock.now()) // STATUS_TTL * STATUS_TTL
        row = {
            "players": 20_000 + modified // STATUS_TTL * 7919 % 9_000,
            "server_version": universe.VERSION,
            "start_time": iso(last_downtime(modified) - UP_AGAIN),
            "vip": False,
        }
        return Reply(200, Document(to_json(row)), modified, modified + STATUS_TTL)

    def prices(self, request: Request) -> Reply:
        """Average and adjusted prices of all types that have one."""
        del request
        modified = int(self._clock.now()) // PRICES_TTL * PRICES_TTL
        return Reply(200, self._prices, modified, modified + PRICES_TTL, fresh=False)
