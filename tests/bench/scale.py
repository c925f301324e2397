"""`make bench-ingest-scale`: cold loads of markets of many sizes, to see that the cost grows no faster than they do."""

import argparse
import tempfile
from pathlib import Path
from typing import Any, Final

import uvloop

from bench import document, figures
from bench.ingest import ENDED_WELL, Console, measure, prepare, until_stopped
from bench.world import running_server, running_world

SIZES: Final = (5_000, 10_000, 20_000, 46_000, 100_000, 200_000)
REPORT: Final = document.MEASURED / "ingest-scale.json"


def main() -> None:
    asked = _arguments()
    console = Console()
    prepare(console)
    measured: dict[str, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory(prefix="freeport-bench-") as folder, running_server(Path(folder)) as server:
        for size in asked.sizes:
            console.say(f"a market of {size:,} contracts")
            with running_world(Path(folder) / str(size), server, contracts=size, latency=0) as world:
                found = uvloop.run(measure(world, ("cold",), limit=asked.limit, say=console.say))
            measured[str(size)] = found["cold"]
            figures.write(REPORT, measured)
            if found["cold"]["state"] not in ENDED_WELL:
                break  # a larger one would be cut off as well
    print(f"\n{figures.table(measured)}\n\nwritten to {REPORT}; processor time of each process in seconds")
    document.main()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench.scale", description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES, help="how large the markets are")
    parser.add_argument("--limit", type=float, default=300, help="seconds after which a load is cut off")
    return parser.parse_args()


if __name__ == "__main__":
    until_stopped(main)
