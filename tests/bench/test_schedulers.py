import pytest

from bench.schedulers.judging import Window, judged
from bench.schedulers.table import table

WINDOW = Window(beginning=100, ending=120, period=5)


@pytest.mark.parametrize(
    ("moments", "on_time", "late", "missed", "doubled"),
    [
        ([100.1, 105.1, 110.1, 115.1], 4, 0, 0, 0),
        ([100.1, 105.1, 115.1], 3, 0, 1, 0),
        ([100.1, 105.1, 110.1, 110.2, 115.1], 4, 0, 0, 1),
        ([100.1, 115.1, 115.2, 115.3], 2, 2, 0, 0),
        ([100.1, 105.1, 110.1, 121.0], 3, 0, 1, 0),
        ([100.1, 105.1, 110.1, 120.1, 120.2], 3, 1, 0, 0),
        ([99.0, 100.1, 105.1, 110.1, 115.1, 120.1, 120.2], 4, 0, 0, 0),
        ([], 0, 0, 4, 0),
    ],
    ids=["each", "one missed", "one twice", "made up for", "only a later one", "made up for after", "outside", "none"],
)
def test_each_firing_serves_a_slot_or_is_one_too_many(
    moments: list[float], on_time: int, late: int, missed: int, doubled: int
) -> None:
    found = judged(WINDOW, {"s0": 0}, [("s0", moment) for moment in moments]).as_json()

    assert found["expected"] == 4
    assert (found["on_time"], found["late"], found["missed"], found["doubled"]) == (on_time, late, missed, doubled)


def test_schedules_are_judged_by_their_own_slots_and_together() -> None:
    found = judged(WINDOW, {"s0": 0, "s3": 3}, [("s0", 100.5), ("s3", 103.25), ("s3", 108.25)]).as_json()

    assert (found["expected"], found["on_time"], found["missed"]) == (8, 3, 5)
    assert (found["p50_ms"], found["max_ms"]) == (250, 500)


def test_the_table_has_a_line_for_each_system_in_each_ordeal() -> None:
    text = table({"kills": {"A 1.0": {"expected": 1_000, "missed": 12}, "B": {}}})

    assert "| kill -9 every 5 s | A 1.0 | 1,000 |  |  | 12 |" in text
    assert "| kill -9 every 5 s | B |" in text
