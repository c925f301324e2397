"""Trouble on demand: what a test wants the next requests to meet."""

from dataclasses import dataclass, replace
from typing import Any, Final

from esi_simulator.errors import MESSAGES, TRANQUILITY_DOWN, EsiError, no_such_page, spamming
from esi_simulator.exchange import Cut, Document, Header, Reply, Request, error_reply, to_json

NOT_MODIFIED: Final = 304
KINDS: Final = frozenset({"truncate", "stall", "lying_304", "empty", "pages", "past_end", "spamming"})


@dataclass(slots=True)
class Fault:
    """Meets the next `count` requests of a kind of route (`*`: of any) whose path and query contain `contains`."""

    route: str
    kind: str | None
    status: int | None
    count: int
    delay: float
    seconds: float
    body: Any
    contains: str
    headers: tuple[Header, ...]

    def reply(self) -> Reply | None:
        """What is answered in the route's place; None where the route is asked."""
        if self.kind == "past_end":
            error = no_such_page(self.status or 404)
            return error_reply(error.status, error.message)
        if self.kind == "spamming":
            return error_reply(520, spamming(self.seconds))
        if self.status is None:
            return None
        if self.body is None:
            plain = error_reply(self.status, MESSAGES.get(self.status, "Something went wrong"))
            return Reply(self.status, plain.document, headers=self.headers)
        body = self.body.encode() if isinstance(self.body, str) else to_json(self.body)
        return Reply(self.status, Document(body), headers=self.headers)

    def distorted(self, reply: Reply) -> Reply:
        """The route's own answer, gone wrong on its way."""
        match self.kind:
            case "truncate":
                return replace(reply, cut=Cut(0, finishes=False))
            case "stall":
                return replace(reply, cut=Cut(self.seconds, finishes=True))
            case "lying_304" if reply.modified is not None:
                return replace(reply, status=NOT_MODIFIED, document=Document(b"", reply.document.etag))
            case "empty" if reply.document.body:
                return replace(reply, document=Document(b"[]"))
            case "pages":  # nothing where the header is to be missing
                told = () if self.body is None else ((b"x-pages", str(self.body).encode()),)
                return replace(reply, pages=None, headers=(*reply.headers, *told))
            case _:
                return reply


class Faults:
    """Those that are still to come, first come first met; and whether the whole cluster is down."""

    def __init__(self) -> None:
        self._waiting: list[Fault] = []
        self.down = False

    def add(self, wish: dict[str, Any]) -> None:
        """Take one as a test writes it; everything in it is optional."""
        self._waiting.append(fault(wish))

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


def fault(wish: dict[str, Any]) -> Fault:
    """A fault as a test writes it; raises `ValueError` for a kind that there is not."""
    kind = wish.get("kind")
    if kind is not None and kind not in KINDS:
        raise ValueError(f"kind is one of {sorted(KINDS)}")
    return Fault(
        route=str(wish.get("route", "*")),
        kind=kind,
        status=None if wish.get("status") is None else int(wish["status"]),
        count=int(wish.get("count", 1)),
        delay=float(wish.get("delay", 0)),
        seconds=float(wish.get("seconds", 64.226997)),
        body=wish.get("body"),
        contains=str(wish.get("contains", "")),
        headers=tuple((name.lower().encode(), str(text).encode()) for name, text in wish.get("headers", {}).items()),
    )
