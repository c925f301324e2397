"""The market as it stands now: the pure one, under the simulator's clock, with what tests did to it."""

from enum import Enum

from esi_simulator.clock import SimulatedClock
from esi_simulator.market.contracts import Contract
from esi_simulator.market.market import Market


class Fate(Enum):
    """Where a contract is in its life."""

    STANDING = "standing"
    ACCEPTED = "accepted"
    DELETED = "deleted"


class World:
    """Joins market and clock; holds what is not a function of the two: a frozen instant and vanished contracts."""

    def __init__(self, market: Market, clock: SimulatedClock) -> None:
        self.market = market
        self.clock = clock
        self._frozen_at: float | None = None
        self._vanished: dict[int, Fate] = {}

    @property
    def frozen(self) -> bool:
        return self._frozen_at is not None

    def market_now(self) -> float:
        """The instant the market lives in: the clock's, or the one it was frozen at."""
        return self.clock.now() if self._frozen_at is None else self._frozen_at

    def freeze(self, *, frozen: bool) -> None:
        """Stop births, deaths and bids while the clock runs on; or let them catch up with it."""
        self._frozen_at = self.market_now() if frozen else None

    def vanish(self, contract_ids: list[int], fate: Fate | None) -> list[int]:
        """End these contracts now, as `fate` or as they would have ended; those that stood are returned."""
        standing = [contract_id for contract_id in contract_ids if self.find(contract_id)[1] is Fate.STANDING]
        for contract_id in standing:
            contract = self.market.find(contract_id)
            ends = Fate.ACCEPTED if contract is not None and contract.accepted else Fate.DELETED
            self._vanished[contract_id] = fate or ends
        return standing

    def ids(self, region_id: int) -> list[int]:
        """What stands in a region now, ascending."""
        standing = self.market.ids(region_id, self.market_now())
        return [contract_id for contract_id in standing if contract_id not in self._vanished]

    def find(self, contract_id: int) -> tuple[Contract | None, Fate]:
        """A contract and where it is in its life; nothing, and deleted, where there is none or not yet."""
        now = self.market_now()
        contract = self.market.find(contract_id)
        if contract is None or contract.born > now:
            return None, Fate.DELETED
        if contract_id in self._vanished:
            return contract, self._vanished[contract_id]
        if now < contract.gone:
            return contract, Fate.STANDING
        return contract, Fate.ACCEPTED if contract.accepted else Fate.DELETED
