"""The whole of ESI that is simulated, on one screen."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from esi_simulator.errors import EsiError
from esi_simulator.exchange import Reply, Request
from esi_simulator.routes.cluster import ClusterRoutes
from esi_simulator.routes.contracts import ContractRoutes
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
        self, contracts: ContractRoutes, universe: UniverseRoutes, names: NameRoutes, cluster: ClusterRoutes
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
        if found is None:
            return Route("unknown", _unknown)
        kind, handler = found
        if not (parts[-1].isascii() and parts[-1].isdecimal() and len(parts[-1]) < len(str(2**63))):
            return Route(kind, _bad_id)
        wanted = int(parts[-1])
        return Route(kind, lambda request: handler(request, wanted))


def _unknown(request: Request) -> Reply:
    raise EsiError(404, f"No such route: {request.target}")


def _bad_id(request: Request) -> Reply:
    raise EsiError(400, f"{request.parts[-1]} is not an id")


def _not_allowed(request: Request) -> Reply:
    raise EsiError(405, f"Method {request.method} is not allowed")
