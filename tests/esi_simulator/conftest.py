from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any, Final

import pytest

from esi_simulator.ground import Ground, read_ground
from esi_simulator.main import build
from esi_simulator.settings import SimulatorSettings
from support.simulated_esi import SimulatedEsi, SimulatorInProcess, running_simulator

PINNED: Final = {
    "ESI_SIM_START": "2026-11-01T12:00:00Z",
    "ESI_SIM_CLOCK_SPEED": "0",
    "ESI_SIM_FORGE_CONTRACTS": "1200",
    "ESI_SIM_HUB_CONTRACTS": "150",
}


@pytest.fixture(scope="session")
def ground() -> Ground:
    """What all simulators of this process share."""
    return read_ground()


@pytest.fixture
def slept() -> list[float]:
    """The seconds for which the simulators of `simulated` held back what they had to say."""
    return []


@pytest.fixture
def simulated(ground: Ground, slept: list[float]) -> Callable[..., SimulatorInProcess]:
    """Builds a simulator in this process: a small Forge in pages of ten, time that only the test moves."""

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    def built(**settings: Any) -> SimulatorInProcess:
        usual: dict[str, Any] = {
            "esi_sim_start": datetime.fromisoformat(PINNED["ESI_SIM_START"]),
            "esi_sim_clock_speed": 0,
            "esi_sim_forge_contracts": 45,
            "esi_sim_hub_contracts": 0,
            "esi_sim_page_size": 10,
            "esi_sim_recorded": False,
        }
        return SimulatorInProcess(build(SimulatorSettings(**usual | settings), ground=ground, sleep=sleep))

    return built


@pytest.fixture
def small(simulated: Callable[..., SimulatorInProcess]) -> SimulatorInProcess:
    return simulated()


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimulatedEsi]:
    with running_simulator(tmp_path_factory.mktemp("simulator"), **PINNED) as esi:
        yield esi


@pytest.fixture
def esi(running: SimulatedEsi) -> Iterator[SimulatedEsi]:
    """A simulator whose time stands still and is moved by the test; without errors, faults or frost at its start."""
    yield running
    running.control("faults", clear=True)
    running.control("freeze", frozen=False)
    running.control("clock", advance=61)


@pytest.fixture(scope="session")
def untouched_esi(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimulatedEsi]:
    """A simulator that nobody moves or harms: always at its start."""
    with running_simulator(tmp_path_factory.mktemp("simulator"), **PINNED) as esi:
        yield esi
