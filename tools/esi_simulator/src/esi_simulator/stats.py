"""What was asked of the simulator: what tests hold a client to."""

from collections import Counter
from typing import Any, Final

from esi_simulator.exchange import Reply, Request
from esi_simulator.limits.buckets import TOO_MANY
from esi_simulator.limits.gates import LIMITED, Gates

MOST_OFFSETS: Final = 1000
NOT_MODIFIED: Final = 304
ANY: Final = "*"


class Stats:
    """Requests counted by kind of route and status, and what is to be held against who sent them."""

    def __init__(self, gates: Gates) -> None:
        self._gates = gates
        self._underway = 0
        self._expiries: dict[tuple[str, ...], float] = {}
        self.reset()

    def reset(self) -> None:
        """Count anew; what is under way goes on being so."""
        self._counts: Counter[tuple[str, int]] = Counter()
        self._lacking: Counter[str] = Counter()
        self._conditional: Counter[str] = Counter()
        self._not_modified: Counter[str] = Counter()
        self._early: Counter[str] = Counter()
        self._limited: Counter[int] = Counter()
        self._offsets: list[dict[str, Any]] = []
        self._closed: dict[str, tuple[int, float, float]] = {}
        self._expiries.clear()
        self._highest = self._underway

    def arrive(self, kind: str, request: Request) -> None:
        """Count a request that came in; `leave` follows for each."""
        self._underway += 1
        self._highest = max(self._highest, self._underway)
        headers = request.headers
        if b"user-agent" not in headers and b"x-user-agent" not in headers and "user_agent=" not in request.query:
            self._lacking["user_agent"] += 1
        if b"x-compatibility-date" not in headers and "compatibility_date=" not in request.query:
            self._lacking["compatibility_date"] += 1
        if b"gzip" not in headers.get(b"accept-encoding", b""):
            self._lacking["gzip"] += 1
        if b"if-none-match" in headers or b"if-modified-since" in headers:
            self._conditional[kind] += 1
        if self._expiries.get((*request.parts, request.query), 0) > self._gates.clock.now():
            self._early[kind] += 1
        if self._closed:
            self._hold_against(kind)

    def leave(self, kind: str, request: Request, reply: Reply) -> None:
        """Count the answer that was sent."""
        self._underway -= 1
        self._counts[kind, reply.status] += 1
        if reply.status == NOT_MODIFIED:
            self._not_modified[kind] += 1
        if reply.expires is not None and reply.status in {200, NOT_MODIFIED}:
            self._expiries[(*request.parts, request.query)] = reply.expires
        if reply.status in {LIMITED, TOO_MANY}:
            self._close(kind, reply)

    def abandon(self) -> None:
        """A request that never got an answer."""
        self._underway -= 1

    def counted(self) -> dict[str, Any]:
        """All of it; `requests` for example {"items": {"200": 1999, "404": 1}}."""
        routes: dict[str, dict[str, int]] = {}
        for (kind, status), count in sorted(self._counts.items()):
            routes.setdefault(kind, {})[str(status)] = count
        return {
            "requests": routes,
            "total": sum(self._counts.values()),
            "underway_at_most": self._highest,
            "lacking": {what: self._lacking[what] for what in ("user_agent", "compatibility_date", "gzip")},
            "conditional": dict(self._conditional),
            "not_modified": dict(self._not_modified),
            "before_expiry": dict(self._early),
            "while_limited": {str(status): self._limited[status] for status in (LIMITED, TOO_MANY)},
            "while_limited_offsets": self._offsets,
        }

    def _close(self, kind: str, reply: Reply) -> None:
        """From now until the reset, who asks has not listened. The first such answer counts: others were under way."""
        now = self._gates.clock.now()
        scope, until = ANY, float(self._gates.window.ends(now))
        if reply.status == TOO_MANY:
            bucket = self._gates.buckets.of(kind)
            wait = dict(reply.headers).get(b"retry-after", b"0")
            scope, until = bucket.group if bucket else kind, now + (int(wait) if wait.isdigit() else 0)
        if now >= self._closed.get(scope, (0, 0.0, 0.0))[2]:
            self._closed[scope] = (reply.status, self._gates.clock.ticking(), until)

    def _hold_against(self, kind: str) -> None:
        now = self._gates.clock.now()
        bucket = self._gates.buckets.of(kind)
        for scope in {ANY, kind, bucket.group if bucket else kind}:
            status, sent, until = self._closed.get(scope, (0, 0.0, 0.0))
            if now < until:
                self._limited[status] += 1
                if len(self._offsets) < MOST_OFFSETS:
                    offset = self._gates.clock.ticking() - sent
                    self._offsets.append({"status": status, "route": kind, "seconds": round(offset, 6)})
