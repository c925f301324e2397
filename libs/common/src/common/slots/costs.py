"""What a slot's work asks of upstream, as far as that is known: measured where it has been done before, else estimated.

Sources: ESI's documents on the rate limit; what the datasets of the ingestor ask for at the most.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from common.events import Dataset, ItemsWanted, Scope
from common.slots.definition import Definition
from common.slots.emission import event_of

ITEMS_ROUTE = "/contracts/public/items/*"
ROUTES: Mapping[Dataset, str] = {
    Dataset.CONTRACTS: "/contracts/public/*",
    Dataset.ITEMS: ITEMS_ROUTE,
    Dataset.BIDS: "/contracts/public/bids/*",
    Dataset.OUTCOMES: ITEMS_ROUTE,
    Dataset.PRICES: "/markets/*/orders",
    Dataset.UNIVERSE: "/universe/types/*",
    Dataset.NAMES: "/universe/names",
    Dataset.DYNAMIC_ITEMS: "/dogma/dynamic/items/*/*",
}
"""The route that nearly all requests of a dataset go to, numbers as `*`. What is not here asks for nothing."""
ESTIMATES: Mapping[Dataset, int] = {
    Dataset.ITEMS: 100,
    Dataset.BIDS: 200,
    Dataset.OUTCOMES: 20,
    Dataset.PRICES: 400,
    Dataset.UNIVERSE: 200,
    Dataset.NAMES: 10,
    Dataset.DYNAMIC_ITEMS: 300,
}
"""Requests of a run of which nothing was measured: what it asks for at the most, or usually."""
LARGEST_REGION_PAGES = 34
"""Of The Forge in 2026: a region that was never read may be as large."""
ERRORS_PER_REQUEST: Mapping[Dataset, float] = {Dataset.OUTCOMES: 1.0}
"""Upstream's words on a contract that is gone are nearly always those of an error."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What a run asks of a route; `steadily`: what each second asks of it, however often the schedule fires."""

    route: str
    requests: float
    errors: float = 0.0
    steadily: bool = False


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of costs.

    `measured`: requests of a run. `pages`: of regions' lists. `auctions`: live ones. `by_itself`: requests each second
    of what the ingestor finds to do by its own rows, at reconciliations.
    """

    measured: Mapping[tuple[Dataset, Scope], float] = field(default_factory=dict)
    pages: Mapping[int, int] = field(default_factory=dict)
    auctions: int | None = None
    by_itself: Mapping[Dataset, float] = field(default_factory=dict)

    def costs(self, definition: Definition) -> Sequence[Cost]:
        """What a slot of `definition` asks of upstream."""
        if definition.action == "reconcile":
            return [
                _cost(dataset, each, steadily=True) for dataset, each in self.by_itself.items() if dataset in ROUTES
            ]
        if definition.emits is not None:
            event = event_of(definition.emits)
            return [Cost(ITEMS_ROUTE, len(event.contract_ids))] if isinstance(event, ItemsWanted) else []
        if definition.dataset is None or definition.dataset not in ROUTES:
            return []
        return [_cost(definition.dataset, self._requests(definition.dataset, definition.scope))]

    def _requests(self, dataset: Dataset, scope: Scope) -> float:
        measured = self.measured.get((dataset, scope))
        if measured is not None:
            return measured
        if dataset is Dataset.CONTRACTS:
            return self.pages.get(scope.region_id or 0, LARGEST_REGION_PAGES)
        if scope.contract_id is not None:
            return 1
        if dataset is Dataset.BIDS and self.auctions is not None:
            return min(self.auctions, ESTIMATES[dataset])
        return ESTIMATES[dataset]


def asks_upstream(definition: Definition) -> bool:
    """Whether its slots ask for anything at all, whatever is known of costs."""
    return definition.action == "reconcile" or bool(Known().costs(definition))


def _cost(dataset: Dataset, requests: float, *, steadily: bool = False) -> Cost:
    return Cost(ROUTES[dataset], requests, requests * ERRORS_PER_REQUEST.get(dataset, 0.0), steadily)
