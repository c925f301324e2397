"""APScheduler 3 as a process: `python -m bench.schedulers.apscheduler_process`.

Set to lose nothing: whatever is late is still run (`misfire_grace_time=None`), and one run for each slot
(`coalesce=False`). By default it drops what is later than a second.
"""

import os
import sys
import threading
from datetime import UTC, datetime
from typing import Any

import psycopg
from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.jobstores.sqlalchemy import SQLAlchemyJobStore
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.schedulers.blocking import BlockingScheduler
from apscheduler.triggers.interval import IntervalTrigger

THREADS = 20
LOSE_NOTHING = {"misfire_grace_time": None, "coalesce": False, "max_instances": 1_000_000}
FIRED = "INSERT INTO fired (schedule_id) VALUES (%s)"

_thread = threading.local()


def fire(schedule_id: str) -> None:
    """The job of every schedule: it leaves a row."""
    if not hasattr(_thread, "connection"):
        _thread.connection = psycopg.connect(os.environ["DATABASE_URL"], autocommit=True)
    _thread.connection.execute(FIRED, [schedule_id])


def define(beginning: int, period: int, schedules: int) -> None:
    """Store a job for each schedule, and run none."""
    scheduler = BackgroundScheduler(**_parts())
    scheduler.start(paused=True)
    for number in range(schedules):
        first = datetime.fromtimestamp(beginning + number % period, UTC)
        trigger = IntervalTrigger(seconds=period, start_date=first, timezone="UTC")
        name = f"s{number}"
        scheduler.add_job(fire, trigger, args=[name], id=name, next_run_time=first)
    scheduler.shutdown()


def _parts() -> dict[str, Any]:
    url = os.environ["DATABASE_URL"].replace("postgresql://", "postgresql+psycopg://")
    return {
        "jobstores": {"default": SQLAlchemyJobStore(url=url)},
        "executors": {"default": ThreadPoolExecutor(THREADS)},
        "job_defaults": LOSE_NOTHING,
        "timezone": "UTC",
    }


def main() -> None:
    # Jobs are stored by the name of their function, which must not be `__main__`'s.
    from bench.schedulers import apscheduler_process

    if len(sys.argv) > 1:
        apscheduler_process.define(*(int(argument) for argument in sys.argv[1:]))
    else:
        BlockingScheduler(**_parts()).start()


if __name__ == "__main__":
    main()
