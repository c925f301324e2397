"""Trouble on demand: what a test wants the next requests to meet."""

from dataclasses import dataclass
from typing import Any

from esi_simulator.errors import MESSAGES, TRANQUILITY_DOWN, EsiError
from esi_simulator.exchange import Document, Header, Reply, Request, error_reply, to_json


@dataclass(slots=True)
class Fault:
    """Meets the next `count` requests of a kind of route (`*`: of any) whose path and query contain `contains`."""

    route: str
    status: int | None
    count: int
    delay: float
    body: Any
    contains: str
    headers: tuple[Header, ...]

    def reply(self) -> Reply | None:
        """What is answered in the route's place; None where the fault only delays."""
        if self.status is None:
            return None
        if self.body is None:
            plain = error_reply(self.status, MESSAGES.get(self.status, "Something went wrong"))
            return Reply(self.status, plain.document, headers=self.headers)
        body = self.body.encode() if isinstance(self.body, str) else to_json(self.body)
        return Reply(self.status, Document(body), headers=self.headers)


class Faults:
    """Those that are still to come, first come first met; and whether the whole cluster is down."""

    def __init__(self) -> None:
        self._waiting: list[Fault] = []
        self.down = False

    def add(self, wish: dict[str, Any]) -> None:
        """Take one as a test writes it: route, status, count, delay, body, contains, headers; all optional."""
        self._waiting.append(
            Fault(
                route=str(wish.get("route", "*")),
                status=None if wish.get("status") is None else int(wish["status"]),
                count=int(wish.get("count", 1)),
                delay=float(wish.get("delay", 0)),
                body=wish.get("body"),
                contains=str(wish.get("contains", "")),
                headers=tuple((name.encode(), str(text).encode()) for name, text in wish.get("headers", {}).items()),
            )
        )

    def clear(self) -> None:
        """Forget all of them and come up again."""
        self._waiting.clear()
        self.down = False

    def waiting(self) -> int:
        """Requests that will still meet a fault."""
        return sum(fault.count for fault in self._waiting)

    def meet(self, route: str, request: Request) -> Fault | None:
        """The fault that this request meets, if any; it is used up by one. Raises 503 while the cluster is down."""
        if self.down:
            raise EsiError(503, TRANQUILITY_DOWN)
        for fault in self._waiting:
            if fault.route in {"*", route} and fault.contains in request.target:
                fault.count -= 1
                if fault.count <= 0:
                    self._waiting.remove(fault)
                return fault
        return None
