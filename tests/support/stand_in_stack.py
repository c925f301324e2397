"""A supervisor to kill: the real PostgreSQL and broker, and a stand-in for a service.

Arguments: DIRECTORY POSTGRES_PORT BROKER_PORT. Writes `ready` and the process ids to standard output, a line each.
"""

import asyncio
import sys
from pathlib import Path

from cli.session import stop_on_signals
from cli.settings import StackSettings
from cli.stack import Stack
from cli.supervisor import Supervisor
from support.stand_ins import stand_in


async def main(directory: Path, postgres_port: int, broker_port: int) -> None:
    stop_on_signals()
    settings = StackSettings(
        freeport_home=directory, freeport_postgres_port=postgres_port, freeport_kafka_port=broker_port
    )
    parts = [part for part in Stack.of(settings, live=False).table({}) if part.name in {"postgres", "broker"}]
    journal = directory / "journal"
    table = [*parts, stand_in("api", journal, "parent", after=("postgres", "broker"))]
    async with Supervisor(table, directory / "logs", say=print) as supervisor:
        await supervisor.start()
        for process in table:
            print(process.name, supervisor.pid(process.name))
        print("ready", flush=True)
        await supervisor.serve()


if __name__ == "__main__":
    home = Path(sys.argv[1])
    (home / "logs").mkdir(parents=True, exist_ok=True)
    try:
        asyncio.run(main(home, int(sys.argv[2]), int(sys.argv[3])))
    except asyncio.CancelledError:
        print("stopped", flush=True)
