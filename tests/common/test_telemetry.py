import pytest

from common.telemetry import continued, current, tracing

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


def test_a_caller_s_trace_goes_on_with_a_span_of_our_own() -> None:
    trace = continued(f"00-{TRACE}-{SPAN}-00", "request-1")

    version, trace_id, span, flags = trace.traceparent.split("-")
    assert (version, trace_id, flags, trace.request_id) == ("00", TRACE, "00", "request-1")
    assert span != SPAN


@pytest.mark.parametrize(
    "malformed",
    [
        None,
        "",
        "nonsense",
        f"00-{TRACE}-{SPAN}",
        f"00-{TRACE.upper()}-{SPAN}-01",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE}-{SPAN}-01\n",
        f"00-{TRACE}-{SPAN}-01-more",
    ],
)
def test_a_malformed_trace_is_replaced(malformed: str | None) -> None:
    trace = continued(malformed, None)

    assert TRACE not in trace.traceparent
    assert continued(trace.traceparent, None).traceparent.split("-")[1] == trace.traceparent.split("-")[1]


@pytest.mark.parametrize("malformed", ["", "two words", "line\n", "\x00", "ü", "x" * 129])
def test_a_malformed_request_id_is_replaced_by_the_trace_s(malformed: str) -> None:
    trace = continued(f"00-{TRACE}-{SPAN}-01", malformed)

    assert trace.request_id == TRACE


def test_a_trace_is_current_inside_its_block_only() -> None:
    with tracing(continued(None, "outer")) as outer:
        with tracing(continued(None, "inner")):
            pass
        assert current() == outer
    assert current() is None
