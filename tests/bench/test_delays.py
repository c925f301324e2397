import pytest

from bench.delays import by_name, percentile, steps, table


@pytest.mark.parametrize(("share", "expected"), [(50, 30.0), (90, 60.0), (99, 60.0), (100, 60.0), (1, 10.0)])
def test_a_percentile_is_a_delay_that_was_measured(share: float, expected: float) -> None:
    assert percentile([60.0, 10.0, 40.0, 20.0, 30.0, 50.0], share) == expected


def test_what_lies_between_two_instants_goes_by_the_name_of_the_later_one() -> None:
    assert steps([("readable", 10.0), ("slot due", 10.5), ("listed", 12.0)]) == {"slot due": 0.5, "listed": 1.5}


def test_the_table_has_a_line_for_each_name_with_its_percentiles() -> None:
    found = by_name([{"event": 0.25, "row": 0.5}, {"event": 0.75}])

    head, rule, event, row = table(found).splitlines()

    assert found["event"] == {"p50": 0.25, "p90": 0.75, "p99": 0.75, "max": 0.75}
    assert found["row"]["max"] == 0.5
    assert len({len(head), len(rule), len(event), len(row)}) == 1
