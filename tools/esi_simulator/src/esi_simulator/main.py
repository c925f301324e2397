"""Start here: every object of the simulator is built and joined in this module."""

import gc

from common import clock
from common.settings import read_settings
from esi_simulator.app import Simulator
from esi_simulator.atlas import Atlas, read_atlas
from esi_simulator.clock import SimulatedClock
from esi_simulator.control import Control, Stats
from esi_simulator.error_window import ErrorWindow
from esi_simulator.faults import Faults
from esi_simulator.lists import Lists
from esi_simulator.market.catalogue import catalogue
from esi_simulator.market.market import Market, build_market
from esi_simulator.market.places import HUBS, THE_FORGE, places
from esi_simulator.routes.cluster import ClusterRoutes
from esi_simulator.routes.contracts import ContractRoutes
from esi_simulator.routes.names import NameRoutes
from esi_simulator.routes.universe import UniverseRoutes
from esi_simulator.routing import Routing
from esi_simulator.server import Server, listen
from esi_simulator.settings import SimulatorSettings
from esi_simulator.world import World


def main() -> None:
    """Serve until SIGTERM or SIGINT."""
    settings = read_settings(SimulatorSettings)
    with listen(settings.esi_sim_host, settings.esi_sim_port) as listener:
        server = Server(build(settings), listener)
        gc.collect()
        gc.freeze()  # the universe never goes; the collector need not look at it again
        server.run(sockets=[listener])


def build(settings: SimulatorSettings) -> Simulator:
    """The whole application, ready to serve."""
    atlas = read_atlas()
    start = (settings.esi_sim_start or clock.now()).timestamp()
    time = SimulatedClock(start, settings.esi_sim_clock_speed)
    world = World(_market(settings, atlas, start), time)
    lists = Lists(world, settings.esi_sim_list_ttl)
    faults, stats = Faults(), Stats()
    routing = Routing(
        ContractRoutes(world, lists, frozenset(atlas.regions)),
        UniverseRoutes(atlas, time),
        NameRoutes(atlas, world.market.recorded.values()),
        ClusterRoutes(atlas, time),
    )
    return Simulator(
        world=world,
        routing=routing,
        control=Control(world, lists, faults, stats),
        faults=faults,
        stats=stats,
        latency=settings.esi_sim_latency,
        window=ErrorWindow(),
    )


def _market(settings: SimulatorSettings, atlas: Atlas, start: float) -> Market:
    sizes = dict.fromkeys(HUBS, settings.esi_sim_hub_contracts) | {THE_FORGE: settings.esi_sim_forge_contracts}
    return build_market(
        seed=settings.esi_sim_seed,
        sizes=sizes,
        wares=catalogue(atlas.types.values(), atlas.groups.values()),
        places=places(settings.esi_sim_seed, atlas.stations.values()),
        start=start,
    )
