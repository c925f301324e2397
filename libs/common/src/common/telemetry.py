"""What ties a request, its messages and every log line of theirs together."""

import os
import re
from collections.abc import Mapping, MutableMapping
from contextlib import AbstractContextManager
from contextvars import ContextVar, Token
from dataclasses import dataclass
from types import TracebackType
from typing import Any

from structlog.contextvars import bind_contextvars, reset_contextvars

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
    match = _TRACEPARENT.fullmatch(traceparent) if traceparent else None
    noise = os.urandom(24).hex()
    trace_id = match.group(1) if match else noise[16:]
    flags = match.group(3) if match else "01"
    well_formed = request_id if request_id and _REQUEST_ID.fullmatch(request_id) else None
    return Trace(f"00-{trace_id}-{noise[:16]}-{flags}", well_formed or trace_id)


def merge_trace(_logger: Any, _method: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """A step of structlog's: which request a line belongs to, if to any."""
    trace = _current.get()
    if trace is None:
        return line
    return {"request_id": trace.request_id, "trace_id": trace.traceparent[3:35], **line}


def tracing(trace: Trace, **fields: object) -> AbstractContextManager[Trace]:
    """Everything inside logs and publishes under `trace`; `fields` join the log lines."""
    return _Tracing(trace, {name: str(value) for name, value in fields.items() if value is not None})


class _Tracing(AbstractContextManager[Trace]):
    """Not a generator, for each request is in one."""

    __slots__ = ("_bound", "_fields", "_token", "_trace")

    def __init__(self, trace: Trace, fields: Mapping[str, str]) -> None:
        self._trace = trace
        self._fields = fields

    def __enter__(self) -> Trace:
        trace = self._trace
        self._token: Token[Trace | None] = _current.set(trace)
        self._bound = bind_contextvars(**self._fields) if self._fields else {}
        return trace

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._bound:
            reset_contextvars(**self._bound)
        _current.reset(self._token)
