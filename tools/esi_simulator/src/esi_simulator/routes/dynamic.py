from esi_simulator.clock import SimulatedClock
from esi_simulator.errors import EsiError
from esi_simulator.exchange import Reply, Request
from esi_simulator.holdings import Holdings
from esi_simulator.routes.universe import static_reply


class DynamicRoutes:
    """Abyssal items."""

    def __init__(self, holdings: Holdings, clock: SimulatedClock) -> None:
        self._holdings = holdings
        self._clock = clock

    def item(self, request: Request, type_id: int, item_id: int) -> Reply:
        """What was rolled; 520 for what is no abyssal item, which CCP knows is the wrong code (esi-issues #1510)."""
        rolled = self._holdings.rolled(type_id, item_id)
        if rolled is None:
            raise EsiError(520, "ItemNotFound")
        return static_reply(request, rolled, self._clock.now())
