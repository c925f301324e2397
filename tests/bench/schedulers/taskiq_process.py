"""taskiq's scheduler: `taskiq scheduler bench.schedulers.taskiq_process:scheduler`.

As its guide has it: schedules stand in the labels of tasks, and a broker that keeps messages in PostgreSQL takes what
falls due. No worker runs, so the messages stay to be counted.
"""

import os

from taskiq import TaskiqScheduler
from taskiq.schedule_sources import LabelScheduleSource
from taskiq_pg.asyncpg import AsyncpgBroker

PERIOD = int(os.environ["BENCH_PERIOD"])
SCHEDULES = int(os.environ["BENCH_SCHEDULES"])


async def fire() -> None:
    """What a worker would do."""


broker = AsyncpgBroker(os.environ["DATABASE_URL"])
for number in range(SCHEDULES):
    schedule = {"interval": PERIOD, "schedule_id": f"s{number}"}
    broker.register_task(fire, task_name=f"s{number}", schedule=[schedule])
scheduler = TaskiqScheduler(broker, [LabelScheduleSource(broker)])
