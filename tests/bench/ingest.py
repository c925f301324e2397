"""`make bench-ingest`: how fast one ingestor reads a region's whole market, beside the least it could take."""

import argparse
import os
import signal
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import psutil
import uvloop

from bench import figures
from bench.scenarios import benching
from bench.world import World, running_server, running_world

SCENARIOS: Final = ("cold", "unchanged", "churn")
LATENCIES: Final = {"0ms": 0.0, "50ms": 0.05}
REPORT: Final = Path("build/bench/ingest.json")
CORES: Final = 2
QUIET_LOAD: Final = 0.5
ENDED_WELL: Final = {"succeeded", "partial"}


class Console:
    """Says what goes on, with the seconds since the start."""

    def __init__(self) -> None:
        self._began = time.monotonic()

    def say(self, text: str) -> None:
        print(f"{time.monotonic() - self._began:7.1f} s  {text}", flush=True)


async def measure(
    world: World, scenarios: Sequence[str], *, limit: float, say: Callable[[str], None]
) -> dict[str, dict[str, Any]]:
    """The scenarios by name, in the order in which they build on each other, as far as they come."""
    measured: dict[str, dict[str, Any]] = {}
    async with benching(world, limit=limit) as bench:
        known = {"cold": bench.cold, "unchanged": bench.unchanged, "churn": bench.churn}
        for name in scenarios:
            say(f"{name} …")
            found = measured[name] = (await known[name]()).as_json()
            say(f"{name}: {found['seconds']:.2f} s, floor {found['floor_seconds']:.2f} s, {found['state']}")
            if found["state"] not in ENDED_WELL:
                say(f"cut off after {limit:.0f} s at {found['items_done']:,} of {found['items_wanted']:,} item lists")
                break
    return measured


def prepare(console: Console) -> None:
    """Two cores for everything, on any machine; SIGTERM ends as cleanly as Ctrl-C; say how quiet it is here."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    psutil.Process().cpu_affinity(sorted(os.sched_getaffinity(0))[:CORES])
    load = os.getloadavg()[0]
    console.say(f"load average {load:.2f}, {len(os.sched_getaffinity(0))} cores used of {os.cpu_count()}")
    if load > QUIET_LOAD:
        console.say(f"WARNING: the machine is busy (load above {QUIET_LOAD}); the figures will be worse than they are")


def until_stopped(work: Callable[[], None]) -> None:
    """Run `work`; end quietly, with the shell's status for it, when somebody stops it."""
    try:
        work()
    except KeyboardInterrupt:
        raise SystemExit(128 + signal.SIGINT) from None


def main() -> None:
    asked = _arguments()
    console = Console()
    prepare(console)
    measured: dict[str, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory(prefix="freeport-bench-") as folder, running_server(Path(folder)) as server:
        for latency in asked.latency:
            console.say(f"a market of {asked.contracts:,} contracts, upstream latency {latency}")
            place = Path(folder) / latency
            with running_world(place, server, contracts=asked.contracts, latency=LATENCIES[latency]) as world:
                found = uvloop.run(measure(world, SCENARIOS[: asked.scenarios], limit=asked.limit, say=console.say))
            measured |= {f"{name}_{latency}": one for name, one in found.items()}
            figures.write(REPORT, measured)
    print(f"\n{figures.table(measured)}\n\nwritten to {REPORT}; processor time of each process in seconds")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench.ingest", description=__doc__)
    parser.add_argument("--contracts", type=int, default=46_000, help="how large the market is")
    parser.add_argument(
        "--scenarios", type=int, default=len(SCENARIOS), help="how many of them: cold, unchanged, churn"
    )
    parser.add_argument("--latency", choices=LATENCIES, nargs="*", default=list(LATENCIES), help="of upstream")
    parser.add_argument("--limit", type=float, default=300, help="seconds after which a scenario is cut off")
    return parser.parse_args()


if __name__ == "__main__":
    until_stopped(main)
