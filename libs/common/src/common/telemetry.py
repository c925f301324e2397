"""What ties a request, its messages and every log line of theirs together."""

import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

import structlog

_TRACEPARENT = re.compile(r"00-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})")
_REQUEST_ID = re.compile(r"[\x21-\x7e]{1,128}")


@dataclass(frozen=True, slots=True)
class Trace:
    """A position in a W3C trace, and the request that began it."""

    traceparent: str
    request_id: str


_current: ContextVar[Trace | None] = ContextVar("trace", default=None)


def current() -> Trace | None:
    return _current.get()


def continued(traceparent: str | None, request_id: str | None) -> Trace:
    """The caller's trace with a span of our own, or a new one where the caller's is absent or malformed.

    Source: W3C Trace Context, https://www.w3.org/TR/trace-context/.
    """
    match = _TRACEPARENT.fullmatch(traceparent or "")
    trace_id = match.group(1) if match else secrets.token_hex(16)
    flags = match.group(3) if match else "01"
    well_formed = request_id if request_id and _REQUEST_ID.fullmatch(request_id) else None
    return Trace(f"00-{trace_id}-{secrets.token_hex(8)}-{flags}", well_formed or trace_id)


@contextmanager
def tracing(trace: Trace, **fields: object) -> Iterator[Trace]:
    """Everything inside logs and publishes under `trace`; `fields` join the log lines."""
    token = _current.set(trace)
    named = {name: str(value) for name, value in fields.items() if value is not None}
    with structlog.contextvars.bound_contextvars(
        request_id=trace.request_id, trace_id=trace.traceparent.split("-")[1], **named
    ):
        try:
            yield trace
        finally:
            _current.reset(token)
