"""The whole of ESI that is simulated, on one screen."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from esi_simulator.errors import EsiError
from esi_simulator.exchange import LONGEST_NUMBER, Reply, Request
from esi_simulator.routes.cluster import ClusterRoutes
from esi_simulator.routes.contracts import ContractRoutes
from esi_simulator.routes.dynamic import DynamicRoutes
from esi_simulator.routes.markets import MarketRoutes
from esi_simulator.routes.names import NameRoutes
from esi_simulator.routes.universe import UniverseRoutes

Handler = Callable[[Request], Reply]
HandlerOfId = Callable[[Request, int], Reply]

PREFIXES: Final = frozenset({"latest", "legacy", "dev", "v1", "v2", "v3"})
"""Versions that old clients put before the path; all mean the same here."""


@dataclass(frozen=True)
class Route:
    """A handler and the name that statistics and faults know it by."""

    kind: str
    handler: Handler


class Routing:
    """Finds the handler of a request. Paths come as parts, without prefix and trailing slash."""

    def __init__(
        self,
        contracts: ContractRoutes,
        universe: UniverseRoutes,
        names: NameRoutes,
        cluster: ClusterRoutes,
        markets: MarketRoutes,
        dynamic: DynamicRoutes,
    ) -> None:
        self._plain: dict[tuple[str, ...], Route] = {
            ("universe", "regions"): Route("regions", universe.regions),
            ("universe", "constellations"): Route("constellations", universe.constellations),
            ("universe", "systems"): Route("systems", universe.systems),
            ("universe", "types"): Route("types", universe.types),
            ("universe", "groups"): Route("groups", universe.groups),
            ("universe", "categories"): Route("categories", universe.categories),
            ("markets", "prices"): Route("prices", cluster.prices),
            ("status",): Route("status", cluster.status),
        }
        self._by_id: dict[tuple[str, ...], tuple[str, HandlerOfId]] = {
            ("contracts", "public"): ("contracts", contracts.contracts),
            ("contracts", "public", "items"): ("items", contracts.items),
            ("contracts", "public", "bids"): ("bids", contracts.bids),
            ("universe", "regions"): ("regions", universe.region),
            ("universe", "constellations"): ("constellations", universe.constellation),
            ("universe", "systems"): ("systems", universe.system),
            ("universe", "stations"): ("stations", universe.station),
            ("universe", "types"): ("types", universe.type),
            ("universe", "groups"): ("groups", universe.group),
            ("universe", "categories"): ("categories", universe.category),
        }
        self._of_region: dict[str, tuple[str, HandlerOfId]] = {
            "orders": ("orders", markets.orders),
            "types": ("market_types", markets.types),
            "history": ("history", markets.history),
        }
        self._dynamic = dynamic
        self._names = Route("names", names.names)

    def find(self, request: Request) -> Route:
        """The route of a request; for paths that ESI does not have and methods it does not take, one that fails."""
        if request.parts == ("universe", "names"):
            return self._names if request.method == "POST" else Route("names", _not_allowed)
        route = self._plain.get(request.parts) or self._of_id(request.parts)
        if route.kind != "unknown" and request.method not in {"GET", "HEAD"}:
            return Route(route.kind, _not_allowed)
        return route

    def _of_id(self, parts: tuple[str, ...]) -> Route:
        found = self._by_id.get(parts[:-1])
        if found is not None:
            return _with_id(*found, parts[-1])
        match parts:
            case ("markets", region, subject) if subject in self._of_region:
                return _with_id(*self._of_region[subject], region)
            case ("dogma", "dynamic", "items", type_id, item_id):
                return self._roll(type_id, item_id)
        return Route("unknown", _unknown)

    def _roll(self, type_id: str, item_id: str) -> Route:
        if not (_is_id(type_id) and _is_id(item_id)):
            return Route("dynamic", _bad_id)
        return Route("dynamic", lambda request: self._dynamic.item(request, int(type_id), int(item_id)))


def _with_id(kind: str, handler: HandlerOfId, text: str) -> Route:
    if not _is_id(text):
        return Route(kind, _bad_id)
    wanted = int(text)
    return Route(kind, lambda request: handler(request, wanted))


def _is_id(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) <= LONGEST_NUMBER


def _unknown(request: Request) -> Reply:
    raise EsiError(404, f"No such route: {request.target}")


def _bad_id(request: Request) -> Reply:
    wrong = [part for part in request.parts if any(sign.isdecimal() for sign in part) and not _is_id(part)]
    raise EsiError(400, f"{(wrong or request.parts)[-1]} is not an id")


def _not_allowed(request: Request) -> Reply:
    raise EsiError(405, f"Method {request.method} is not allowed")
