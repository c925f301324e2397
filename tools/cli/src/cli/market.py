import asyncio
import math
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from cli.api_client import ApiClient
from cli.console import Console
from cli.errors import StackError

_ASK_EVERY = 0.5
_STRAGGLERS = 0.01
_SETTLED_SECONDS = 3.0


@dataclass(frozen=True)
class MarketState:
    """How far the market is loaded: regions read completely, contracts whose items are stored or still wanted."""

    regions: int
    swept: int
    contracts: int
    items_stored: int
    items_wanted: int

    @classmethod
    def from_stats(cls, stats: Mapping[str, Any]) -> Self:
        """Read the answer of `GET /api/v1/data/stats`."""
        regions = stats.get("regions") or []
        items = stats.get("items") or {}
        return cls(
            regions=len(regions),
            swept=sum(1 for region in regions if region.get("as_of") and region.get("complete")),
            contracts=int((stats.get("contracts") or {}).get("live") or 0),
            items_stored=int(items.get("stored") or 0),
            items_wanted=int(items.get("wanted") or 0),
        )

    @property
    def is_loaded(self) -> bool:
        """Every region was read completely, and the items of every contract that has some."""
        return 0 < self.regions == self.swept and self.contracts > 0 and self.items_wanted == 0

    @property
    def is_all_but_loaded(self) -> bool:
        """As loaded, but for stragglers: what vanishes upstream between list and items is tried again for a while."""
        return 0 < self.regions == self.swept and 0 < self.items_wanted <= self.items_stored * _STRAGGLERS

    def __str__(self) -> str:
        return (
            f"market: {self.swept} of {self.regions} regions, {self.contracts:,} contracts,"
            f" the items of {self.items_stored:,} read, of {self.items_wanted:,} still to be read"
        )


async def watch_market_load(
    api: ApiClient, console: Console, *, within: float = math.inf, stalled: float = math.inf
) -> MarketState | None:
    """Show how the market loads, and return its state when it is loaded.

    None if it is not within so many seconds, or if nothing changed for `stalled` seconds. Stragglers are not waited for
    once nothing else changes.
    """
    deadline = time.monotonic() + within
    last, last_at = None, time.monotonic()
    while time.monotonic() < deadline:
        state = await _state(api)
        if state != last:
            last, last_at = state, time.monotonic()
        quiet_for = time.monotonic() - last_at
        if state and (state.is_loaded or (state.is_all_but_loaded and quiet_for > _SETTLED_SECONDS)):
            return state
        if quiet_for > stalled:
            return None
        console.progress(str(state) if state else "market: the API does not answer just now")
        await asyncio.sleep(_ASK_EVERY)
    return None


async def _state(api: ApiClient) -> MarketState | None:
    try:
        return MarketState.from_stats(await api.stats())
    except StackError:
        return None
