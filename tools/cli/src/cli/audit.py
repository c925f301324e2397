from collections.abc import Mapping
from typing import Any

from cli.api_client import ApiClient

SUMS = ("schedules", "lines", "expected", "gaps", "doubles", "strangers")


async def audit(url: str) -> int:
    """Have the API at `url` hold every schedule's ledger to its slots, and say what it found.

    Returns the exit status: 1 if anything was found. Raises StackError when the API does not answer.
    """
    sums = dict.fromkeys(SUMS, 0)
    clean = True
    cursor: str | None = ""
    async with ApiClient(url) as api:
        while cursor is not None:
            report = await api.audit_schedules(cursor)
            clean = clean and report["clean"]
            for name in SUMS:
                sums[name] += report[name]
            for schedule in report["items"]:
                print("\n".join(_lines(schedule)))
            cursor = report["next_cursor"]
    print(", ".join(f"{count:,} {name}" for name, count in sums.items()))
    return 0 if clean else 1


def _lines(schedule: Mapping[str, Any]) -> list[str]:
    if schedule["fault"]:
        return [f"{schedule['schedule_id']}: cannot be audited: {schedule['fault']}"]
    return [f"{schedule['schedule_id']}: {each['what']} at {each['slot_at']}" for each in schedule["findings"]]
