"""Start here: every object of the simulator is built and joined in this module."""

import asyncio
import gc

from common import clock
from common.settings import read_settings
from esi_simulator.app import Simulator, Sleep
from esi_simulator.clock import SimulatedClock
from esi_simulator.control.dispatch import Control
from esi_simulator.control.market import MarketControl
from esi_simulator.control.trouble import TroubleControl
from esi_simulator.control.truth import Truth
from esi_simulator.downtime import Downtime
from esi_simulator.ground import Ground, read_ground
from esi_simulator.holdings import Holdings
from esi_simulator.limits.buckets import Buckets
from esi_simulator.limits.error_window import ErrorWindow
from esi_simulator.limits.gates import Gates
from esi_simulator.listings import Listings
from esi_simulator.lists import Lists
from esi_simulator.market.market import Market, build_market
from esi_simulator.market.places import HUBS, THE_FORGE, places
from esi_simulator.routes.cluster import ClusterRoutes
from esi_simulator.routes.contracts import ContractRoutes
from esi_simulator.routes.dynamic import DynamicRoutes
from esi_simulator.routes.markets import MarketRoutes
from esi_simulator.routes.names import NameRoutes
from esi_simulator.routes.universe import UniverseRoutes
from esi_simulator.routing import Routing
from esi_simulator.rows import Rows
from esi_simulator.server import Server, listen
from esi_simulator.settings import SimulatorSettings
from esi_simulator.stats import Stats
from esi_simulator.trouble.faults import Faults
from esi_simulator.trouble.flaky import Flaky
from esi_simulator.trouble.storm import Storm
from esi_simulator.world import World


def main() -> None:
    """Serve until SIGTERM or SIGINT."""
    settings = read_settings(SimulatorSettings)
    with listen(settings.esi_sim_host, settings.esi_sim_port) as listener:
        server = Server(build(settings), listener)
        gc.collect()
        gc.freeze()  # the universe never goes; the collector need not look at it again
        server.run(sockets=[listener])


def build(
    settings: SimulatorSettings,
    *,
    ground: Ground | None = None,
    time: SimulatedClock | None = None,
    sleep: Sleep = asyncio.sleep,
) -> Simulator:
    """The whole application, ready to serve.

    Many can live in one process: with a `ground` they share (`read_ground`), one with a small market is built in a few
    milliseconds. `time` and `sleep` are given by tests that make their own time.
    """
    ground = ground or read_ground()
    time = time or SimulatedClock(_start(settings), settings.esi_sim_clock_speed)
    size = settings.esi_sim_page_size
    downtime = Downtime(daily=settings.esi_sim_downtime, length=settings.esi_sim_downtime_length)
    market = _market(settings, ground, time.now())
    world = World(market, time, downtime, Listings(market))
    rows = Rows(world, drifting=settings.esi_sim_auction_drift)
    lists = Lists(world, rows, ttl=settings.esi_sim_list_ttl, size=size, skew=settings.esi_sim_page_skew)
    holdings = Holdings(world, ground, seed=settings.esi_sim_seed, size=size)
    contracts = ContractRoutes(world, lists, holdings, size=size)
    routing = Routing(
        contracts,
        UniverseRoutes(ground.atlas, time),
        NameRoutes(ground.atlas, [one.row for one in ground.recording]),
        ClusterRoutes(ground, time, downtime),
        MarketRoutes(ground, time, seed=settings.esi_sim_seed, size=size),
        DynamicRoutes(holdings, time),
    )
    gates = Gates(time, ErrorWindow(settings.esi_sim_error_window), Buckets(), downtime)
    faults, flaky, storm, stats = Faults(), Flaky(), Storm(gates, lists), Stats(gates)
    trouble = TroubleControl(
        gates=gates, lists=lists, contracts=contracts, faults=faults, flaky=flaky, storm=storm, stats=stats
    )
    changes = MarketControl(world, lists, holdings)
    return Simulator(
        world=world,
        routing=routing,
        control=Control(
            Truth(world, lists, holdings, contracts), changes.sights | trouble.sights, changes.actions | trouble.actions
        ),
        gates=gates,
        faults=faults,
        flaky=flaky,
        storm=storm,
        stats=stats,
        latency=settings.esi_sim_latency,
        sleep=sleep,
    )


def _start(settings: SimulatorSettings) -> float:
    return (settings.esi_sim_start or clock.now()).timestamp()


def _market(settings: SimulatorSettings, ground: Ground, start: float) -> Market:
    sizes = dict.fromkeys(HUBS, settings.esi_sim_hub_contracts) | {THE_FORGE: settings.esi_sim_forge_contracts}
    sizes |= {region_id: size for region_id, size in settings.extra_regions().items() if region_id not in HUBS}
    return build_market(
        seed=settings.esi_sim_seed,
        sizes=sizes,
        wares=ground.wares,
        places=places(settings.esi_sim_seed, ground.stations, sizes),
        recording=ground.recording if settings.esi_sim_recorded else (),
        start=start,
    )
